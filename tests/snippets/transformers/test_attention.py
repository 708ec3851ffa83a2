"""Scaled dot-product attention: by hand, against torch, as properties, by its gradient; and its variance, derived."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from snippets.derivation import proved, step
from snippets.transformers.attention import (
    attention,
    attention_spec,
    derive_variance,
    dot_products_have_that_std,
    matches_spec,
    order_carries_no_information,
    scale_keeps_unit_variance,
    unscaled_std,
    variance_is_d_k,
    weights,
    weights_sum_to_one,
)

sizes = st.sampled_from([1, 2, 3, 5, 7, 11])


def some(queries: int, keys: int, d_k: int, d_v: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(queries, d_k).double(), torch.randn(keys, d_k).double(), torch.randn(keys, d_v).double()


def test_by_hand() -> None:
    """Dot products 8 and 0, over sqrt(4) 4 and 0: weights e^4/(e^4 + 1) and 1/(e^4 + 1), answer 10.18."""
    q = torch.full((1, 4), 2.0, dtype=torch.float64)
    k = torch.tensor([[1.0] * 4, [0.0] * 4], dtype=torch.float64)
    v = torch.tensor([[10.0], [20.0]], dtype=torch.float64)
    share = math.exp(4) / (math.exp(4) + 1)
    assert weights(q, k)[0].tolist() == pytest.approx([share, 1 - share], abs=1e-12)
    assert attention(q, k, v).item() == pytest.approx(10 * share + 20 * (1 - share), abs=1e-12)
    assert attention(q, k, v).item() == pytest.approx(10.18, abs=0.001)


def test_keys_that_match_equally_are_averaged() -> None:
    """A query of zeros has no preference: the answer is the mean of the values, 2 of 1, 2 and 3."""
    v = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    assert attention(torch.zeros(1, 5).double(), torch.randn(3, 5).double(), v).item() == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("masked", [False, True])
def test_torch_agrees(batch: tuple[int, ...], masked: bool) -> None:
    q, k, v = (torch.randn(*batch, *size).double() for size in ((5, 7), (11, 7), (11, 3)))
    mask = None
    if masked:
        mask = torch.rand(*batch, 5, 11) < 0.4
        mask[..., 0] = True
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(attention(q, k, v, mask=mask), expected, rtol=0, atol=1e-12)


@given(sizes, sizes, sizes, sizes)
def test_the_loops_agree_at_any_size(queries: int, keys: int, d_k: int, d_v: int) -> None:
    q, k, v = some(queries, keys, d_k, d_v)
    mask = torch.rand(queries, keys) < 0.5
    mask[:, -1] = True
    for m in (None, mask):
        torch.testing.assert_close(attention(q, k, v, mask=m), attention_spec(q, k, v, mask=m), rtol=0, atol=1e-12)


@given(sizes, sizes, sizes)
def test_weights_are_shares(queries: int, keys: int, d_k: int) -> None:
    q, k, _ = some(queries, keys, d_k, 1)
    p = weights(q, k)
    assert p.min().item() >= 0
    torch.testing.assert_close(p.sum(-1), torch.ones(queries).double(), rtol=0, atol=1e-12)


@given(sizes, sizes, sizes, sizes)
def test_answers_lie_between_the_values(queries: int, keys: int, d_k: int, d_v: int) -> None:
    """An average cannot leave the range of what it averages, channel by channel."""
    q, k, v = some(queries, keys, d_k, d_v)
    answers = attention(q, k, v)
    assert bool((answers <= v.amax(0) + 1e-12).all())
    assert bool((answers >= v.amin(0) - 1e-12).all())


@given(sizes, sizes, sizes)
def test_a_shift_of_all_keys_changes_nothing(queries: int, keys: int, d_k: int) -> None:
    """It adds the same number to a whole row of logits, which a softmax does not see."""
    q, k, v = some(queries, keys, d_k, 3)
    torch.testing.assert_close(attention(q, k + torch.randn(d_k).double(), v), attention(q, k, v), rtol=0, atol=1e-9)


def test_a_query_that_may_see_nothing_gets_nan() -> None:
    """And the other rows are none the worse. Here torch differs: it answers zeros."""
    q, k, v = some(3, 5, 4, 2)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[1] = False
    for answers in (attention(q, k, v, mask=mask), attention_spec(q, k, v, mask=mask)):
        assert answers.isnan().any(-1).tolist() == [False, True, False]
    torchs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(torchs[1], torch.zeros(2).double(), rtol=0, atol=0)


def test_large_logits_stay_finite() -> None:
    """exp(1000) overflows; the softmax subtracts the largest logit first."""
    q, k = torch.tensor([[1000.0]], dtype=torch.float64), torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    assert weights(q, k)[0].tolist() == pytest.approx([1, 0], abs=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_gradient(masked: bool) -> None:
    q, k, v = (x.requires_grad_() for x in some(3, 5, 2, 4))
    mask = torch.ones(3, 5, dtype=torch.bool).tril(diagonal=2) if masked else None
    assert torch.autograd.gradcheck(lambda *qkv: attention(*qkv, mask=mask), (q, k, v))


def test_device_and_dtype_follow_the_input(device: torch.device) -> None:
    x = torch.randn(3, 5, device=device)
    assert (attention(x, x, x).device.type, attention(x, x, x).dtype) == (device.type, torch.float32)
    assert weights(x, x).shape == (3, 3)


@given(st.integers(1, 40))
def test_variance_of_signs_by_counting(d_k: int) -> None:
    """With entries of +1 and -1 the dot product counts heads in d_k tosses: variance d_k, exactly, by the binomial."""
    terms = [(math.comb(d_k, heads) / 2**d_k, 2 * heads - d_k) for heads in range(d_k + 1)]
    assert math.sqrt(sum(p * x * x for p, x in terms)) == pytest.approx(unscaled_std(d_k), rel=1e-9)


@pytest.mark.parametrize("name", list(derive_variance()))
def test_every_step_is_proved_and_a_wrong_one_is_not(name: str) -> None:
    equality = derive_variance()[name]
    assert proved(equality)
    assert not proved(step(equality.lhs, 2 * equality.rhs))
    assert not proved(step(equality.lhs, equality.rhs + 1))


@pytest.mark.parametrize("d_k", [64, 512, 1024])
def test_unit_variance_at_every_width(d_k: int) -> None:
    assert scale_keeps_unit_variance(d_k=d_k).holds


def test_the_checks_hold() -> None:
    checks = (variance_is_d_k, dot_products_have_that_std, weights_sum_to_one, matches_spec)
    assert all(check().holds for check in (*checks, order_carries_no_information))
