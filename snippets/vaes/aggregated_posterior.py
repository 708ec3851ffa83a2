r"""What the KL term cannot see: it is an average over single posteriors, while sampling draws from their mixture.

    average KL(q(z|x) || p) = I(x; z) + KL(q(z) || p),   q(z) = the average of q(z|x) over the data

Source: Hoffman and Johnson, ELBO Surgery, 2016, equation 6.
Variant: one latent dimension, equally many data points for each code, integrals by the trapezoid rule on a fine grid.
Not handled: more dimensions, where q(z) has to be estimated by sampling.

On paper: two codes N(-3, 0.1^2) and N(3, 0.1^2). Each costs (9 + 0.01 - 1 + 4.6)/2 = 6.31 nats; they do not overlap, so
z tells which of the two it was, I = log 2 = 0.69, and the remaining 5.61 nats are distance between q(z) and p.
"""

import math
from typing import NamedTuple

import matplotlib.axes
import torch
from torch import Tensor

from snippets.evidence import Evidence
from snippets.vaes.gaussian_kl import kl_to_standard_normal


class Surgery(NamedTuple):
    """The average KL, and the two parts that it splits into; all in nats."""

    average_kl: float
    mutual_information: float
    marginal_kl: float


def log_normal(z: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Log density of N(mean, std^2) at z."""
    return -0.5 * ((z - mean) / std).square() - std.log() - 0.5 * math.log(2 * math.pi)


def grid() -> Tensor:
    """Points from -8 to 8, float64; the prior has 1e-15 of its mass outside."""
    return torch.linspace(-8, 8, 16_001, dtype=torch.float64)


def log_aggregated(z: Tensor, means: Tensor, std: float) -> Tensor:
    """Log density of the aggregated posterior: the equal mixture of N(mean, std^2) over the codes.

    z: (points,)   means: (codes,).   Returns (points,).
    """
    each = log_normal(z, means.unsqueeze(-1), torch.as_tensor(std, dtype=z.dtype))
    return each.logsumexp(0) - math.log(len(means))


def surgery(means: Tensor, std: float) -> Surgery:
    """Split the average KL of the codes N(mean, std^2) into mutual information and KL of the aggregate.

    means: (codes,), float64.
    """
    z = grid()
    log_prior = log_normal(z, torch.zeros(()).double(), torch.ones(()).double())
    log_q = log_aggregated(z, means, std)
    each = log_normal(z, means.unsqueeze(-1), torch.as_tensor(std, dtype=z.dtype))
    information = torch.trapezoid(each.exp() * (each - log_q), z).mean()
    marginal = torch.trapezoid(log_q.exp() * (log_q - log_prior), z)
    logvar = torch.full_like(means, 2 * math.log(std))
    average = kl_to_standard_normal(means.unsqueeze(-1), logvar.unsqueeze(-1)).mean()
    return Surgery(average.item(), information.item(), marginal.item())


def hole(means: Tensor, std: float, share: float = 0.1) -> float:
    """Prior mass in holes: the chance that a draw from the prior falls where q(z) is below `share` of the prior."""
    z = grid()
    prior = log_normal(z, torch.zeros(()).double(), torch.ones(()).double())
    empty = log_aggregated(z, means, std) < prior + math.log(share)
    return torch.trapezoid(prior.exp() * empty, z).item()


def spread_codes(codes: int = 16) -> Tensor:
    """Codes at the quantiles of the prior: their mixture comes close to it."""
    return math.sqrt(2) * torch.erfinv(2 * (torch.arange(codes, dtype=torch.float64) + 0.5) / codes - 1)


def clustered_codes(codes: int = 16) -> Tensor:
    """As many codes in two heaps, at plus and minus the root mean square of the others: the same average KL."""
    away = spread_codes(codes).square().mean().sqrt()
    return away * torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(codes // 2)


def average_kl_splits() -> Evidence:
    """Average KL less mutual information and marginal KL, for random codes: zero, within 1e-6 of quadrature.

    Each part is positive; the first is what the latent tells about the data, only the second is distance to the prior.
    """
    means = 1.5 * torch.randn(7, dtype=torch.float64)
    found = surgery(means, 0.3)
    off = abs(found.average_kl - found.mutual_information - found.marginal_kl)
    return Evidence(
        holds=off < 1e-6 and found.mutual_information > 0.1 and found.marginal_kl > 0.01,
        measured={"information, nats": found.mutual_information, "distance to the prior": found.marginal_kl},
    )


def same_kl_other_holes() -> Evidence:
    """Two encoders with equal KL terms: spread codes leave under 10 % of the prior in holes, heaped ones over 35 %.

    So the KL term does not tell whether a draw from the prior meets a code; a hole decodes to whatever it happens to.
    """
    spread, heaped = surgery(spread_codes(), 0.15), surgery(clustered_codes(), 0.15)
    holes = hole(spread_codes(), 0.15), hole(clustered_codes(), 0.15)
    equal = abs(spread.average_kl - heaped.average_kl) < 1e-9
    return Evidence(
        holds=equal and spread.average_kl > 1 and holes[0] < 0.1 and holes[1] > 0.35,
        measured={"KL term of both, nats": spread.average_kl, "holes, spread": holes[0], "holes, heaped": holes[1]},
    )


def comparison() -> list[dict[str, str | float]]:
    """The KL term and what it hides, for the two encoders and for a collapsed one."""
    rows: list[dict[str, str | float]] = []
    for says, means, std in (
        ("spread like the prior", spread_codes(), 0.15),
        ("two heaps", clustered_codes(), 0.15),
        ("collapsed", torch.zeros(16).double(), 1.0),
    ):
        average, information, marginal = surgery(means, std)
        rows.append(
            {
                "codes": says,
                "average KL": average,
                "= information": abs(information),
                "+ KL(q(z) ‖ p)": abs(marginal),
                "prior mass in holes": hole(means, std),
            }
        )
    return rows


def draw_holes(axes: matplotlib.axes.Axes) -> None:
    """Draw prior and aggregated posterior of the two encoders that have the same KL term."""
    z = torch.linspace(-3.2, 3.2, 500, dtype=torch.float64)
    prior = log_normal(z, torch.zeros(()).double(), torch.ones(()).double()).exp()
    axes.fill_between(z, prior, color="C0", alpha=0.3, label="prior p(z)")
    for colour, says, means in (("C2", "spread codes", spread_codes()), ("C1", "two heaps", clustered_codes())):
        axes.plot(z, log_aggregated(z, means, 0.15).exp(), color=colour, label=f"q(z), {says}")
    axes.set_xlabel("z")
    axes.set_ylabel("density")
    axes.set_ylim(0, 2)
    axes.legend(loc="upper left", fontsize="small", frameon=False)
