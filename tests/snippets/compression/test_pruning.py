"""Masks: by hand, against torch.nn.utils.prune, and as properties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch.nn.utils import prune

from snippets.compression.pruning import (
    a_pattern_costs_quality,
    draw_error_by_sparsity,
    keep_largest,
    magnitude_mask,
    masks_have_the_sparsity_asked_for,
    output_error,
    small_weights_can_matter,
    two_of_four_mask,
    wanda_mask,
)


def test_by_hand() -> None:
    """The worked example: magnitude keeps the 2, Wanda the 1 whose input is ten times as large."""
    w, x = torch.tensor([[1.0, 2.0]]), torch.tensor([[10.0, 1.0]])
    assert magnitude_mask(w, 0.5).tolist() == [[0, 1]]
    assert wanda_mask(w, x, 0.5).tolist() == [[1, 0]]
    assert output_error(w, torch.tensor([[1.0, 0.0]]), x) == pytest.approx(2 / 12)
    assert two_of_four_mask(torch.tensor([[4.0, 1, 3, 2, 1, 2, 3, 4]])).tolist() == [[1, 0, 1, 0, 0, 0, 1, 1]]


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.77, 1.0])
def test_torch_agrees(sparsity: float) -> None:
    layer = torch.nn.Linear(7, 11)
    w = layer.weight.detach().clone()
    prune.l1_unstructured(layer, "weight", amount=sparsity)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(magnitude_mask(w, sparsity), layer.weight_mask)


@given(st.integers(1, 5), st.integers(1, 9), st.floats(0, 1))
def test_share_and_order(rows: int, columns: int, sparsity: float) -> None:
    score = torch.rand(rows, columns)
    mask = keep_largest(score, sparsity)
    assert int((mask == 0).sum()) == round(sparsity * score.numel())
    gone, kept = score[mask == 0], score[mask == 1]
    assert not len(gone) or not len(kept) or gone.max() <= kept.min()


@given(st.integers(1, 4), st.integers(1, 4))
def test_with_inputs_alike_wanda_orders_a_row_as_magnitude_does(rows: int, fours: int) -> None:
    w = torch.randn(rows, 4 * fours)
    by_row = torch.stack([magnitude_mask(row, 0.5) for row in w])
    torch.testing.assert_close(wanda_mask(w, torch.ones(3, 4 * fours), 0.5), by_row)


def test_rows_that_do_not_split_into_fours_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of 6"):
        two_of_four_mask(torch.rand(2, 6))


def test_checks_hold() -> None:
    for check in (small_weights_can_matter, masks_have_the_sparsity_asked_for, a_pattern_costs_quality):
        assert check().holds, check.__name__


def test_figure_has_wanda_below() -> None:
    axes = Figure().add_subplot()
    draw_error_by_sparsity(axes)
    by_size, by_product = (np.asarray(line.get_ydata(), dtype=float) for line in axes.lines)
    assert (by_product <= by_size).all()
