"""Pairs of losses on the ring: what a starved generator gets, and, trained, what is covered."""

import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from snippets.gans import ring_games
from snippets.gans.adversarial import mlp
from snippets.gans.ring_games import (
    covers_the_ring,
    draw_covered_ring,
    every_pair_covers_the_ring,
    losses_hover_where_nobody_wins,
    momentum_matters_more_than_the_loss,
    on_the_ring,
    samples_of,
    slope_at_the_generator,
    strong_discriminator_starves_minimax,
)


def test_the_worked_example() -> None:
    """The same generator under a flat discriminator of score -8.3 plus a small slope: only the loss's slope differs."""
    generator, discriminator = mlp(8, 4, 2), nn.Linear(2, 1)
    with torch.no_grad():
        discriminator.weight.copy_(torch.tensor([[1e-3, 2e-3]]))
        discriminator.bias.fill_(-8.3)
    sizes = []
    for name in ("minimax", "non-saturating"):
        torch.manual_seed(0)
        sizes.append(slope_at_the_generator(name, generator, discriminator))
    assert sizes[0] / sizes[1] == pytest.approx(math.exp(-8.3), rel=0.01)
    assert 1 / (1 + math.exp(8.3)) == pytest.approx(0.00025, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_a_strong_discriminator_starves_minimax(seed: int) -> None:
    torch.manual_seed(seed)
    ring_games.strong_discriminator.cache_clear()
    assert strong_discriminator_starves_minimax().holds


@pytest.mark.parametrize("game", ["hinge", "Wasserstein"])
def test_two_steps_run(game: str) -> None:
    samples = samples_of(on_the_ring(game, steps=2), 11)
    assert samples.shape == (11, 2)
    assert not samples.requires_grad
    assert samples.std(0).min().item() > 0, "its output depends on the noise"


@pytest.mark.slow
@pytest.mark.parametrize("game", ["non-saturating", "hinge", "Wasserstein"])
@pytest.mark.parametrize("seed", range(3))
def test_the_ring_is_covered(game: str, seed: int) -> None:
    torch.manual_seed(seed)
    assert covers_the_ring(game).holds


@pytest.mark.slow
def test_the_other_trained_checks() -> None:
    torch.manual_seed(0)
    assert every_pair_covers_the_ring().holds
    assert losses_hover_where_nobody_wins().holds
    assert momentum_matters_more_than_the_loss().holds


@pytest.mark.slow
def test_the_figure_shows_samples_near_the_ring() -> None:
    axes = Figure().add_subplot()
    draw_covered_ring(axes)
    x, y = axes.get_lines()[1].get_data()
    radius = (torch.as_tensor(x).square() + torch.as_tensor(y).square()).sqrt()
    assert radius.median().item() == pytest.approx(2, abs=0.2)
