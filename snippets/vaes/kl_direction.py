r"""Which way round: KL(p || q) makes a fit cover all of p, KL(q || p) makes it avoid wherever p is not.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, section 10.1.2; Minka, Divergence Measures and Message
Passing, 2005.
Variant: a target p of two Gaussians in one dimension, one Gaussian q fitted to it; expectations by the trapezoid rule.
Not handled: fits in many dimensions, where both expectations have to be sampled, each from its first argument.

On paper: p = half N(-3, 1), half N(3, 1). Covering it, q has mean 0 and variance 1 + 9 = 10. Seeking a mode,
q = N(3, 1) stands where p has half its density, so KL(q || p) = log 2 = 0.69, however far away the other mode lies.
"""

import math

import matplotlib.axes
import torch
from torch import Tensor

from snippets.evidence import Evidence

GRID = torch.linspace(-12, 12, 2401, dtype=torch.float64)


def log_normal(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log density of N(mean, exp(log_std)^2) at x."""
    return -0.5 * ((x - mean) / log_std.exp()).square() - log_std - 0.5 * math.log(2 * math.pi)


def log_target(x: Tensor, distance: float = 3.0, weight: float = 0.5) -> Tensor:
    """Log density of the target: N(-distance, 1) with this weight, N(distance, 1) with the rest."""
    zero, left, right = torch.tensor([0.0, -distance, distance], dtype=x.dtype)
    return torch.logaddexp(
        math.log(weight) + log_normal(x, left, zero), math.log(1 - weight) + log_normal(x, right, zero)
    )


def divergence(log_a: Tensor, log_b: Tensor) -> Tensor:
    """KL(a || b), the average under a of log a - log b, from log densities on the grid.

    log_a, log_b: (points,), both on GRID.   Returns a scalar, nats.
    """
    return torch.trapezoid(log_a.exp() * (log_a - log_b), GRID)


def fit(target: Tensor, *, reverse: bool, start: float, steps: int = 25) -> tuple[float, float]:
    """Fit one Gaussian q to the target and return its mean and standard deviation.

    target: (points,), log p on GRID.   reverse: minimise KL(q || p) instead of KL(p || q).   start: mean to start from.
    """
    parameters = torch.tensor([start, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        q = log_normal(GRID, parameters[0], parameters[1])
        value = divergence(q, target) if reverse else divergence(target, q)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    mean, log_std = parameters.tolist()
    return mean, math.exp(log_std)


def gaussian(mean: float, std: float) -> Tensor:
    """Log density of N(mean, std^2) on the grid."""
    return log_normal(GRID, *torch.tensor([mean, math.log(std)], dtype=torch.float64))


def stray(mean: float, std: float, target: Tensor, share: float = 0.05) -> float:
    """Share of the fit's samples that land where the target's density is below `share` of its peak."""
    q = gaussian(mean, std)
    empty = target < target.max() + math.log(share)
    return torch.trapezoid(q.exp() * empty, GRID).item()


def forward_covers() -> Evidence:
    """Minimise KL(p || q) over mean and deviation: the fit has the target's own mean and variance, to 1e-4.

    Moment matching is what maximum likelihood does with a Gaussian, and it puts samples where p has nearly none,
    in the valley and outside.
    """
    mean, std = fit(log_target(GRID, 3.0, 0.3), reverse=False, start=0.5)
    exact_mean = 0.3 * -3 + 0.7 * 3
    exact_var = 1 + 9 - exact_mean**2
    strays = stray(mean, std, log_target(GRID, 3.0, 0.3))
    return Evidence(
        holds=abs(mean - exact_mean) < 1e-4 and abs(std**2 - exact_var) < 1e-3 and strays > 0.2,
        measured={"mean": mean, "variance": std**2, "samples where p is nearly zero": strays},
    )


def reverse_seeks_a_mode() -> Evidence:
    """Minimise KL(q || p) from either side: the fit is the mode nearer to the start, to 0.05 in mean and deviation.

    The divergence left is -log of the mode's weight, here log 2: half the target is missed, and only 0.69 nats say so.
    """
    target = log_target(GRID)
    worst, left = 0.0, []
    for start in (-2.0, 2.0):
        mean, std = fit(target, reverse=True, start=start)
        worst = max(worst, abs(mean - math.copysign(3.0, start)), abs(std - 1))
        left.append(divergence(gaussian(mean, std), target).item())
    strays = stray(mean, std, target)
    return Evidence(
        holds=worst < 0.05 and max(abs(kl - math.log(2)) for kl in left) < 0.02 and strays < 0.05,
        measured={"nats left": left[0], "samples where p is nearly zero": strays},
    )


def punishments_differ() -> Evidence:
    """Leave a mode out, q = N(d, 1), and move the modes apart, d from 3 to 5: only KL(p || q) notices.

    It grows with the squared distance (half of p costs 2 d^2 nats), while KL(q || p) stays at log 2.
    """
    forward, reverse = [], []
    for distance in (3.0, 5.0):
        target, q = log_target(GRID, distance), gaussian(distance, 1.0)
        forward.append(divergence(target, q).item())
        reverse.append(divergence(q, target).item())
    return Evidence(
        holds=forward[1] - forward[0] > 15
        and abs(reverse[1] - reverse[0]) < 0.01
        and abs(reverse[1] - math.log(2)) < 0.01,
        measured={
            "KL(p || q) at 3": forward[0],
            "KL(p || q) at 5": forward[1],
            "KL(q || p) at 3": reverse[0],
            "KL(q || p) at 5": reverse[1],
        },
    )


def nats_of_a_missed_mode(distance: float, direction: str) -> float:
    """Divergence between the target with modes at plus and minus `distance` and a q that is only one of the modes.

    direction: "forward" for KL(p || q), "reverse" for KL(q || p).   Raises KeyError for anything else.
    """
    target, q = log_target(GRID, distance), gaussian(distance, 1.0)
    first, second = {"forward": (target, q), "reverse": (q, target)}[direction]
    return divergence(first, second).item()


def fits() -> list[dict[str, str | float]]:
    """What each direction makes of the same target, modes at -3 and 3 of equal weight."""
    target = log_target(GRID)
    rows: list[dict[str, str | float]] = []
    for says, reverse in (("KL(p ‖ q), forward", False), ("KL(q ‖ p), reverse", True)):
        mean, std = fit(target, reverse=reverse, start=2.0)
        rows.append(
            {
                "minimised": says,
                "mean": round(mean, 3) + 0.0,
                "standard deviation": std,
                "its samples where p is nearly zero": stray(mean, std, target),
                "KL(p ‖ q)": divergence(target, gaussian(mean, std)).item(),
                "KL(q ‖ p)": divergence(gaussian(mean, std), target).item(),
            }
        )
    return rows


def draw_fits(axes: matplotlib.axes.Axes) -> None:
    """Draw the target and the two Gaussians fitted to it."""
    target, thinned = log_target(GRID), slice(None, None, 8)
    axes.fill_between(GRID[thinned], target.exp()[thinned], color="C0", alpha=0.3, label="target p")
    for colour, says, reverse in (("C1", "least KL(p ‖ q): covers", False), ("C2", "least KL(q ‖ p): seeks", True)):
        q = gaussian(*fit(target, reverse=reverse, start=2.0)).exp()
        axes.plot(GRID[thinned], q[thinned], color=colour, label=says)
    axes.set_xlim(-9, 9)
    axes.set_ylim(0, 0.62)
    axes.set_xlabel("x")
    axes.set_ylabel("density")
    axes.legend(loc="upper left", fontsize="small", frameon=False)
