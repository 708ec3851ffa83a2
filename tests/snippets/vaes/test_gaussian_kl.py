"""KL between Gaussians: by hand, against torch.distributions and quadrature, as a property, and by its gradient."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import integrate, stats
from torch.distributions import Normal, kl_divergence

from snippets.derivation import proved, step
from snippets.vaes.gaussian_kl import (
    CLOSED_FORM,
    code_computes_the_proved_formula,
    derive_diagonal,
    derive_univariate,
    diagonal_is_proved,
    dimensions_add,
    draw_integrand,
    every_step_is_proved,
    gradient_pulls_to_the_prior,
    kl_normal,
    kl_to_standard_normal,
    nats,
    nats_to_the_prior,
    sampling_gives_the_same,
    sigma_1,
    worked_examples,
    zero_only_between_equals,
)

means, stds = st.floats(-4, 4), st.floats(0.1, 5)


def test_by_hand() -> None:
    """q = N(1, 4) against N(0, 1): log(1/2) + (4 + 1)/2 - 1/2; swapped: log 2 + (1 + 1)/8 - 1/2."""
    assert nats_to_the_prior(1, 2) == pytest.approx(2 - math.log(2), abs=1e-12)
    assert nats(1, 2, 0, 1) == pytest.approx(2 - math.log(2), abs=1e-12)
    assert nats(0, 1, 1, 2) == pytest.approx(math.log(2) - 0.25, abs=1e-12)


def test_a_latent_of_two_by_hand() -> None:
    """Means (1, 0) and variances (1, 4): 1/2 from the mean, (4 - 1 - log 4)/2 from the variance."""
    mean, logvar = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, math.log(4)]])
    assert kl_to_standard_normal(mean, logvar).tolist() == pytest.approx([0.5 + 1.5 - math.log(2)], abs=1e-6)


@pytest.mark.parametrize("shape", [(1,), (5,), (3, 7), (2, 3, 1)])
def test_torch_distributions_agree(shape: tuple[int, ...]) -> None:
    mean, logvar, other_mean, other_logvar = torch.randn(4, *shape, dtype=torch.float64)
    q, p = Normal(mean, (logvar / 2).exp()), Normal(other_mean, (other_logvar / 2).exp())
    prior = Normal(torch.zeros(shape).double(), torch.ones(shape).double())
    torch.testing.assert_close(kl_normal(mean, logvar, other_mean, other_logvar), kl_divergence(q, p).sum(-1))
    torch.testing.assert_close(kl_to_standard_normal(mean, logvar), kl_divergence(q, prior).sum(-1))


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.7, 0.4), (-2.0, 1.7)])
def test_quadrature_of_the_definition_agrees(mean: float, std: float) -> None:
    q, p = stats.norm(mean, std), stats.norm(0.5, 1.3)
    area, _ = integrate.quad(lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), -20, 20)
    assert nats(mean, std, 0.5, 1.3) == pytest.approx(area, abs=1e-8)


@given(means, stds, means, stds)
def test_never_negative(mean: float, std: float, other_mean: float, other_std: float) -> None:
    assert nats(mean, std, other_mean, other_std) >= -1e-12


@given(means, stds)
def test_zero_to_itself_and_to_nothing_else(mean: float, std: float) -> None:
    assert nats(mean, std, mean, std) == pytest.approx(0, abs=1e-12)
    assert nats(mean, std, mean + 0.1, std) > 0
    assert nats(mean, std, mean, std * 1.1) > 0


@given(st.integers(1, 6), st.integers(1, 6))
def test_independent_parts_add(first: int, second: int) -> None:
    four = torch.randn(4, 2, first + second, dtype=torch.float64)
    parts = kl_normal(*four[..., :first]) + kl_normal(*four[..., first:])
    torch.testing.assert_close(kl_normal(*four), parts)


@given(means, stds, means, stds, st.floats(-3, 3), st.floats(0.2, 4))
def test_shift_and_scale_of_the_axis_change_nothing(
    m: float, s: float, m2: float, s2: float, b: float, a: float
) -> None:
    """A divergence of distributions does not depend on the units in which x is measured."""
    assert nats(a * m + b, a * s, a * m2 + b, a * s2) == pytest.approx(nats(m, s, m2, s2), rel=1e-6, abs=1e-9)


def test_gradient() -> None:
    four = tuple(torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(4))
    assert torch.autograd.gradcheck(kl_normal, four)
    assert torch.autograd.gradcheck(kl_to_standard_normal, four[:2])


def test_device_and_dtype_follow_the_input(device: torch.device) -> None:
    mean = torch.zeros(2, 3, device=device, dtype=torch.float32)
    kl = kl_to_standard_normal(mean, mean)
    assert (kl.device.type, kl.dtype, kl.shape) == (device.type, torch.float32, (2,))


def test_derivations_are_proved() -> None:
    assert every_step_is_proved().holds
    assert diagonal_is_proved().holds


@pytest.mark.parametrize("name", list(derive_univariate()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_univariate()[name]
    assert not proved(step(equality.lhs, equality.rhs + sigma_1 / 7))


@pytest.mark.parametrize("name", list(derive_diagonal()))
def test_no_step_of_the_diagonal_case_either(name: str) -> None:
    equality = derive_diagonal()[name]
    assert not proved(step(equality.lhs, 2 * equality.rhs))


def test_the_formula_shown_is_torch_distributions_formula() -> None:
    closed = derive_univariate()[CLOSED_FORM].rhs
    at = dict(zip(sorted(closed.free_symbols, key=str), (0.3, -0.8, 0.9, 1.6), strict=True))
    oracle = kl_divergence(Normal(0.3, 0.9), Normal(-0.8, 1.6)).item()
    assert [str(symbol) for symbol in at] == ["mu_1", "mu_2", "sigma_1", "sigma_2"]
    assert float(closed.subs(at)) == pytest.approx(oracle, abs=1e-6)


@pytest.mark.parametrize(
    "check",
    [
        code_computes_the_proved_formula,
        sampling_gives_the_same,
        zero_only_between_equals,
        dimensions_add,
        gradient_pulls_to_the_prior,
    ],
)
@pytest.mark.parametrize("seed", range(20))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds


def test_examples_are_asymmetric_except_where_only_the_mean_moves() -> None:
    rows = {row["q"]: row for row in worked_examples()}
    forward, swapped = "KL(q ‖ N(0, 1)), nats", "KL(N(0, 1) ‖ q), nats"
    same = [q for q, row in rows.items() if math.isclose(float(row[forward]), float(row[swapped]), abs_tol=1e-9)]
    assert [str(q).partition(":")[0] for q in same] == ["N(0, 1²)", "N(1, 1²)"]
    for row in rows.values():
        assert float(row["in bits"]) == pytest.approx(float(row[forward]) / math.log(2))


def test_the_shaded_area_of_the_figure_is_the_divergence() -> None:
    axes = Figure().add_subplot()
    draw_integrand(axes)
    q, p = (np.asarray(line.get_xydata()) for line in axes.get_lines())
    integrand = q[:, 1] * np.log(q[:, 1] / p[:, 1])
    assert np.trapezoid(integrand, q[:, 0]) == pytest.approx(nats_to_the_prior(0.8, 0.6), abs=1e-3)
    assert integrand.min() < 0
