"""Weights that do not explain: by hand, by rank, and as a property of every row of weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.transformers.attention_weights import (
    few_tokens_are_identifiable,
    fewest_weights,
    free_directions,
    null_space,
    same_answer_from_fewer_tokens,
)


def test_by_hand() -> None:
    """Values 1, 2, 3: free is (1, -2, 1) alone, so even weights can become (1/2, 0, 1/2) or (0, 1, 0)."""
    values = torch.tensor([[1.0], [2.0], [3.0]]).double()
    (direction,) = null_space(values)
    torch.testing.assert_close(direction / direction[0], torch.tensor([1.0, -2, 1]).double(), rtol=0, atol=1e-9)
    found = fewest_weights(torch.full((3,), 1 / 3, dtype=torch.float64), values).tolist()
    assert found in (pytest.approx([0.5, 0, 0.5], abs=1e-9), pytest.approx([0, 1, 0], abs=1e-9))


@pytest.mark.parametrize(("tokens", "d_v", "free"), [(1, 3, 0), (4, 3, 0), (5, 3, 1), (8, 3, 4), (2048, 128, 1919)])
def test_free_directions_by_hand(tokens: int, d_v: int, free: int) -> None:
    assert free_directions(tokens, d_v) == free


@given(st.integers(1, 20), st.integers(1, 6))
def test_the_null_space_moves_neither_answer_nor_sum(tokens: int, d_v: int) -> None:
    values = torch.randn(tokens, d_v).double()
    basis = null_space(values)
    assert len(basis) == free_directions(tokens, d_v)
    torch.testing.assert_close(basis @ values, torch.zeros(len(basis), d_v).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(basis.sum(-1), torch.zeros(len(basis)).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(basis @ basis.mT, torch.eye(len(basis)).double(), rtol=0, atol=1e-9)


@given(st.integers(1, 20), st.integers(1, 6))
def test_any_answer_can_be_had_from_few_tokens(tokens: int, d_v: int) -> None:
    """Caratheodory: a point in the hull of points in d_v dimensions lies in that of d_v + 1 of them."""
    p, values = torch.randn(tokens).double().softmax(-1), torch.randn(tokens, d_v).double()
    other = fewest_weights(p, values)
    assert int((other > 0).sum()) <= d_v + 1
    assert other.min().item() > -1e-9
    assert other.sum().item() == pytest.approx(1, abs=1e-9)
    torch.testing.assert_close(other @ values, p @ values, rtol=0, atol=1e-8)


def test_weights_on_few_tokens_stay_as_they_are() -> None:
    p = torch.tensor([0.7, 0.2, 0.1]).double()
    torch.testing.assert_close(fewest_weights(p, torch.randn(3, 2).double()), p, rtol=0, atol=0)


def test_values_of_lower_rank_leave_more_free() -> None:
    """All values on a line in three dimensions: two sums are fixed, not four."""
    line = torch.arange(6).double()[:, None] * torch.tensor([[1.0, 2, 3]]).double()
    assert len(null_space(line)) == 4


@pytest.mark.parametrize(("tokens", "d_v"), [(8, 1), (32, 5), (64, 16)])
def test_the_check_at_other_sizes(tokens: int, d_v: int) -> None:
    assert same_answer_from_fewer_tokens(tokens=tokens, d_v=d_v).holds


def test_the_checks_hold() -> None:
    assert few_tokens_are_identifiable().holds
