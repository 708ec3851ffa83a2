"""The game x y: by hand, against the eigenvalues of one step, and its derivation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.derivation import proved, step
from snippets.gans.bilinear_game import (
    alternating,
    derive_orbits,
    draw_orbits,
    neither_order_arrives,
    orbits_are_proved,
    path,
    radius,
    simultaneous,
)

places, rates = st.floats(-5, 5), st.floats(0.01, 0.5)


def test_the_worked_example() -> None:
    assert simultaneous(1, 1, 0.1) == pytest.approx((0.9, 1.1))
    assert alternating(1, 1, 0.1) == pytest.approx((0.9, 1.09))
    assert sum(v**2 for v in alternating(1, 1, 0.1)) == pytest.approx(1.998, abs=1e-3)


@given(rates)
def test_eigenvalues_of_one_step(rate: float) -> None:
    """Simultaneous: both of size sqrt(1 + rate^2). Alternating: both on the unit circle."""
    for move, size in ((simultaneous, math.sqrt(1 + rate**2)), (alternating, 1.0)):
        matrix = np.array([move(1, 0, rate), move(0, 1, rate)]).T
        assert np.abs(np.linalg.eigvals(matrix)) == pytest.approx([size, size])


@given(places, places, rates)
def test_what_each_order_keeps(x: float, y: float, rate: float) -> None:
    a, b = simultaneous(x, y, rate)
    assert a * a + b * b == pytest.approx((1 + rate**2) * (x * x + y * y), abs=1e-9)
    a, b = alternating(x, y, rate)
    assert a * a + b * b - rate * a * b == pytest.approx(x * x + y * y - rate * x * y, abs=1e-9)


def test_path_and_radius() -> None:
    assert path("alternating", 0) == [(1.0, 1.0)]
    assert radius("simultaneous", 1000) == pytest.approx(math.sqrt(2) * 1.01**500)


@pytest.mark.parametrize("name", list(derive_orbits()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_orbits()[name]
    assert not proved(step(equality.lhs, 2 * equality.rhs))


def test_checks_hold() -> None:
    assert orbits_are_proved().holds
    assert neither_order_arrives().holds


def test_the_figure_draws_both_paths() -> None:
    axes = Figure().add_subplot()
    draw_orbits(axes)
    out, orbit, middle = axes.get_lines()
    assert len(np.asarray(out.get_xdata())) == len(np.asarray(orbit.get_xdata())) == 151
    assert [float(v) for v in np.asarray(middle.get_xydata())[0]] == [0, 0]
