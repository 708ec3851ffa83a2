"""What `proved` accepts, and above all what it refuses: a prover that cannot say no proves nothing."""

import random

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy import Derivative, Integral, Rational, Sum, exp, log, oo, pi, sqrt

from snippets.derivation import (
    at_random_points,
    close,
    named,
    proved,
    random_value,
    step,
    unfold,
    vanishes,
)

a, b, x, y = sympy.symbols("a b x y", real=True)
c = sympy.Symbol("c", real=True, nonzero=True)
r, s = sympy.symbols("r s", positive=True)
j, n = sympy.symbols("j n", integer=True, positive=True)
u, w = sympy.IndexedBase("u", real=True), sympy.IndexedBase("w", positive=True)


def over_the_line(integrand: sympy.Expr, *variables: sympy.Symbol) -> sympy.Expr:
    return Integral(integrand, *((variable, -oo, oo) for variable in variables or (x,)))


GAUSS = exp(-((x - a) ** 2) / (2 * s**2)) / (sqrt(2 * pi) * s)

TRUE = {
    "algebra": step((a + b) ** 2, a**2 + 2 * a * b + b**2),
    "logarithms of positive symbols": step(log(r / s), log(r) - log(s)),
    "a log of an exponential": step(log(exp(a) / r), a - log(r)),
    "an integral without its antiderivative": step(over_the_line(x * GAUSS + GAUSS), over_the_line((x + 1) * GAUSS)),
    "a moment": step(over_the_line(x**2 * GAUSS), a**2 + s**2),
    "a double integral": step(over_the_line(GAUSS * exp(-(y**2) / 2), x, y), sqrt(2 * pi)),
    "an integral in an integral": step(over_the_line(exp(-(y**2) / 2) * over_the_line(GAUSS), y), sqrt(2 * pi)),
    "a finite integral": step(Integral(exp(c * x), (x, 0, 1)), (exp(c) - 1) / c),
    "a sum of symbolic length": step(
        Sum(u[j] + log(w[j] ** 2), (j, 1, n)), Sum(u[j], (j, 1, n)) + 2 * Sum(log(w[j]), (j, 1, n))
    ),
    "a sum that has a closed form": step(Sum(j, (j, 1, n)), n * (n + 1) / 2),
    "a derivative": step(Derivative(log(1 + exp(a)), a), 1 / (1 + exp(-a))),
}

WRONG = {
    "a factor": step(2 * a, a),
    "a constant": step((a + b) ** 2, a**2 + 2 * a * b + b**2 + Rational(1, 1000)),
    "a sign": step(log(r / s), log(s) - log(r)),
    "the one half of a Gaussian's KL": step(over_the_line(x**2 * GAUSS), (a**2 + s**2) / 2),
    "standard deviation for variance": step(over_the_line((x - a) ** 2 * GAUSS), s),
    "a second moment about the wrong point": step(over_the_line((x - b) ** 2 * GAUSS), s**2),
    "a limit of integration": step(Integral(GAUSS, (x, 0, oo)), sympy.Integer(1)),
    "one term of a sum too few": step(Sum(u[j], (j, 1, n)), Sum(u[j], (j, 2, n))),
    "mean for sum": step(Sum(u[j] + 1, (j, 1, n)), Sum(u[j], (j, 1, n)) + 1),
    "true of some values only": step(sympy.Abs(a), a),
    "a logarithm of what may be negative": step(log(a**2), 2 * log(a)),
    "a root of what may be negative": step(sqrt(a**2), a),
}


@pytest.mark.parametrize("name", TRUE)
def test_a_true_step_is_proved(name: str) -> None:
    assert proved(TRUE[name])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_right_hand_side_is_refused(name: str) -> None:
    assert not proved(WRONG[name])


@pytest.mark.parametrize("name", TRUE)
def test_a_true_step_fails_as_soon_as_it_is_off(name: str) -> None:
    equality = TRUE[name]
    assert not proved(step(equality.lhs, equality.rhs * Rational(7, 6) + Rational(1, 7)))


def test_numbers_catch_what_algebra_lets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snippets.derivation.vanishes", lambda expression: True)
    assert not any(proved(equality) for equality in WRONG.values())


def test_algebra_catches_what_numbers_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snippets.derivation.at_random_points", lambda left, right: [(1.0, 1.0)])
    assert proved(TRUE["a moment"])
    assert not any(proved(equality) for equality in WRONG.values())


def test_a_step_that_says_nothing_proves_nothing() -> None:
    zero = sympy.Integer(0)
    assert not proved(step(zero, zero))
    assert not proved(step(a, a))


def test_a_step_stays_as_it_was_written() -> None:
    equality = step(a + a, 2 * a)
    assert isinstance(equality, sympy.Eq)
    assert sympy.latex(step(a * (a + 1), a**2 + a)) == r"a \left(a + 1\right) = a^{2} + a"


def test_a_named_function_prints_its_name_and_is_proved_as_what_it_stands_for() -> None:
    q = named("q", x, stands_for=GAUSS)
    mean = step(over_the_line(x * q(x)), a)
    assert "q{" in sympy.latex(mean)
    assert "exp" not in str(mean)
    assert proved(mean)
    assert proved(step(q(x), GAUSS))
    assert not proved(step(q(x), 2 * GAUSS))
    assert not proved(step(over_the_line(x * q(x)), a + 1))
    assert unfold(q(b)) == GAUSS.subs(x, b)


def test_a_named_function_takes_its_arguments_at_once() -> None:
    f = named("f", x, y, stands_for=x - y)
    assert unfold(f(y, x)) == y - x


@given(st.integers(0, 10**6))
def test_random_values_obey_the_assumptions(seed: int) -> None:
    generator = random.Random(seed)
    assert random_value(r, generator) > 0
    assert random_value(n, generator) >= 1
    assert random_value(n, generator).is_integer
    assert random_value(a, generator) != 0


def test_real_symbols_take_both_signs() -> None:
    generator = random.Random(0)
    signs = {bool(random_value(a, generator) > 0) for _ in range(50)}
    assert signs == {True, False}


def test_both_sides_are_taken_at_the_same_points() -> None:
    points = at_random_points(u[1] + a, u[1] + a + 1)
    assert len(points) == len(set(points)) == 5
    assert all(close(second - first, 1) for first, second in points)


def test_close_is_relative_above_one_and_absolute_below() -> None:
    assert close(1e6, 1e6 + 1e-4)
    assert not close(1e6, 1e6 + 1e-2)
    assert not close(1e-6, 1e-6 + 1e-8)
    assert not close(1, 1j)


def test_vanishes_needs_no_antiderivative_where_integrands_cancel() -> None:
    hard = exp(-(x**4)) * sympy.cos(x * a)
    assert vanishes(over_the_line(2 * hard) - 2 * over_the_line(hard))
