"""Cross-attention by hand, against PyTorch's decoder layer and multi-head attention, and what it must not see."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snippets.transformers.cross_attention import (
    copy_accuracy,
    cross_attention,
    extra_parameters,
    merged_attention,
    source_memory,
)
from snippets.transformers.multi_head import Weights, random_weights

assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-12)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_one_query_and_two_source_tokens_by_hand() -> None:
    """A query of zero likes all keys equally: the mean of 10 and 20. A third token of its own, 30, makes it 20."""
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    source = torch.tensor([[10.0], [20.0]])
    memory = source_memory(source, Weights(one, one, one, one), heads=1)
    assert cross_attention(zero, memory, Weights(one, one, one, one), heads=1).item() == pytest.approx(15)
    own = torch.tensor([[30.0]])
    assert merged_attention(zero, (source, source), (own, own)).item() == pytest.approx(20)


@settings(max_examples=25, deadline=None)
@given(
    heads=st.integers(1, 3),
    d_head=st.integers(1, 3),
    d_source=st.integers(1, 7),
    queries=st.integers(1, 4),
    keys=st.integers(1, 6),
)
def test_agrees_with_torch(heads: int, d_head: int, d_source: int, queries: int, keys: int) -> None:
    d_model = heads * d_head
    weights = random_weights(d_model, heads=heads, d_source=d_source)
    x, source = randn(queries, d_model), randn(keys, d_source)
    ours = cross_attention(x, source_memory(source, weights, heads=heads), weights, heads=heads)
    theirs, _ = F.multi_head_attention_forward(
        x.unsqueeze(1), source.unsqueeze(1), source.unsqueeze(1), d_model, heads, None, None, None, None, False, 0.0,
        weights.out.T, None, use_separate_proj_weight=True,
        q_proj_weight=weights.q.T, k_proj_weight=weights.k.T, v_proj_weight=weights.v.T,
    )  # fmt: skip
    assert_close(ours, theirs.squeeze(1))


def test_one_softmax_agrees_with_torch() -> None:
    q, theirs, own = randn(3, 5), (randn(7, 5), randn(7, 2)), (randn(4, 5), randn(4, 2))
    k, v = torch.cat([theirs[0], own[0]]), torch.cat([theirs[1], own[1]])
    assert_close(merged_attention(q, theirs, own), F.scaled_dot_product_attention(q, k, v))


def test_gradients_reach_the_source() -> None:
    weights = random_weights(4, heads=2, d_source=3)
    x, source = randn(2, 4).requires_grad_(), randn(3, 3).requires_grad_()

    def layer(x: Tensor, source: Tensor) -> Tensor:
        return cross_attention(x, source_memory(source, weights, heads=2), weights, heads=2)

    assert torch.autograd.gradcheck(layer, (x, source))


def test_parameters_are_what_a_decoder_layer_has_more_than_an_encoder_layer() -> None:
    """PyTorch's layers, without biases: the difference is the four projections and the gain of one more norm."""
    sizes = [
        sum(p.numel() for p in layer(12, 3, 20, bias=False).parameters())
        for layer in (nn.TransformerDecoderLayer, nn.TransformerEncoderLayer)
    ]
    assert extra_parameters(12) == sizes[0] - sizes[1] - 12
    assert extra_parameters(12, 7, layers=5) == 5 * sum(m.numel() for m in random_weights(12, heads=3, d_source=7))


def test_a_gpt_has_no_such_parameters_and_never_looks_ahead() -> None:
    """A decoder-only block is PyTorch's *encoder* layer under a causal mask; noise in later tokens changes nothing."""
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True).double()
    causal = nn.Transformer.generate_square_subsequent_mask(6, dtype=torch.float64)
    x = randn(1, 6, 12)
    noisy = x.clone()
    noisy[:, 4:] += randn(1, 2, 12)
    before, after = block(x, src_mask=causal), block(noisy, src_mask=causal)
    assert_close(after[:, :4], before[:, :4])
    assert (block(noisy) - block(x))[:, :4].abs().max() > 0.01


def test_training_makes_it_read_its_source() -> None:
    torch.manual_seed(0)
    assert copy_accuracy(reads=True, steps=60) > 0.5 > 2 * copy_accuracy(reads=False, steps=20)
