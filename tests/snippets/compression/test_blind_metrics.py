"""FID and BLEU: by hand, against SciPy's matrix root, and as properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from snippets.compression.blind_metrics import (
    bleu4,
    bleu_prefers_the_negation,
    four_points_look_like_a_gaussian,
    frechet_distance,
)


def test_distance_by_hand() -> None:
    """Means 3 apart, standard deviations 1 and 2: 9 + (1 - 2)^2."""
    x = torch.tensor([[-1.0], [1.0]]).double()
    assert frechet_distance(x, 2 * x + 3) == pytest.approx(10)


def test_scipy_agrees() -> None:
    x, y = torch.randn(50, 5).double(), torch.randn(60, 5).double() @ torch.randn(5, 5).double() + 1
    c1, c2 = np.cov(x.numpy().T, bias=True), np.cov(y.numpy().T, bias=True)
    gap = float(((x.mean(0) - y.mean(0)) ** 2).sum())
    theirs = gap + np.trace(c1 + c2 - 2 * np.real(linalg.sqrtm(c1 @ c2)))
    assert frechet_distance(x, y) == pytest.approx(theirs)


def test_bleu_by_hand() -> None:
    """Five words, the last one wrong: 4/5, 3/4, 2/3 and 1/2 multiply to 1/5; no brevity penalty."""
    assert bleu4("a b c d x", "a b c d e") == pytest.approx((1 / 5) ** 0.25)
    assert bleu4("a b c d", "a b c d e") == pytest.approx(math.exp(1 - 5 / 4))
    assert bleu4("a a a a a", "a b c d e") == 0


@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=9))
def test_a_sentence_equals_itself(words: list[str]) -> None:
    sentence = " ".join(words)
    assert bleu4(sentence, sentence) == pytest.approx(1)
    assert 0 <= bleu4(sentence, "a b c a b c") <= 1


def test_checks_hold() -> None:
    assert four_points_look_like_a_gaussian().holds
    assert bleu_prefers_the_negation().holds
