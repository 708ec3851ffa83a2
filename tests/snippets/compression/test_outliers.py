"""Outlier channels: by hand, the identity of smoothing as a property, and the order of the remedies."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.compression.outliers import (
    a_layer_with_outliers,
    by_remedy,
    decomposed,
    loud_channels,
    outliers_drown_the_rest,
    smoothed,
    smoothing,
    smoothing_changes_nothing_in_floats,
)


def test_by_hand() -> None:
    """The worked example: x = (1, 100), w = (1, 1) gives factors (1, 10)."""
    x, w = torch.tensor([[1.0, 100.0]]), torch.tensor([[1.0, 1.0]])
    assert smoothing(x, w).tolist() == pytest.approx([1, 10])
    assert smoothing(x, w, strength=1.0).tolist() == pytest.approx([1, 100])
    assert smoothing(x, w, strength=0.0).tolist() == pytest.approx([1, 1])


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 4), st.floats(0, 1))
def test_smoothing_is_an_identity(tokens: int, wide: int, out: int, strength: float) -> None:
    x, w = torch.randn(tokens, wide).double(), torch.randn(out, wide).double()
    s = smoothing(x, w, strength=strength)
    torch.testing.assert_close((x / s) @ (w * s).mT, x @ w.mT)


def test_loud_channels_are_those_that_were_made_loud() -> None:
    x, _, _ = a_layer_with_outliers()
    assert loud_channels(x).nonzero().flatten().tolist() == [5, 77, 200]


def test_with_all_channels_loud_but_one_only_that_one_is_rounded() -> None:
    x, w, b = a_layer_with_outliers()
    loud = torch.ones(256).bool()
    loud[9] = False
    off = decomposed(x, w, b, loud) - x @ w.mT
    assert off.abs().max() < 0.01 * (x[:, 9:10] @ w[:, 9:10].mT).abs().max()


def test_factors_of_one_are_plain_int8() -> None:
    x, w, b = a_layer_with_outliers()
    none = torch.zeros(256).bool()
    torch.testing.assert_close(smoothed(x, w, b, torch.ones(256).double()), decomposed(x, w, b, none))


def test_table_orders_the_remedies() -> None:
    errors = [float(str(row["error, %"])) for row in by_remedy()[:4]]
    assert errors == sorted(errors, reverse=True)


def test_checks_hold() -> None:
    assert outliers_drown_the_rest().holds
    assert smoothing_changes_nothing_in_floats().holds
