"""Fidelity: by hand, against torch's KL, and as properties."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from snippets.compression.fidelity import (
    accuracy_can_hide_flips,
    balanced_flips,
    flips,
    kl_sees_what_accuracy_does_not,
    kl_to_original,
)


def test_by_hand() -> None:
    p, q = torch.tensor([[math.log(3), 0.0]]), torch.zeros(1, 2)
    assert kl_to_original(p, q) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), abs=1e-6)
    assert flips(torch.eye(4), torch.eye(4)[[0, 1, 3, 2]]) == 0.5
    assert balanced_flips() == pytest.approx((0.8, 0.8, 0.3))


@given(st.integers(1, 7), st.integers(2, 9))
def test_torch_agrees_and_it_is_never_negative(inputs: int, classes: int) -> None:
    p, q = torch.randn(2, inputs, classes).double()
    theirs = functional.kl_div(q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="batchmean")
    assert kl_to_original(p, q) == pytest.approx(theirs.item())
    assert kl_to_original(p, q) >= -1e-12
    assert kl_to_original(p, p + 3) == pytest.approx(0, abs=1e-12)


def test_check_holds() -> None:
    assert accuracy_can_hide_flips().holds


@pytest.mark.slow
def test_trained_check_holds() -> None:
    assert kl_sees_what_accuracy_does_not().holds
