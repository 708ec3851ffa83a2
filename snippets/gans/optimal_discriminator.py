r"""Against the best discriminator the minimax generator minimises the Jensen-Shannon divergence.

For two distributions p (data) and q (generator) the value of the game is
    V(D) = E_p[log D] + E_q[log(1 - D)],   best at D* = p/(p + q),   where V(D*) = -log 4 + 2 JSD(p, q).

Source: Goodfellow et al. 2014 (arXiv:1406.2661), proposition 1 and theorem 1.
Variant: natural logarithm; JSD with weights 1/2, so at most log 2; finitely many outcomes, sums where papers have
    integrals.
Not handled: discriminators of limited capacity; what other losses lead to (implied_divergence.py).

Worked example: p = (3/4, 1/4), q = (1/4, 3/4). D* = (3/4, 1/4), V = 3/4 log 3/4 + 1/4 log 1/4 twice = -1.1247.
    m = (1/2, 1/2), JSD = 3/4 log 3/2 + 1/4 log 1/2 = 0.1308, and -log 4 + 2 x 0.1308 = -1.3863 + 0.2616 = -1.1247.
"""

import math

import sympy
import torch
from matplotlib.axes import Axes
from sympy import IndexedBase, Rational, Sum, log
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof

D, P, Q = sympy.symbols("D p q", positive=True)
i, n = sympy.symbols("i n", positive=True, integer=True)
p, q = IndexedBase("p", positive=True), IndexedBase("q", positive=True)


def optimal_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Probability that the best discriminator gives each outcome of being real: the posterior under a 50/50 mix.

    real, fake: (..., outcomes) probabilities, not both zero.   Returns (..., outcomes). Goodfellow et al. 2014, eq. 2.
    """
    return real / (real + fake)


def value(d: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator maximises and the minimax generator minimises: E_p[log D] + E_q[log(1 - D)].

    d: (..., outcomes) in [0, 1]   real, fake: (..., outcomes) probabilities.   Returns (...). Goodfellow et al., eq. 1.
    """
    return (torch.xlogy(real, d) + torch.xlogy(fake, 1 - d)).sum(-1)


def jensen_shannon(real: Tensor, fake: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats, the mean KL of both from their average: 0 between equals, log 2 if disjoint.

    real, fake: (..., outcomes) probabilities.   Returns (...).
    """
    mean = (real + fake) / 2
    both = torch.xlogy(real, real) - torch.xlogy(real, mean) + torch.xlogy(fake, fake) - torch.xlogy(fake, mean)
    return both.sum(-1) / 2


def over_outcomes(term: sympy.Expr) -> Sum:
    """Sum over the n outcomes, not worked out."""
    return Sum(term, (i, 1, n))


def derive_optimum() -> Steps:
    r"""One outcome with probabilities p and q: where :math:`p \log D + q \log(1 - D)` is largest."""
    gain = P * log(D) + Q * log(1 - D)
    best = P / (P + Q)
    return {
        "Slope of what one outcome adds to the value": step(
            sympy.Derivative(gain, D), (P - (P + Q) * D) / (D * (1 - D))
        ),
        "It vanishes at D*": step(P - (P + Q) * D, -(P + Q) * (D - best)),
        "There the curve bends down, so it is a maximum": step(
            sympy.diff(gain, D, 2).subs(D, best), -((P + Q) ** 3) / (P * Q)
        ),
    }


def derive_value() -> Steps:
    r"""Put D* into the value: with :math:`m = (p + q)/2`, minus log 4 plus two KL divergences, which are 2 JSD."""
    m = (p[i] + q[i]) / 2
    best = p[i] / (p[i] + q[i])
    to_mean = over_outcomes(p[i] * log(p[i] / m)) + over_outcomes(q[i] * log(q[i] / m))
    return {
        "D* is half of p over the mean, and 1 - D* half of q over it": step(log(best), log(p[i] / m) - log(2)),
        "So the halves come out of the logs, and two divergences remain; the sum of m is 1": step(
            over_outcomes(p[i] * log(best) + q[i] * log(1 - best)), to_mean - log(4) * over_outcomes(m)
        ),
        "The divergences are zero where p = q: there the value is": step(
            over_outcomes(p[i] * log(Rational(1, 2)) + p[i] * log(Rational(1, 2))), -log(4) * over_outcomes(p[i])
        ),
    }


@proof
def optimum_is_proved() -> Evidence:
    """D* = p/(p + q) is the only stationary point and a maximum: each step by algebra and at random points."""
    results = [proved(equality) for equality in derive_optimum().values()]
    return Evidence(holds=len(results) == 3 and all(results), measured={"steps proved": sum(results)})


@proof
def value_is_proved() -> Evidence:
    """V(D*) = -log 4 + 2 JSD for any number of outcomes: each step by algebra and at random points."""
    results = [proved(equality) for equality in derive_value().values()]
    return Evidence(holds=len(results) == 3 and all(results), measured={"steps proved": sum(results)})


def random_distributions(count: int, outcomes: int) -> Tensor:
    """Draw probability distributions: (count, outcomes), each row summing to one."""
    return torch.randn(count, outcomes, dtype=torch.float64).softmax(-1)


def value_at_the_optimum_is_the_divergence() -> Evidence:
    """500 random pairs of distributions over 7 outcomes: V(D*) against -log 4 + 2 JSD, and equal ones against -log 4.

    Two routes through different code; they agree to rounding, 1e-12.
    """
    real, fake = random_distributions(500, 7), random_distributions(500, 7)
    best = value(optimal_discriminator(real, fake), real, fake)
    off = (best - (2 * jensen_shannon(real, fake) - math.log(4))).abs().max().item()
    equal = (value(optimal_discriminator(real, real), real, real) + math.log(4)).abs().max().item()
    return Evidence(
        holds=off < 1e-12 and equal < 1e-12,
        measured={"both routes agree to 1e-12": off < 1e-12, "least value": -math.log(4)},
    )


def nobody_beats_it() -> Evidence:
    """1000 random discriminators against the best one, and slight changes of the best one: none has a higher value.

    A change of one percent costs at least a little, so the bound is strict.
    """
    real, fake = random_distributions(1000, 5), random_distributions(1000, 5)
    best = optimal_discriminator(real, fake)
    top = value(best, real, fake)
    anything = value(torch.rand(1000, 5, dtype=torch.float64), real, fake)
    near = value((best + 0.01 * torch.randn(1000, 5)).clamp(1e-6, 1 - 1e-6), real, fake)
    margin = torch.minimum(top - anything, top - near).nan_to_num(nan=-1e9).min().item()
    return Evidence(
        holds=margin > 0, measured={"no other reaches it": margin > 0, "mean lead": (top - anything).mean().item()}
    )


def best_value(p_real: float, p_fake: float) -> float:
    """V(D*) where each side has two outcomes, the first with probability `p_real` for data and `p_fake` for fakes."""
    real, fake = (torch.tensor([x, 1 - x], dtype=torch.float64) for x in (p_real, p_fake))
    return value(optimal_discriminator(real, fake), real, fake).item()


def posterior(density_real: float, density_fake: float) -> float:
    """Probability of being real that the best discriminator gives a point with these two densities."""
    return optimal_discriminator(torch.tensor(density_real), torch.tensor(density_fake)).item()


def draw_optimum(axes: Axes) -> None:
    """Densities of data and fakes on a line, and D* between them: one half where they cross."""
    x = torch.linspace(-4, 4, 300)
    real = (-((x + 1) ** 2) / (2 * 0.7**2)).exp() / (0.7 * math.sqrt(2 * math.pi))
    fake = (-((x - 1) ** 2) / 2).exp() / math.sqrt(2 * math.pi)
    axes.plot(x, real, color="C0", label="data p")
    axes.plot(x, fake, color="C1", label="fakes q")
    axes.plot(x, optimal_discriminator(real, fake), color="C2", label="D* = p/(p + q)")
    axes.set(xlabel="x", ylabel="density; probability", ylim=(0, 1.05))
    axes.legend(fontsize="small", loc="upper right")
