"""The best discriminator and the divergence behind it: by hand, against SciPy and a search, as properties."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import optimize
from scipy.spatial.distance import jensenshannon

from snippets.derivation import proved, step
from snippets.evidence import Evidence
from snippets.gans import optimal_discriminator as module
from snippets.gans.optimal_discriminator import (
    best_value,
    derive_optimum,
    derive_value,
    draw_optimum,
    jensen_shannon,
    optimal_discriminator,
    posterior,
    value,
)

densities = st.floats(0.01, 5)


def test_the_worked_example() -> None:
    real, fake = torch.tensor([0.75, 0.25]).double(), torch.tensor([0.25, 0.75]).double()
    best = optimal_discriminator(real, fake)
    assert best.tolist() == pytest.approx([0.75, 0.25])
    assert value(best, real, fake).item() == pytest.approx(1.5 * math.log(0.75) + 0.5 * math.log(0.25))
    assert jensen_shannon(real, fake).item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert best_value(0.75, 0.25) == pytest.approx(-1.1247, abs=1e-4)


@pytest.mark.parametrize("outcomes", [1, 2, 13])
def test_scipy_agrees(outcomes: int) -> None:
    """SciPy returns the root of the divergence."""
    real, fake = torch.randn(2, outcomes, dtype=torch.float64).softmax(-1)
    expected = float(jensenshannon(real.numpy(), fake.numpy())) ** 2
    assert jensen_shannon(real, fake).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("p", "q"), [(0.3, 0.3), (0.9, 0.2), (0.05, 0.6)])
def test_a_search_finds_the_same_optimum(p: float, q: float) -> None:
    found = optimize.minimize_scalar(lambda d: -(p * math.log(d) + q * math.log(1 - d)), bounds=(1e-9, 1 - 1e-9))
    assert posterior(p, q) == pytest.approx(float(found.x), abs=1e-5)


@given(densities, densities)
def test_posterior(p: float, q: float) -> None:
    """Swapping the sides swaps the answer, and a common factor does nothing."""
    assert posterior(p, q) + posterior(q, p) == pytest.approx(1, abs=1e-6)
    assert posterior(3 * p, 3 * q) == pytest.approx(posterior(p, q), abs=1e-6)
    assert 0 < posterior(p, q) < 1


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_value_stays_between_its_bounds(p: float, q: float) -> None:
    assert -math.log(4) - 1e-9 <= best_value(p, q) <= 1e-9


def test_disjoint_supports() -> None:
    real, fake = torch.tensor([0.5, 0.5, 0, 0]).double(), torch.tensor([0, 0, 0.25, 0.75]).double()
    assert jensen_shannon(real, fake).item() == pytest.approx(math.log(2))
    assert value(optimal_discriminator(real, fake), real, fake).item() == pytest.approx(0, abs=1e-12)


def test_gradient_of_the_value_vanishes_at_the_optimum() -> None:
    real, fake = torch.randn(2, 7, dtype=torch.float64).softmax(-1)
    gradient = torch.func.grad(value)(optimal_discriminator(real, fake), real, fake)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))
    d = torch.rand(7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, (d.clamp(0.1, 0.9), real, fake))


@pytest.mark.parametrize("name", list(derive_optimum()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_optimum()[name]
    assert proved(equality)
    assert not proved(step(equality.lhs, 1.5 * equality.rhs + module.P / 7))


def test_value_is_proved() -> None:
    assert module.value_is_proved().holds


@pytest.mark.slow
@pytest.mark.parametrize("name", list(derive_value()))
def test_nor_does_one_of_the_value(name: str) -> None:
    equality = derive_value()[name]
    assert not proved(step(equality.lhs, 2 * equality.rhs))


@pytest.mark.parametrize("check", [module.value_at_the_optimum_is_the_divergence, module.nobody_beats_it])
def test_checks_hold_for_every_seed(check: Callable[[], Evidence]) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        assert check().holds


def test_the_figure_shows_one_half_where_the_densities_cross() -> None:
    axes = Figure().add_subplot()
    draw_optimum(axes)
    real, fake, best = (np.asarray(line.get_ydata()) for line in axes.get_lines())
    crossing = np.argmin(np.abs(real - fake) + (best < 0.05) + (best > 0.95))
    assert best[crossing] == pytest.approx(0.5, abs=0.05)
    assert np.trapezoid(real, np.asarray(axes.get_lines()[0].get_xdata())) == pytest.approx(1, abs=1e-3)
