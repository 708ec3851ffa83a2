"""Multi-head attention by hand, against nn.MultiheadAttention, against its own loops, and what it must not do."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snippets.derivation import proved, step
from snippets.transformers.attention import attention
from snippets.transformers.multi_head import (
    Weights,
    both_neighbours,
    derive_one_head_floor,
    multi_head,
    multi_head_spec,
    random_weights,
)

assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-12)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def oracle(weights: Weights, heads: int, d_source: int) -> nn.MultiheadAttention:
    """PyTorch's own layer with our projections: it stores them transposed, queries, keys and values in one matrix."""
    d_model = weights.q.shape[0]
    layer = nn.MultiheadAttention(d_model, heads, bias=False, kdim=d_source, vdim=d_source, batch_first=True).double()
    with torch.no_grad():
        if d_source == d_model:
            layer.in_proj_weight.copy_(torch.cat([weights.q.T, weights.k.T, weights.v.T]))
        else:
            layer.q_proj_weight.copy_(weights.q.T)
            layer.k_proj_weight.copy_(weights.k.T)
            layer.v_proj_weight.copy_(weights.v.T)
        layer.out_proj.weight.copy_(weights.out.T)
    return layer


def test_two_heads_of_one_dimension_by_hand() -> None:
    """x is the identity, and so is every projection. e / (e + 1) = 0.7311 is the weight of a logit of 1 against 0."""
    eye = torch.eye(2)
    ours = multi_head(eye, eye, Weights(eye, eye, eye, eye), heads=2)
    torch.testing.assert_close(ours, torch.tensor([[0.7311, 0.5], [0.5, 0.7311]]), rtol=0, atol=1e-4)


def test_one_head_of_two_dimensions_by_hand() -> None:
    """The same input, one head: the logit is 1 / sqrt(2), its weight 2.0281 / 3.0281 = 0.6698, for both columns."""
    eye = torch.eye(2)
    ours = multi_head(eye, eye, Weights(eye, eye, eye, eye), heads=1)
    torch.testing.assert_close(ours, torch.tensor([[0.6698, 0.3302], [0.3302, 0.6698]]), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("d_source", "keys"), [(15, 7), (11, 13)], ids=["same width", "another width"])
def test_agrees_with_torch(d_source: int, keys: int) -> None:
    weights = random_weights(15, heads=3, d_source=d_source)
    x, source = randn(2, 7, 15), randn(2, keys, d_source)
    theirs, _ = oracle(weights, 3, d_source)(x, source, source)
    assert_close(multi_head(x, source, weights, heads=3), theirs)


def test_agrees_with_torch_under_a_mask() -> None:
    """Theirs is True where a query may *not* look."""
    weights, x = random_weights(15, heads=5), randn(2, 7, 15)
    causal = torch.ones(7, 7, dtype=torch.bool).tril()
    theirs, _ = oracle(weights, 5, 15)(x, x, x, attn_mask=~causal)
    assert_close(multi_head(x, x, weights, heads=5, mask=causal), theirs)


@settings(max_examples=25, deadline=None)
@given(heads=st.integers(1, 5), d_head=st.integers(1, 4), queries=st.integers(1, 5), keys=st.integers(1, 5))
def test_agrees_with_its_loops(heads: int, d_head: int, queries: int, keys: int) -> None:
    weights = random_weights(heads * d_head, heads=heads)
    x, source = randn(queries, heads * d_head), randn(keys, heads * d_head)
    ours = multi_head(x, source, weights, heads=heads)
    assert_close(ours, multi_head_spec(x, source, weights, heads=heads))


def test_one_head_is_plain_attention() -> None:
    weights, x = random_weights(6, heads=1), randn(5, 6)
    plain = attention(x @ weights.q, x @ weights.k, x @ weights.v) @ weights.out
    assert_close(multi_head(x, x, weights, heads=1), plain)


def test_a_batch_is_its_sequences_one_by_one() -> None:
    weights, x, source = random_weights(6, heads=2), randn(3, 5, 6), randn(3, 7, 6)
    single = torch.stack([multi_head(a, b, weights, heads=2) for a, b in zip(x, source, strict=True)])
    assert_close(multi_head(x, source, weights, heads=2), single)


def test_a_mask_may_differ_by_head() -> None:
    """Head 0 sees itself only, so its slice is its own value; head 1 sees everything."""
    eye, x = torch.eye(4, dtype=torch.float64), randn(5, 4)
    mask = torch.stack([torch.eye(5, dtype=torch.bool), torch.ones(5, 5, dtype=torch.bool)])
    ours = multi_head(x, x, Weights(eye, eye, eye, eye), heads=2, mask=mask)
    assert_close(ours[:, :2], x[:, :2])
    assert_close(ours[:, 2:], attention(x[:, 2:], x[:, 2:], x[:, 2:]))


def test_gradients_of_input_and_projections() -> None:
    x, source = randn(3, 4).requires_grad_(), randn(2, 4).requires_grad_()
    weights = [matrix.requires_grad_() for matrix in random_weights(4, heads=2)]

    def layer(x: Tensor, source: Tensor, *weights: Tensor) -> Tensor:
        return multi_head(x, source, Weights(*weights), heads=2)

    assert torch.autograd.gradcheck(layer, (x, source, *weights))


def test_heads_have_to_divide_the_width() -> None:
    with pytest.raises(ValueError, match="d_model = 10 cannot be cut into 4 heads"):
        random_weights(10, heads=4)


def test_fewer_kv_heads_make_narrower_projections_only_of_keys_and_values() -> None:
    weights = random_weights(12, heads=4, kv_heads=2, d_source=7)
    assert [tuple(matrix.shape) for matrix in weights] == [(12, 12), (7, 6), (7, 6), (12, 12)]


def test_the_floor_of_one_head_is_proved() -> None:
    steps = derive_one_head_floor()
    assert all(proved(equality) for equality in steps.values())
    lost = steps["share of the two that is lost"]
    assert not proved(step(lost.lhs, lost.rhs / 2))


def test_the_floor_of_one_head_holds_for_the_best_linear_readout() -> None:
    """Least squares from z = a + 2 b to a and to b leaves 4/5 of a and 1/5 of b: half of the two together."""
    a, b = randn(100_000), randn(100_000)
    z = (a + 2 * b).unsqueeze(1)
    left = [
        (wanted - z @ torch.linalg.lstsq(z, wanted).solution).square().mean() for wanted in (a[:, None], b[:, None])
    ]
    torch.testing.assert_close(torch.stack(left), torch.tensor([0.8, 0.2], dtype=torch.float64), rtol=0, atol=0.02)


def test_training_goes_below_the_best_constant_answer() -> None:
    """Answering zero explains nothing, an error of 1. Sixty steps are enough to see that the layer reads its input."""
    torch.manual_seed(0)
    losses = both_neighbours(2, steps=60)
    assert losses[-1] < 0.8 < losses[0]
