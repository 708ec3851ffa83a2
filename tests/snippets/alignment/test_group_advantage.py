"""Group advantages: by hand, against torch's own standardisation, as properties, and the enumeration itself."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from snippets.alignment.group_advantage import (
    advantage_is_standardised,
    expected_gradient,
    group_advantage,
    leave_one_out,
    only_mixed_groups_teach,
    others_are_an_unbiased_baseline,
    signal,
)


def test_by_hand() -> None:
    """One right of four: (1.732, -0.577, ...); leave-one-out 1 and -1/3; a group of two is mixed half of the time."""
    reward = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    assert group_advantage(reward).tolist() == pytest.approx([3**0.5, *[-(3**-0.5)] * 3], abs=1e-5)
    assert leave_one_out(reward).tolist() == pytest.approx([1, -1 / 3, -1 / 3, -1 / 3], abs=1e-12)
    assert signal(0.5, 2) == pytest.approx(0.5, abs=1e-12)


@given(st.integers(2, 9), st.integers(0, 50))
def test_against_layer_norm(group: int, seed: int) -> None:
    """Standardising a group is a layer norm over it; leave-one-out is the centred reward times G / (G - 1)."""
    torch.manual_seed(seed)
    reward = torch.randn(3, group, dtype=torch.float64)
    assert torch.allclose(group_advantage(reward, epsilon=0), F.layer_norm(reward, (group,), eps=0), atol=1e-9)
    centred = reward - reward.mean(-1, keepdim=True)
    assert torch.allclose(leave_one_out(reward), centred * group / (group - 1), atol=1e-10)


def test_a_single_answer_teaches_nothing() -> None:
    assert group_advantage(torch.tensor([[5.0]], dtype=torch.float64)).item() == 0
    assert signal(0.3, 1) == pytest.approx(0, abs=1e-12)


def test_gradient_depends_on_the_reward() -> None:
    logits = torch.zeros(3, dtype=torch.float64)
    reward = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    up = expected_gradient(logits, reward, 2, own=False)
    assert up.tolist() == pytest.approx([2 / 9, -1 / 9, -1 / 9], abs=1e-12)
    assert expected_gradient(logits, 0 * reward, 2, own=False).abs().max().item() == 0


@pytest.mark.parametrize("check", [others_are_an_unbiased_baseline, advantage_is_standardised, only_mixed_groups_teach])
def test_checks(check) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(7)
    assert check().holds is True
