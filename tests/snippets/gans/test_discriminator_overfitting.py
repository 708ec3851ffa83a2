"""Overfitting of discriminators: the gap by hand, and trained under every loss."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.gans.discriminator_overfitting import few_samples_overfit_under_every_loss, gap, trained_gap


def test_the_worked_example() -> None:
    held_out = torch.tensor([-4.0, -1.0, 2.0])
    assert gap(torch.tensor([1.0, 3.0]), held_out) == pytest.approx(1.0)


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_the_gap_has_no_unit(scale: float, shift: float) -> None:
    train, held_out = torch.randn(2, 7).double()
    assert gap(scale * train + shift, scale * held_out + shift) == pytest.approx(gap(train, held_out), abs=1e-6)


def test_an_untrained_discriminator_has_none() -> None:
    assert abs(trained_gap("hinge", 2000, steps=0)) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_loss_overfits_on_few(seed: int) -> None:
    torch.manual_seed(seed)
    assert few_samples_overfit_under_every_loss().holds
