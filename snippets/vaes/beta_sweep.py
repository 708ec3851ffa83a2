r"""What the weight of the KL does to samples: a small VAE on four tight clusters, from no KL to nothing but KL.

Source: Higgins et al., beta-VAE, 2017, equation 4, for the weight; Dai and Wipf, Diagnosing and Enhancing VAE Models,
2019, for samples from the prior that meet no code.
Variant: two-dimensional data, a one-dimensional latent, a Gaussian decoder of fixed standard deviation 0.1, one
reparameterised draw a point, full batches.
Not handled: images, a learned decoder variance, annealing of beta.

On paper: the clusters lie at (+-1, +-1). A collapsed decoder gives their mean, (0, 0), with squared error 2 a point.
"""

from typing import NamedTuple

import matplotlib.axes
import torch
from torch import Tensor, nn

from snippets.evidence import Evidence, trained
from snippets.vaes.gaussian_kl import kl_to_standard_normal
from snippets.vaes.reparameterisation import reparameterise

CENTRES = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
NOISE_STD = 0.1


class Swept(NamedTuple):
    """What became of one VAE."""

    kl: float
    """nats a point"""
    error: float
    """squared error of a reconstruction"""
    reconstructions_off: float
    """share of reconstructions further than 0.4 from every cluster"""
    samples_off: float
    """the same of decoded draws from the prior"""
    distance: float
    """energy distance between decoded draws from the prior and the data"""


class VAE(nn.Module):
    """Two small networks around a one-dimensional Gaussian latent."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        self.decoder = nn.Sequential(
            nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: (points, 2).   Returns the reconstruction (points, 2), and mean and log variance (points, 1)."""
        mean, logvar = self.encoder(x).chunk(2, dim=-1)
        return self.decoder(reparameterise(mean, logvar, torch.randn_like(mean))), mean, logvar


def data(points: int = 256) -> Tensor:
    """Points of the four clusters, in equal numbers, with standard deviation 0.05."""
    return CENTRES.repeat(points // 4, 1) + 0.05 * torch.randn(points, 2)


def loss(x: Tensor, y: Tensor, mean: Tensor, logvar: Tensor, beta: float) -> Tensor:
    """Negative bound with weight beta on the KL, averaged over the points and summed over everything else."""
    nll = 0.5 * (x - y).square().sum(-1) / NOISE_STD**2
    return (nll + beta * kl_to_standard_normal(mean, logvar)).mean()


def train(x: Tensor, beta: float, steps: int = 1000) -> VAE:
    """Train a VAE on x: (points, 2)."""
    vae = VAE()
    optimiser = torch.optim.Adam(vae.parameters(), lr=5e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        y, mean, logvar = vae(x)
        loss(x, y, mean, logvar, beta).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return vae


def off_cluster(y: Tensor) -> float:
    """Share of points further than 0.4, eight standard deviations of the data, from every cluster."""
    return (torch.cdist(y, CENTRES).min(-1).values > 0.4).float().mean().item()


def energy_distance(a: Tensor, b: Tensor) -> float:
    """2 E|a - b| - E|a - a'| - E|b - b'|: zero only between equal distributions.   a, b: (points, features)."""
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


@torch.no_grad()
def sweep(beta: float) -> Swept:
    """Train with this weight, then look at reconstructions and at draws from the prior."""
    x = data()
    with torch.enable_grad():
        vae = train(x, beta)
    y, mean, logvar = vae(x)
    samples = vae.decoder(torch.randn(1000, 1))
    return Swept(
        kl=kl_to_standard_normal(mean, logvar).mean().item(),
        error=(x - y).square().sum(-1).mean().item(),
        reconstructions_off=off_cluster(y),
        samples_off=off_cluster(samples),
        distance=energy_distance(samples, x),
    )


@trained
def samples_need_both_terms() -> Evidence:
    """Train without the KL, with it, and with almost nothing else: draws from the prior are closest in between.

    Without it the codes lie anywhere and the prior misses them; at beta = 200 the KL is zero and every draw decodes to
    the mean of the data, the best constant, so the best trivial model is among the three.
    """
    without, bound, collapsed = (sweep(beta) for beta in (0.0, 1.0, 200.0))
    return Evidence(
        holds=bound.distance < 0.5 * min(without.distance, collapsed.distance)
        and collapsed.kl < 0.01
        and without.error < 0.02,
        measured={
            "energy distance at beta 0": without.distance,
            "at beta 1": bound.distance,
            "at beta 200": collapsed.distance,
            "KL at beta 200, nats": collapsed.kl,
        },
        rel=None,
    )


@trained
def the_prior_has_holes() -> Evidence:
    """At beta 1 reconstructions lie on the clusters, under 3 % off, but more than a tenth of the prior's draws do not.

    A continuous decoder has to cross the space between two clusters somewhere, and the prior has mass there.
    """
    found = sweep(1.0)
    return Evidence(
        holds=found.reconstructions_off < 0.03 and 0.1 < found.samples_off < 0.35,
        measured={"reconstructions off": found.reconstructions_off, "prior's draws off": found.samples_off},
        rel=None,
    )


def sweeps() -> list[dict[str, str | float]]:
    """Rate, distortion and samples for some weights of the KL."""
    rows: list[dict[str, str | float]] = []
    for beta in (0.0, 0.1, 1.0, 5.0, 200.0):
        found = sweep(beta)
        rows.append(
            {
                "β": f"{beta:g}",
                "KL, nats": found.kl,
                "squared error": found.error,
                "reconstructions off the clusters": found.reconstructions_off,
                "prior samples off": found.samples_off,
                "distance of samples to data": found.distance,
            }
        )
    return rows


def draw_samples(axes: matplotlib.axes.Axes) -> None:
    """Draw the data, and draws from the prior decoded by a VAE that was trained at beta 1."""
    x = data()
    vae = train(x, 1.0)
    with torch.no_grad():
        samples = vae.decoder(torch.randn(200, 1))
    off = torch.cdist(samples, CENTRES).min(-1).values > 0.4
    axes.scatter(x[:100, 0], x[:100, 1], s=8, color="C0", label="data")
    axes.scatter(
        samples[~off][:, 0], samples[~off][:, 1], s=14, marker="x", color="C2", label="decoded draw from the prior"
    )
    axes.scatter(
        samples[off][:, 0], samples[off][:, 1], s=14, marker="x", color="C1", label="the same, off every cluster"
    )
    axes.set_ylim(-1.4, 2.4)
    axes.legend(loc="upper center", fontsize="small", frameon=False)
