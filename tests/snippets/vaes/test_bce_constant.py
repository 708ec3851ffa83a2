"""The normaliser that binary cross-entropy leaves out: by hand, by SciPy, by derivation."""

import math

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from snippets.derivation import proved, step
from snippets.vaes.bce_constant import derive_integral, integral, integral_is_never_one, integral_is_proved


def test_by_hand() -> None:
    assert integral(0.9) == pytest.approx(0.8 / math.log(9))
    assert integral(0.1) == pytest.approx(integral(0.9))
    assert integral(0.5) == 0.5


@given(st.floats(0.01, 0.99))
def test_quadrature_agrees_and_never_exceeds_a_half(parameter: float) -> None:
    area, _ = integrate.quad(lambda x: parameter**x * (1 - parameter) ** (1 - x), 0, 1)
    assert integral(parameter) == pytest.approx(area, rel=1e-5)
    assert integral(parameter) >= 0.5 - 1e-9 or abs(parameter - 0.5) > 1e-6


def test_the_largest_value_is_at_one_half() -> None:
    assert max(integral(i / 100) for i in range(1, 100)) == integral(0.5) == 0.5


def test_derivation_is_proved() -> None:
    assert integral_is_proved().holds
    assert integral_is_never_one().holds


@pytest.mark.parametrize("name", list(derive_integral()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_integral()[name]
    assert not proved(step(equality.lhs, equality.rhs + sympy.Rational(1, 7)))
