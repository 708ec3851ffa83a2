r"""The product of two quantised matrices: integers are multiplied and summed, and scaled once at the end.

    sum_k s_x (q_x - z_x) s_w q_w = s_x s_w (sum_k q_x q_w - z_x sum_k q_w)

Source: Jacob et al., 2018 (arXiv:1712.05877), section 2.3, equations 4 to 7, for weights with a zero point too.
Variant: affine activations with one scale, symmetric weights with one scale for each output; 32-bit accumulators.
Not handled: requantising the result to 8 bits for the next layer, biases (stored in 32 bits at scale s_x s_w).

On paper: s_x = 0.5, z_x = 1, q_x = (3, 5), s_w = 0.1, q_w = (2, -4): the integers sum to 6 - 20 = -14, the correction
is 1 * (2 - 4) = -2, and the answer 0.05 * (-14 + 2) = -0.6. The real numbers: (1, 2) . (0.2, -0.4) = -0.6.
"""

import sympy
import torch
from torch import Tensor

from snippets.compression.affine import affine_parameters, dequantize, integers, quantize
from snippets.compression.granularity import dequantize_groups, quantize_groups
from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof


def accumulate(q_x: Tensor, q_w: Tensor) -> Tensor:
    """Sum the integer products in 32 bits, as int8 tensor cores do.

    q_x: (tokens, in)   q_w: (out, in)   Returns (tokens, out), int32.
    """
    return q_x.to(torch.int32) @ q_w.to(torch.int32).mT


def integer_linear(q_x: Tensor, s_x: Tensor, z_x: Tensor, q_w: Tensor, s_w: Tensor) -> Tensor:
    """A linear layer on quantised inputs and weights; floats appear only after the sum.

    q_x: (tokens, in) with scalars s_x, z_x   q_w: (out, in) with s_w: (out,)   Returns (tokens, out).
    """
    total = accumulate(q_x, q_w)
    correction = z_x * q_w.sum(dim=-1)  # depends on the weights alone: computed once, when the model is loaded
    return s_x * s_w * (total - correction)


def longest_sum(bits: int = 8, accumulator: int = 32) -> int:
    """Products of two b-bit integers, each at its largest, that an accumulator of so many bits can hold."""
    largest = integers(bits)[1] ** 2
    return int(integers(accumulator)[1] // largest)


def derive_product() -> Steps:
    """How the scales leave the sum, and what remains of the zero point."""
    n = sympy.Symbol("n", positive=True, integer=True)
    k = sympy.Symbol("k", integer=True)
    s_x, s_w = sympy.symbols("s_x s_w", positive=True)
    z_x = sympy.Symbol("z_x", integer=True)
    q_x, q_w = sympy.IndexedBase("q_x"), sympy.IndexedBase("q_w")
    real = sympy.Sum(s_x * (q_x[k] - z_x) * s_w * q_w[k], (k, 1, n))
    return {
        "Scales that are the same along the sum leave it": step(
            real, s_x * s_w * sympy.Sum((q_x[k] - z_x) * q_w[k], (k, 1, n))
        ),
        "The zero point becomes one correction for each output": step(
            real,
            s_x * s_w * (sympy.Sum(q_x[k] * q_w[k], (k, 1, n)) - z_x * sympy.Sum(q_w[k], (k, 1, n))),
        ),
    }


@proof
def product_is_proved() -> Evidence:
    """Every step of the integer product is proved."""
    results = [proved(equality) for equality in derive_product().values()]
    return Evidence(holds=all(results), measured={"steps proved": sum(results)})


def integers_give_the_real_product() -> Evidence:
    """Quantised inputs and weights: the integer product equals the product of what they stand for, to rounding.

    Inputs lie to one side of zero, so that a forgotten correction for the zero point is a large error; outputs differ
    a hundredfold in scale, so that a scale in the wrong place is one, too.
    """
    x = torch.rand(7, 53).double() + 2
    w = torch.randn(11, 53).double() * torch.logspace(-1, 1, 11).double()[:, None]
    s_x, z_x = affine_parameters(x)
    q_x = quantize(x, s_x, z_x)
    q_w, s_w = quantize_groups(w, 53, bits=8)
    got = integer_linear(q_x, s_x, z_x, q_w.reshape(11, 53), s_w.reshape(11))
    want = dequantize(q_x, s_x, z_x) @ dequantize_groups(q_w, s_w, w.shape).mT
    off = ((got - want).abs().max() / want.abs().max()).item()
    return Evidence(holds=off < 1e-12, measured={"largest relative difference is below 1e-12": off < 1e-12})


def sums_need_more_than_16_bits() -> Evidence:
    """Sum 4096 products of int8: the total is right, and has long left what 16 bits can hold.

    Each product is up to 127 * 127 = 16129, so two of them at their largest pass 32767 already. 32 bits hold 133 144.
    """
    q_x, q_w = torch.randint(64, 128, (3, 4096)), torch.randint(64, 128, (5, 4096))
    total, exact = accumulate(q_x, q_w), q_x.double() @ q_w.double().mT
    right = bool((total.double() == exact).all())
    largest = exact.max().item()
    held = longest_sum(8, 32)
    just_fits = held * 127**2 <= 2**31 - 1 < (held + 1) * 127**2
    return Evidence(
        holds=right and largest > 2**15 and just_fits,
        measured={
            "largest sum": largest,
            "products that 32 bits hold": held,
            "products that 16 bits hold": longest_sum(8, 16),
        },
    )
