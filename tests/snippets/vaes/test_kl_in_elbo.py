"""The bound in a model where the evidence is known: by hand, against exact densities, and at its optimum."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from snippets.vaes.gaussian_kl import kl_to_standard_normal
from snippets.vaes.kl_in_elbo import (
    account,
    best_diagonal,
    bound_is_tight_at_the_posterior,
    elbo,
    gap_is_the_divergence_to_the_posterior,
    kl_keeps_codes_from_becoming_points,
    log_evidence,
    orthogonal,
    posterior,
    reconstruction,
    rotation_leaves_the_evidence,
)


def test_by_hand() -> None:
    """One pixel, W = 1, s^2 = 1, x = 0, q = prior: -1/2 log 2 pi - 1/2 and no KL; the evidence is log N(0; 0, 2)."""
    x, weight, zero = torch.zeros(1).double(), torch.ones(1, 1).double(), torch.zeros(1).double()
    assert elbo(x, weight, 1.0, zero, zero).item() == pytest.approx(-0.5 * math.log(2 * math.pi) - 0.5)
    assert log_evidence(x, weight, 1.0).item() == pytest.approx(-0.5 * math.log(4 * math.pi))
    gap = log_evidence(x, weight, 1.0) - elbo(x, weight, 1.0, zero, zero)
    oracle = kl_divergence(Normal(0.0, 1.0), Normal(0.0, math.sqrt(0.5)))
    assert gap.item() == pytest.approx(oracle.item(), abs=1e-6)


def test_reconstruction_is_the_sampled_log_likelihood() -> None:
    x, weight = torch.randn(5).double(), torch.randn(5, 3).double()
    mean, logvar = torch.randn(2, 3).double()
    z = mean + (logvar / 2).exp() * torch.randn(200_000, 3).double()
    sampled = Normal(z @ weight.mT, math.sqrt(0.7)).log_prob(x).sum(-1)  # type: ignore[no-untyped-call]
    error = sampled.std() / math.sqrt(len(z))
    assert abs(sampled.mean() - reconstruction(x, weight, 0.7, mean, logvar)) < 5 * error


def test_posterior_by_bayes_on_a_grid() -> None:
    x, weight = torch.tensor([1.0, -0.5]).double(), torch.tensor([[2.0], [0.5]]).double()
    z = torch.linspace(-6, 6, 4001).double()
    log_joint = -0.5 * z.square() - 0.5 * ((x - z[:, None] @ weight.mT) ** 2).sum(-1) / 0.3
    density = (log_joint - log_joint.logsumexp(0)).exp()
    mean, covariance = posterior(x, weight, 0.3)
    assert (density * z).sum().item() == pytest.approx(mean.item(), abs=1e-6)
    assert (density * (z - mean).square()).sum().item() == pytest.approx(covariance.item(), abs=1e-6)


@given(st.integers(1, 5), st.integers(1, 4), st.floats(0.05, 3))
def test_never_above_the_evidence(pixels: int, latent: int, noise: float) -> None:
    x, weight = torch.randn(7, pixels).double(), torch.randn(pixels, latent).double()
    mean, logvar = torch.randn(2, 7, latent).double()
    assert (log_evidence(x, weight, noise) - elbo(x, weight, noise, mean, logvar) > -1e-9).all()


def test_beta_above_one_is_a_looser_bound() -> None:
    x, weight = torch.randn(7, 3).double(), torch.randn(3, 2).double()
    mean, logvar = torch.randn(2, 7, 2).double()
    one, four = (elbo(x, weight, 0.5, mean, logvar, beta=beta) for beta in (1.0, 4.0))
    torch.testing.assert_close(one - four, 3 * kl_to_standard_normal(mean, logvar))


def test_the_best_diagonal_has_no_gradient() -> None:
    x, weight = torch.randn(7, 5).double(), torch.randn(5, 3).double()
    mean, logvar = (t.clone().requires_grad_() for t in best_diagonal(x, weight, 0.4))
    gradients = torch.autograd.grad(elbo(x, weight, 0.4, mean, logvar).sum(), (mean, logvar))
    assert max(g.abs().max().item() for g in gradients) < 1e-9


def test_gradient() -> None:
    x, weight = torch.randn(2, 3).double(), torch.randn(3, 2).double().requires_grad_()
    mean, logvar = (torch.randn(2, 2).double().requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(lambda w, m, v: elbo(x, w, 0.7, m, v), (weight, mean, logvar))


def test_the_bound_depends_on_the_data() -> None:
    weight, zero = torch.randn(3, 2).double(), torch.zeros(2).double()
    a, b = (elbo(torch.full((3,), at).double(), weight, 0.7, zero, zero) for at in (0.0, 1.0))
    assert abs(a - b) > 0.1


def test_evidence_is_the_density_of_the_samples() -> None:
    weight = orthogonal(5, 3)
    torch.testing.assert_close(weight.mT @ weight, torch.eye(3).double())
    x = torch.randn(4, 5).double()
    oracle = MultivariateNormal(torch.zeros(5).double(), weight @ weight.mT + 0.5 * torch.eye(5).double())
    torch.testing.assert_close(log_evidence(x, weight, 0.5), oracle.log_prob(x))  # type: ignore[no-untyped-call]


def test_only_the_posterior_meets_the_evidence() -> None:
    gaps = {str(row["q(z|x)"]): float(row["log p(x)"]) - float(row["bound"]) for row in account()}
    assert gaps["the posterior: the best"] == pytest.approx(0, abs=1e-9)
    assert sorted(gap > 1 for gap in gaps.values()) == [False, True, True]


@pytest.mark.parametrize(
    "check",
    [
        gap_is_the_divergence_to_the_posterior,
        bound_is_tight_at_the_posterior,
        kl_keeps_codes_from_becoming_points,
        rotation_leaves_the_evidence,
    ],
)
@pytest.mark.parametrize("seed", range(20))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds
