"""The average KL and its two parts: by hand where codes are far apart, by torch.distributions, and as an identity."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch.distributions import Categorical, MixtureSameFamily, Normal

from snippets.vaes.aggregated_posterior import (
    average_kl_splits,
    clustered_codes,
    comparison,
    draw_holes,
    grid,
    hole,
    log_aggregated,
    same_kl_other_holes,
    spread_codes,
    surgery,
)


def test_by_hand() -> None:
    """Two codes N(+-3, 0.1^2): 6.31 nats each, log 2 of information, the rest distance."""
    found = surgery(torch.tensor([-3.0, 3.0]).double(), 0.1)
    assert found.average_kl == pytest.approx((9 + 0.01 - 1 - math.log(0.01)) / 2)
    assert found.mutual_information == pytest.approx(math.log(2), abs=1e-6)
    assert found.marginal_kl == pytest.approx(found.average_kl - math.log(2), abs=1e-6)


def test_a_collapsed_encoder_has_nothing_to_split() -> None:
    found = surgery(torch.zeros(5).double(), 1.0)
    assert max(map(abs, found)) < 1e-9
    assert hole(torch.zeros(5).double(), 1.0) == 0


def test_the_aggregate_is_the_mixture() -> None:
    means, z = torch.randn(5).double(), grid()[::100]
    mixture = MixtureSameFamily(Categorical(torch.ones(5).double()), Normal(means, torch.full((5,), 0.4).double()))
    torch.testing.assert_close(log_aggregated(z, means, 0.4), mixture.log_prob(z))  # type: ignore[no-untyped-call]


@given(st.integers(1, 9), st.floats(0.1, 1.0))
def test_the_parts_add_up_and_are_not_negative(codes: int, std: float) -> None:
    # a code far out would leave part of its mass beyond the end of the grid
    found = surgery(torch.randn(codes).double().clamp(-2, 2), std)
    assert found.average_kl == pytest.approx(found.mutual_information + found.marginal_kl, abs=1e-6)
    assert min(found.mutual_information, found.marginal_kl) > -1e-9
    assert found.mutual_information <= math.log(codes) + 1e-9


def test_a_hole_by_hand() -> None:
    """One code far to the right, sharp: nearly all of the prior is empty."""
    assert hole(torch.tensor([5.0]).double(), 0.05) > 0.999


def test_both_encoders_have_the_same_second_moment() -> None:
    assert spread_codes().square().mean().item() == pytest.approx(clustered_codes().square().mean().item())


@pytest.mark.parametrize("check", [average_kl_splits, same_kl_other_holes])
@pytest.mark.parametrize("seed", range(20))
def test_checks_hold_for_every_seed(check, seed: int) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    assert check().holds


def test_table_and_figure_show_the_same_encoders() -> None:
    first, second, collapsed = comparison()
    assert first["average KL"] == pytest.approx(second["average KL"])
    assert collapsed["= information"] == pytest.approx(0, abs=1e-9)
    axes = Figure().add_subplot()
    draw_holes(axes)
    areas = [
        torch.trapezoid(*reversed([torch.as_tensor(part) for part in line.get_data()])) for line in axes.get_lines()
    ]
    assert [area.item() for area in areas] == pytest.approx([1, 1], abs=0.01)
