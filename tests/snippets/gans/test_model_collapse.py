"""Refitting to one's own samples: by hand, against a chi-squared, and over generations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snippets.gans.model_collapse import refit, spread_after, spread_dies_out


def test_two_samples_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn", lambda *shape, dtype: torch.tensor([[-1.0], [1.0]], dtype=dtype))
    mean, std = refit(torch.zeros(1).double(), torch.ones(1).double(), 2)
    assert [mean.item(), std.item() ** 2] == pytest.approx([0.0, 2.0])


def test_one_generation_is_a_chi_squared() -> None:
    variance = spread_after(1, count=50, runs=4000).square() * 49
    assert stats.kstest(variance.numpy(), stats.chi2(49).cdf).pvalue > 1e-4
    assert variance.median().item() / 49 == pytest.approx(1 - 2 / (3 * 49), abs=0.02)


@given(st.floats(-5, 5), st.floats(0.1, 5), st.integers(2, 11))
def test_units_do_not_matter(mean: float, std: float, count: int) -> None:
    torch.manual_seed(0)
    plain = refit(torch.zeros(3).double(), torch.ones(3).double(), count)
    torch.manual_seed(0)
    moved = refit(torch.full((3,), mean).double(), torch.full((3,), std).double(), count)
    torch.testing.assert_close(moved[0], mean + std * plain[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moved[1], std * plain[1], atol=1e-5, rtol=1e-5)


def test_nothing_happens_without_generations() -> None:
    assert spread_after(0, runs=3).tolist() == [1, 1, 1]
    assert math.isclose(spread_after(5, runs=3).std().item(), 0) is False


@pytest.mark.parametrize("seed", range(5))
def test_check_holds(seed: int) -> None:
    torch.manual_seed(seed)
    assert spread_dies_out().holds
