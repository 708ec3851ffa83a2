"""Categorical KL: by hand, against torch.distributions and SciPy, and torch's argument order."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch.distributions import Categorical, kl_divergence

from snippets.vaes.kl_div_order import categorical, its_default_reduction_is_no_divergence, the_target_comes_first

P, Q = torch.tensor([0.75, 0.25]).double(), torch.tensor([0.5, 0.5]).double()


def test_by_hand() -> None:
    assert categorical(P.log(), Q.log()).item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert categorical(Q.log(), P.log()).item() == pytest.approx(0.5 * math.log(4 / 3))


@given(st.integers(1, 9))
def test_oracles_agree_and_it_is_not_negative(classes: int) -> None:
    p, q = torch.randn(2, 5, classes).double().log_softmax(-1)
    oracle = kl_divergence(Categorical(logits=p), Categorical(logits=q))
    torch.testing.assert_close(categorical(p, q), oracle)
    by_scipy = stats.entropy(p.exp().numpy(), q.exp().numpy(), axis=-1)
    torch.testing.assert_close(categorical(p, q), torch.tensor(by_scipy))
    assert (categorical(p, q) > -1e-12).all()


def test_zero_to_itself() -> None:
    assert categorical(P.log(), P.log()).item() == 0


def test_gradient() -> None:
    pair = tuple(torch.randn(3, 4).double().requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(categorical, pair)


@pytest.mark.parametrize("check", [the_target_comes_first, its_default_reduction_is_no_divergence])
@pytest.mark.parametrize("seed", range(20))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds
