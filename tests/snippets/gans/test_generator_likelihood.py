"""Likelihood of a blurred generator, and MMD: by hand, against torch.distributions and a double loop, as properties."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal

from snippets.gans import generator_likelihood as module
from snippets.gans.generator_likelihood import log_likelihood, mmd, point_off_the_line


def test_the_worked_example() -> None:
    along = -0.5 * math.log(2 * math.pi * 1.01)
    across = -0.5 * math.log(2 * math.pi * 0.01) - 50
    assert point_off_the_line(0.1) == pytest.approx(along + across)
    assert point_off_the_line(0.1) == pytest.approx(-49.5, abs=0.1)


@pytest.mark.parametrize(("features", "latent"), [(1, 1), (2, 1), (5, 3)])
def test_torch_distributions_agree(features: int, latent: int) -> None:
    weight, x = torch.randn(features, latent).double(), torch.randn(7, features).double()
    covariance = weight @ weight.mT + 0.25 * torch.eye(features).double()
    expected = MultivariateNormal(torch.zeros(features).double(), covariance).log_prob(x)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(log_likelihood(x, weight, 0.5), expected)


@pytest.mark.parametrize(("first", "second", "features"), [(1, 1, 1), (3, 5, 2), (7, 2, 11)])
def test_mmd_by_a_double_loop(first: int, second: int, features: int) -> None:
    x, y = torch.randn(first, features).double(), torch.randn(second, features).double()

    def mean(a: torch.Tensor, b: torch.Tensor) -> float:
        return sum(math.exp(-((u - v) ** 2).sum().item() / 2) for u in a for v in b) / (len(a) * len(b))

    assert mmd(x, y).item() == pytest.approx(mean(x, x) + mean(y, y) - 2 * mean(x, y))


@given(st.integers(1, 7), st.integers(1, 5), st.floats(-3, 3))
def test_mmd_is_a_distance_of_sets(count: int, features: int, shift: float) -> None:
    x = torch.randn(count, features, dtype=torch.float64)
    assert mmd(x, x.flip(0)).item() == pytest.approx(0, abs=1e-12)
    assert mmd(x, x + shift).item() >= -1e-12


def test_gradient() -> None:
    x, y = torch.randn(3, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(mmd(x, y), x)
    step = 1e-6 * torch.randn_like(x)
    ahead = (mmd(x + step, y) - mmd(x - step, y)).item() / 2
    assert (slope * step).sum().item() == pytest.approx(ahead, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_checks_hold(seed: int) -> None:
    torch.manual_seed(seed)
    assert module.likelihood_diverges_as_the_blur_goes().holds
    assert module.samples_are_enough_for_mmd().holds
