"""Discriminators at chance: fakes by their moments, accuracy by hand, and trained."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from snippets.gans.adversarial import mlp
from snippets.gans.at_chance import accuracy, fitted, small_discriminator_is_fooled, two_bumps


class Same(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def test_fakes_have_the_moments_of_the_data() -> None:
    fakes = two_bumps(200_000).flatten().numpy()
    assert [np.mean(fakes), np.var(fakes), np.mean(fakes**3)] == pytest.approx([0, 1, 0], abs=0.02)
    assert np.mean(fakes**4) < 2, "a Gaussian has 3"


def test_accuracy_by_hand() -> None:
    real, fake = torch.tensor([[1.0], [-1.0], [2.0]]), torch.tensor([[-1.0], [0.0], [3.0]])
    assert accuracy(Same(), real, fake) == pytest.approx(4 / 6)


@given(st.integers(1, 9))
def test_a_constant_score_is_at_chance(count: int) -> None:
    constant = nn.Linear(1, 1)
    nn.init.zeros_(constant.weight)
    assert accuracy(constant, torch.randn(count, 1), torch.randn(count, 1)) == 0.5


def test_fitting_depends_on_the_input() -> None:
    """Where the fakes are, at 0.95, the score is lower than in the middle and further out."""
    middle, bump, out = fitted(mlp(1, 16, 16, 1), steps=200)(torch.tensor([[0.0], [0.95], [2.0]])).flatten().tolist()
    assert bump < middle - 0.2
    assert bump < out - 0.2


@pytest.mark.parametrize("seed", range(3))
def test_check_holds(seed: int) -> None:
    torch.manual_seed(seed)
    assert small_discriminator_is_fooled().holds
