r"""Affine quantisation: a real number becomes a small integer, a scale and a zero point say what it stood for.

    q = clamp(round(x / s) + z, -2^(b-1), 2^(b-1) - 1)        x ~ s (q - z)

Source: Jacob et al. 2018 (arXiv:1712.05877), equation 1; Nagel et al., A White Paper on Neural Network Quantization,
2021 (arXiv:2106.08295), section 2.2.
Variant: signed integers, round half to even, range from the smallest and the largest value (min-max), stretched to hold
zero; the symmetric form has z = 0 and leaves the lowest integer out, so that -x gets the opposite of x.
Not handled: ranges by percentile or least error, stochastic rounding, scales that are powers of two, packing.

On paper: b = 4 and values from -1 to 2: 15 steps, s = 3/15 = 0.2, z = round(-8 + 1/0.2) = -3. Then 0.5 becomes
round(2.5) - 3 = -1 (half to even), and comes back as 0.2 * (-1 + 3) = 0.4: off by 0.1, half a step. 0 comes back as 0.
"""

import math

import sympy
import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof


def integers(bits: int) -> tuple[int, int]:
    """Return the smallest and the largest signed integer of so many bits."""
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def affine_parameters(x: Tensor, *, bits: int = 8) -> tuple[Tensor, Tensor]:
    """Scale and zero point that cover all of x, and zero, which must come back exactly: padding and ReLU rest on it.

    x: any shape. Returns two scalars: scale (positive, float) and zero point (an integer in the range, as a float).
    """
    lowest, highest = integers(bits)
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = ((high - low) / (highest - lowest)).clamp(min=torch.finfo(x.dtype).tiny)
    return scale, (lowest - low / scale).round().clamp(lowest, highest)


def symmetric_scale(x: Tensor, *, bits: int = 8) -> Tensor:
    """Scale with which the largest absolute value becomes the largest integer; the zero point is 0."""
    return (x.abs().max() / integers(bits)[1]).clamp(min=torch.finfo(x.dtype).tiny)


def quantize(x: Tensor, scale: Tensor, zero: Tensor, *, bits: int = 8) -> Tensor:
    """Round to the grid and clamp to the integers that there are.

    x: (...)   scale, zero: broadcast against x   Returns integers of x's shape, int32 so that products may be summed.
    """
    lowest, highest = integers(bits)
    return ((x / scale).round() + zero).clamp(lowest, highest).to(torch.int32)


def dequantize(q: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Return the real numbers that the integers stand for: scale * (q - zero)."""
    return scale * (q - zero)


def round_trip(x: Tensor, *, bits: int = 8, symmetric: bool = False) -> Tensor:
    """Quantise with one scale for all of x, and back."""
    scale, zero = affine_parameters(x, bits=bits)
    if symmetric:
        scale, zero = symmetric_scale(x, bits=bits), torch.zeros((), dtype=x.dtype)
    return dequantize(quantize(x, scale, zero, bits=bits), scale, zero)


def decibels(x: Tensor, y: Tensor) -> float:
    """Signal-to-noise ratio of y as a copy of x, in dB; 20 dB are an error of a tenth."""
    return 10 * math.log10((x.square().sum() / (x - y).square().sum()).item())


def derive_noise() -> Steps:
    """Rounding to a grid of step s is noise of variance s^2/12, which makes each bit worth 6 dB on uniform data."""
    s, a = sympy.symbols("s a", positive=True)
    b = sympy.Symbol("b", positive=True, integer=True)
    e = sympy.Symbol("e", real=True)
    noise = sympy.Integral(e**2 / s, (e, -s / 2, s / 2))
    signal = sympy.Integral(e**2 / (2 * a), (e, -a, a))
    return {
        "An error uniform within half a step has variance": step(noise, s**2 / 12),
        "A signal uniform on [-a, a] has variance": step(signal, a**2 / 3),
        "With 2^b steps over that range, signal over noise is": step(
            sympy.Mul(a**2 / 3, sympy.Pow((2 * a / 2**b) ** 2 / 12, -1, evaluate=False), evaluate=False),
            sympy.Integer(4) ** b,
        ),
        "In decibels": step(10 * sympy.log(sympy.Integer(4) ** b) / sympy.log(10), 20 * b * sympy.log(2, 10)),
    }


@proof
def noise_is_proved() -> Evidence:
    """Every step of the derivation of quantisation noise is proved, and one bit is worth 6.02 dB."""
    steps = derive_noise()
    results = [proved(equality) for equality in steps.values()]
    gain = float(steps["In decibels"].rhs.subs(sympy.Symbol("b", positive=True, integer=True), 1))
    return Evidence(holds=all(results) and abs(gain - 6.02) < 0.01, measured={"dB a bit": gain})


def zero_is_exact() -> Evidence:
    """Zero survives the round trip exactly, also where all values lie far to one side of it.

    Without zero in the range its integer would be clamped, without a rounded zero point it would fall between two; both
    turn padding and dead ReLUs into a bias. The other values have to come back to half a step as well.
    """
    worst = 0.0
    for x in (torch.randn(101) + 5, torch.randn(101) - 7, torch.rand(101) * 3 - 1):
        scale, zero = affine_parameters(x)
        back = dequantize(quantize(torch.cat([torch.zeros(1), x]), scale, zero), scale, zero)
        inside = (back[1:] - x).abs().max().item() <= 0.51 * scale.item() + 1e-5
        worst = max(worst, abs(back[0].item()), 0.0 if inside else 1.0)
    return Evidence(holds=worst == 0.0, measured={"largest that zero comes back as": worst})


def error_is_half_a_step() -> Evidence:
    """Affine quantisation at 8 and 4 bits: no value within the range is off by more than half a step, some nearly so.

    A grid that is shifted, or one clamped too early, is off by more; one that is too fine for its range likewise.
    """
    ratios = []
    for bits in (8, 4):
        x = torch.rand(4001).double() * 5 - 2
        ideal = (x.max() - x.min()) / (2**bits - 1)
        # The zero point is rounded too, so that the ends may be clamped by up to half a step more.
        middle = (x > x.min() + ideal) & (x < x.max() - ideal)
        ratios.append(((round_trip(x, bits=bits) - x).abs()[middle].max() / ideal).item())
    return Evidence(
        holds=all(0.45 < ratio < 0.5 + 1e-9 for ratio in ratios),
        measured={"largest error in steps is half a step": True},
    )


def what_does_not_fit_saturates() -> Evidence:
    """Values up to three times the range that was measured come back as its ends: they saturate and do not wrap around.

    An overflow that wraps turns the largest activation into a negative one; 8 bits would hold none of these integers.
    """
    x = torch.randn(1001).double()
    scale, zero = affine_parameters(x)
    q = quantize(3 * x, scale, zero)
    ends = dequantize(quantize(torch.stack([x.min(), x.max()]), scale, zero), scale, zero)
    off = (dequantize(q, scale, zero) - (3 * x).clamp(ends[0], ends[1])).abs().max() / scale
    fits = bool(q.min() >= -128 and q.max() <= 127)
    return Evidence(holds=fits and off.item() <= 0.51, measured={"all fit into 8 bits": fits})


def a_bit_is_six_decibels() -> Evidence:
    """Signal-to-noise ratio of quantised uniform values, 3 to 8 bits: 20 log10 of the number of steps, to 0.2 dB.

    That is the derivation, with the 2^b - 1 steps that lie between 2^b integers: nearly 6 dB more for each bit.
    """
    x = torch.rand(200_000).double() * 2 - 1
    ratio = {bits: decibels(x, round_trip(x, bits=bits)) for bits in range(3, 9)}
    off = max(abs(ratio[bits] - 20 * math.log10(2**bits - 1)) for bits in ratio)
    return Evidence(holds=off < 0.2, measured={"dB at 8 bits": ratio[8], "dB at 4 bits": ratio[4]})


def asymmetry_buys_a_bit_after_relu() -> Evidence:
    """Outputs of a ReLU: with a zero point all integers are in use, without it the negative half lies idle.

    The step doubles, so the error does, which is one bit. On weights around zero the zero point buys next to nothing.
    """
    x, w = torch.rand(50_000).double(), torch.rand(50_000).double() * 2 - 1
    gain_x, gain_w = (decibels(v, round_trip(v)) - decibels(v, round_trip(v, symmetric=True)) for v in (x, w))
    return Evidence(
        holds=abs(gain_x - 6.02) < 0.3 and abs(gain_w) < 0.2,
        measured={"dB gained after a ReLU": gain_x, "dB gained on weights": gain_w},
    )


def draw_staircase(axes: Axes) -> None:
    """What comes back of each x at 3 bits over the range -1 to 2: a staircase through zero, flat beyond the range."""
    x = torch.linspace(-2, 3, 2001)
    scale, zero = affine_parameters(torch.tensor([-1.0, 2.0]), bits=3)
    back = dequantize(quantize(x, scale, zero, bits=3), scale, zero)
    axes.plot(x, x, linestyle=":", label="x")
    axes.plot(x, back, label="3 bits over [-1, 2]")
    axes.plot([0], [0], marker="o", linestyle="none", label="zero is exact")
    axes.set(xlabel="x", ylabel="what comes back")
    axes.legend(frameon=False, loc="upper left")
