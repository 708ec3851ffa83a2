"""The ring: by hand, against a loop, and as properties of counting."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import stats

from snippets.gans.ring import (
    MODES,
    averages_are_not_modes,
    centres,
    counts_what_is_there,
    coverage,
    draw_ring,
    gaussian_of_the_same_moments,
    ring,
)


def test_the_worked_example() -> None:
    assert coverage(centres()[:1].expand(16, 2)) == (1, 1.0)
    assert coverage(torch.zeros(16, 2)) == (0, 0.0)


def test_a_loop_counts_the_same() -> None:
    samples = torch.cat([ring(300), gaussian_of_the_same_moments(413)])
    hits = [0] * MODES
    for x, y in samples.tolist():
        ways = [math.hypot(x - a, y - b) for a, b in centres().tolist()]
        if min(ways) < 0.3:
            hits[ways.index(min(ways))] += 1
    seen = coverage(samples)
    assert seen.quality == pytest.approx(sum(hits) / len(samples))
    assert seen.modes == sum(h >= len(samples) / 40 for h in hits)


@given(st.sets(st.integers(0, 7), min_size=1))
def test_points_on_centres(which: set[int]) -> None:
    assert coverage(centres()[sorted(which)].repeat(3, 1)).modes == len(which)


def test_a_single_good_sample_is_not_a_mode() -> None:
    samples = torch.cat([centres()[:1].repeat(999, 1), centres()[1:2]])
    assert coverage(samples) == (1, 1.0)


def test_the_data_are_what_they_say() -> None:
    samples = ring(20_000).double()
    assert samples.mean(0).norm().item() < 0.05
    assert samples.var(0).tolist() == pytest.approx([2.01, 2.01], abs=0.06)
    radius = samples.norm(dim=1).numpy()
    assert np.mean(radius) == pytest.approx(math.sqrt(4 + 0.01), abs=0.01)
    angles = torch.atan2(samples[:, 1], samples[:, 0]).div(2 * math.pi / 8).round().long() % 8
    assert stats.chisquare(torch.bincount(angles, minlength=8).numpy()).pvalue > 1e-4


@pytest.mark.parametrize("seed", range(20))
def test_checks_hold(seed: int) -> None:
    torch.manual_seed(seed)
    assert counts_what_is_there().holds
    assert averages_are_not_modes().holds


def test_drawing_leaves_the_seed_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    axes = Figure().add_subplot()
    draw_ring(axes)
    torch.testing.assert_close(torch.rand(1), expected)
    assert len(axes.get_lines()) == 2
