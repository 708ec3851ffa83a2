"""The closed form: by hand, against a numerical optimiser, as a property, and by its derivation."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from torch.distributions import Categorical, kl_divergence

from snippets.alignment.kl_regularised_optimum import (
    ascend,
    ascent_reaches_the_closed_form,
    beta_sets_the_distance,
    derivation_holds,
    derive_optimum,
    divergence,
    entropy,
    objective,
    optimum,
    problem,
    shortfall_is_a_divergence,
    tilt,
    without_the_penalty_variety_dies,
)
from snippets.derivation import proved, step


def test_by_hand() -> None:
    """Two responses, ref (1/2, 1/2), rewards (log 9, 0): (9, 1)/10 at beta 1, (3, 1)/4 at beta 2; J = log 5."""
    log_ref, reward = (
        torch.tensor([0.5, 0.5], dtype=torch.float64).log(),
        torch.tensor([math.log(9), 0], dtype=torch.float64),
    )
    assert optimum(log_ref, reward, 1.0).exp().tolist() == pytest.approx([0.9, 0.1], abs=1e-12)
    assert optimum(log_ref, reward, 2.0).exp().tolist() == pytest.approx([0.75, 0.25], abs=1e-12)
    best = optimum(log_ref, reward, 1.0)
    assert objective(best, log_ref, reward, 1.0).item() == pytest.approx(math.log(5), abs=1e-12)
    assert tilt(math.log(9), 2.0) == pytest.approx(3, abs=1e-12)
    assert entropy(torch.tensor([0.0, -math.inf], dtype=torch.float64)) == 0


def test_against_a_numerical_optimiser() -> None:
    torch.manual_seed(1)
    log_ref, reward = problem(5)

    def loss(logits) -> float:  # type: ignore[no-untyped-def]
        return -objective(torch.tensor(logits).log_softmax(-1), log_ref, reward, 0.7).item()

    found = optimize.minimize(loss, [0.0] * 5, tol=1e-12)
    assert -found.fun == pytest.approx(objective(optimum(log_ref, reward, 0.7), log_ref, reward, 0.7).item(), abs=1e-7)


@given(st.integers(1, 7), st.floats(0.1, 5), st.integers(0, 100))
def test_shift_and_size(n: int, beta: float, seed: int) -> None:
    """A constant added to the reward moves nothing; one response has all the mass; probabilities sum to one."""
    torch.manual_seed(seed)
    log_ref, reward = problem(n)
    best = optimum(log_ref, reward, beta)
    assert torch.allclose(best, optimum(log_ref, reward + 3, beta), atol=1e-10)
    assert best.exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_divergence_and_gradient() -> None:
    """KL as torch.distributions has it; the objective's slope in the logits vanishes at the optimum only."""
    torch.manual_seed(2)
    log_ref, reward = problem(5)
    best = optimum(log_ref, reward, 0.4)
    oracle = kl_divergence(Categorical(logits=best), Categorical(logits=log_ref))
    assert divergence(best, log_ref).item() == pytest.approx(oracle.item(), abs=1e-12)
    slope = torch.func.grad(lambda z: objective(z.log_softmax(-1), log_ref, reward, 0.4))
    assert slope(best).abs().max().item() < 1e-12
    assert slope(log_ref).abs().max().item() > 1e-3


def test_ascent_depends_on_the_reward() -> None:
    log_ref = torch.full((3,), 1 / 3).double().log()
    first, last = (ascend(log_ref, torch.eye(3).double()[i], 0.5, steps=300) for i in (0, 2))
    assert first.argmax().item() == 0
    assert last.argmax().item() == 2


def test_a_wrong_derivation_fails() -> None:
    whole = derive_optimum()["objective"]
    assert proved(whole)
    assert not proved(step(whole.lhs, -whole.rhs))


@pytest.mark.parametrize(
    "check",
    [
        shortfall_is_a_divergence,
        ascent_reaches_the_closed_form,
        without_the_penalty_variety_dies,
        beta_sets_the_distance,
        derivation_holds,
    ],
)
def test_checks(check) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(7)
    assert check().holds is True
