"""Masks: by hand, against torch, against a rule said in one line, and by what they hide."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from snippets.transformers.attention import attention
from snippets.transformers.masks import (
    causal,
    future_tokens_change_nothing,
    one_pass_equals_step_by_step,
    padding,
    padding_changes_nothing,
    reach,
    sliding_window,
    windows_reach_further_with_depth,
)

lengths = st.integers(1, 12)


def test_by_hand() -> None:
    assert causal(3, 3).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert sliding_window(3, 3, window=2).int().tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    assert padding(torch.tensor([1, 3]), 3).int().tolist() == [[[1, 0, 0]], [[1, 1, 1]]]


def test_a_query_after_a_cache_sees_all_of_it() -> None:
    """Two new tokens after three in the cache: they are the last two of five, and only the first of them waits."""
    assert causal(2, 5).int().tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert sliding_window(1, 5, window=3).int().tolist() == [[0, 0, 1, 1, 1]]


def test_torch_aligns_the_other_end() -> None:
    """is_causal lets the first query see the first key only, also when there are more keys than queries."""
    q, k = torch.randn(1, 2, 4).double(), torch.randn(1, 5, 4).double()
    top_left = torch.ones(2, 5, dtype=torch.bool).tril()
    expected = F.scaled_dot_product_attention(q, k, k, is_causal=True)
    torch.testing.assert_close(attention(q, k, k, mask=top_left), expected, rtol=0, atol=1e-12)
    assert not torch.allclose(attention(q, k, k, mask=causal(2, 5)), expected)


@given(lengths)
def test_torch_agrees_on_the_square(tokens: int) -> None:
    x = torch.randn(2, tokens, 4).double()
    expected = F.scaled_dot_product_attention(x, x, x, is_causal=True)
    torch.testing.assert_close(attention(x, x, x, mask=causal(tokens, tokens)), expected, rtol=0, atol=1e-12)


@given(lengths, lengths, st.integers(1, 14))
def test_the_rule(queries: int, more: int, window: int) -> None:
    """Query i stands at keys - queries + i; it sees place j if 0 <= its place - j < window."""
    keys = queries + more - 1
    mask, band = causal(queries, keys), sliding_window(queries, keys, window=window)
    for i in range(queries):
        for j in range(keys):
            back = keys - queries + i - j
            assert mask[i, j].item() == (back >= 0)
            assert band[i, j].item() == (0 <= back < window)


@given(lengths, st.integers(1, 14))
def test_no_query_is_left_without_a_key(tokens: int, window: int) -> None:
    assert bool(sliding_window(tokens, tokens, window=window).any(-1).all())


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_that_sees_nothing_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"window is {window}"):
        sliding_window(3, 3, window=window)


@pytest.mark.parametrize(("layers", "window", "far"), [(1, 4, 3), (2, 2, 2), (4, 1, 0), (32, 4096, 131_040)])
def test_reach_by_hand(layers: int, window: int, far: int) -> None:
    assert reach(layers, window) == far


@pytest.mark.parametrize(("layers", "window"), [(1, 1), (1, 5), (2, 3), (4, 2)])
def test_reach_is_what_gradients_find(layers: int, window: int) -> None:
    assert windows_reach_further_with_depth(layers=layers, window=window).holds


def test_masks_are_made_where_they_are_wanted(device: torch.device) -> None:
    assert sliding_window(3, 3, window=2, device=device).device.type == device.type
    assert padding(torch.tensor([1, 2], device=device), 3).device.type == device.type


def test_the_checks_hold() -> None:
    checks = (future_tokens_change_nothing, one_pass_equals_step_by_step, padding_changes_nothing)
    assert all(check().holds for check in (*checks, windows_reach_further_with_depth))
