"""Forward and reverse fits: moments by hand, SciPy's quadrature, and what each direction is blind to."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import integrate, stats
from torch.distributions import Normal, kl_divergence

from snippets.vaes.kl_direction import (
    GRID,
    divergence,
    draw_fits,
    fit,
    fits,
    forward_covers,
    gaussian,
    log_target,
    nats_of_a_missed_mode,
    punishments_differ,
    reverse_seeks_a_mode,
    stray,
)


def test_by_hand() -> None:
    """Modes at +-3: moments 0 and 1 + 9 forward; one mode leaves log 2 in reverse and 9 - log 2 forward."""
    mean, std = fit(log_target(GRID), reverse=False, start=1.0)
    assert mean == pytest.approx(0, abs=1e-3)
    assert std**2 == pytest.approx(10, abs=1e-3)
    assert nats_of_a_missed_mode(4.0, "reverse") == pytest.approx(math.log(2), abs=1e-3)
    assert nats_of_a_missed_mode(4.0, "forward") == pytest.approx(16 - math.log(2), abs=1e-2)


def test_the_target_is_a_density() -> None:
    assert torch.trapezoid(log_target(GRID, 3.0, 0.3).exp(), GRID).item() == pytest.approx(1, abs=1e-9)
    expected = 0.3 * stats.norm(-3, 1).pdf(GRID) + 0.7 * stats.norm(3, 1).pdf(GRID)
    np.testing.assert_allclose(log_target(GRID, 3.0, 0.3).exp().numpy(), expected, atol=1e-12)


@given(st.floats(-2, 2), st.floats(0.4, 1.5), st.floats(-2, 2), st.floats(0.4, 1.5))
def test_torch_distributions_agree(m: float, s: float, m2: float, s2: float) -> None:
    found = divergence(gaussian(m, s), gaussian(m2, s2)).item()
    oracle = kl_divergence(Normal(m, s), Normal(m2, s2)).item()
    assert found == pytest.approx(oracle, rel=1e-4, abs=1e-5)


def test_scipy_agrees_for_the_mixture() -> None:
    q = stats.norm(1, 2)

    def integrand(x: float) -> float:
        p = 0.5 * (stats.norm(-3, 1).pdf(x) + stats.norm(3, 1).pdf(x))
        return float(p * (math.log(p) - q.logpdf(x)))

    area, _ = integrate.quad(integrand, -11, 11, limit=200)
    assert divergence(log_target(GRID), gaussian(1.0, 2.0)).item() == pytest.approx(area, abs=1e-6)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_single_mode_is_found_either_way(reverse: bool) -> None:
    """Where the family can equal the target, the direction does not matter."""
    mean, std = fit(gaussian(0.8, 1.7), reverse=reverse, start=-1.0)
    assert [mean, std] == pytest.approx([0.8, 1.7], abs=1e-3)


def test_the_fit_depends_on_the_target() -> None:
    one, two = (fit(log_target(GRID, distance), reverse=False, start=0.5)[1] for distance in (2.0, 4.0))
    assert two - one > 1


def test_reverse_has_a_second_optimum() -> None:
    """Started in the middle it stays there, with a larger divergence than at a mode."""
    target = log_target(GRID)
    values = {
        start: divergence(gaussian(*fit(target, reverse=True, start=start)), target).item() for start in (0.0, 2.0)
    }
    assert values[0.0] > values[2.0] + 0.1


def test_gradient() -> None:
    log_q = torch.randn(len(GRID)).double()
    small = gaussian(0.0, 1.0)
    assert torch.autograd.gradcheck(lambda t: divergence(small, log_q + t), (torch.zeros(1).double().requires_grad_(),))


def test_samples_between_the_modes_are_stray() -> None:
    assert stray(0.0, 0.3, log_target(GRID)) > 0.9
    assert stray(3.0, 0.3, log_target(GRID)) < 1e-6


@pytest.mark.parametrize("check", [forward_covers, reverse_seeks_a_mode, punishments_differ])
def test_checks_hold(check) -> None:  # type: ignore[no-untyped-def]
    assert check().holds


def test_each_fit_is_the_better_one_by_its_own_measure() -> None:
    forward, reverse = fits()
    assert float(forward["KL(p ‖ q)"]) < float(reverse["KL(p ‖ q)"])
    assert float(reverse["KL(q ‖ p)"]) < float(forward["KL(q ‖ p)"])
    axes = Figure().add_subplot()
    draw_fits(axes)
    peaks = [float(line.get_xdata()[np.argmax(line.get_ydata())]) for line in axes.get_lines()]  # type: ignore[index, arg-type]
    assert peaks == [pytest.approx(0, abs=0.1), pytest.approx(3, abs=0.1)]
