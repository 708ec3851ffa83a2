"""Two steps in turn: by hand, against a hand-written update, and what training moves."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from snippets.evidence import Evidence
from snippets.gans import adversarial as module
from snippets.gans.adversarial import discriminator_step, generator_step, mlp, parameters_of, train
from snippets.gans.losses import games


class Shift(nn.Module):
    """G(z) = a + z."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor) -> Tensor:
        return self.a + z


class Slope(nn.Module):
    """D(x) = b x."""

    def __init__(self) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.b * x


def test_the_worked_example() -> None:
    generator, discriminator, game = Shift(), Slope(), games()["Wasserstein"]
    of_d = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    of_g = torch.optim.SGD(generator.parameters(), lr=0.1)
    loss = discriminator_step(generator, discriminator, of_d, game, torch.tensor([[3.0]]), torch.zeros(1, 1))
    assert loss == pytest.approx(-3)
    assert [discriminator.b.item(), generator.a.item()] == pytest.approx([1.3, 0.0])
    assert generator_step(generator, discriminator, of_g, game, torch.zeros(1, 1)) == 0.0
    assert [discriminator.b.item(), generator.a.item()] == pytest.approx([1.3, 0.13])


def test_a_penalty_sees_both_kinds_and_is_added() -> None:
    generator, discriminator, game = Shift(), Slope(), games()["Wasserstein"]
    seen: list[Tensor] = []

    def penalty(net: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        seen.extend((real, fake))
        return torch.as_tensor(10 * net(torch.ones(1)).sum())

    of_d = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    real, noise = torch.full((2, 1), 3.0), torch.full((5, 1), 2.0)
    assert discriminator_step(generator, discriminator, of_d, game, real, noise, penalty) == pytest.approx(2 - 3 + 10)
    assert [len(s) for s in seen] == [2, 5]
    assert not seen[1].requires_grad
    assert discriminator.b.item() == pytest.approx(1 - 0.1 * (2 - 3 + 10))


@pytest.mark.parametrize("game", sorted(games()))
def test_training_moves_both_networks_and_keeps_a_log(game: str) -> None:
    run = train(games()[game], lambda n: torch.randn(n, 3), steps=4, width=5, latent=2, batch=7, critic_steps=2)
    assert len(run.discriminator_losses) == len(run.generator_losses) == 4
    samples = run.generator(torch.randn(11, 2))
    assert samples.shape == (11, 3)
    assert samples.std(0).min().item() > 0


def test_output_depends_on_the_data() -> None:
    reached = []
    for target in (-3.0, 3.0):

        def data(count: int, target: float = target) -> Tensor:
            return target + torch.randn(count, 1)

        torch.manual_seed(0)
        run = train(games()["non-saturating"], data, steps=150, width=16, latent=1, rate=5e-3)
        reached.append(run.generator(torch.zeros(1, 1)).item())
    assert reached[0] < -0.5 < 0.5 < reached[1]


def test_mlp() -> None:
    net = mlp(3, 5, 7, 2, leak=0.0)
    assert parameters_of(net).numel() == 3 * 5 + 5 + 5 * 7 + 7 + 7 * 2 + 2
    assert net(torch.zeros(4, 3)).shape == (4, 2)
    assert not isinstance(net[-1], nn.LeakyReLU)


@pytest.mark.parametrize(
    "check",
    [module.each_step_moves_one_network, module.steps_follow_their_own_loss, module.discriminator_is_the_only_teacher],
)
def test_checks_hold_for_every_seed(check: Callable[[], Evidence]) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        assert check().holds


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_it_learns(seed: int) -> None:
    torch.manual_seed(seed)
    assert module.learns_a_distribution_it_never_sees().holds
