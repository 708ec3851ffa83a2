r"""The Wasserstein-1 distance: how far mass has to be carried. What its objective promises, and what a critic computes.

Source: Arjovsky et al. 2017 (arXiv:1701.07875), example 1 (two parallel lines) and equation 2 (the dual); that trained
    critics do not compute the distance, Stanczuk et al. 2021 (arXiv:2103.01678).
Variant: in one dimension, from sorted samples or cumulative sums; Euclidean cost; equal numbers of samples.
Not handled: exact transport in several dimensions. A lower bound is used there: every sample has to be carried at least
    to the nearest sample of the other set.

Worked example: mass at 0, 0 and at 3, 5. Sorted pairs (0, 3), (0, 5): mean distance 4. Both grow by 1 when the
    second set moves by 1 to the right, so the slope in its position is 1. The Jensen-Shannon divergence of the two is
    log 2 before and after.
"""

import math
from itertools import pairwise

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.evidence import Evidence
from snippets.gans.losses import wasserstein_critic
from snippets.gans.optimal_discriminator import jensen_shannon


def wasserstein_1(first: Tensor, second: Tensor) -> Tensor:
    """Wasserstein-1 distance (earth mover) of two sets of numbers: carry the k-th smallest to the k-th smallest.

    first, second: (count,).   Returns a scalar. Raises ValueError where they do not have the same length.
    """
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} samples: draw as many of one as of the other")
    return (first.sort().values - second.sort().values).abs().mean()


def carried_at_least(first: Tensor, second: Tensor) -> Tensor:
    """Lower bound of the Wasserstein-1 distance of two sets: the mean way from each sample to the nearest of the other.

    first: (count, features)   second: (other, features).   Returns a scalar.
    """
    return torch.cdist(first, second).amin(1).mean()


def on_a_grid(position: int, size: int = 40, block: int = 4) -> Tensor:
    """Uniform mass on `block` neighbouring cells of `size`, from `position` on. Returns (size,)."""
    cells = torch.zeros(size, dtype=torch.float64)
    cells[position : position + block] = 1 / block
    return cells


def distances_at(shift: int) -> tuple[float, float]:
    """JSD and W1 between a block of 4 cells and the same block moved by `shift` cells."""
    still, moved = on_a_grid(0), on_a_grid(shift)
    w1 = (still.cumsum(0) - moved.cumsum(0)).abs().sum().item()
    return jensen_shannon(still, moved).item(), w1


def distances_table() -> list[dict[str, object]]:
    """JSD and W1 of two blocks of width 4 against how far they are apart."""
    return [
        {"shift": shift, "JSD, nats": f"{jsd:.3f}", "W1, cells": f"{w1:.0f}"}
        for shift in (0, 2, 4, 8, 16, 32)
        for jsd, w1 in (distances_at(shift),)
    ]


def slope_survives_disjoint_supports() -> Evidence:
    """Two blocks moved apart: once they no longer overlap, JSD is log 2 at every distance and W1 goes on growing by 1.

    And for samples: the slope of W1 in a common shift of one set is 1, wherever the sets lie apart.
    """
    jsd, w1 = zip(*(distances_at(shift) for shift in range(4, 33)), strict=True)
    flat = max(abs(x - math.log(2)) for x in jsd)
    growth = max(abs(b - a - 1) for a, b in pairwise(w1))
    data = torch.randn(50, dtype=torch.float64)

    def distance(shift: Tensor) -> Tensor:
        return wasserstein_1(data + 20 + shift, data.flip(0))

    slope = float(torch.func.grad(distance)(torch.zeros((), dtype=torch.float64)))
    return Evidence(
        holds=flat < 1e-9 and growth < 1e-9 and abs(slope - 1) < 1e-9,
        measured={"JSD is log 2 throughout": flat < 1e-9, "slope of W1": slope},
    )


def batches_overestimate(dimensions: int = 100, count: int = 256) -> Evidence:
    """Two batches of the same Gaussian, whose true distance is 0, in 1 and in 100 dimensions.

    In one dimension the estimate is below 0.3. In 100 the lower bound of the estimate lies between 10 and 13: nearly as
    far as two random samples are apart, sqrt(200) = 14. A batch says little of a transport distance in high dimension.
    """
    line = wasserstein_1(*torch.randn(2, count)).item()
    space = carried_at_least(*torch.randn(2, count, dimensions)).item()
    return Evidence(
        holds=0 < line < 0.3 and 10 < space < 13,
        measured={"estimate in 1 dimension": line, "at least, in 100 dimensions": space},
    )


def best_clipped_value(shift: Tensor, limit: float) -> float:
    """Best value of a linear critic with weights in [-limit, limit], between a set and the same set moved by `shift`.

    The best weights sit in the corner that `shift` points to: limit times the sum of its absolute values.
    """
    real = torch.randn(64, len(shift), dtype=torch.float64)
    weight = limit * shift.sign()
    return -wasserstein_critic((real + shift) @ weight, real @ weight).item()


def critic_value_is_no_distance() -> Evidence:
    """Value of the best clipped linear critic for two shifts of the same length 1, at two limits, against W1 = 1.

    Along an axis and along the diagonal of 100 dimensions it differs by a factor of 10, and it scales with the limit.
    """
    axis = torch.zeros(100, dtype=torch.float64)
    axis[0] = 1
    diagonal = torch.full((100,), 0.1, dtype=torch.float64)
    values = [best_clipped_value(shift, limit) for shift in (axis, diagonal) for limit in (0.01, 0.1)]
    off = max(abs(v - e) for v, e in zip(values, (0.01, 0.1, 0.1, 1.0), strict=True))
    return Evidence(
        holds=off < 1e-9,
        measured={"axis, limit 0.01": values[0], "axis, limit 0.1": values[1], "diagonal, limit 0.1": values[3]},
    )


def sorted_distance(shift: float, scale: float) -> float:
    """W1 between the numbers -1, 0, 1 and the same numbers multiplied by `scale` and moved by `shift`."""
    numbers = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    return wasserstein_1(numbers, scale * numbers + shift).item()


def draw_two_distances(axes: Axes) -> None:
    """JSD and W1, both divided by their value at a shift of 16, against how far two blocks are apart."""
    shifts = list(range(17))
    jsd, w1 = zip(*(distances_at(shift) for shift in shifts), strict=True)
    axes.plot(shifts, [x / jsd[-1] for x in jsd], "o-", color="C0", label="Jensen-Shannon")
    axes.plot(shifts, [x / w1[-1] for x in w1], "s-", color="C1", label="Wasserstein-1")
    axes.set(xlabel="shift of a block of width 4", ylabel="distance, relative to the last")
    axes.legend(loc="lower right")
