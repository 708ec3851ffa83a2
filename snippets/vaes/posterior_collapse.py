r"""Posterior collapse: a latent whose use gains less than its KL costs is given up, q(z|x) = p(z).

In a linear VAE with a fixed decoder variance s^2 this has an exact threshold. A direction of the data with variance
lambda carries  KL = 1/2 log(lambda / (beta s^2))  nats on average, and none where lambda is below beta s^2.

Source: Lucas et al., Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse, 2019, section 4; Tipping and
Bishop, Probabilistic Principal Component Analysis, 1999, equation 7.
Variant: one latent for each dimension of the data, encoder and decoder without bias, data with mean zero.
Not handled: collapse by a decoder strong enough to ignore z (an autoregressive one), which has no closed form.

On paper: lambda = 4, s^2 = 0.5. The best weight has w^2 = 4 - 0.5 = 3.5, the posterior variance is 0.5/4 = 1/8, the
means have variance 3.5/4 = 7/8, so the average KL is 1/2 (7/8 + 1/8 - 1 + log 8) = 1/2 log 8 = 1.04 nats.
"""

import math
from collections.abc import Callable

import matplotlib.axes
import sympy
import torch
from sympy import Derivative, log
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof, trained
from snippets.vaes.gaussian_kl import kl_to_standard_normal
from snippets.vaes.kl_in_elbo import reconstruction

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""What is minimised: of data, decoder, and the means and log variances of the posteriors."""

NATS = "so that the latent carries, on average"

EIGENVALUES = (4.0, 1.0, 0.25)
"""Variances of the data along its principal directions."""


def kl_at_the_optimum(eigenvalue: float, noise: float, beta: float = 1.0) -> float:
    """Average KL, in nats, of the latent for a direction of the data with variance `eigenvalue`; noise is s^2."""
    return 0.5 * math.log(max(eigenvalue / (beta * noise), 1.0))


def derive_optimum() -> Steps:
    """KL of the latent for a direction of variance lambda: decoder weight w, W = w^2, decoder variance s^2.

    The evidence of x = w z + noise is N(0, W + s^2); the first step differentiates its log, averaged over the data.
    """
    variance, weight, std = sympy.symbols("lambda W s", positive=True)
    noise = std**2
    evidence = -(log(weight + noise) + variance / (weight + noise)) / 2
    best = variance - noise
    return {
        "The evidence rises with W until W = lambda - s^2": step(
            Derivative(evidence, weight), (variance - noise - weight) / (2 * (weight + noise) ** 2)
        ),
        "There the posterior has the variance": step(1 / (1 + best / noise), noise / variance),
        "and its means vary over the data by the rest": step(best / variance, 1 - noise / variance),
        NATS: step(
            sympy.Mul(
                sympy.Rational(1, 2),
                sympy.Add(best / variance, noise / variance, -1, -log(noise / variance), evaluate=False),
                evaluate=False,
            ),
            log(variance / noise) / 2,
        ),
    }


@proof
def optimum_is_proved() -> Evidence:
    """Every step is proved, and the last one is what `kl_at_the_optimum` computes above the threshold."""
    steps = derive_optimum()
    results = [proved(equality) for equality in steps.values()]
    symbols = sorted(steps[NATS].rhs.free_symbols, key=str)
    values = dict(zip(symbols, (4.0, math.sqrt(0.5)), strict=True)) if len(symbols) == 2 else {}
    off = abs(float(steps[NATS].rhs.subs(values)) - kl_at_the_optimum(4.0, 0.5))
    return Evidence(holds=len(results) == 4 and all(results) and off < 1e-9, measured={"steps proved": sum(results)})


def implied_noise_std(pixels: int) -> float:
    """Decoder standard deviation that the loss mean((x - y)^2) + KL assumes, the mean running over the pixels.

    |x - y|^2 / pixels is a Gaussian log-likelihood |x - y|^2 / (2 s^2) with s^2 = pixels / 2.
    """
    return math.sqrt(pixels / 2)


def data(eigenvalues: tuple[float, ...], points: int = 64) -> Tensor:
    """Random points whose sample covariance has exactly these eigenvalues, along random directions; float64."""
    white = torch.linalg.qr(torch.randn(points, len(eigenvalues), dtype=torch.float64)).Q * math.sqrt(points)
    directions = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), dtype=torch.float64)).Q
    found: Tensor = white * torch.tensor(eigenvalues).double().sqrt() @ directions.mT
    return found


def kl_of_each_latent(mean: Tensor, logvar: Tensor) -> Tensor:
    """Average over the data of each latent's own KL.   mean, logvar: (points, latent).   Returns (latent,)."""
    return kl_to_standard_normal(mean.unsqueeze(-1), logvar.unsqueeze(-1)).mean(0)


def free_bits(kl: Tensor, floor: float) -> Tensor:
    """KL as it is charged with free bits: the first `floor` nats of each latent cost nothing (Kingma et al., 2016).

    kl: (latent,), each averaged over the batch.   Returns a scalar.
    """
    return kl.clamp(min=floor).sum()


def objective(noise: float, *, beta: float = 1.0, floor: float = 0.0) -> Loss:
    """The negative bound of a decoder with variance `noise`, the KL weighted by beta and charged above a floor."""

    def loss(x: Tensor, decoder: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        charged = free_bits(kl_of_each_latent(mean, logvar), floor)
        return beta * charged - reconstruction(x, decoder, noise, mean, logvar).mean()

    return loss


def usual_code(x: Tensor, decoder: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """What many a repository minimises, `mse_loss(y, x) + kl`: the squared error averaged over pixels, too."""
    y, blur = mean @ decoder.mT, (logvar.exp() @ decoder.square().mT).mean()
    return torch.nn.functional.mse_loss(y, x) + blur + kl_of_each_latent(mean, logvar).sum()


def train(x: Tensor, loss: Loss, steps: int = 600) -> tuple[Tensor, float]:
    """Train a linear VAE on x; return the average KL of each latent, largest first, and the squared error a point.

    x: (points, data).   Encoder mean A x, one log variance for each latent, decoder W z; nothing is sampled.
    """
    size = x.shape[1]
    start = 0.3 * torch.randn(2, size, size, dtype=x.dtype)
    encoder, decoder = start[0].requires_grad_(), start[1].requires_grad_()
    shared = torch.zeros(size, dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([encoder, decoder, shared], lr=0.03)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, steps)
    for _ in range(steps):
        mean = x @ encoder.mT
        optimiser.zero_grad()
        loss(x, decoder, mean, shared.expand(mean.shape)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        mean = x @ encoder.mT
        kl = kl_of_each_latent(mean, shared.expand(mean.shape)).sort(descending=True).values
        return kl, (x - mean @ decoder.mT).square().sum(-1).mean().item()


def largest_error(kl: Tensor, noise: float, beta: float = 1.0) -> float:
    """Largest difference, in nats, between what was trained and the closed form."""
    exact = [kl_at_the_optimum(eigenvalue, noise, beta) for eigenvalue in EIGENVALUES]
    return float((kl - torch.tensor(exact, dtype=kl.dtype)).abs().max())


@trained
def weak_directions_collapse() -> Evidence:
    """Train at s^2 = 0.5 on variances 4, 1 and 0.25: each latent's KL is the closed form's, to 0.01 nats.

    The third direction lies below the noise, and its latent is given up; the other two are not, so that a KL that is
    zero for all of them would be off by a nat.
    """
    kl, _ = train(data(EIGENVALUES), objective(0.5))
    off = largest_error(kl, 0.5)
    return Evidence(
        holds=off < 0.01 and kl[1].item() > 0.3 and kl[2].item() < 0.01,
        measured={f"nats of the direction with variance {v}": k for v, k in zip(EIGENVALUES, kl.tolist(), strict=True)},
        rel=None,
    )


@trained
def beta_raises_the_threshold() -> Evidence:
    """With beta = 3 the second direction, variance 1, collapses as well: the threshold is beta s^2 = 1.5.

    The squared error rises with it, from 0.56 to 1.81 a point; that is what a larger beta costs.
    """
    x = data(EIGENVALUES)
    (kl, error), (kl_3, error_3) = train(x, objective(0.5)), train(x, objective(0.5, beta=3.0))
    off = max(largest_error(kl, 0.5), largest_error(kl_3, 0.5, 3.0))
    return Evidence(
        holds=off < 0.01 and kl[1].item() > 0.3 and kl_3[1].item() < 0.01 and error_3 > 2 * error,
        measured={"squared error at beta 1": error, "squared error at beta 3": error_3},
        rel=None,
    )


@trained
def averaging_pixels_is_a_hidden_beta() -> Evidence:
    """Train on mse_loss + KL, the usual code: it collapses as a decoder of variance pixels / 2 does, here 1.5.

    The direction with variance 1 is lost, though the data has no noise at all. Nothing in the code says so.
    """
    x = data(EIGENVALUES)
    kl, _ = train(x, usual_code)
    off = largest_error(kl, implied_noise_std(x.shape[1]) ** 2)
    return Evidence(
        holds=off < 0.01 and kl[0].item() > 0.3 and kl[1].item() < 0.01,
        measured={"nats kept by the first latent": kl[0].item(), "by the second": kl[1].item()},
        rel=None,
    )


@trained
def free_bits_keep_every_latent_busy() -> Evidence:
    """With the first 0.2 nats of each latent free, none falls below 0.2: the one that had collapsed is used again.

    It buys less than it seems: the squared error stays within 3 % of what it was, because the direction below the noise
    is still not worth coding, and the third latent takes over part of what the second one carried.
    """
    x = data(EIGENVALUES)
    (kl, error), (kept, error_kept) = train(x, objective(0.5)), train(x, objective(0.5, floor=0.2))
    return Evidence(
        holds=kl[2].item() < 0.01 and kept.min().item() > 0.19 and abs(error_kept / error - 1) < 0.03,
        measured={"least nats without": kl.min().item(), "least nats with free bits": kept.min().item()},
        rel=None,
    )


def trained_and_exact() -> list[dict[str, str | float]]:
    """Average KL of each latent after training, beside the closed form, at two values of beta."""
    x = data(EIGENVALUES)
    runs = {beta: train(x, objective(0.5, beta=beta))[0].tolist() for beta in (1.0, 3.0)}
    return [
        {
            "variance of the direction": f"{eigenvalue:g}",
            **{
                f"{says}, β = {beta:g}": nats
                for beta, kl in runs.items()
                for says, nats in (("trained", abs(kl[i])), ("½ log(λ/βs²)", kl_at_the_optimum(eigenvalue, 0.5, beta)))
            },
        }
        for i, eigenvalue in enumerate(EIGENVALUES)
    ]


def draw_threshold(axes: matplotlib.axes.Axes) -> None:
    """Draw the KL of a latent against the variance of its direction, for two betas, and what training found."""
    eigenvalues = (4.0, 2.5, 1.0, 0.25)
    x = data(eigenvalues)
    line = [0.05 * i for i in range(1, 85)]
    for colour, beta in (("C0", 1.0), ("C1", 3.0)):
        axes.plot(
            line, [kl_at_the_optimum(v, 0.5, beta) for v in line], color=colour, label=f"closed form, β = {beta:g}"
        )
        kl, _ = train(x, objective(0.5, beta=beta), steps=1500)
        axes.plot(eigenvalues, kl.tolist(), "o", color=colour, label=f"trained, β = {beta:g}")
    axes.set_xlabel("variance of the data along the direction")
    axes.set_ylabel("KL of its latent, nats")
    axes.legend(fontsize="small", frameon=False)
