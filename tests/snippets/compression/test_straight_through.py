"""The straight-through estimator: by hand, values and gradient against torch's fake quantisation, and as properties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.compression.straight_through import (
    draw_gradients,
    one_is_the_slope_of_the_staircase,
    rounded_plainly,
    rounding_has_no_gradient,
    slope,
    straight_through,
)


def test_by_hand() -> None:
    """The worked example: 2 bits at a scale of 0.5."""
    x = torch.tensor([0.3, 0.9, -1.0, -1.4]).double().requires_grad_()
    y = straight_through(x, 0.5, bits=2)
    assert y.tolist() == pytest.approx([0.5, 0.5, -1, -1])
    assert slope(y, x).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_torch_agrees_in_value_and_gradient(bits: int, device: torch.device) -> None:
    ours, theirs = (torch.randn(997, device=device).requires_grad_() for _ in range(2))
    theirs.data = ours.data.clone()
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    y = straight_through(ours, 0.125, bits=bits)
    z = torch.fake_quantize_per_tensor_affine(theirs, 0.125, 0, lowest, highest)
    torch.testing.assert_close(y, z)
    torch.testing.assert_close(slope(y.square(), ours), slope(z.square(), theirs))


@given(st.integers(1, 9), st.integers(2, 8), st.floats(0.01, 3))
def test_forward_is_the_rounding(n: int, bits: int, scale: float) -> None:
    x = torch.randn(n).double()
    torch.testing.assert_close(straight_through(x, scale, bits=bits), rounded_plainly(x, scale, bits=bits))


def test_difference_quotient_of_the_staircase_is_zero_almost_everywhere() -> None:
    x = torch.rand(1000).double()
    moved = (rounded_plainly(x + 1e-9, 0.1) - rounded_plainly(x, 0.1)).abs()
    assert (moved > 0).sum() <= 1


def test_checks_hold() -> None:
    assert rounding_has_no_gradient().holds
    assert one_is_the_slope_of_the_staircase().holds


def test_figure_shows_both() -> None:
    axes = Figure().add_subplot()
    draw_gradients(axes)
    assert len(set(axes.lines[0].get_ydata().tolist())) == 8  # type: ignore[union-attr]
    assert set(axes.lines[1].get_ydata().tolist()) == {0.0, 1.0}  # type: ignore[union-attr]
