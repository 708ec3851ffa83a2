r"""Why a GAN has no likelihood, hence no ELBO, and why a loss that needs only samples (MMD) works.

A generator x = W z with fewer noises than dimensions fills a sheet of no volume. Blurred with sigma, its log-likelihood
of a point off the sheet falls without bound as sigma goes to 0.

Source: Kingma and Welling 2014 (arXiv:1312.6114) for what the ELBO needs; Li et al. 2015 (GMMN, arXiv:1502.02761) and
    Gretton et al. 2012 for the maximum mean discrepancy; VAE/GAN hybrids: Larsen et al. 2016 (arXiv:1512.09300).
Variant: linear generator and Gaussian blur, where the likelihood is known exactly; MMD squared with a Gaussian kernel
    of width 1, biased estimate (the diagonal is kept), so never negative.
Not handled: learned kernels (MMD-GAN), unbiased estimates, choosing the width.

Worked example: W = (1, 0), so x = (z, 0). The point (0, 1) lies 1 off the line. With blur sigma its log density is
    that of N(0, 1 + sigma^2) at 0 plus that of N(0, sigma^2) at 1: for sigma = 0.1 it is -0.924 + 1.384 - 50 = -49.5.
"""

import math

import torch
from torch import Tensor

from snippets.evidence import Evidence, trained


def log_likelihood(x: Tensor, weight: Tensor, sigma: float) -> Tensor:
    """Exact log density of x = W z + sigma * noise, z standard normal.

    x: (batch, features)   weight: (features, latent).   Returns (batch,).
    """
    covariance = weight @ weight.mT + sigma**2 * torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
    quadratic = (x * torch.linalg.solve(covariance, x.mT).mT).sum(-1)
    double: Tensor = quadratic + torch.logdet(covariance) + len(weight) * math.log(2 * math.pi)
    return -0.5 * double


def mmd(first: Tensor, second: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two sets of samples, Gaussian kernel of width 1: zero for equal sets.

    first: (count, features)   second: (other, features).   Returns a scalar.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        similar: Tensor = (-torch.cdist(a, b).square() / 2).exp()
        return similar.mean()

    return kernel(first, first) + kernel(second, second) - 2 * kernel(first, second)


def point_off_the_line(sigma: float) -> float:
    """Log density of the point (0, 1) under x = (z, 0) blurred with `sigma`."""
    weight = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    return log_likelihood(torch.tensor([[0.0, 1.0]], dtype=torch.float64), weight, sigma).item()


def likelihood_diverges_as_the_blur_goes() -> Evidence:
    """Mean log-likelihood of data off the generator's line while sigma goes 0.1, 0.01, 0.001: down a hundredfold each.

    Data have two dimensions, the noise one. The quadratic term grows as 1/sigma^2 and the gain of the determinant only
    as log 1/sigma: an ELBO, which is at most the log-likelihood, has nothing to converge to.
    """
    x = torch.randn(200, 2, dtype=torch.float64) + 1
    weight = torch.randn(2, 1, dtype=torch.float64)
    values = [log_likelihood(x, weight, sigma).mean().item() for sigma in (0.1, 0.01, 0.001)]
    return Evidence(
        holds=values[1] < 50 * values[0] < 0 and values[2] < 50 * values[1],
        measured={"falls at least fiftyfold at each step": values[2] < 50 * values[1] < 2500 * values[0] < 0},
    )


@trained
def samples_are_enough_for_mmd() -> Evidence:
    """The linear generator without blur, trained by MMD alone: its line finds the main axis of correlated data.

    Data: correlation 0.9 and unit variances. After 300 steps the direction of W is within 15 degrees of the diagonal
    and the MMD below half of that of the best constant, a point at the mean; no likelihood was ever evaluated.
    """

    def data(count: int) -> Tensor:
        common, own = torch.randn(count, 1), torch.randn(count, 2)
        return math.sqrt(0.9) * common + math.sqrt(0.1) * own

    weight = torch.nn.Parameter(torch.tensor([[0.3], [-0.1]]))
    optimizer = torch.optim.Adam([weight], lr=0.02)
    for _ in range(300):
        loss = mmd(torch.randn(128, 1) @ weight.mT, data(128))
        optimizer.zero_grad()
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        angle = math.degrees(math.atan2(weight[1].item(), weight[0].item())) % 180
        reached = mmd(torch.randn(1000, 1) @ weight.mT, data(1000)).item()
        constant = mmd(torch.zeros(1000, 2), data(1000)).item()
    return Evidence(
        holds=abs(angle - 45) < 15 and reached < constant / 2,
        measured={"angle, degrees": angle, "MMD²": reached, "MMD² of a point at the mean": constant},
        rel=None,
    )
