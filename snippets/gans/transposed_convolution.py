r"""A transposed convolution ("deconvolution") is the adjoint of a strided convolution, not its inverse.

Source: Dumoulin and Visin 2016 (arXiv:1603.07285), section 4; Odena et al. 2016 (Distill), for the checkerboards.
Variant: one channel, one dimension, no padding: output length (n - 1) * stride + kernel.
Not handled: channels, padding, output_padding, dilation; torch's conv_transpose2d does the same in each dimension.

Worked example: input (1, 1), kernel (1, 1, 1), stride 2: the first copy of the kernel covers places 0 to 2, the second
    2 to 4, so the output is (1, 1, 2, 1, 1). With kernel (1, 1) it is (1, 1, 1, 1): where the stride divides the kernel
    the overlap is even.
"""

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from snippets.evidence import Evidence


def transposed_convolution(x: Tensor, kernel: Tensor, *, stride: int) -> Tensor:
    """Lay a copy of the kernel, times the input's value, at every `stride` places, and add where copies overlap.

    x: (n,)   kernel: (k,).   Returns ((n - 1) * stride + k,).
    """
    out = x.new_zeros((len(x) - 1) * stride + len(kernel))
    for place, value in enumerate(x):
        out[place * stride : place * stride + len(kernel)] += value * kernel
    return out


def convolution(x: Tensor, kernel: Tensor, *, stride: int) -> Tensor:
    """The strided convolution (cross-correlation) that it is the adjoint of.

    x: (m,)   kernel: (k,).   Returns ((m - k) // stride + 1,).
    """
    return x.unfold(0, len(kernel), stride) @ kernel


def output_length(n: int, kernel: int, stride: int) -> int:
    """Length of the output of a transposed convolution without padding."""
    return len(transposed_convolution(torch.ones(n), torch.ones(kernel), stride=stride))


def overlap(kernel: int, stride: int, n: int = 6) -> list[int]:
    """How many copies of the kernel reach each place of the output."""
    return [int(c) for c in transposed_convolution(torch.ones(n), torch.ones(kernel), stride=stride).tolist()]


def is_the_adjoint() -> Evidence:
    """<A x, y> = <x, A^T y> for a convolution A of kernel 3 and stride 2, at random x and y.

    And the matrix of one is the transpose of the other's, which gives the layer its name. float64, so 1e-12.
    """
    kernel, x, y = torch.randn(3).double(), torch.randn(11).double(), torch.randn(5).double()
    forward = torch.stack([convolution(e, kernel, stride=2) for e in torch.eye(11).double()], dim=1)
    back = torch.stack([transposed_convolution(e, kernel, stride=2) for e in torch.eye(5).double()], dim=1)
    same = forward.shape == back.mT.shape and bool(torch.equal(forward, back.mT))
    left = convolution(x, kernel, stride=2) @ y
    right = (x * F.pad(transposed_convolution(y, kernel, stride=2), (0, 11))[:11]).sum()
    off = (left - right).abs().item()
    return Evidence(holds=same and off < 1e-12, measured={"transpose of the convolution's matrix": same})


def is_not_the_inverse() -> Evidence:
    """Convolve 101 numbers with stride 2 and come back with the same kernel: how far from where we began.

    An inverse would give a relative error of 0. No layer could: 50 numbers are fewer than 101.
    """
    x, kernel = torch.randn(101).double(), torch.randn(3).double()
    back = transposed_convolution(convolution(x, kernel, stride=2), kernel, stride=2)
    error = ((back - x).norm() / x.norm()).item()
    return Evidence(holds=error > 0.3, measured={"relative error": error})


def overlap_is_even_only_where_the_stride_divides() -> Evidence:
    """Copies that reach each inner place, for kernel 3 and kernel 4 at stride 2: 1 2 1 2 against 2 2 2 2.

    The uneven count is the checkerboard: a constant input gives a patterned output before anything is learnt.
    """
    three, four = overlap(3, 2), overlap(4, 2)
    return Evidence(
        holds=three[2:-2] == [2, 1, 2, 1, 2, 1, 2, 1, 2] and set(four[2:-2]) == {2},
        measured={"kernel 3": str(three), "kernel 4": str(four)},
    )


def draw_overlap(axes: Axes) -> None:
    """Copies that reach each place of the output, at stride 2, for two kernels."""
    for n, kernel in enumerate((3, 4)):
        counts = overlap(kernel, 2, 8)
        axes.step(range(len(counts)), counts, where="mid", color=f"C{n}", label=f"kernel {kernel}, stride 2")
    axes.set(xlabel="place in the output", ylabel="copies that reach it", ylim=(0, 3))
    axes.legend(fontsize="small")
