"""The sampler and the two gradient estimators: by hand, by moments, and by autograd."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snippets.vaes.reparameterisation import (
    both_estimators_are_unbiased,
    cost,
    noise_is_scaled_by_the_standard_deviation,
    pathwise_gradient,
    reparameterise,
    sampler_and_kl_mean_the_same_gaussian,
    score_function_gradient,
)


def test_by_hand() -> None:
    """mu = 1, sigma^2 = 4, eps = 0.5: 1 + 2 * 0.5."""
    z = reparameterise(torch.ones(1), torch.tensor([math.log(4)]), torch.tensor([0.5]))
    assert z.item() == pytest.approx(2.0)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (1.0, 4.0), (-2.0, 0.09)])
def test_the_draws_are_normal(mean: float, variance: float) -> None:
    noise = torch.randn(20_000, dtype=torch.float64)
    z = reparameterise(torch.tensor(mean).double(), torch.tensor(math.log(variance)).double(), noise)
    assert stats.kstest(z.numpy(), stats.norm(mean, math.sqrt(variance)).cdf).pvalue > 1e-4


@given(st.floats(-3, 3), st.floats(-4, 4), st.floats(-3, 3))
def test_noise_is_what_is_left_after_standardising(mean: float, logvar: float, noise: float) -> None:
    z = reparameterise(*(torch.tensor([number], dtype=torch.float64) for number in (mean, logvar, noise)))
    assert (z.item() - mean) / math.exp(logvar / 2) == pytest.approx(noise, abs=1e-9)


def test_gradient() -> None:
    mean, logvar = (torch.randn(3, 2).double().requires_grad_() for _ in range(2))
    noise = torch.randn(3, 2).double()
    assert torch.autograd.gradcheck(lambda m, v: reparameterise(m, v, noise), (mean, logvar))


def test_estimators_by_hand() -> None:
    """mean 0, eps 1: the path gives 2 (1 - 3) = -4, the score function (1 - 3)^2 * 1 = 4."""
    noise = torch.ones(1).double()
    assert cost(noise).item() == 4
    assert pathwise_gradient(0.0, noise).item() == pytest.approx(-4)
    assert score_function_gradient(0.0, noise).item() == pytest.approx(4)


@pytest.mark.parametrize("mean", [-1.0, 0.0, 2.5])
def test_both_average_to_the_exact_gradient(mean: float) -> None:
    """E[(z - 3)^2] = (mean - 3)^2 + 1, so the gradient is 2 (mean - 3); by Gauss-Hermite quadrature, exact here."""
    import numpy as np

    points, weights = np.polynomial.hermite_e.hermegauss(10)
    noise, share = torch.tensor(points), torch.tensor(weights / math.sqrt(2 * math.pi))
    for estimate in (pathwise_gradient, score_function_gradient):
        assert (share * estimate(mean, noise)).sum().item() == pytest.approx(2 * (mean - 3), abs=1e-9)


@pytest.mark.parametrize(
    "check",
    [
        noise_is_scaled_by_the_standard_deviation,
        sampler_and_kl_mean_the_same_gaussian,
        both_estimators_are_unbiased,
    ],
)
@pytest.mark.parametrize("seed", range(20))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds
