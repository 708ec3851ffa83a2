r"""The same two networks on the ring of eight Gaussians, trained with each pair of losses, and what decides the result.

Source: the pairs of losses.py; the ring of Metz et al. 2017 (arXiv:1611.02163); that budgets and settings move results
    more than the loss does, Lucic et al. 2018 (arXiv:1711.10337).
Variant: two hidden layers of 64 or 128, Adam with beta1 = 0, one discriminator step a generator step; for Wasserstein
    three, with the two-sided gradient penalty of weight 1, at twice the rate.
Not handled: images. In two dimensions a small discriminator never gets as sure as it does on images, so that even the
    minimax loss trains from scratch here; the starved generator below shows what happens once it is sure.

Worked example: with the discriminator at a score of -8.3 on the fakes, the minimax slope is sigmoid(-8.3) = 0.00025 and
    the non-saturating one 0.99975, four thousand times as much, before both go through the same two networks.
"""

import math
from functools import cache

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from snippets.evidence import Evidence, trained
from snippets.gans.adversarial import Run, discriminator_step, mlp, train
from snippets.gans.gradient_penalty import gradient_penalty
from snippets.gans.losses import games
from snippets.gans.ring import Coverage, coverage, gaussian_of_the_same_moments, ring

TOLD_APART = 2 * math.log(2)
"""The discriminator's cross-entropy where it cannot tell: 2 log 2 = 1.386."""


def on_the_ring(game: str, *, steps: int = 800, beta1: float = 0.0) -> Run:
    """Train one pair of losses on the ring; a Wasserstein critic gets its penalty and three steps a round."""
    if game != "Wasserstein":
        return train(games()[game], ring, steps=steps, beta1=beta1)

    def penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return gradient_penalty(critic, real, fake)

    return train(
        games()[game], ring, steps=steps, beta1=beta1, width=64, batch=128, rate=2e-3, critic_steps=3, penalty=penalty
    )


def samples_of(run: Run, count: int = 2000) -> Tensor:
    """Draw from a trained generator: (count, 2)."""
    with torch.no_grad():
        samples: Tensor = run.generator(torch.randn(count, 8))
    return samples


def slope_at_the_generator(game: str, generator: nn.Module, discriminator: nn.Module) -> float:
    """Norm of the gradient of the generator's loss in its parameters, over 512 samples."""
    loss = games()[game].generator(discriminator(generator(torch.randn(512, 8))))
    slopes = torch.autograd.grad(loss, list(generator.parameters()), allow_unused=True)
    return math.sqrt(sum(slope.square().sum().item() for slope in slopes if slope is not None))


@cache
def strong_discriminator(steps: int = 300) -> tuple[nn.Module, nn.Module]:
    """An untrained generator, and a discriminator that has had 300 steps against it to learn the ring."""
    generator, discriminator = mlp(8, 64, 64, 2), mlp(2, 64, 64, 1)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
    for _ in range(steps):
        discriminator_step(generator, discriminator, optimizer, games()["minimax"], ring(128), torch.randn(128, 8))
    return generator, discriminator


@trained
def strong_discriminator_starves_minimax() -> Evidence:
    """Gradient in the generator's parameters under a discriminator with 300 steps ahead, whose loss is below 0.01.

    Minimax against the other losses through the same networks: at least a hundred times less than the least of them.
    """
    generator, discriminator = strong_discriminator()
    sizes = {name: slope_at_the_generator(name, generator, discriminator) for name in games()}
    others = min(size for name, size in sizes.items() if name != "minimax")
    return Evidence(
        holds=0 < 100 * sizes["minimax"] < others,
        measured={f"{name}: gradient norm": size for name, size in sizes.items()},
        rel=None,
    )


@trained
def covers_the_ring(game: str = "non-saturating") -> Evidence:
    """Train on the ring and count: at least 6 of 8 modes, and 35% of the samples near one.

    Trivial: a Gaussian with the mean and the covariance of the data covers 0 modes, with 7% of its samples near one.
    Other seeds gave 7 or 8 modes and 52% to 67%, so both bounds leave room.
    """
    seen, trivial = coverage(samples_of(on_the_ring(game))), coverage(gaussian_of_the_same_moments(2000))
    return Evidence(
        holds=seen.modes >= 6 and seen.quality > 0.35 and trivial.modes == 0 and trivial.quality < 0.15,
        measured={"modes": seen.modes, "quality": seen.quality, "modes of a Gaussian": trivial.modes},
        rel=None,
    )


def ring_table() -> list[dict[str, object]]:
    """What each pair of losses covers on the ring, seed 0, and the Gaussian of the same mean and covariance."""
    rows: list[dict[str, object]] = []
    for game in games():
        seen = coverage(samples_of(on_the_ring(game)))
        name = f"{game}, gradient penalty" if game == "Wasserstein" else game
        rows.append({"pair": name, "modes of 8": seen.modes, "samples near a mode": f"{seen.quality:.0%}"})
    trivial = coverage(gaussian_of_the_same_moments(2000))
    return [
        *rows,
        {"pair": "a fitted Gaussian", "modes of 8": trivial.modes, "samples near a mode": f"{trivial.quality:.0%}"},
    ]


@trained
def every_pair_covers_the_ring() -> Evidence:
    """One training loop, five pairs of losses: each covers at least 6 of the 8 modes in 600 rounds.

    Trivial: the Gaussian of the same mean and covariance, 0 modes. A loss of the generator alone trains nothing; what
    the discriminator minimises differs in four of the five.
    """
    modes = {game: coverage(samples_of(on_the_ring(game, steps=600))).modes for game in games()}
    trivial = coverage(gaussian_of_the_same_moments(2000)).modes
    return Evidence(
        holds=len(modes) == 5 and min(modes.values()) >= 6 and trivial == 0,
        measured={f"{game}: modes": count for game, count in modes.items()},
        rel=None,
    )


@trained
def losses_hover_where_nobody_wins() -> Evidence:
    """Losses of a good run, non-saturating: over its second half they hover around 2 log 2 = 1.386 and log 2 = 0.693.

    Within 0.3 and 0.5 of them on average, and there is no trend: the discriminator's mean over the last quarter is
    within 0.15 of the quarter before. A discriminator whose opponent stands still reaches a loss near 0 instead.
    """
    run = on_the_ring("non-saturating")
    half, quarter = len(run.discriminator_losses) // 2, len(run.discriminator_losses) // 4
    d = sum(run.discriminator_losses[half:]) / half
    g = sum(run.generator_losses[half:]) / half
    drift = abs(sum(run.discriminator_losses[half:-quarter]) - sum(run.discriminator_losses[-quarter:])) / quarter
    generator, discriminator = strong_discriminator()
    with torch.no_grad():
        won = games()["minimax"].discriminator(discriminator(ring(500)), discriminator(generator(torch.randn(500, 8))))
    return Evidence(
        holds=abs(d - TOLD_APART) < 0.3 and abs(g - math.log(2)) < 0.5 and drift < 0.15 and won.item() < 0.05,
        measured={"discriminator": d, "generator": g, "discriminator, opponent standing still": won.item()},
        rel=None,
    )


def modes_by_setting(steps: int = 600) -> dict[tuple[str, float], Coverage]:
    """Two losses times two settings of Adam's beta1 on the ring: what is covered in each of the four runs."""
    return {
        (game, beta1): coverage(samples_of(on_the_ring(game, steps=steps, beta1=beta1)))
        for game in ("non-saturating", "hinge")
        for beta1 in (0.0, 0.9)
    }


@trained
def momentum_matters_more_than_the_loss() -> Evidence:
    """Two losses times two settings of Adam's beta1, the same networks: modes gained by each choice.

    The effect of a factor is the distance between its two means. From 0 to 0.9, the default of Adam, costs at least
    four modes; from one loss to the other at most two.
    """
    found = {key: seen.modes for key, seen in modes_by_setting().items()}

    def effect(place: int) -> float:
        means: dict[object, list[int]] = {}
        for key, modes in found.items():
            means.setdefault(key[place], []).append(modes)
        first, second = (sum(group) / len(group) for group in means.values())
        return abs(first - second)

    return Evidence(
        holds=effect(1) >= 4 and effect(0) <= 2,
        measured={"modes that beta1 moves": effect(1), "modes that the loss moves": effect(0)},
        rel=None,
    )


def draw_covered_ring(axes: Axes, game: str = "non-saturating") -> None:
    """Samples of a generator trained on the ring, over the data."""
    torch.manual_seed(0)
    samples = samples_of(on_the_ring(game), 500)
    data = ring(500)
    axes.plot(data[:, 0], data[:, 1], ".", markersize=2, color="C0", label="data")
    axes.plot(samples[:, 0], samples[:, 1], ".", markersize=3, color="C1", label="generated")
    axes.set(xlabel="x", ylabel="y", aspect="equal")
    axes.legend(fontsize="small", loc="center")
