r"""The reparameterisation trick: draw the noise elsewhere, z = mu + sigma eps, so that a gradient can pass through z.

Source: Kingma and Welling, Auto-Encoding Variational Bayes, 2013, section 2.4; Mohamed et al., Monte Carlo Gradient
Estimation in Machine Learning, 2020, sections 4 and 5, for the two estimators.
Variant: diagonal Gaussian, logvar = log sigma^2, so sigma = exp(logvar / 2).
Not handled: discrete latents (Gumbel-softmax or the score function), variance reduction by baselines.

On paper: mu = 1, sigma^2 = 4, eps = 0.5 give z = 1 + 2 * 0.5 = 2. Scaled by the variance it would be 1 + 4 * 0.5 = 3, a
draw from N(1, 16).
"""

import math

import torch
from torch import Tensor

from snippets.evidence import Evidence
from snippets.vaes.gaussian_kl import kl_to_standard_normal


def reparameterise(mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """A draw from N(mean, exp(logvar)), differentiable in both.

    mean, logvar: (..., latent), logvar = log sigma^2   noise: (..., latent), standard normal.   Returns (..., latent).
    """
    return mean + (0.5 * logvar).exp() * noise


def cost(z: Tensor) -> Tensor:
    """What is to be lowered in expectation: the squared distance to 3."""
    return (z - 3).square()


def pathwise_gradient(mean: float, noise: Tensor) -> Tensor:
    """d/d mean of E[cost(z)], z ~ N(mean, 1), one estimate for each noise, by a gradient through the sampler."""
    means = torch.full_like(noise, mean)

    def total(m: Tensor) -> Tensor:
        return cost(reparameterise(m, torch.zeros_like(m), noise)).sum()

    gradient: Tensor = torch.func.grad(total)(means)
    return gradient


def score_function_gradient(mean: float, noise: Tensor) -> Tensor:
    """The same gradient as cost times d/d mean log N(z; mean, 1), REINFORCE: the cost is never differentiated."""
    z = mean + noise
    return cost(z) * (z - mean)


def noise_is_scaled_by_the_standard_deviation() -> Evidence:
    """200 000 draws at mean 1 and variance 4: sample mean 1 and variance 4.00; scaled by the variance it is 16.

    The standard error of that variance is 4 sqrt(2 / 200 000) = 0.013, so 0.07 is five of them.
    """
    noise = torch.randn(200_000, dtype=torch.float64)
    z = reparameterise(torch.ones_like(noise), torch.full_like(noise, math.log(4)), noise)
    mean, variance = z.mean().item(), z.var().item()
    return Evidence(
        holds=abs(variance - 4) < 0.07 and abs(mean - 1) < 0.03, measured={"variance of the draws": variance}
    )


def sampler_and_kl_mean_the_same_gaussian() -> Evidence:
    """Average log q(z) - log p(z) over draws from the sampler: the closed-form KL within five standard errors.

    q is the density that the KL term describes. A sampler with another variance gives another average, so the loss
    would regularise one distribution and decode from another.
    """
    mean, logvar = torch.tensor([0.5, -1.0]).double(), torch.tensor([1.0, -1.5]).double()
    noise = torch.randn(50_000, 2).double()
    z = reparameterise(mean.expand(noise.shape), logvar.expand(noise.shape), noise)
    log_q = -0.5 * ((z - mean).square() / logvar.exp() + logvar)
    ratios = (log_q + 0.5 * z.square()).sum(-1)
    error = ratios.std().item() / math.sqrt(len(noise))
    off = abs(ratios.mean().item() - kl_to_standard_normal(mean, logvar).sum().item()) / error
    return Evidence(holds=off < 5, measured={"sampled KL, nats": ratios.mean().item()})


def both_estimators_are_unbiased() -> Evidence:
    """d/d mu E[(z - 3)^2] at mu = 0 is -6: the average of either estimator is that, within five standard errors.

    What differs is the variance over single draws, 4 against about 227: reparameterisation is not the only way to a
    gradient, it is the one that needs some 57 times fewer samples here.
    """
    noise = torch.randn(100_000, dtype=torch.float64)
    through, around = pathwise_gradient(0.0, noise), score_function_gradient(0.0, noise)
    worst, variances = 0.0, []
    for estimates in (through, around):
        variance = estimates.var().item()
        error = math.sqrt(max(variance, 1e-12) / len(noise))
        worst = max(worst, abs(estimates.mean().item() + 6) / error)
        variances.append(variance)
    ratio = variances[1] / max(variances[0], 1e-12)
    return Evidence(
        holds=worst < 5 and 40 < ratio < 75,
        measured={"variance, reparameterised": variances[0], "variance, score function": variances[1], "ratio": ratio},
    )
