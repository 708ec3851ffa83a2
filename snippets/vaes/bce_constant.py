r"""Binary cross-entropy on grey values is no likelihood: lambda^x (1 - lambda)^(1 - x) does not integrate to one.

Source: Loaiza-Ganem and Cunningham, The Continuous Bernoulli, 2019, equations 5 to 7.
Variant: one pixel in [0, 1]; the parameter is given by its log odds eta, lambda = 1 / (1 + exp(-eta)), eta not 0.
Not handled: eta = 0, where the integral is 1/2 by continuity.

On paper: lambda = 0.9 has eta = log 9 = 2.197, and the integral is (0.9 - 0.1) / 2.197 = 0.364.
"""

import math

import sympy
import torch
from sympy import Integral, exp

from snippets.derivation import Steps, named, proved, step
from snippets.evidence import Evidence, proof


def integral(parameter: float) -> float:
    """Integral over [0, 1] of lambda^x (1 - lambda)^(1 - x): 1 if the cross-entropy were a likelihood of x."""
    if abs(parameter - 0.5) < 1e-9:
        return 0.5
    return (2 * parameter - 1) / (math.log(parameter) - math.log(1 - parameter))


def derive_integral() -> Steps:
    """The missing normaliser of the cross-entropy of a grey value, by integration over [0, 1]."""
    x = sympy.Symbol("x", real=True)
    eta = sympy.Symbol("eta", real=True, nonzero=True)
    parameter = named("lambda", eta, stands_for=1 / (1 + exp(-eta)))
    rate, rest = parameter(eta), 1 - parameter(eta)
    return {
        "The parameter by its log odds": step(rate, rate.unfolded()),
        "What the cross-entropy is the negative log of": step(rate**x * rest ** (1 - x), rest * exp(eta * x)),
        "Its integral over the grey values": step(Integral(rest * exp(eta * x), (x, 0, 1)), (2 * rate - 1) / eta),
    }


@proof
def integral_is_proved() -> Evidence:
    """Every step of the derivation is proved."""
    results = [proved(equality) for equality in derive_integral().values()]
    return Evidence(holds=len(results) == 3 and all(results), measured={"steps proved": sum(results)})


def integral_is_never_one() -> Evidence:
    """Integrate exp(-BCE) of torch numerically over the grey values: it agrees with the closed form, and is below 1.

    So the loss leaves out a constant that depends on the parameter: 0.364 at 0.9 but 0.5 at 0.5, and a decoder is
    rewarded for what the constant would have charged.
    """
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)
    worst, largest = 0.0, 0.0
    for parameter in (0.1, 0.3, 0.5, 0.77, 0.9):
        rate = torch.full_like(grid, parameter)
        likelihood = (-torch.nn.functional.binary_cross_entropy(rate, grid, reduction="none")).exp()
        area = torch.trapezoid(likelihood, grid).item()
        worst, largest = max(worst, abs(area - integral(parameter))), max(largest, area)
    return Evidence(
        holds=worst < 1e-6 and largest < 0.51,
        measured={"at 0.9": integral(0.9), "at 0.5": integral(0.5), "largest": largest},
    )
