"""Choosing tokens: by hand, against torch's own Gumbel-softmax, as a property, by its gradient."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from snippets.gans import discrete_tokens as module
from snippets.gans.discrete_tokens import gumbel_noise, hard_token, straight_through


def test_the_worked_example() -> None:
    logits = torch.tensor([0.0, 2.0], dtype=torch.float64, requires_grad=True)
    token = straight_through(logits, torch.zeros(2).double())
    assert token.tolist() == pytest.approx([0, 1])
    (slope,) = torch.autograd.grad(token[1], logits)
    assert slope[1].item() == pytest.approx(0.105, abs=1e-3)


def test_torch_agrees() -> None:
    """The same Gumbel noise, drawn as torch draws it: minus the log of an exponential."""
    logits = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    theirs = F.gumbel_softmax(logits, tau=0.7, hard=True)
    torch.manual_seed(1)
    noise = -torch.empty_like(logits, memory_format=torch.legacy_contiguous_format).exponential_().log()
    ours = straight_through(logits, noise, temperature=0.7)
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn(5, 7, dtype=torch.float64)
    expected, found = (torch.autograd.grad((t * weight).sum(), logits)[0] for t in (theirs, ours))
    torch.testing.assert_close(found, expected)


@given(st.integers(1, 5), st.integers(1, 7), st.floats(0.2, 3))
def test_one_hot_going_forward(batch: int, vocabulary: int, temperature: float) -> None:
    logits = torch.randn(batch, vocabulary, dtype=torch.float64)
    noise = gumbel_noise(logits.shape)
    token = straight_through(logits, noise, temperature)
    torch.testing.assert_close(token, hard_token(logits + noise))


def test_noise_is_gumbel() -> None:
    noise = gumbel_noise(torch.Size((100_000,)))
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.02)
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, abs=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_checks_hold(seed: int) -> None:
    torch.manual_seed(seed)
    assert module.only_the_relaxation_has_a_gradient().holds
    assert module.noise_makes_it_a_sample().holds
