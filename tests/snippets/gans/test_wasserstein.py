"""Wasserstein-1: by hand, against SciPy, an assignment in several dimensions, and as properties."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import optimize, stats

from snippets.evidence import Evidence
from snippets.gans import wasserstein as module
from snippets.gans.wasserstein import (
    best_clipped_value,
    carried_at_least,
    distances_at,
    distances_table,
    draw_two_distances,
    sorted_distance,
    wasserstein_1,
)

numbers = st.floats(-50, 50)


def test_the_worked_example() -> None:
    first, second = torch.tensor([0.0, 0.0]), torch.tensor([5.0, 3.0])
    assert wasserstein_1(first, second).item() == 4
    assert wasserstein_1(first, second + 1).item() == 5


@pytest.mark.parametrize("count", [1, 2, 37])
def test_scipy_agrees(count: int) -> None:
    first, second = torch.randn(2, count).double()
    expected = stats.wasserstein_distance(first.numpy(), second.numpy())
    assert wasserstein_1(first, second).item() == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0, 1, 4, 32])
def test_scipy_agrees_on_the_grid(shift: int) -> None:
    still, moved = module.on_a_grid(0).numpy(), module.on_a_grid(shift).numpy()
    cells = list(range(40))
    assert distances_at(shift)[1] == pytest.approx(stats.wasserstein_distance(cells, cells, still, moved))


def test_the_bound_is_below_the_best_assignment() -> None:
    first, second = torch.randn(2, 20, 5).double()
    cost = torch.cdist(first, second).numpy()
    best = cost[optimize.linear_sum_assignment(cost)].mean()
    assert 0.5 * best < carried_at_least(first, second).item() <= best


@given(st.lists(numbers, min_size=1, max_size=8), numbers)
def test_a_shift_is_the_distance(values: list[float], shift: float) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    assert wasserstein_1(x, (x + shift).flip(0)).item() == pytest.approx(abs(shift), abs=1e-9)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=7))
def test_triangle_inequality(rows: list[tuple[float, float, float]]) -> None:
    a, b, c = torch.tensor(rows, dtype=torch.float64).T
    assert wasserstein_1(a, c).item() <= wasserstein_1(a, b).item() + wasserstein_1(b, c).item() + 1e-9


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 2 samples"):
        wasserstein_1(torch.zeros(3), torch.zeros(2))


def test_gradient() -> None:
    first, second = (torch.randn(7, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(wasserstein_1, (first, second))


def test_clipped_value_against_every_corner() -> None:
    """The best of the eight corners of the box, by trying them all."""
    shift = torch.tensor([0.3, -1.1, 0.7], dtype=torch.float64)
    corners = torch.cartesian_prod(*[torch.tensor([-0.2, 0.2], dtype=torch.float64)] * 3)
    assert best_clipped_value(shift, 0.2) == pytest.approx((corners @ shift).max().item())


@pytest.mark.parametrize(("shift", "scale", "expected"), [(0, 1, 0), (2, 1, 2), (0, 4, 2), (0, 0, 2 / 3)])
def test_sorted_distance(shift: float, scale: float, expected: float) -> None:
    assert sorted_distance(shift, scale) == pytest.approx(expected)


@pytest.mark.parametrize(
    "check",
    [module.slope_survives_disjoint_supports, module.batches_overestimate, module.critic_value_is_no_distance],
)
def test_checks_hold_for_every_seed(check: Callable[[], Evidence]) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        assert check().holds


def test_table_and_figure() -> None:
    rows = distances_table()
    assert [row["JSD, nats"] for row in rows[2:]] == ["0.693"] * 4
    axes = Figure().add_subplot()
    draw_two_distances(axes)
    jsd, w1 = (line.get_ydata() for line in axes.get_lines())
    assert list(jsd)[4:] == pytest.approx([1] * 13)  # type: ignore[arg-type]
    assert list(w1)[8] == pytest.approx(0.5)  # type: ignore[arg-type]
