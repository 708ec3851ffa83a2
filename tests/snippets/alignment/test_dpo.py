"""DPO and its limits: by hand, against cross-entropy, as properties, by gradient, and by what training depends on."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.alignment import dpo, dpo_limits
from snippets.alignment.bradley_terry import preferences
from snippets.derivation import proved, step


def test_by_hand() -> None:
    """beta 0.1, chosen doubled and rejected halved: margin 0.1386, loss 0.6262; at the reference log 2."""
    assert dpo.loss_of_a_pair(2, 0.5, 0.1) == pytest.approx(0.626233, abs=1e-6)
    assert dpo.loss_of_a_pair(1, 1, 0.7) == pytest.approx(math.log(2), abs=1e-12)


@given(st.lists(st.floats(-20, 0), min_size=4, max_size=4), st.floats(0.01, 2), st.floats(-5, 5))
def test_is_cross_entropy_of_the_margin(logs: list[float], beta: float, shift: float) -> None:
    """Binary cross-entropy of beta times the gap; the same shift of both policy terms is not seen."""
    pc, pr, rc, rr = torch.tensor(logs, dtype=torch.float64)
    loss = dpo.dpo_loss(pc, pr, rc, rr, beta=beta)
    margin = beta * ((pc - pr) - (rc - rr))
    oracle = F.binary_cross_entropy_with_logits(margin, torch.ones(()).double())
    assert loss.item() == pytest.approx(oracle.item(), abs=1e-10)
    assert dpo.dpo_loss(pc + shift, pr + shift, rc, rr, beta=beta).item() == pytest.approx(loss.item(), abs=1e-10)


def test_gradient_at_the_reference() -> None:
    at = torch.tensor([-1.0, -3.0], dtype=torch.float64)
    slope = torch.func.grad(lambda p: dpo.dpo_loss(p[0], p[1], at[0], at[1], beta=0.3))(at)
    assert slope.tolist() == pytest.approx([-0.15, 0.15], abs=1e-12)


def test_training_depends_on_the_preferences() -> None:
    log_ref = torch.full((3,), 1 / 3).double().log()
    up = dpo.train(log_ref, preferences(torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)), 0.5)
    down = dpo.train(log_ref, preferences(torch.tensor([-1.0, 0.0, 0.0], dtype=torch.float64)), 0.5)
    e = math.exp(2)
    assert up.exp()[0].item() == pytest.approx(e / (e + 2), abs=1e-4)
    assert down.exp()[0].item() == pytest.approx(1 / (1 + 2 * e), abs=1e-4)


def test_two_roads_meet() -> None:
    for row in dpo.two_roads():
        assert row["DPO"] == pytest.approx(row["RLHF, closed form"], abs=1e-5)


def test_a_wrong_derivation_fails() -> None:
    whole = dpo.derive_loss()["Z cancels in the difference"]
    assert not proved(step(whole.lhs, -whole.rhs))


def test_ipo_by_hand() -> None:
    """beta 0.5, a log-ratio gap of 3: (3 - 1)^2 = 4; nothing at the target."""
    three, zero = torch.tensor(3.0, dtype=torch.float64), torch.zeros(()).double()
    assert dpo_limits.ipo_loss(three, zero, zero, zero, beta=0.5).item() == pytest.approx(4, abs=1e-12)
    assert dpo_limits.ipo_loss(three - 2, zero, zero, zero, beta=0.5).item() == pytest.approx(0, abs=1e-12)


def test_no_steps_no_displacement() -> None:
    assert dpo_limits.displaced(0).tolist() == pytest.approx([1 / 3] * 3, abs=1e-12)
    assert dpo_limits.displaced(7).sum().item() == pytest.approx(1, abs=1e-12)


def test_figure_has_three_curves() -> None:
    axes = Figure().subplots()
    dpo_limits.draw_displacement(axes)
    chosen, rejected, third = (float(np.asarray(line.get_ydata())[-1]) for line in axes.lines)
    assert rejected < chosen < third


CHECKS = [
    dpo.reaches_the_optimum_of_rlhf,
    dpo.equals_two_stages_on_the_same_data,
    dpo.normaliser_cancels,
    dpo.wrongly_ordered_pairs_pull_most,
    dpo.derivation_holds,
    dpo_limits.unanimous_pairs_have_no_optimum,
    dpo_limits.unseen_responses_are_free,
    dpo_limits.chosen_can_fall,
]


@pytest.mark.parametrize("check", CHECKS)
def test_checks(check) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(7)
    assert check().holds is True
