"""Transposed convolution: by hand, against torch, as an adjoint, by its gradient."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.gans import transposed_convolution as module
from snippets.gans.transposed_convolution import (
    convolution,
    draw_overlap,
    output_length,
    overlap,
    transposed_convolution,
)


def test_the_worked_example() -> None:
    ones = torch.ones(2)
    assert transposed_convolution(ones, torch.ones(3), stride=2).tolist() == [1, 1, 2, 1, 1]
    assert transposed_convolution(ones, torch.ones(2), stride=2).tolist() == [1, 1, 1, 1]


@given(st.integers(1, 7), st.integers(1, 5), st.integers(1, 4))
def test_torch_agrees(n: int, kernel: int, stride: int) -> None:
    x, w = torch.randn(n).double(), torch.randn(kernel).double()
    expected = F.conv_transpose1d(x[None, None], w[None, None], stride=stride).flatten()
    torch.testing.assert_close(transposed_convolution(x, w, stride=stride), expected)
    assert output_length(n, kernel, stride) == len(expected) == (n - 1) * stride + kernel


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 9))
def test_torch_agrees_on_the_convolution(kernel: int, stride: int, more: int) -> None:
    x, w = torch.randn(kernel + more).double(), torch.randn(kernel).double()
    expected = F.conv1d(x[None, None], w[None, None], stride=stride).flatten()
    torch.testing.assert_close(convolution(x, w, stride=stride), expected)


def test_gradient() -> None:
    x, w = (torch.randn(n, dtype=torch.float64, requires_grad=True) for n in (3, 5))
    assert torch.autograd.gradcheck(lambda a, b: transposed_convolution(a, b, stride=2), (x, w))


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (4, 2), (6, 3), (3, 1)])
def test_even_where_the_stride_divides(kernel: int, stride: int) -> None:
    edge = kernel - stride
    counts = overlap(kernel, stride, 7)
    assert set(counts[edge : len(counts) - edge]) == {kernel // stride}


@pytest.mark.parametrize("seed", range(20))
def test_checks_hold(seed: int) -> None:
    torch.manual_seed(seed)
    assert module.is_the_adjoint().holds
    assert module.is_not_the_inverse().holds
    assert module.overlap_is_even_only_where_the_stride_divides().holds


def test_the_figure_draws_the_counts() -> None:
    axes = Figure().add_subplot()
    draw_overlap(axes)
    assert np.asarray(axes.get_lines()[0].get_ydata()).tolist() == overlap(3, 2, 8)
