"""QK-norm, soft-capping and where to divide: by hand, against torch, as bounds that hold, and by their gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from snippets.transformers.attention import attention
from snippets.transformers.logit_control import (
    HALF_MAX,
    aligned_logits_outgrow_the_scale,
    largest_entry,
    qk_norm_attention,
    qk_norm_bound,
    qk_norm_ignores_magnitude,
    rms_norm,
    scaling_first_delays_overflow,
    softcap,
    softcap_keeps_a_gradient,
)

widths = st.sampled_from([1, 2, 3, 5, 7, 64])


def test_by_hand() -> None:
    """(10, 10, 10, 10) has a root mean square of 10; 50 tanh(200/50) = 49.97; 4 entries of e have 4 e^2 = 65504."""
    ten = torch.full((4,), 10.0, dtype=torch.float64)
    assert rms_norm(ten).tolist() == pytest.approx([1, 1, 1, 1], abs=1e-6)
    assert softcap(torch.tensor(200.0)).item() == pytest.approx(50 * math.tanh(4), rel=1e-6)
    assert largest_entry(4) == pytest.approx(math.sqrt(16376), rel=1e-12)
    assert largest_entry(4, scale_first=True) == pytest.approx(math.sqrt(32752), rel=1e-12)


def test_float16_ends_where_we_say() -> None:
    assert torch.finfo(torch.float16).max == HALF_MAX


@given(widths)
def test_torch_agrees_on_rms_norm(d_k: int) -> None:
    x = torch.randn(3, d_k).double() * 40
    torch.testing.assert_close(rms_norm(x), F.rms_norm(x, (d_k,), eps=1e-6), rtol=1e-12, atol=1e-12)


@given(widths)
def test_torch_agrees_on_attention_of_the_normalised(d_k: int) -> None:
    q, k, v = torch.randn(5, d_k).double(), torch.randn(7, d_k).double(), torch.randn(7, 3).double()
    normal_q, normal_k = (F.rms_norm(x, (d_k,), eps=1e-6) for x in (q, k))
    expected = F.scaled_dot_product_attention(3 * normal_q[None], normal_k[None], v[None])[0]
    torch.testing.assert_close(qk_norm_attention(q, k, v, gain=3), expected, rtol=0, atol=1e-12)


@given(widths, st.floats(0.1, 1000))
def test_no_logit_passes_the_bound(d_k: int, size: float) -> None:
    """Cauchy-Schwarz: two vectors of length sqrt(d_k) have a product of at most d_k. Aligned ones reach it."""
    q, k = torch.randn(5, d_k).double() * size, torch.randn(7, d_k).double() * size
    logits = rms_norm(q) @ rms_norm(k).mT / math.sqrt(d_k)
    assert logits.abs().max().item() <= qk_norm_bound(d_k) + 1e-9
    aligned = (rms_norm(100 * q) * rms_norm(100 * q)).sum(-1) / math.sqrt(d_k)
    assert aligned.tolist() == pytest.approx([qk_norm_bound(d_k)] * 5, rel=1e-3)


def test_a_mask_is_handed_on() -> None:
    x, mask = torch.randn(5, 3).double(), torch.ones(5, 5, dtype=torch.bool).tril()
    y = x.clone()
    y[-1] = 9.0
    torch.testing.assert_close(
        qk_norm_attention(x, x, x, mask=mask)[:-1], qk_norm_attention(y, y, y, mask=mask)[:-1], rtol=0, atol=1e-12
    )


@given(st.floats(-1e4, 1e4), st.floats(0.5, 100))
def test_softcap_is_bounded_odd_and_shrinks(logit: float, cap: float) -> None:
    x = torch.tensor(logit, dtype=torch.float64)
    capped = softcap(x, cap=cap).item()
    assert abs(capped) <= min(cap, abs(logit)) + 1e-9
    assert capped == pytest.approx(-softcap(-x, cap=cap).item(), abs=1e-12)


def test_gradients() -> None:
    q, k, v = (torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in ((3, 2), (5, 2), (5, 4)))
    assert torch.autograd.gradcheck(qk_norm_attention, (q, k, v))
    assert torch.autograd.gradcheck(softcap, (q * 40,))


@given(widths)
def test_the_order_matters_to_float16_only(d_k: int) -> None:
    """In float64 dividing the query first is the same attention."""
    q, k, v = torch.randn(5, d_k).double(), torch.randn(7, d_k).double(), torch.randn(7, 3).double()
    first = ((q / math.sqrt(d_k)) @ k.mT).softmax(-1) @ v
    torch.testing.assert_close(first, attention(q, k, v), rtol=0, atol=1e-12)


@pytest.mark.parametrize("d_k", [64, 128, 256])
def test_the_overflow_at_other_widths(d_k: int) -> None:
    assert scaling_first_delays_overflow(d_k=d_k).holds


def test_the_checks_hold() -> None:
    checks = (aligned_logits_outgrow_the_scale, qk_norm_ignores_magnitude, softcap_keeps_a_gradient)
    assert all(check().holds for check in checks)
