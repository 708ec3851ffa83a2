"""The small VAE: its loss by hand, its measures by cases that are known, and what training it shows."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import stats
from torch.distributions import Normal, kl_divergence

from snippets.vaes.beta_sweep import (
    CENTRES,
    NOISE_STD,
    VAE,
    data,
    draw_samples,
    energy_distance,
    loss,
    off_cluster,
    samples_need_both_terms,
    sweep,
    sweeps,
    the_prior_has_holes,
    train,
)


def test_loss_by_hand() -> None:
    """Squared error 2 at deviation 0.1: 100 nats; mean 1 and variance 1: half a nat."""
    x, y, one, zero = torch.ones(1, 2), torch.zeros(1, 2), torch.ones(1, 1), torch.zeros(1, 1)
    assert loss(x, y, one, zero, 1.0).item() == pytest.approx(100.5)
    assert loss(x, y, one, zero, 4.0).item() == pytest.approx(102)


def test_loss_is_the_negative_bound_of_torch_distributions() -> None:
    x, y = torch.randn(2, 7, 2)
    mean, logvar = torch.randn(2, 7, 1)
    likelihood = Normal(y, NOISE_STD).log_prob(x).sum(-1)  # type: ignore[no-untyped-call]
    kl = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(-1)
    constant = 2 * math.log(NOISE_STD * math.sqrt(2 * math.pi))
    expected = (kl - likelihood).mean() - constant
    torch.testing.assert_close(loss(x, y, mean, logvar, 1.0), expected, rtol=1e-4, atol=1e-3)


def test_gradient_reaches_both_networks() -> None:
    vae, x = VAE(), data(8)
    y, mean, logvar = vae(x)
    loss(x, y, mean, logvar, 1.0).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in vae.parameters())


def test_its_output_depends_on_its_input() -> None:
    vae = train(data(64), 1.0, steps=300)
    with torch.no_grad():
        codes = vae.encoder(CENTRES)[:, 0]
        decoded = vae.decoder(torch.tensor([[-1.5], [1.5]]))
    assert codes.max() - codes.min() > 0.5
    assert (decoded[0] - decoded[1]).abs().max() > 0.5


def test_off_cluster_by_hand() -> None:
    assert off_cluster(CENTRES) == 0
    assert off_cluster(torch.zeros(3, 2)) == 1
    assert off_cluster(torch.cat([CENTRES, torch.zeros(4, 2)])) == 0.5


@given(st.floats(0.1, 3))
def test_energy_distance_grows_with_the_shift_and_is_zero_to_itself(shift: float) -> None:
    a = torch.randn(50, 2)
    assert energy_distance(a, a) == pytest.approx(0, abs=1e-5)
    assert energy_distance(a, a + shift) > 0
    assert energy_distance(a, a + 2 * shift) > energy_distance(a, a + shift)


def test_energy_distance_against_scipy_in_one_dimension() -> None:
    a, b = torch.randn(40, 1), torch.randn(60, 1) + 1
    oracle = stats.energy_distance(a.squeeze().numpy(), b.squeeze().numpy()) ** 2
    assert energy_distance(a, b) == pytest.approx(oracle, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("check", [samples_need_both_terms, the_prior_has_holes])
@pytest.mark.parametrize("seed", range(3))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds


@pytest.mark.slow
def test_rate_falls_and_error_grows_with_beta() -> None:
    rows = sweeps()
    rates, errors = [float(row["KL, nats"]) for row in rows], [float(row["squared error"]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert errors[-1] > 100 * errors[0]


def test_one_sweep_reports_finite_shares() -> None:
    found = sweep(1.0)
    assert all(0 <= share <= 1 for share in (found.reconstructions_off, found.samples_off))
    assert found.kl > 1


def test_the_figure_marks_the_draws_that_miss() -> None:
    axes = Figure().add_subplot()
    draw_samples(axes)
    _, on, off = (torch.as_tensor(points.get_offsets()).float() for points in axes.collections)
    assert off_cluster(on) == 0
    assert off_cluster(off) == 1
