"""Raters, policy gradient, PPO, over-optimisation: by hand, by enumeration, as properties, and what training needs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.alignment import policy_gradient, ppo_clip, raters
from snippets.alignment import reward_overoptimisation as toy


def test_averages_by_hand() -> None:
    """Ann gives A 8 and B 7, Ben B 4 and C 3: averages 8, 5.5, 3; A beats B, B beats C, half a vote everywhere."""
    seen = torch.tensor([[0, 1], [1, 2]])
    given_ = torch.tensor([[8.0, 7.0], [4.0, 3.0]], dtype=torch.float64)
    assert raters.average_ratings(given_, seen, 3).tolist() == pytest.approx([8, 5.5, 3], abs=1e-12)
    expected = torch.full((3, 3), 0.5).double()
    expected[0, 1] = expected[1, 2] = 1.5
    assert torch.equal(raters.count_wins(given_, seen, 3), expected)


def test_noise_is_logistic() -> None:
    """A gap of one is seen the right way round with probability sigma(1) = 0.731, whatever the rater's level."""
    torch.manual_seed(3)
    seen = torch.tensor([[0, 1]]).expand(40_000, 2)
    marks = raters.scores(torch.tensor([1.0, 0.0], dtype=torch.float64), seen, 9 * torch.randn(40_000).double())
    assert (marks[:, 0] > marks[:, 1]).double().mean().item() == pytest.approx(1 / (1 + math.exp(-1)), abs=0.01)


def test_agreement() -> None:
    a = torch.tensor([1.0, 2.0, 3.0])
    assert raters.agreement(a, torch.tensor([1.0, 3.0, 2.0])) == pytest.approx(2 / 3, abs=1e-6)


def test_reinforce_by_hand() -> None:
    """Two equal actions, rewards (1, 0): mean gradient (1/4, -1/4); with b = 1/2 there is no variance."""
    log_ref, reward = torch.zeros(2).double().log_softmax(-1), torch.tensor([1.0, 0.0], dtype=torch.float64)
    mean, variance = policy_gradient.moments(log_ref, log_ref, reward, 0.0, 0.0)
    assert mean.tolist() == pytest.approx([0.25, -0.25], abs=1e-12)
    assert variance == pytest.approx(0.125, abs=1e-12)
    assert policy_gradient.moments(log_ref, log_ref, reward, 0.0, 0.5)[1] == pytest.approx(0, abs=1e-12)


def test_reinforce_does_not_differentiate_the_penalty() -> None:
    at = torch.tensor(-1.5, dtype=torch.float64)
    slope = torch.func.grad(
        lambda p: policy_gradient.reinforce_loss(
            p, torch.tensor(-2.0, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64), beta=0.4
        )
    )(at)
    assert slope.item() == pytest.approx(-(3 - 0.4 * 0.5), abs=1e-12)


@given(st.floats(0.05, 5), st.floats(-3, 3), st.floats(0.01, 0.9))
def test_clip_is_a_lower_bound(ratio: float, advantage: float, epsilon: float) -> None:
    """Never above the unclipped objective, and equal to it inside the range."""
    log, a = torch.tensor(ratio, dtype=torch.float64).log(), torch.tensor(advantage, dtype=torch.float64)
    value = ppo_clip.clipped_objective(log, torch.zeros(()).double(), a, epsilon=epsilon).item()
    assert value <= log.exp().item() * advantage + 1e-9
    if abs(ratio - 1) < epsilon - 1e-9:
        assert value == pytest.approx(ratio * advantage, abs=1e-6)


def test_truth_table() -> None:
    good, bad = ppo_clip.truth_table()
    assert [good[f"ratio {r}"] for r in ("0.5", "1.0", "1.5")] == pytest.approx([1, 1, 0], abs=1e-9)
    assert [bad[f"ratio {r}"] for r in ("0.5", "1.0", "1.5")] == pytest.approx([0, -1, -1], abs=1e-9)


def test_ppo_depends_on_the_reward() -> None:
    torch.manual_seed(0)
    log_ref = torch.full((3,), 1 / 3).double().log()
    for i in (0, 2):
        found = ppo_clip.ppo(log_ref, torch.eye(3).double()[i], 0.3, rounds=40)
        assert found.argmax().item() == i


def test_the_toy_world() -> None:
    """81 responses whose probabilities sum to one; four flatteries score 4.8 - 8; the mean number of facts is 1.4."""
    log_ref = toy.reference()
    assert log_ref.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert toy.true_reward().min().item() == pytest.approx(-3.2, abs=1e-12)
    assert toy.mean_under(log_ref, toy.counts()[:, 0]) == pytest.approx(1.4, abs=1e-12)
    assert toy.features(curved=True).shape == (81, 3)


def test_the_bending_reward_model_is_exact() -> None:
    truth = toy.true_reward()
    learned = toy.reward_model(toy.reference(), curved=True)
    assert torch.allclose(learned - learned[0], truth - truth[0], atol=1e-6)


def test_the_straight_one_is_at_its_minimum() -> None:
    """No other weights do better: nudge the reward along either count, and the loss over the same pairs rises."""
    from snippets.alignment.bradley_terry import expected_loss, preferences

    learned, p = toy.reward_model(toy.reference()), toy.reference().exp()
    wins = p[:, None] * p * preferences(toy.true_reward())
    least = expected_loss(learned, wins).item()
    for column in toy.counts().T:
        for nudge in (-0.05, 0.05):
            assert expected_loss(learned + nudge * column, wins).item() > least


def test_figure_has_both_rewards() -> None:
    axes = Figure().subplots()
    toy.draw_sweep(axes)
    learned, truth = (np.asarray(line.get_ydata()) for line in axes.lines)
    assert learned[-1] > 0 > truth[-1]
    assert len(toy.table()) == 6


CHECKS = [
    raters.comparisons_beat_ratings,
    raters.majority_sets_the_reward,
    policy_gradient.estimate_is_unbiased,
    policy_gradient.baseline_takes_the_variance,
    ppo_clip.only_the_good_side_is_cut,
    ppo_clip.clip_holds_stale_samples,
    ppo_clip.ppo_and_dpo_meet,
    toy.true_reward_rises_then_falls,
    toy.right_shape_does_not_fall,
    toy.another_round_repairs_it,
]


@pytest.mark.parametrize("check", CHECKS)
def test_checks(check) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(7)
    assert check().holds is True
