r"""One scale for a whole matrix, one for each output, or one for each group of weights: the same code, another group.

    blocks of g neighbours:   s = max|w| / (2^(b-1) - 1),   q = clamp(round(w / s))

Source: Krishnamoorthi 2018 (arXiv:1806.08342), section 3.1 (per tensor, per channel); Frantar et al., GPTQ, 2023
(arXiv:2210.17323), section 4 (groups).
Variant: symmetric, absolute maximum, groups of neighbours along the inputs of a row, as kernels read them.
Not handled: zero points for each group, a search for the scale of least error, 16-bit scales, packing two to a byte.

On paper: b = 4, so integers from -7 to 7, and w = (0.7, -0.2, 7, 3). One scale of 7/7 = 1 gives (1, 0, 7, 3): errors of
0.3 and 0.2 on weights of 0.7 and -0.2. Groups of two have the scales 0.1 and 1 and give (7, -2, 7, 3): no error at all.
"""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.compression.affine import dequantize, integers, quantize
from snippets.evidence import Evidence


def quantize_groups(w: Tensor, group: int, *, bits: int = 4) -> tuple[Tensor, Tensor]:
    """Quantise with one symmetric scale for each `group` neighbours.

    w: (out, in). A group of w.numel() is per tensor, of `in` per output channel, of 128 or 32 group-wise.
    Returns integers (groups, group) and scales (groups, 1). Raises ValueError where groups would straddle two rows.
    """
    if group != w.numel() and w.shape[-1] % group:
        raise ValueError(f"a group of {group} does not divide a row of {w.shape[-1]}: pad the row, or take a divisor")
    blocks = w.reshape(-1, group)
    largest = blocks.abs().amax(dim=-1, keepdim=True)
    scale = (largest / integers(bits)[1]).clamp(min=torch.finfo(w.dtype).tiny)
    return quantize(blocks, scale, torch.zeros_like(scale), bits=bits), scale


def dequantize_groups(q: Tensor, scale: Tensor, shape: torch.Size) -> Tensor:
    """Return the weights that integers (groups, group) and scales (groups, 1) stand for, in the shape given."""
    return dequantize(q, scale, torch.zeros_like(scale)).reshape(shape)


def rounded(w: Tensor, group: int, *, bits: int = 4) -> Tensor:
    """Quantise in groups, and back: the weights that the model computes with."""
    return dequantize_groups(*quantize_groups(w, group, bits=bits), w.shape)


def rounded_spec(w: Tensor, group: int, *, bits: int = 4) -> Tensor:
    """Say the same one weight at a time: each is rounded to the scale of the neighbours that it shares it with.

    w: (out, in)   Returns (out, in).
    """
    flat, top = w.flatten().tolist(), 2 ** (bits - 1) - 1
    back = []
    for i, weight in enumerate(flat):
        first = i // group * group
        step = max(abs(other) for other in flat[first : first + group]) / top
        back.append(round(weight / step) * step if step else 0.0)
    return torch.tensor(back, dtype=w.dtype).reshape(w.shape)


def relative_error(w: Tensor, back: Tensor) -> float:
    """Norm of the error over the norm of the weights; 1 is as bad as all zeros."""
    return float((w - back).norm() / w.norm())


def heavy_tailed(rows: int, columns: int, generator: torch.Generator | None = None) -> Tensor:
    """Weights with outliers: normal ones over the root of a mean of five squares (Student's t with five degrees)."""
    top = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return top / torch.randn(5, rows, columns, generator=generator, dtype=torch.float64).square().mean(0).sqrt()


def by_granularity(columns: int = 4096) -> list[dict[str, object]]:
    """Relative error in per cent of 64 heavy-tailed rows whose sizes differ by up to ten, at 8 and 4 bits."""
    generator = torch.Generator().manual_seed(0)
    w = heavy_tailed(64, columns, generator) * torch.logspace(-1, 0, 64, dtype=torch.float64)[:, None]
    sizes = {"tensor": w.numel(), "output channel": columns, "group of 128": 128, "group of 32": 32}
    return [
        {
            "one scale for each": name,
            **{f"error at {b} bits, %": round(100 * relative_error(w, rounded(w, size, bits=b)), 2) for b in (8, 4)},
        }
        for name, size in sizes.items()
    ]


def groups_match_the_definition() -> Evidence:
    """Quantisation per tensor, per channel and in groups equals its definition one weight at a time, to rounding.

    Three rows of 35 weights: groups of 5 and 7 divide a row, and no size is a multiple of another.
    """
    w = torch.randn(3, 35).double() * torch.tensor([[1.0], [10.0], [0.1]]).double()
    off = max((rounded(w, g, bits=4) - rounded_spec(w, g, bits=4)).abs().max().item() for g in (105, 35, 7, 5))
    return Evidence(holds=off < 1e-12, measured={"largest difference is below 1e-12": off < 1e-12})


def a_loud_channel_silences_the_rest() -> Evidence:
    """Post-training quantisation with one output channel of 16 a hundred times as large: one scale loses the others.

    At int8 their largest weight is then about one step, so most become zero. With a scale for each channel they come
    back to one per cent.
    """
    w = torch.randn(16, 256).double()
    w[3] *= 100
    quiet = [i for i in range(16) if i != 3]
    tensor, channel = (relative_error(w[quiet], rounded(w, g, bits=8)[quiet]) for g in (w.numel(), 256))
    return Evidence(
        holds=tensor > 0.5 and channel < 0.02,
        measured={"error of the quiet channels, per tensor": tensor, "per channel": channel},
    )


def groups_contain_outliers() -> Evidence:
    """Int4 on heavy-tailed weights: an outlier coarsens the step of its own group only, so smaller groups err less."""
    w = heavy_tailed(16, 4096)
    channel, of_128, of_32 = (relative_error(w, rounded(w, g, bits=4)) for g in (4096, 128, 32))
    return Evidence(
        holds=channel > 1.5 * of_128 and of_128 > 1.2 * of_32 and of_32 < 0.15,
        measured={"per channel": channel, "group of 128": of_128, "group of 32": of_32},
    )


def draw_error_by_group(axes: Axes) -> None:
    """Relative error of int4 weights against the size of the group, for normal and for heavy-tailed weights."""
    generator = torch.Generator().manual_seed(0)
    sizes = [2**n for n in range(3, 13)]
    kinds = {
        "heavy-tailed weights": heavy_tailed(32, 4096, generator),
        "normal weights": torch.randn(32, 4096, generator=generator, dtype=torch.float64),
    }
    for marker, (name, w) in zip("os", kinds.items(), strict=True):
        axes.plot(sizes, [relative_error(w, rounded(w, g, bits=4)) for g in sizes], marker=marker, label=name)
    axes.set(xscale="log", xlabel="weights that share a scale", ylabel="relative error at 4 bits", ylim=(0, None))
    axes.set_xticks([8, 32, 128, 1024, 4096], labels=["8", "32", "128", "1024", "4096"])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="upper left")
