"""Structured pruning: by hand, and exactness as a property."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.compression.structured import (
    block,
    dead_neurons_leave_no_trace,
    nbytes,
    neuron_scores,
    remove_neurons,
    zeros_save_neither_bytes_nor_time,
)


def test_by_hand() -> None:
    """The worked example: the neuron that never fires goes."""
    w1, b1, w2 = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.zeros(2), torch.tensor([[3.0, 5.0]])
    assert neuron_scores(w1, w2).tolist() == [3, 0]
    small = remove_neurons(w1, b1, w2, sparsity=0.5)
    assert [t.tolist() for t in small] == [[[1, 0]], [0], [[3]]]
    assert block(torch.tensor([[2.0, 7.0]]), *small).item() == 6
    assert nbytes(*small) == 4 * 4


@given(st.integers(1, 5), st.integers(2, 9), st.integers(1, 3), st.floats(0, 0.99))
def test_removing_is_masking_the_hidden_layer(wide: int, hidden: int, out: int, sparsity: float) -> None:
    x, w1, b1 = torch.randn(3, wide).double(), torch.randn(hidden, wide).double(), torch.randn(hidden).double()
    w2 = torch.randn(out, hidden).double()
    small = remove_neurons(w1, b1, w2, sparsity=sparsity)
    kept = (w1[:, None, :] == small[0][None, :, :]).all(-1).any(-1)
    assert int(kept.sum()) == hidden - round(sparsity * hidden)
    torch.testing.assert_close(block(x, *small), block(x, w1, b1, w2 * kept))


def test_exact_where_neurons_are_dead() -> None:
    assert dead_neurons_leave_no_trace().holds


@pytest.mark.slow
def test_time_and_bytes() -> None:
    assert zeros_save_neither_bytes_nor_time().holds
