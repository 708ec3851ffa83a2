"""Looking up by content: by hand, against a recurrence, and against what interference predicts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.transformers.recall import (
    attention_recalls_what_a_state_blurs,
    draw_recall,
    even_the_best_state_blurs,
    interference,
    least_error,
    read_state,
    relative_errors,
)


def test_by_hand() -> None:
    """Keys (1, 0), (0, 1), (1, 0) with values 3, 5, 7: the query (1, 0) reads 3 + 7, the query (0, 1) reads 5."""
    keys, values = torch.tensor([[1.0, 0], [0, 1], [1, 0]]), torch.tensor([[3.0], [5], [7]])
    assert read_state(keys, values, torch.eye(2)).tolist() == [[10.0], [5.0]]
    assert interference(65, 16) == pytest.approx(2)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 5))
def test_it_is_attention_without_the_softmax(pairs: int, d_k: int, d_v: int) -> None:
    """The same sum in the other order, (queries keys^T) values, and one pair at a time, as a recurrence has it."""
    keys, values, queries = torch.randn(pairs, d_k), torch.randn(pairs, d_v), torch.randn(3, d_k)
    read = read_state(keys.double(), values.double(), queries.double())
    torch.testing.assert_close(read, (queries.double() @ keys.double().mT) @ values.double(), rtol=0, atol=1e-9)
    state = torch.zeros(d_v, d_k).double()
    for key, value in zip(keys.double(), values.double(), strict=True):
        state = state + torch.outer(value, key)
    torch.testing.assert_close(read, (state @ queries.double().mT).mT, rtol=0, atol=1e-9)


def test_orthogonal_keys_do_not_interfere() -> None:
    """As many pairs as dimensions can be kept apart: that is the capacity."""
    keys, _ = torch.linalg.qr(torch.randn(7, 7).double())
    values = torch.randn(7, 3).double()
    torch.testing.assert_close(read_state(keys, values, keys), values, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("pairs", "d_k"), [(17, 64), (65, 64), (257, 16), (1025, 256)])
def test_interference_predicts_the_error(pairs: int, d_k: int) -> None:
    looked_up, read = relative_errors(pairs, d_k)
    assert read == pytest.approx(interference(pairs, d_k), rel=0.25)
    assert looked_up < read / 10


@pytest.mark.parametrize(("pairs", "d_k"), [(8, 8), (13, 7), (300, 20)])
def test_no_state_does_better_than_least_squares(pairs: int, d_k: int) -> None:
    """What is left after projecting random values off the keys' column space: n - d_k of n directions."""
    keys, values = torch.randn(pairs, d_k).double(), torch.randn(pairs, 400).double()
    basis, _ = torch.linalg.qr(keys)
    left = (values - basis @ (basis.mT @ values)).norm() / values.norm()
    assert left.item() == pytest.approx(least_error(pairs, d_k), abs=0.05)


def test_one_pair_is_read_back_exactly() -> None:
    assert relative_errors(1, 8) == pytest.approx((0, 0), abs=1e-12)


def test_the_figure_shows_both() -> None:
    axes = Figure().subplots()
    draw_recall(axes)
    looked_up, read = (np.asarray(line.get_ydata(), float).tolist() for line in axes.get_lines())
    assert max(looked_up) < 0.01
    assert read[-1] > 3


def test_the_check_holds() -> None:
    assert attention_recalls_what_a_state_blurs().holds
    assert even_the_best_state_blurs().holds
