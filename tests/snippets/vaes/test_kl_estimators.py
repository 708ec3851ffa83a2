"""k1, k2, k3: by hand, by enumeration, by sampling, and the gradients that each gives as a loss."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Categorical, kl_divergence

from snippets.vaes.kl_estimators import (
    NAMES,
    estimate,
    estimators,
    gradient_as_loss,
    gradient_of_divergence,
    k1,
    k1_and_k3_are_unbiased,
    k2,
    k3,
    k3_as_a_loss_swaps_the_arguments,
    k3_is_steadier_close_to_the_reference,
    moments,
    pair,
)

LOG_Q, LOG_P = torch.tensor([0.5, 0.5]).double().log(), torch.tensor([0.75, 0.25]).double().log()


def test_by_hand() -> None:
    assert k1(LOG_Q, LOG_P).tolist() == pytest.approx([-math.log(1.5), math.log(2)])
    assert k2(LOG_Q, LOG_P).tolist() == pytest.approx([0.5 * math.log(1.5) ** 2, 0.5 * math.log(2) ** 2])
    assert k3(LOG_Q, LOG_P).tolist() == pytest.approx([0.5 - math.log(1.5), -0.5 + math.log(2)])
    assert k3(LOG_Q, LOG_P).mean().item() == pytest.approx(0.1438, abs=1e-4)


@given(st.integers(0, 10**6))
def test_enumeration_gives_the_divergence(seed: int) -> None:
    torch.manual_seed(seed)
    policy, reference = pair()
    oracle = kl_divergence(Categorical(logits=policy), Categorical(logits=reference)).item()
    assert moments("k1", policy, reference)[0] == pytest.approx(oracle, abs=1e-9)
    assert moments("k3", policy, reference)[0] == pytest.approx(oracle, abs=1e-9)


@given(st.floats(-5, 0), st.floats(-5, 0))
def test_k2_and_k3_are_never_negative_and_zero_at_equality(log_q: float, log_p: float) -> None:
    a, b = torch.tensor(log_q).double(), torch.tensor(log_p).double()
    for name in ("k2", "k3"):
        assert estimate(name, a, b).item() >= -1e-12
        assert estimate(name, a, a).item() == 0


def test_sampling_agrees_with_enumeration() -> None:
    policy, reference = pair()
    draws = torch.multinomial(policy.softmax(-1), 100_000, replacement=True)
    log_q, log_p = policy.log_softmax(-1)[draws], reference.log_softmax(-1)[draws]
    for name in NAMES:
        mean, std = moments(name, policy, reference)
        assert abs(estimate(name, log_q, log_p).mean().item() - mean) < 5 * std / math.sqrt(len(draws)) + 1e-9


def test_gradients_by_finite_differences() -> None:
    policy, reference = pair()
    step = 1e-6 * torch.eye(6).double()

    def reverse(logits: torch.Tensor) -> float:
        return kl_divergence(Categorical(logits=logits), Categorical(logits=reference)).item()

    by_differences = [(reverse(policy + row) - reverse(policy - row)) / 2e-6 for row in step]
    assert gradient_of_divergence(policy, reference).tolist() == pytest.approx(by_differences, abs=1e-6)
    assert gradient_as_loss("k2", policy, reference).tolist() == pytest.approx(by_differences, abs=1e-6)
    assert gradient_as_loss("k1", policy, reference).abs().max().item() < 1e-12
    swapped = gradient_of_divergence(policy, reference, swapped=True)
    torch.testing.assert_close(gradient_as_loss("k3", policy, reference), swapped)
    torch.testing.assert_close(swapped, policy.softmax(-1) - reference.softmax(-1))


@pytest.mark.parametrize(
    "check",
    [k1_and_k3_are_unbiased, k3_is_steadier_close_to_the_reference, k3_as_a_loss_swaps_the_arguments],
)
@pytest.mark.parametrize("seed", range(20))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds


def test_table_names_the_three() -> None:
    assert [str(row["estimator"])[:2] for row in estimators()] == list(NAMES)
