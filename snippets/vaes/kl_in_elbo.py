r"""The KL term inside the evidence lower bound, where everything is exact: a decoder that is linear and Gaussian.

    log p(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z)) + KL(q(z|x) || p(z|x)),   p(z) = N(0, I), p(x|z) = N(W z, s^2 I)

Source: Kingma and Welling, Auto-Encoding Variational Bayes, 2013, equations 1 to 3; Tipping and Bishop,
Probabilistic Principal Component Analysis, 1999, for the exact evidence and posterior.
Variant: the expectation is taken in closed form, not sampled; q has a diagonal covariance; nats for each data point.
Not handled: decoders that are not linear (no exact evidence to compare with), a learned noise variance.

On paper: one pixel, W = 1, s^2 = 1, x = 0, q = p(z) = N(0, 1). Reconstruction: -1/2 log 2 pi - 1/2; KL 0; so the bound
is -1.419. The evidence is log N(0; 0, 2) = -1.266: the gap, 0.153, is KL(N(0, 1) || N(0, 1/2)).
"""

import math

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from snippets.evidence import Evidence
from snippets.vaes.gaussian_kl import kl_to_standard_normal


def reconstruction(x: Tensor, weight: Tensor, noise: float, mean: Tensor, logvar: Tensor) -> Tensor:
    """E_q[log N(x; W z, noise I)], the expected log-likelihood of the data under the codes of q.

    x: (..., data)   weight: (data, latent)   noise: s^2   mean, logvar: (..., latent).   Returns (...).
    """
    missed = (x - mean @ weight.mT).square().sum(-1)
    blurred = (logvar.exp() * weight.square().sum(0)).sum(-1)
    return -0.5 * (x.shape[-1] * math.log(2 * math.pi * noise) + (missed + blurred) / noise)


def elbo(x: Tensor, weight: Tensor, noise: float, mean: Tensor, logvar: Tensor, *, beta: float = 1.0) -> Tensor:
    """The evidence lower bound; with another beta than 1, the objective of a beta-VAE, which above 1 is a looser bound.

    x: (..., data)   weight: (data, latent)   noise: s^2   mean, logvar: (..., latent).   Returns (...).
    """
    return reconstruction(x, weight, noise, mean, logvar) - beta * kl_to_standard_normal(mean, logvar)


def log_evidence(x: Tensor, weight: Tensor, noise: float) -> Tensor:
    """log p(x) of the linear-Gaussian model, exactly: N(x; 0, W W^T + noise I).   x: (..., data).   Returns (...)."""
    covariance = weight @ weight.mT + noise * torch.eye(len(weight), dtype=weight.dtype)
    model = MultivariateNormal(torch.zeros(len(weight), dtype=weight.dtype), covariance)
    value: Tensor = model.log_prob(x)  # type: ignore[no-untyped-call]
    return value


def posterior(x: Tensor, weight: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """The exact p(z|x): mean (..., latent), and the covariance (latent, latent) that is the same for every x."""
    precision = torch.eye(weight.shape[1], dtype=weight.dtype) + weight.mT @ weight / noise
    covariance = torch.linalg.inv(precision)
    return x @ weight @ covariance / noise, covariance


def best_diagonal(x: Tensor, weight: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """The diagonal q that maximises the bound: the mean of the posterior, the inverse of its precision's diagonal."""
    mean, covariance = posterior(x, weight, noise)
    logvar = -torch.linalg.inv(covariance).diagonal().log()
    return mean, logvar.expand(mean.shape)


def orthogonal(rows: int, columns: int) -> Tensor:
    """A random matrix with orthonormal columns, float64."""
    columns_of_one: Tensor = torch.linalg.qr(torch.randn(rows, columns, dtype=torch.float64)).Q
    return columns_of_one


def gap_is_the_divergence_to_the_posterior() -> Evidence:
    """Evidence less bound, for any q, equals KL(q || p(z|x)), which torch.distributions computes; so it is a bound.

    100 random decoders, data points and q: in float64 the two sides agree to rounding, and the least gap is positive.
    """
    worst, least = 0.0, math.inf
    for _ in range(100):
        x, weight = torch.randn(5, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
        mean, logvar = torch.randn(2, 3, dtype=torch.float64)
        gap = log_evidence(x, weight, 0.7) - elbo(x, weight, 0.7, mean, logvar)
        q = MultivariateNormal(mean, torch.diag(logvar.exp()))
        divergence = kl_divergence(q, MultivariateNormal(*posterior(x, weight, 0.7)))
        worst, least = max(worst, (gap - divergence).abs().max().item()), min(least, gap.min().item())
    return Evidence(
        holds=worst < 1e-8 and least > 0,
        measured={"gap equals the divergence to 1e-8": worst < 1e-8, "least gap of 100, nats": least},
    )


def bound_is_tight_at_the_posterior() -> Evidence:
    """With orthogonal columns in W the posterior is diagonal, so q can equal it, and the bound meets the evidence.

    The KL term is well above zero there: the best q is the posterior and not the prior.
    """
    weight = orthogonal(7, 3) * torch.tensor([2.0, 1.0, 0.5]).double()
    x = (torch.randn(11, 3).double() @ weight.mT) + 0.5 * torch.randn(11, 7).double()
    mean, covariance = posterior(x, weight, 0.25)
    logvar = covariance.diagonal().log().expand(mean.shape)
    gap = (log_evidence(x, weight, 0.25) - elbo(x, weight, 0.25, mean, logvar)).abs().max().item()
    kl = kl_to_standard_normal(mean, logvar).mean().item()
    return Evidence(holds=gap < 1e-9 and kl > 0.5, measured={"gap below 1e-9": gap < 1e-9, "KL to the prior, nats": kl})


def variance_after_training(beta: float, steps: int = 300) -> Tensor:
    """Posterior variances that gradient ascent on the objective finds for a fixed decoder; they start at 1."""
    weight = torch.tensor([[2.0, 0.0], [0.0, 0.5]], dtype=torch.float64)
    x, mean = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    logvar = torch.zeros(2, dtype=torch.float64)
    for _ in range(steps):
        slope: Tensor = torch.func.grad(lambda v: elbo(x, weight, 1.0, mean, v, beta=beta).sum())(logvar)
        logvar = logvar + slope
    return logvar.exp()


def kl_keeps_codes_from_becoming_points() -> Evidence:
    """Ascend in log sigma^2 alone: with the KL the variances settle at s^2/(s^2 + |w|^2), without it they go to 0.

    That is what the KL does prevent: reconstruction alone always prefers a sharper code, down to a plain autoencoder.
    """
    exact = torch.tensor([1 / 5, 1 / 1.25], dtype=torch.float64)
    with_kl, without = variance_after_training(1.0), variance_after_training(0.0)
    off = (with_kl - exact).abs().max().item()
    return Evidence(
        holds=off < 1e-6 and without.max().item() < 0.05,
        measured={
            "smallest variance with the KL": with_kl.min().item(),
            "largest variance without": without.max().item(),
        },
    )


def rotation_leaves_the_evidence() -> Evidence:
    """Rotate the latent axes: the evidence is the same to rounding, so nothing in it prefers one set of axes.

    A diagonal q does: on the rotated axes even the best one loses half the log of its precision's diagonal over its
    determinant. That is where a VAE gets its preference for principal directions from, not from the prior.
    """
    weight = orthogonal(7, 3) * torch.tensor([2.0, 1.0, 0.5]).double()
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, 0.6, 0.3], [-0.6, 0.0, 0.6], [-0.3, -0.6, 0.0]]).double())
    rotated = weight @ turn
    x = torch.randn(11, 7).double()
    change = (log_evidence(x, weight, 0.25) - log_evidence(x, rotated, 0.25)).abs().max().item()
    aligned, turned = (
        (log_evidence(x, w, 0.25) - elbo(x, w, 0.25, *best_diagonal(x, w, 0.25))).mean().item()
        for w in (weight, rotated)
    )
    precision = torch.linalg.inv(posterior(x, rotated, 0.25)[1])
    exact = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision)).item()
    return Evidence(
        holds=change < 1e-9 and abs(aligned) < 1e-9 and abs(turned - exact) < 1e-9 and turned > 0.01,
        measured={"evidence changes by less than 1e-9": change < 1e-9, "nats lost by a diagonal q": turned},
    )


def account() -> list[dict[str, str | float]]:
    """The bound, term by term, for some q of the same data point: one pixel pair, two latents."""
    weight = torch.tensor([[2.0, 0.0], [0.0, 0.5]], dtype=torch.float64)
    x = torch.tensor([2.0, 0.5], dtype=torch.float64)
    exact_mean, covariance = posterior(x, weight, 1.0)
    exact = covariance.diagonal().log()
    rows: list[dict[str, str | float]] = []
    for says, mean, logvar in (
        ("the prior: collapsed", torch.zeros(2).double(), torch.zeros(2).double()),
        ("the posterior: the best", exact_mean, exact),
        ("the posterior's mean, a hundredth of its variance", exact_mean, exact - math.log(100)),
    ):
        rows.append(
            {
                "q(z|x)": says,
                "reconstruction": reconstruction(x, weight, 1.0, mean, logvar).item(),
                "KL to the prior": kl_to_standard_normal(mean, logvar).item(),
                "bound": elbo(x, weight, 1.0, mean, logvar).item(),
                "log p(x)": log_evidence(x, weight, 1.0).item(),
            }
        )
    return rows
