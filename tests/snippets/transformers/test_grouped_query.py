"""Grouped-query attention by hand, against PyTorch's, at its two extremes, and decoding with a cache."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snippets.transformers.attention import attention
from snippets.transformers.grouped_query import Cache, decode, decode_step, grouped_query
from snippets.transformers.multi_head import multi_head, random_weights

assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-12)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_neighbouring_heads_share() -> None:
    """All keys are equal, so every head answers with the mean of the values of its KV head: 10 or 20."""
    q, k = torch.ones(4, 1, 3), torch.ones(2, 2, 3)
    v = torch.tensor([[[9.0], [11.0]], [[15.0], [25.0]]])
    torch.testing.assert_close(grouped_query(q, k, v).flatten(), torch.tensor([10.0, 10.0, 20.0, 20.0]))


@settings(max_examples=30, deadline=None)
@given(
    kv_heads=st.integers(1, 4),
    group=st.integers(1, 4),
    queries=st.integers(1, 5),
    keys=st.integers(1, 5),
    d=st.integers(1, 5),
)
def test_agrees_with_torch(kv_heads: int, group: int, queries: int, keys: int, d: int) -> None:
    q, k, v = randn(2, kv_heads * group, queries, d), randn(2, kv_heads, keys, d), randn(2, kv_heads, keys, d)
    theirs = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    assert_close(grouped_query(q, k, v), theirs)


def test_agrees_with_torch_under_a_mask() -> None:
    q, k, v = randn(6, 5, 7), randn(3, 5, 7), randn(3, 5, 11)
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    assert_close(grouped_query(q, k, v, mask=mask), theirs)


def test_as_many_kv_heads_as_heads_is_multi_head_attention() -> None:
    q, k, v = randn(3, 5, 7), randn(3, 2, 7), randn(3, 2, 7)
    assert_close(grouped_query(q, k, v), attention(q, k, v))


def test_one_kv_head_is_multi_query_attention() -> None:
    q, k, v = randn(3, 5, 7), randn(1, 2, 7), randn(1, 2, 7)
    assert_close(grouped_query(q, k, v), attention(q, k.expand(3, 2, 7), v.expand(3, 2, 7)))


def test_kv_heads_have_to_divide_the_heads() -> None:
    with pytest.raises(ValueError, match="6 query heads cannot share 4 KV heads"):
        grouped_query(randn(6, 1, 2), randn(4, 1, 2), randn(4, 1, 2))


def test_gradients_add_up_over_the_group() -> None:
    inputs = tuple(t.requires_grad_() for t in (randn(4, 2, 3), randn(2, 5, 3), randn(2, 5, 2)))
    assert torch.autograd.gradcheck(grouped_query, inputs)


@pytest.mark.parametrize("tokens", [1, 2, 7])
def test_decoding_agrees_with_multi_head_attention_under_a_causal_mask(tokens: int) -> None:
    weights, x = random_weights(12, heads=4), randn(tokens, 12)
    causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    expected = multi_head(x, x, weights, heads=4, mask=causal)
    assert_close(decode(x, weights, heads=4)[0], expected)


def test_a_step_leaves_earlier_keys_alone_and_adds_one() -> None:
    weights, x = random_weights(12, heads=4, kv_heads=2), randn(5, 12)
    _, before = decode(x, weights, heads=4)
    _, after = decode_step(randn(1, 12), before, weights, heads=4)
    assert after.k.shape == after.v.shape == (2, 6, 3)
    assert_close(Cache(after.k[:, :5], after.v[:, :5]), before)
