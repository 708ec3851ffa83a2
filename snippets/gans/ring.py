r"""A ring of eight Gaussians, and how many of them a set of samples has: the smallest test of mode coverage.

Source: the data of Metz et al. 2017 (Unrolled GAN, arXiv:1611.02163); modes and high quality as in
    Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761).
Variant: radius 2, standard deviation 0.1. A sample is good within three standard deviations (0.3) of its nearest
    centre; a mode is covered when it has at least a fifth of its fair share of samples as good ones, not merely one.
Not handled: whether a covered mode has the right spread or the right share.

Worked example: 16 samples, all of them exactly on centre 0: every one is good (quality 1), one mode is covered. The
    fair share is 16/8 = 2, a fifth of it 0.4, so one sample would have been enough. 16 samples at the origin, the mean
    of the data: none is within 0.3 of a centre at distance 2, quality 0, no mode.
"""

import math
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.evidence import Evidence

MODES, RADIUS, SPREAD = 8, 2.0, 0.1


class Coverage(NamedTuple):
    """modes: how many of the eight are covered.   quality: share of samples within 3 spreads of a centre."""

    modes: int
    quality: float


def centres() -> Tensor:
    """Return the centres of the modes: (8, 2), on a circle of radius 2, the first on the right."""
    angles = torch.arange(MODES) * (2 * math.pi / MODES)
    return RADIUS * torch.stack([angles.cos(), angles.sin()], dim=-1)


def ring(count: int) -> Tensor:
    """Draw samples of the mixture, every mode equally likely: (count, 2)."""
    return centres()[torch.randint(MODES, (count,))] + SPREAD * torch.randn(count, 2)


def coverage(samples: Tensor) -> Coverage:
    """Count the modes that samples cover, and the share of samples that lie near any.

    samples: (count, 2).
    """
    distance, nearest = torch.cdist(samples, centres().to(samples)).min(dim=1)
    good = distance < 3 * SPREAD
    each = torch.bincount(nearest[good], minlength=MODES)
    return Coverage(int((each >= len(samples) / MODES / 5).sum()), good.double().mean().item())


def gaussian_of_the_same_moments(count: int) -> Tensor:
    """Draw from the Gaussian with the ring's mean and covariance: variance 2^2/2 + 0.1^2 in each direction. (count, 2).

    The best that can be said of the ring with two moments, and the trivial predictor that a trained GAN has to beat.
    """
    return math.sqrt(RADIUS**2 / 2 + SPREAD**2) * torch.randn(count, 2)


def counts_what_is_there() -> Evidence:
    """4000 samples of rings that lack modes, from none to seven lacking: the count is the number that is left.

    Quality stays at 1 - exp(-4.5) = 0.989, the mass of a 2-D Gaussian within three standard deviations.
    """
    found, quality = [], []
    for left in range(1, MODES + 1):
        samples = centres()[torch.randint(left, (4000,))] + SPREAD * torch.randn(4000, 2)
        seen = coverage(samples)
        found.append(seen.modes)
        quality.append(seen.quality)
    off = max(abs(q - (1 - math.exp(-4.5))) for q in quality)
    return Evidence(holds=found == list(range(1, 9)) and off < 0.01, measured={"modes counted": str(found)})


def averages_are_not_modes() -> Evidence:
    """The mean of the data, and a Gaussian with the ring's mean and covariance: no mode at all, quality below 0.15.

    Both match moments of the data, and nearly all of their samples lie where no data are.
    """
    mean = coverage(ring(4000).mean(0).expand(4000, 2))
    gaussian = coverage(gaussian_of_the_same_moments(4000))
    return Evidence(
        holds=mean == Coverage(0, 0.0) and gaussian.modes == 0 and 0 < gaussian.quality < 0.15,
        measured={"modes of the mean": mean.modes, "modes of the Gaussian": gaussian.modes},
    )


def draw_ring(axes: Axes) -> None:
    """Data of the ring, and the Gaussian of the same mean and covariance."""
    generator_state = torch.random.get_rng_state()
    torch.manual_seed(0)
    for n, (samples, label) in enumerate(
        ((gaussian_of_the_same_moments(400), "Gaussian, same moments"), (ring(400), "data"))
    ):
        axes.plot(samples[:, 0], samples[:, 1], ".", markersize=3, color=f"C{1 - n}", label=label)
    torch.random.set_rng_state(generator_state)
    axes.set(xlabel="x", ylabel="y", aspect="equal")
    axes.legend(fontsize="small", loc="center")
