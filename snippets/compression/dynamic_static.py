r"""Weight-only, dynamic and static quantisation of a linear layer: what is rounded, and when its scale is known.

    weight-only   x . (s_w q_w)                 activations stay floats, the product is a float product
    dynamic       s_x(x) s_w (q_x . q_w)        the activations' scale is computed from each token as it comes
    static        s_x    s_w (q_x . q_w)        the activations' scale was fixed beforehand, on calibration data

Sources: Krishnamoorthi 2018 (arXiv:1806.08342), section 3; Nagel et al. 2021 (arXiv:2106.08295), section 3;
Yao et al., ZeroQuant, 2022 (arXiv:2206.01861), for scales of each token.
Variant: int8, symmetric, weights with a scale for each output; static with one scale for the whole layer.
Not handled: asymmetric activations (see integer_product), percentiles or least error for the range, fp8.

On paper: w = (0.5, 1), so s_w = 1/127 and q_w = (64, 127), half to even. The token (2, -4) has s_x = 4/127 and
q_x = (64, -127): 64 * 64 - 127 * 127 = -12 033, times 4/127^2 is -2.984; the float product is -3. Calibrated on
|x| <= 2, the token saturates to (127, -127), and the static answer is 2/127^2 * (127 * 64 - 127 * 127) = -0.992.
"""

import torch
from torch import Tensor
from torch.nn import functional

from snippets.compression.affine import dequantize, quantize, symmetric_scale
from snippets.compression.digits import accuracy, digits, forward, majority, trained_layers
from snippets.compression.granularity import quantize_groups, rounded
from snippets.compression.integer_product import accumulate
from snippets.evidence import Evidence, trained


def weight_only(x: Tensor, w: Tensor, b: Tensor, *, bits: int = 8) -> Tensor:
    """Round the weights, once and for all; multiply in floats.

    x: (tokens, in)   w: (out, in)   b: (out,)   Returns (tokens, out).
    """
    return functional.linear(x, rounded(w, w.shape[-1], bits=bits), b)


def integer_layer(x: Tensor, s_x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Quantise inputs and weights to int8, multiply integers, scale the sums.

    x: (tokens, in)   s_x: scale of the inputs, a scalar or (tokens, 1)   Returns (tokens, out).
    """
    q_w, s_w = quantize_groups(w, w.shape[-1], bits=8)
    q_x = quantize(x, s_x, torch.zeros_like(s_x)).clamp(min=-127)
    return s_x * s_w.flatten() * accumulate(q_x, q_w) + b


def dynamic(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Take each token's scale from the token itself, at run time.

    x: (tokens, in)   w: (out, in)   b: (out,)   Returns (tokens, out).
    """
    scale = (x.abs().amax(dim=-1, keepdim=True) / 127).clamp(min=torch.finfo(x.dtype).tiny)
    return integer_layer(x, scale, w, b)


def calibrate(batches: list[Tensor]) -> Tensor:
    """Return the one scale that covers every value of the calibration batches, each (tokens, in)."""
    return symmetric_scale(torch.cat(batches))


def static(x: Tensor, w: Tensor, b: Tensor, *, scale: Tensor) -> Tensor:
    """Use the scale that calibration found; what is larger than it foresaw saturates.

    x: (tokens, in)   w: (out, in)   b: (out,)   scale: a scalar   Returns (tokens, out).
    """
    return integer_layer(x, scale, w, b)


def off(got: Tensor, want: Tensor) -> float:
    """Relative error of an answer."""
    return float((got - want).norm() / want.norm())


def dynamic_rounds_the_activations() -> Evidence:
    """Dynamic quantisation is an integer product of rounded activations and rounded weights, to rounding in float64.

    It is not weight-only quantisation, from which it differs by what rounding the activations costs.
    """
    x, w, b = torch.randn(13, 97).double(), torch.randn(11, 97).double(), torch.randn(11).double()
    s = x.abs().amax(-1, keepdim=True) / 127
    both = functional.linear(
        dequantize(quantize(x, s, torch.zeros_like(s)), s, torch.zeros_like(s)), rounded(w, 97, bits=8), b
    )
    got = dynamic(x, w, b)
    same, apart = off(got, both) < 1e-12, off(got, weight_only(x, w, b))
    return Evidence(
        holds=same and apart > 1e-3,
        measured={
            "equals the product of both rounded, within 1e-12": same,
            "relative distance from weight-only": apart,
        },
    )


def static_saturates_where_dynamic_follows() -> Evidence:
    """Static quantisation, inputs four times as large as in calibration: it clips, where dynamic quantisation follows.

    On inputs like those of calibration the two err alike, within a factor of three.
    """
    w, b = torch.randn(16, 128).double() / 128**0.5, torch.zeros(16).double()
    scale = calibrate([torch.randn(64, 128).double() for _ in range(4)])
    errors = {}
    for size in (1, 4):
        x = torch.randn(64, 128).double() * size
        want = functional.linear(x, w, b)
        errors[size] = off(static(x, w, b, scale=scale), want), off(dynamic(x, w, b), want)
    alike = errors[1][0] < 3 * errors[1][1] < 0.06
    return Evidence(
        holds=alike and errors[4][0] > 0.1 and errors[4][1] < 0.02,
        measured={
            "static, as calibrated": errors[1][0],
            "dynamic": errors[1][1],
            "static, inputs four times as large": errors[4][0],
            "dynamic, inputs four times as large": errors[4][1],
        },
    )


def a_token_does_not_depend_on_its_neighbours() -> Evidence:
    """Dynamic quantisation with a scale for each token: a token a thousand times as loud in the batch changes no other.

    With one scale for the batch, the others would be rounded to nothing, and every answer would depend on the traffic.
    """
    x, w, b = torch.randn(7, 64).double(), torch.randn(5, 64).double(), torch.zeros(5).double()
    loud = x.clone()
    loud[3] *= 1000
    quiet = [i for i in range(7) if i != 3]
    change = off(dynamic(loud, w, b)[quiet], dynamic(x, w, b)[quiet])
    right = off(dynamic(x, w, b), functional.linear(x, w, b)) < 0.02
    return Evidence(holds=change == 0 and right, measured={"the quiet tokens change by": change})


@trained
def int8_keeps_the_accuracy() -> Evidence:
    """Int8 on a trained network: weight-only, dynamic and static lose less than two points, all far above the majority.

    The static scale comes from the training images and is one for all layers, their largest input.
    """
    layers = trained_layers()
    data = digits()
    inputs = []

    def noted(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        inputs.append(x.flatten())
        return functional.linear(x, w, b)

    full = accuracy(layers)
    forward(layers, data.train_x, noted)
    scale = calibrate(inputs)
    scores = {
        "weight-only": accuracy(layers, weight_only),
        "dynamic": accuracy(layers, dynamic),
        "static": accuracy(layers, lambda x, w, b: static(x, w, b, scale=scale)),
    }
    return Evidence(
        holds=full > 0.9 and all(score > full - 0.02 for score in scores.values()) and full > 5 * majority(),
        measured={"float": full, "always the most frequent digit": majority(), **scores},
        rel=None,
    )
