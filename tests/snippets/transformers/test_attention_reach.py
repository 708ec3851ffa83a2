"""How far attention reaches: by hand, against torch's own recurrent network, and derived."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.derivation import proved, step
from snippets.transformers.attention_reach import (
    advantage_restores_the_share,
    attention_does_not_fade,
    best_weight,
    derive_dilution,
    dilution_is_proved,
    gradient_by_lag,
    mass_dilutes_with_length,
    needed_advantage,
    recurrent,
    self_attention,
)


def test_by_hand() -> None:
    """g = ln 9: 9 to 1 against one other key, 9 to 1023 among 1024; and back."""
    assert best_weight(math.log(9), 2) == pytest.approx(0.9, abs=1e-12)
    assert best_weight(math.log(9), 1024) == pytest.approx(9 / 1032, abs=1e-12)
    assert needed_advantage(0.9, 2) == pytest.approx(math.log(9), abs=1e-12)
    assert needed_advantage(0.5, 1024) == pytest.approx(math.log(1023), abs=1e-12)


@given(st.floats(-5, 20), st.integers(2, 10_000))
def test_the_softmax_agrees(advantage: float, keys: int) -> None:
    logits = torch.zeros(keys, dtype=torch.float64)
    logits[0] = advantage
    assert best_weight(advantage, keys) == pytest.approx(logits.softmax(-1)[0].item(), rel=1e-9)


@given(st.floats(0.01, 0.99), st.integers(2, 10**6))
def test_one_undoes_the_other(share: float, keys: int) -> None:
    assert best_weight(needed_advantage(share, keys), keys) == pytest.approx(share, rel=1e-9)


def test_torchs_recurrent_network_agrees() -> None:
    """nn.RNN with the identity for the input matrix and without biases is ours."""
    network = torch.nn.RNN(5, 5, bias=False, batch_first=True, dtype=torch.float64)
    x, matrix = torch.randn(2, 7, 5).double(), torch.randn(5, 5).double()
    network.load_state_dict({"weight_ih_l0": torch.eye(5), "weight_hh_l0": matrix})
    torch.testing.assert_close(recurrent(x, matrix), network(x)[0], rtol=0, atol=1e-12)


def test_gradient_by_lag_by_hand() -> None:
    """Last output x_2 + 3 x_1 + 5 x_0 of a width of one: lag 1 has a slope of 3, lag 2 of 5; itself is not counted."""
    x = torch.randn(4, 3, 1).double().requires_grad_()
    y = x.clone()
    y = torch.cat([y[:, :2], y[:, 2:] + 3 * x[:, 1:2] + 5 * x[:, :1]], dim=1)
    assert gradient_by_lag(x, y).tolist() == pytest.approx([3, 5], abs=1e-12)


def test_a_recurrent_network_fades_as_its_matrix_says() -> None:
    """Near zero tanh is the identity: with a matrix of 0.5 the slope halves a step."""
    x = (torch.randn(2, 9, 3).double() * 1e-6).requires_grad_()
    slopes = gradient_by_lag(x, recurrent(x, 0.5 * torch.eye(3).double()))
    assert (slopes[1:] / slopes[:-1]).tolist() == pytest.approx([0.5] * 7, rel=1e-6)


def test_attention_sees_the_past_only() -> None:
    x = torch.randn(1, 6, 3).double().requires_grad_()
    (gradient,) = torch.autograd.grad(self_attention(x)[:, 2].sum(), x)
    assert gradient[0].abs().sum(-1).gt(0).tolist() == [True, True, True, False, False, False]


def test_gradient() -> None:
    x, matrix = torch.randn(2, 4, 3).double().requires_grad_(), torch.randn(3, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(recurrent, (x, matrix))


@pytest.mark.parametrize("name", list(derive_dilution()))
def test_every_step_is_proved_and_a_wrong_one_is_not(name: str) -> None:
    equality = derive_dilution()[name]
    assert proved(equality)
    assert not proved(step(equality.lhs, equality.rhs**2))


def test_the_checks_hold() -> None:
    checks = (dilution_is_proved, attention_does_not_fade, mass_dilutes_with_length, advantage_restores_the_share)
    assert all(check().holds for check in checks)
