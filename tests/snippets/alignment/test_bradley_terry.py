"""Bradley-Terry: by hand, against torch's cross-entropy and Zermelo's fixed point, as a property, by its gradient."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from snippets.alignment.bradley_terry import (
    chance,
    correlation,
    expected_loss,
    fit,
    loss_is_the_log_likelihood,
    only_differences_count,
    pairs_of_a_ranking,
    pairs_recover_differences,
    preference,
    preferences,
    reward_loss,
)


def test_by_hand() -> None:
    """Rewards 2 and 0: sigma(2) = 0.8808; the loss is 0.1269 when the first was chosen, 2.1269 otherwise."""
    two, zero = torch.tensor(2.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    assert preference(two, zero).item() == pytest.approx(0.880797, abs=1e-6)
    assert reward_loss(two, zero).item() == pytest.approx(0.126928, abs=1e-6)
    assert reward_loss(zero, two).item() == pytest.approx(2.126928, abs=1e-6)
    assert chance(0) == pytest.approx(0.5, abs=1e-12)
    assert [pairs_of_a_ranking(k) for k in (2, 4, 9)] == [1, 6, 36]


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_is_cross_entropy_and_antisymmetric(a: float, b: float) -> None:
    x, y = torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)
    oracle = F.binary_cross_entropy_with_logits(x - y, torch.ones(1).double())
    assert reward_loss(x, y).item() == pytest.approx(oracle.item(), abs=1e-12)
    assert (preference(x, y) + preference(y, x)).item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_fit_against_zermelo(n: int) -> None:
    """The fixed point strength_i = wins_i / sum_j n_ij / (s_i + s_j), which Zermelo iterated in 1929."""
    torch.manual_seed(n)
    wins = torch.randint(1, 20, (n, n)).double()
    games = wins + wins.mT
    games.fill_diagonal_(0)
    total = (wins - wins.diagonal().diag()).sum(1)
    strength = torch.ones(n).double()
    for _ in range(3000):
        strength = total / (games / (strength[:, None] + strength)).sum(1)
        strength = strength / strength.log().mean().exp()
    assert torch.allclose(fit(wins), strength.log(), atol=1e-6)


def test_infinite_rewards_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite"):
        fit(torch.tensor([[0.0, 3.0], [0.0, 0.0]], dtype=torch.float64))


def test_gradient_is_the_surprise() -> None:
    """The slope in the chosen reward is minus the probability that the other should have won; the diagonal is out."""
    r = torch.tensor([0.7, -0.4], dtype=torch.float64)
    slope = torch.func.grad(lambda x: reward_loss(x[0], x[1]))(r)
    assert slope.tolist() == pytest.approx([-1 / (1 + math.exp(1.1)), 1 / (1 + math.exp(1.1))], abs=1e-12)
    wins = torch.tensor([[5.0, 1.0], [0.0, 5.0]], dtype=torch.float64)
    assert expected_loss(r, wins).item() == pytest.approx(reward_loss(r[0], r[1]).item(), abs=1e-12)
    assert preferences(r)[0, 1].item() == pytest.approx(1 / (1 + math.exp(-1.1)), abs=1e-12)


def test_correlation() -> None:
    a = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    assert correlation(a, 3 * a + 1) == pytest.approx(1, abs=1e-12)
    assert correlation(a, torch.ones(3).double()) == 0


@pytest.mark.parametrize("check", [pairs_recover_differences, only_differences_count, loss_is_the_log_likelihood])
def test_checks(check) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(7)
    assert check().holds is True
