r"""Derivations in SymPy: named steps, each an equality that is proved and then printed.

Source: none needed; a proof is one symbolic argument and one numerical test that does not rest on it.
Variant: a step is an unevaluated `Eq`, because `Eq(x + x, 2*x)` collapses to True and would print so.
Not handled: equalities that hold only for some of the values that the symbols' assumptions allow, so declare
symbols positive, real or integer wherever a logarithm, a root or a sum needs it; infinite sums.

    >>> x, y = sympy.symbols("x y", positive=True)
    >>> proved(step((x + 1) ** 2, x**2 + 2 * x + 1)), proved(step((x + 1) ** 2, x**2 + 1))
    (True, False)
    >>> proved(step(sympy.log(x / y), sympy.log(x) - sympy.log(y)))
    True
    >>> f = named("f", x, stands_for=x**2)
    >>> step(f(x) - 1, (x - 1) * (x + 1)), proved(step(f(y) - 1, (y - 1) * (y + 1)))
    (Eq(f(x) - 1, (x - 1)*(x + 1)), True)
"""

import random
from collections import defaultdict
from functools import lru_cache

import mpmath  # type: ignore[import-untyped]
import sympy
from sympy import Add, Expr, Indexed, Integral, Sum

Steps = dict[str, sympy.Eq]
"""What a `derive_*` function returns: the name of each step, and the equality that it states."""


def step(left: Expr, right: Expr) -> sympy.Eq:
    """State left = right without letting SymPy evaluate it to True or False.

    left, right: expressions; integrals and sums may stay unevaluated. Returns an `Eq` that prints as written.
    """
    return sympy.Eq(left, right, evaluate=False)


class Named(sympy.Function):  # type: ignore[misc]
    """A function that prints under its name and that a proof replaces by what it stands for."""

    variables: tuple[sympy.Symbol, ...]
    stands_for: Expr

    def unfolded(self) -> Expr:
        """Return what it stands for, at its arguments."""
        if self.args == self.variables:  # as it was written: a substitution would work out what was left as it is
            return self.stands_for
        return self.stands_for.subs(dict(zip(self.variables, self.args, strict=True)), simultaneous=True)


def named(name: str, *variables: sympy.Symbol, stands_for: Expr) -> type[Named]:
    """Give an expression of some variables a name, so that what is built from it stays legible.

    Say in a step of its own what the name stands for: `step(q(x), density)`.
    """
    return type(name, (Named,), {"variables": variables, "stands_for": stands_for})


def unfold(expression: Expr) -> Expr:
    """Replace every named function by what it stands for."""
    return sympy.sympify(expression).replace(lambda part: isinstance(part, Named), lambda part: part.unfolded())


def proved(equality: sympy.Eq) -> bool:
    """Whether the equality says something, is proved by algebra, and holds in numbers at five random points.

    The random points obey the symbols' assumptions, and integrals over one variable are done there by quadrature,
    which shares nothing with the algebra. A right-hand side off by a seventh has to fail at every one of them.
    """
    if equality.lhs == equality.rhs:  # 0 = 0 is true and no step of anything
        return False
    left, right = unfold(equality.lhs), unfold(equality.rhs)
    pairs = at_random_points(left, right)
    return (
        vanishes(left - right)
        and all(close(a, b) for a, b in pairs)
        and not any(close(a, b + (1 + abs(b)) / 7) for a, b in pairs)
    )


def vanishes(expression: Expr) -> bool:
    """Whether the expression is identically zero, by linearity alone or by working out its integrals and sums."""
    return _vanishes_by_linearity(expression) or _simplest(_evaluated(expression)) == 0


def at_random_points(left: Expr, right: Expr, points: int = 5) -> list[tuple[complex, complex]]:
    """Return the values of both sides at random values of their free symbols (fixed seed)."""
    generator = random.Random(0)
    integrals = sympy.Tuple(left, right).atoms(Integral)
    several = (i for i in integrals if len(i.limits) > 1 or i.function.has(Integral))  # quadrature would take minutes
    known = {integral: _evaluated(integral) for integral in several}
    pair = sympy.Tuple(left, right).subs(known)
    return [_at_a_random_point(pair, generator) for _ in range(points)]


def close(a: complex, b: complex) -> bool:
    """Whether two numbers agree to 1e-9, relative to the larger or to one."""
    return abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))


def random_value(symbol: Expr, generator: random.Random) -> sympy.Rational:
    """Draw a value that obeys the symbol's assumptions: a positive integer, a positive or a signed rational."""
    if symbol.is_integer:
        return sympy.Integer(generator.randint(2, 6))
    value = sympy.Rational(generator.randint(30, 250), 100)
    return value if symbol.is_positive or generator.random() < 0.5 else -value


def _simplest(expression: Expr) -> Expr:
    """Simplify as far as is needed to recognise zero; logarithms split only where the assumptions allow it."""
    quick = sympy.expand(sympy.expand_log(sympy.expand(expression)))
    return quick if quick == 0 else sympy.simplify(quick)


def _vanishes_by_linearity(expression: Expr) -> bool:
    """Whether the integrands (summands) over each range cancel, and so does what stands outside."""
    totals: defaultdict[object, Expr] = defaultdict(lambda: sympy.Integer(0))
    for term in Add.make_args(sympy.expand_mul(expression, deep=False)):
        factor, rest = term.as_independent(Integral, Sum)
        if isinstance(rest, (Integral, Sum)):
            totals[type(rest), rest.limits] += factor * rest.function
        else:
            totals[None] += term
    return all(_simplest(total) == 0 for total in totals.values())


def _evaluated(expression: Expr) -> Expr:
    """Work out the integrals and sums, innermost first."""

    def worked_out(part: Expr) -> Expr:
        inner = _evaluated(part.function)
        return part.func(inner, *part.limits).doit() if isinstance(part, Sum) else _integrated(inner, part.limits)

    return expression.replace(lambda part: isinstance(part, (Integral, Sum)), worked_out).doit()


def _integrated(integrand: Expr, limits: tuple[sympy.Tuple, ...]) -> Expr:
    """Integrate variable by variable and term by term; SymPy manages far more when an integrand is fully expanded."""
    for limit in limits:
        terms = Add.make_args(sympy.expand(sympy.expand_log(sympy.expand(integrand))))
        split = (term.as_independent(limit[0], as_Add=False) for term in terms)
        integrand = Add(*(factor * _integral(rest, limit) for factor, rest in split))
    return integrand


@lru_cache(maxsize=256)
def _integral(integrand: Expr, limit: sympy.Tuple) -> Expr:
    """One integral over one variable; the same few come up again and again within a derivation."""
    return sympy.simplify(sympy.integrate(integrand, limit))


def _quadrature(integrand: Expr, limit: sympy.Tuple) -> sympy.Float:
    """The integral of a function of one variable, by numbers alone."""
    variable, lower, upper = limit
    function = sympy.lambdify(variable, integrand, "mpmath")
    return sympy.Float(mpmath.quad(function, [float(lower), float(upper)]))


def _at_a_random_point(pair: sympy.Tuple, generator: random.Random) -> tuple[complex, complex]:
    """Both sides at one random point; sizes first, because only then are the terms of a sum there to be drawn."""
    for symbol in _plain_symbols(pair, integer=True):
        pair = pair.subs(symbol, random_value(symbol, generator))
    pair = pair.replace(lambda part: isinstance(part, Sum), lambda part: part.doit())
    for entry in sorted(pair.atoms(Indexed), key=str):
        pair = pair.subs(entry, random_value(entry, generator))
    for symbol in _plain_symbols(pair, integer=False):
        pair = pair.subs(symbol, random_value(symbol, generator))
    a, b = (complex(sympy.N(side.replace(Integral, _quadrature), 20)) for side in pair)
    return a, b


def _plain_symbols(expression: Expr, *, integer: bool) -> list[sympy.Symbol]:
    """Free symbols, by name, that are no names of indexed families."""
    families = {entry.base.label for entry in expression.atoms(Indexed)}
    free = (s for s in expression.free_symbols - families if isinstance(s, sympy.Symbol))
    return sorted((s for s in free if bool(s.is_integer) == integer), key=str)
