"""What each loss teaches the discriminator: by hand, against a search over scores, and by its derivations."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from snippets.derivation import proved, step
from snippets.evidence import Evidence
from snippets.gans import implied_divergence as module
from snippets.gans.implied_divergence import (
    COUNTS,
    best_scores,
    derive_least_squares,
    derive_non_saturating,
    learned_table,
)
from snippets.gans.losses import games


def test_the_worked_example() -> None:
    first = learned_table()[0]
    assert (first["real : fake"], first["its sigmoid"], first["hinge, score"]) == ("6 : 1", "0.86", "+1.0")
    assert float(str(first["cross-entropy, score"])) == pytest.approx(1.79, abs=0.02)
    assert float(str(first["least squares, score"])) == pytest.approx(6 / 7, abs=0.02)


@pytest.mark.parametrize("game", ["minimax", "least squares", "hinge"])
def test_a_search_finds_the_same_scores(game: str) -> None:
    """One score at a time, by SciPy: an outcome's score enters the loss alone."""
    real, fake = COUNTS
    scores = best_scores(game, real, fake)
    for k in range(len(real)):

        def loss(score: float, k: int = k) -> float:
            changed = scores.clone()
            changed[k] = score
            which = torch.arange(len(real))
            pair = games()[game]
            return pair.discriminator(
                changed[which.repeat_interleave(real)], changed[which.repeat_interleave(fake)]
            ).item()

        found = optimize.minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-5})
        assert scores[k].item() == pytest.approx(float(found.x), abs=0.02)


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9))
def test_one_outcome_alone(real: int, fake: int) -> None:
    """Every sample is the same, so all that counts is that both sides have as much: the score of not knowing."""
    counts = torch.tensor([real]), torch.tensor([fake])
    assert best_scores("minimax", *counts, steps=200).item() == pytest.approx(0, abs=2e-2)
    assert best_scores("least squares", *counts, steps=200).item() == pytest.approx(0.5, abs=2e-2)


def test_scores_depend_on_the_counts() -> None:
    there, back = best_scores("minimax", *COUNTS), best_scores("minimax", *COUNTS[::-1])
    torch.testing.assert_close(there, -back, atol=0.02, rtol=0)
    assert there.std().item() > 0.5


@pytest.mark.parametrize("name", list(derive_non_saturating() | derive_least_squares()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = (derive_non_saturating() | derive_least_squares())[name]
    assert proved(equality)
    assert not proved(step(equality.lhs, equality.rhs + module.Q / 7))


@pytest.mark.parametrize(
    "check",
    [
        module.each_loss_learns_something_else,
        module.hinge_loss_is_total_variation,
        module.non_saturating_slope_is_the_divergence_s,
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_checks_hold(check: Callable[[], Evidence], seed: int) -> None:
    torch.manual_seed(seed)
    assert check().holds
