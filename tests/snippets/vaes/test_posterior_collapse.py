"""Collapse in a linear VAE: the closed form by hand and by exact search, free bits, and what training finds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.derivation import proved, step
from snippets.vaes.gaussian_kl import kl_to_standard_normal
from snippets.vaes.kl_in_elbo import elbo
from snippets.vaes.posterior_collapse import (
    EIGENVALUES,
    averaging_pixels_is_a_hidden_beta,
    beta_raises_the_threshold,
    data,
    derive_optimum,
    draw_threshold,
    free_bits,
    free_bits_keep_every_latent_busy,
    implied_noise_std,
    kl_at_the_optimum,
    kl_of_each_latent,
    objective,
    optimum_is_proved,
    train,
    trained_and_exact,
    usual_code,
    weak_directions_collapse,
)


def test_by_hand() -> None:
    assert kl_at_the_optimum(4, 0.5) == pytest.approx(0.5 * math.log(8))
    assert kl_at_the_optimum(1, 0.5) == pytest.approx(0.5 * math.log(2))
    assert kl_at_the_optimum(0.25, 0.5) == 0
    assert kl_at_the_optimum(4, 0.5, 3) == pytest.approx(0.5 * math.log(4 / 1.5))
    assert implied_noise_std(784) == pytest.approx(19.799, abs=1e-3)


@pytest.mark.parametrize("eigenvalue", [0.2, 0.9, 2.0, 5.0])
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_a_grid_over_everything_finds_the_same_optimum(eigenvalue: float, beta: float) -> None:
    """One direction: the objective over decoder weight, encoder gain and code variance, by brute force."""
    noise = 0.5
    w = torch.linspace(0, 2.5, 126).double()[:, None, None]
    c = torch.linspace(0, 1.2, 121).double()[None, :, None]
    v = torch.linspace(math.log(0.02), 0.2, 120).double()[None, None, :]
    missed = eigenvalue * (1 - w * c) ** 2 + w**2 * v.exp()
    kl = 0.5 * (c**2 * eigenvalue + v.exp() - 1 - v)
    best = int((-0.5 * missed / noise - beta * kl).argmax())
    found = kl.expand(126, 121, 120).reshape(-1)[best].item()
    assert found == pytest.approx(kl_at_the_optimum(eigenvalue, noise, beta), abs=0.03)


@given(st.floats(0.01, 20), st.floats(0.01, 5), st.floats(0.1, 10))
def test_never_negative_and_beta_acts_like_noise(eigenvalue: float, noise: float, beta: float) -> None:
    assert kl_at_the_optimum(eigenvalue, noise, beta) >= 0
    assert kl_at_the_optimum(eigenvalue, noise, beta) == pytest.approx(kl_at_the_optimum(eigenvalue, noise * beta))


def test_derivation_is_proved() -> None:
    assert optimum_is_proved().holds


@pytest.mark.parametrize("name", list(derive_optimum()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_optimum()[name]
    assert not proved(step(equality.lhs, 2 * equality.rhs))


def test_data_has_exactly_the_covariance_asked_for() -> None:
    x = data((4.0, 1.0, 0.25), points=17)
    values = torch.linalg.eigvalsh(x.mT @ x / 17)
    torch.testing.assert_close(values, torch.tensor([0.25, 1.0, 4.0]).double())


def test_the_latents_add_up_to_the_kl_of_the_loss() -> None:
    mean, logvar = torch.randn(2, 11, 3).double()
    torch.testing.assert_close(kl_of_each_latent(mean, logvar).sum(), kl_to_standard_normal(mean, logvar).mean())


def test_free_bits_by_hand() -> None:
    kl = torch.tensor([1.0, 0.3, 0.05], requires_grad=True)
    charged = free_bits(kl, 0.2)
    assert charged.item() == pytest.approx(1.5)
    (gradient,) = torch.autograd.grad(charged, kl)
    assert gradient.tolist() == [1.0, 1.0, 0.0]
    assert free_bits(kl, 0.0).item() == pytest.approx(1.35)


def test_objective_is_the_negative_bound() -> None:
    x, decoder = torch.randn(11, 3).double(), torch.randn(3, 3).double()
    mean, logvar = torch.randn(2, 11, 3).double()
    expected = -elbo(x, decoder, 0.5, mean, logvar, beta=2.0).mean()
    torch.testing.assert_close(objective(0.5, beta=2.0)(x, decoder, mean, logvar), expected)


def test_the_usual_code_is_a_bound_with_half_the_pixels_as_variance() -> None:
    """Up to a constant: its difference to the bound does not depend on where it is taken."""
    x, decoder = torch.randn(11, 3).double(), torch.randn(3, 3).double()
    differences = []
    for _ in range(3):
        mean, logvar = torch.randn(2, 11, 3).double()
        bound = objective(implied_noise_std(3) ** 2)(x, decoder, mean, logvar)
        differences.append((usual_code(x, decoder, mean, logvar) - bound).item())
    assert max(differences) - min(differences) < 1e-9


def test_its_output_depends_on_its_input() -> None:
    (kl, error), (kl_2, error_2) = (
        train(data(values), objective(0.5), steps=200) for values in ((4.0, 1.0), (9.0, 0.1))
    )
    assert abs(kl[0].item() - kl_2[0].item()) > 0.1
    assert abs(error - error_2) > 0.02


@pytest.mark.parametrize(
    "check",
    [
        weak_directions_collapse,
        beta_raises_the_threshold,
        averaging_pixels_is_a_hidden_beta,
        free_bits_keep_every_latent_busy,
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds


def test_table_has_a_row_for_each_direction() -> None:
    rows = trained_and_exact()
    assert [row["variance of the direction"] for row in rows] == [f"{value:g}" for value in EIGENVALUES]
    for row in rows:
        assert float(row["trained, β = 1"]) == pytest.approx(float(row["½ log(λ/βs²), β = 1"]), abs=0.01)


def test_the_points_of_the_figure_lie_on_its_curves() -> None:
    axes = Figure().add_subplot()
    draw_threshold(axes)
    for line, beta in zip(axes.get_lines()[1::2], (1.0, 3.0), strict=True):
        for eigenvalue, kl in np.asarray(line.get_xydata()):
            assert kl == pytest.approx(kl_at_the_optimum(eigenvalue, 0.5, beta), abs=0.02)
