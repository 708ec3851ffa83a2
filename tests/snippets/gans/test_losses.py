"""GAN losses: by hand, against torch's own cross-entropy and margin loss, as properties, and by their gradients."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import Tensor

from snippets.evidence import Evidence
from snippets.gans import losses
from snippets.gans.losses import (
    draw_slopes,
    equilibrium_table,
    games,
    generator_slope,
    hinge_discriminator,
    least_squares_discriminator,
    least_squares_generator,
    logistic_discriminator,
    minimax_generator,
    non_saturating_generator,
    score_generator,
    slopes_table,
    sum_of_losses,
    wasserstein_critic,
)

scores = st.floats(-30, 30)


def test_the_worked_example() -> None:
    real, fake = torch.tensor([2.0]), torch.tensor([-1.0])
    assert logistic_discriminator(real, fake).item() == pytest.approx(
        math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))
    )
    assert logistic_discriminator(real, fake).item() == pytest.approx(0.440, abs=1e-3)
    assert minimax_generator(fake).item() == pytest.approx(-0.313, abs=1e-3)
    assert non_saturating_generator(fake).item() == pytest.approx(1.313, abs=1e-3)
    assert generator_slope("minimax", -1) == pytest.approx(-0.269, abs=1e-3)
    assert generator_slope("non-saturating", -1) == pytest.approx(-0.731, abs=1e-3)
    assert least_squares_discriminator(real, fake).item() == 1.0
    assert least_squares_generator(fake).item() == 2.0
    assert hinge_discriminator(real, fake).item() == 0.0
    assert wasserstein_critic(real, fake).item() == -3.0
    assert score_generator(fake).item() == 1.0


@pytest.mark.parametrize(("real", "fake"), [(1, 1), (3, 7), (11, 2)])
def test_torch_agrees(real: int, fake: int) -> None:
    """Cross-entropy with labels, mean squared error with labels, and the margin that torch calls hinge embedding."""
    r, f = torch.randn(real, 1).double(), torch.randn(fake, 1).double()
    one, zero = torch.ones_like(r), torch.zeros_like(f)
    bce = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(logistic_discriminator(r, f), bce(r, one) + bce(f, zero))
    torch.testing.assert_close(non_saturating_generator(f), bce(f, torch.ones_like(f)))
    torch.testing.assert_close(minimax_generator(f), -bce(f, zero))
    squared = F.mse_loss(r, one) / 2 + F.mse_loss(f, zero) / 2
    torch.testing.assert_close(least_squares_discriminator(r, f), squared)
    torch.testing.assert_close(least_squares_generator(f), F.mse_loss(f, torch.ones_like(f)) / 2)
    hinge = sum(F.hinge_embedding_loss(s, -torch.ones_like(s)) for s in (r, -f))
    torch.testing.assert_close(hinge_discriminator(r, f), torch.as_tensor(hinge))


@given(st.floats(-15, 15))
def test_cross_entropy_pair_by_its_definition(score: float) -> None:
    s = torch.tensor([score], dtype=torch.float64)
    d = 1 / (1 + math.exp(-score))
    assert minimax_generator(s).item() == pytest.approx(math.log(1 - d), abs=1e-8)
    assert non_saturating_generator(s).item() == pytest.approx(-math.log(d), abs=1e-9)


@given(scores, st.sampled_from(sorted(games())))
def test_every_generator_but_least_squares_always_wants_a_higher_score(score: float, game: str) -> None:
    slope = generator_slope(game, score)
    if game == "least squares":
        assert slope == pytest.approx(score - 1)
    else:
        assert -1 <= slope <= 0


@given(st.lists(scores, min_size=1, max_size=5), st.lists(scores, min_size=1, max_size=7), st.floats(-3, 3))
def test_only_differences_matter_to_a_wasserstein_critic(real: list[float], fake: list[float], shift: float) -> None:
    r, f = torch.tensor(real).double(), torch.tensor(fake).double()
    assert wasserstein_critic(r + shift, f + shift).item() == pytest.approx(wasserstein_critic(r, f).item(), abs=1e-9)
    assert hinge_discriminator(r, f).item() >= max(0.0, 2 + wasserstein_critic(r, f).item()) - 1e-9


@pytest.mark.parametrize("game", sorted(games()))
def test_gradients(game: str) -> None:
    real, fake = (
        torch.randn(3, dtype=torch.float64, requires_grad=True),
        torch.randn(5, dtype=torch.float64, requires_grad=True),
    )
    pair = games()[game]
    assert torch.autograd.gradcheck(pair.discriminator, (real, fake))
    assert torch.autograd.gradcheck(pair.generator, (fake,))


def test_losses_average_over_the_batch() -> None:
    real, fake = torch.randn(5), torch.randn(7)
    for game in games().values():
        doubled = game.discriminator(real.repeat(2), fake.repeat(2))
        torch.testing.assert_close(doubled, game.discriminator(real, fake))
        torch.testing.assert_close(game.generator(fake.repeat(3)), game.generator(fake))


def test_equilibrium_values() -> None:
    """2 log 2 and log 2 for the pair in use, which is what a log of a healthy run hovers around."""
    rows = {row["pair"]: row for row in equilibrium_table()}
    assert rows["non-saturating"]["discriminator"] == pytest.approx(2 * math.log(2))
    assert rows["non-saturating"]["generator"] == pytest.approx(math.log(2))
    assert rows["minimax"]["generator"] == pytest.approx(-math.log(2))
    assert rows["least squares"]["discriminator"] == 0.25
    assert rows["hinge"]["discriminator"] == 2
    assert rows["Wasserstein"]["discriminator"] == 0


def test_sums_of_the_losses() -> None:
    found = [sum_of_losses(d) for d in (0.1, 0.5, 0.9)]
    assert found == pytest.approx(
        [-math.log(0.9) * 2 - math.log(0.1), 3 * math.log(2), -math.log(0.1) * 2 - math.log(0.9)]
    )
    assert [sum_of_losses(d, "minimax") for d in (0.1, 0.5, 0.9)] == pytest.approx([0, 0, 0], abs=1e-12)


def test_table_of_slopes() -> None:
    rows = {row["generator loss"]: row for row in slopes_table()}
    assert rows["minimax"]["at score -12"] == "-6.1e-06"
    assert rows["least squares"]["at score +4"] == "+3"


@pytest.mark.parametrize(
    "check",
    [
        losses.confident_discriminator_starves_only_minimax,
        losses.same_direction_everywhere,
        losses.zero_sum_or_not,
        losses.hinge_goes_silent_past_the_margin,
        losses.least_squares_pulls_back_what_is_too_real,
        losses.scores_of_any_size_are_safe,
    ],
)
def test_checks_hold_for_every_seed(check: Callable[[], Evidence]) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        assert check().holds


def test_device_and_dtype_follow_the_input(device: torch.device) -> None:
    score: Tensor = torch.zeros(3, device=device, dtype=torch.float32)
    for game in games().values():
        loss = game.discriminator(score, score)
        assert (loss.device.type, loss.dtype, loss.shape) == (device.type, torch.float32, ())


def test_the_figure_draws_what_the_functions_give() -> None:
    axes = Figure().add_subplot()
    draw_slopes(axes)
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    at = dict(lines["minimax"].tolist())  # type: ignore[union-attr]
    assert at[-4.0] == pytest.approx(abs(generator_slope("minimax", -4)))
    assert set(lines) == {"minimax", "non-saturating", "least squares", "hinge, Wasserstein"}
