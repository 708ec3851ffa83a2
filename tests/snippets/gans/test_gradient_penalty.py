"""Gradient penalties: by hand, against torch.func and one pair at a time, by second derivatives, as properties."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import Tensor, nn

from snippets.evidence import Evidence
from snippets.gans import gradient_penalty as module
from snippets.gans.gradient_penalty import (
    between,
    clip_weights,
    clipped_slope,
    clipping_table,
    draw_clipped_slope,
    gradient_penalty,
    gradient_penalty_spec,
    input_slopes,
    linear_penalty,
    r1_penalty,
)


def smooth_critic(features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, 7), nn.Tanh(), nn.Linear(7, 1)).double()


def test_the_worked_example() -> None:
    assert linear_penalty(3, 4) == pytest.approx(16)
    weight = torch.tensor([3.0, 4.0])
    assert r1_penalty(lambda x: x @ weight, torch.randn(5, 2)).item() == pytest.approx(25, rel=1e-5)
    assert math.hypot(0.01, 0.01) == pytest.approx(0.0141, abs=1e-4)
    assert clipped_slope(2, 0.01, width=1) == pytest.approx(0.0001)


@pytest.mark.parametrize(("batch", "features"), [(1, 1), (5, 2), (3, 11)])
def test_torch_func_agrees(batch: int, features: int) -> None:
    critic, points = smooth_critic(features), torch.randn(batch, features).double()
    expected = torch.func.vmap(torch.func.grad(lambda x: critic(x).squeeze()))(points)
    torch.testing.assert_close(input_slopes(critic, points), expected)


@pytest.mark.parametrize(("batch", "features"), [(1, 1), (5, 2), (3, 11)])
def test_one_pair_at_a_time(monkeypatch: pytest.MonkeyPatch, batch: int, features: int) -> None:
    critic = smooth_critic(features)
    real, fake = torch.randn(2, batch, features).double()
    mix = torch.rand(batch).double()
    monkeypatch.setattr(module, "between", lambda a, b: mix[:, None] * a + (1 - mix[:, None]) * b)
    torch.testing.assert_close(gradient_penalty(critic, real, fake), gradient_penalty_spec(critic, real, fake, mix))


def test_images_take_the_norm_over_all_pixels() -> None:
    real, fake = torch.randn(2, 3, 2, 5, 7).double()
    weight = torch.randn(2 * 5 * 7).double()
    found = gradient_penalty(lambda x: x.flatten(1) @ weight, real, fake)
    torch.testing.assert_close(found, (weight.norm() - 1) ** 2)
    mix = (between(real, fake) - fake) / (real - fake)
    torch.testing.assert_close(mix, mix[:, :1, :1, :1].expand_as(mix), rtol=1e-6, atol=1e-6)


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_two_sided(a: float, b: float) -> None:
    assert linear_penalty(a, b) == pytest.approx((math.hypot(a, b) - 1) ** 2, abs=1e-9)


def test_its_gradient_in_the_weights() -> None:
    """Second derivatives of the critic, against finite differences."""
    points = torch.randn(3, 2).double()

    def of_weights(first: Tensor, second: Tensor) -> Tensor:
        slopes = input_slopes(lambda x: torch.tanh(x @ first) @ second, points)
        norms: Tensor = torch.linalg.vector_norm(slopes, dim=1) - 1
        return norms.square().mean()

    weights = (torch.randn(2, 4).double().requires_grad_(), torch.randn(4, 1).double().requires_grad_())
    assert torch.autograd.gradcheck(of_weights, weights)
    assert torch.autograd.gradgradcheck(lambda x: torch.tanh(x @ weights[0].detach()).sum(), points.requires_grad_())


def test_clipping_leaves_small_weights_alone() -> None:
    critic = nn.Linear(3, 2)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[0.005, 5.0, -5.0], [-0.002, 0.01, 0.0]]))
    clip_weights(critic, 0.01)
    expected = torch.tensor([[0.005, 0.01, -0.01], [-0.002, 0.01, 0.0]])
    torch.testing.assert_close(critic.weight.detach(), expected)
    assert critic.bias.abs().max().item() <= 0.01 + 1e-9


@pytest.mark.parametrize(("layers", "width"), [(1, 5), (3, 7), (6, 2)])
def test_slope_of_a_clipped_critic(layers: int, width: int) -> None:
    assert clipped_slope(layers, 0.03, width) == pytest.approx(0.03**layers * width ** (layers - 1), rel=1e-9)


def test_table_shows_vanishing_and_exploding() -> None:
    deepest = clipping_table()[-1]
    assert float(deepest["limit 0.01"]) < 1e-9 < 1 < float(deepest["limit 0.1"])
    assert float(deepest["limit 0.0625"]) == pytest.approx(0.0625, rel=0.05)


@pytest.mark.parametrize(
    "check",
    [
        module.linear_critic_is_known,
        module.points_lie_between_their_pair,
        module.penalty_trains_the_slope,
        module.batch_norm_mixes_samples,
        module.clipping_bounds_a_power_of_the_depth,
    ],
)
def test_checks_hold_for_every_seed(check: Callable[[], Evidence]) -> None:
    for seed in range(5 if "trains" in check.__name__ else 20):
        torch.manual_seed(seed)
        assert check().holds


def test_the_figure_draws_the_slopes() -> None:
    axes = Figure().add_subplot()
    draw_clipped_slope(axes)
    first = dict(axes.get_lines()[0].get_xydata().tolist())  # type: ignore[union-attr]
    assert first[4.0] == pytest.approx(clipped_slope(4, 0.01))


def test_device_follows_the_input(device: torch.device) -> None:
    critic = nn.Linear(2, 1).to(device)
    penalty = gradient_penalty(critic, torch.zeros(3, 2, device=device), torch.ones(3, 2, device=device))
    assert penalty.device.type == device.type
