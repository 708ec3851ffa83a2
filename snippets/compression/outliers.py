r"""Outlier channels: why int8 activations break language models, and three ways around them.

    per token     every channel of a token shares a scale, so one loud channel rounds the others away
    decompose     x W^T = x_loud W_loud^T (in floats) + x_rest W_rest^T (in int8)                       LLM.int8()
    smooth        x W^T = (x / s) (s W)^T with s_j = max|x_j|^a / max|w_j|^(1 - a)                       SmoothQuant

Sources: Dettmers et al., LLM.int8(), 2022 (arXiv:2208.07339), section 3.2; Xiao et al., SmoothQuant, 2023
(arXiv:2211.10438), equations 3 and 4.
Variant: maxima from calibration inputs; a = 0.5; loud are channels beyond a multiple of the median channel (LLM.int8()
takes a fixed 6.0).
Not handled: folding s into the norm before the layer, rotations (QuaRot, SpinQuant), outlier tokens.

On paper: x = (1, 100), w = (1, 1), a = 1/2: s = (1, 10). Then x / s = (1, 10) and s w = (1, 10): the product is 101
before and after, and the largest input is ten times the smallest, not a hundred times.
"""

import torch
from torch import Tensor

from snippets.compression.affine import symmetric_scale
from snippets.compression.dynamic_static import dynamic, off, static
from snippets.compression.granularity import rounded
from snippets.evidence import Evidence


def smoothing(x: Tensor, w: Tensor, *, strength: float = 0.5) -> Tensor:
    """Factors by which inputs are divided and weights multiplied, one for each input channel (SmoothQuant, equation 4).

    x: (tokens, in) of calibration   w: (out, in)   Returns (in,).
    """
    loudest, heaviest = x.abs().amax(dim=0), w.abs().amax(dim=0)
    return (loudest**strength / heaviest ** (1 - strength)).clamp(min=1e-5)


def smoothed(x: Tensor, w: Tensor, b: Tensor, factors: Tensor) -> Tensor:
    """Int8 product after part of the outliers' size has moved into the weights.

    x: (tokens, in)   w: (out, in)   factors: (in,)   Returns (tokens, out).
    """
    return dynamic(x / factors, w * factors, b)


def decomposed(x: Tensor, w: Tensor, b: Tensor, loud: Tensor) -> Tensor:
    """Hybrid quantisation: the loud channels in floats, the rest in int8.

    x: (tokens, in)   w: (out, in)   loud: (in,), True for an outlier channel   Returns (tokens, out).
    """
    return x[:, loud] @ w[:, loud].mT + dynamic(x[:, ~loud], w[:, ~loud], b)


def loud_channels(x: Tensor, *, times: float = 6.0) -> Tensor:
    """Which channels reach beyond so many times the largest value of a median channel.

    x: (tokens, in)   Returns (in,), True for a loud one.
    """
    largest = x.abs().amax(dim=0)
    return largest > times * largest.median()


def a_layer_with_outliers(generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of 256 channels, three of them a hundred times as loud, and a layer of 128 outputs: x, w, b."""
    x = torch.randn(64, 256, generator=generator).double()
    x[:, [5, 77, 200]] *= 100
    w = torch.randn(128, 256, generator=generator).double() / 16
    return x, w * (torch.rand(256, generator=generator).double() + 0.5), torch.zeros(128).double()


def quiet_error(got: Tensor, x: Tensor, w: Tensor) -> float:
    """Error of an answer against what the quiet channels contribute, which is the information that outliers drown."""
    rest = ~loud_channels(x)
    return float((got - x @ w.mT).norm() / (x[:, rest] @ w[:, rest].mT).norm())


def by_remedy() -> list[dict[str, object]]:
    """Error of a layer with three outlier channels, against what its other 253 contribute."""
    x, w, b = a_layer_with_outliers(torch.Generator().manual_seed(0))
    s = smoothing(x, w)
    answers = {
        "int8 × int8, one scale for all activations": static(x, w, b, scale=symmetric_scale(x)),
        "int8 × int8, a scale for each token": dynamic(x, w, b),
        "the same, smoothed with a = 0.5": smoothed(x, w, b, s),
        "the same, outlier channels in floats": decomposed(x, w, b, loud_channels(x)),
        "int8 weights a channel, float activations": x @ rounded(w, 256, bits=8).mT,
        "int4 weights in groups of 32, float activations": x @ rounded(w, 32, bits=4).mT,
        "the same, smoothed (AWQ scales so, too)": (x / s) @ rounded(w * s, 32, bits=4).mT,
    }
    return [{"layer": name, "error, %": round(100 * quiet_error(got, x, w), 1)} for name, got in answers.items()]


def outliers_drown_the_rest() -> Evidence:
    """Three channels of 256 a hundred times as loud: int8 activations lose what the others say, two remedies save it.

    Hybrid quantisation, outlier channels in floats and the rest in int8, errs least; smoothing needs no second product.
    """
    x, w, b = a_layer_with_outliers()
    plain = quiet_error(dynamic(x, w, b), x, w)
    smooth = quiet_error(smoothed(x, w, b, smoothing(x, w)), x, w)
    hybrid = quiet_error(decomposed(x, w, b, loud_channels(x)), x, w)
    return Evidence(
        holds=plain > 0.2 and smooth < plain / 3 and hybrid < smooth and hybrid < 0.03,
        measured={"a scale for each token": plain, "smoothed": smooth, "outliers in floats": hybrid},
    )


def smoothing_changes_nothing_in_floats() -> Evidence:
    """Divide the inputs and multiply the weights by the same factors: the product of floats is the same, to rounding.

    And inputs and weights meet halfway: after smoothing with a = 0.5 each channel is as loud in one as in the other.
    """
    x, w, _ = a_layer_with_outliers()
    s = smoothing(x, w)
    same = off((x / s) @ (w * s).mT, x @ w.mT) < 1e-12
    ratio = (x / s).abs().amax(0) / (w * s).abs().amax(0)
    balanced = bool(((ratio - 1).abs() < 1e-9).all())
    return Evidence(holds=same and balanced, measured={"same product, within 1e-12": same, "balanced": balanced})
