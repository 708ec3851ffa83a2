"""What attention costs: by hand, against counting, and against sums that torch counts itself."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

from snippets.transformers.attention import attention
from snippets.transformers.attention_cost import (
    counts_match_a_run,
    crossover,
    decode_intensity,
    draw_score_evaluations,
    matrix_flops,
    mixers,
    mixing_flops,
    mixing_overtakes_the_matrices,
    reads_counted,
    ridge,
    score_evaluations,
)


def test_by_hand() -> None:
    """1 + 4 + 9 and 1 + 2 + 3; for 1024 tokens the figures that everybody quotes."""
    assert (score_evaluations(3, cache=False), score_evaluations(3)) == (14, 6)
    assert (score_evaluations(1024, cache=False), score_evaluations(1024)) == (358_438_400, 524_800)


@given(st.integers(0, 300))
def test_the_sums(tokens: int) -> None:
    assert score_evaluations(tokens) == sum(range(1, tokens + 1))
    assert score_evaluations(tokens, cache=False) == sum(t * t for t in range(1, tokens + 1))


@pytest.mark.parametrize(("context", "width"), [(1, 1), (7, 5), (13, 3)])
def test_torch_counts_as_many_operations(context: int, width: int) -> None:
    """Of attention for one query, and of the four and the eight d^2 of a block's matrices for one token."""
    q, k = torch.randn(1, width), torch.randn(context, width)
    with FlopCounterMode(display=False) as counter:
        attention(q, k, k)
    assert counter.get_total_flops() == mixing_flops(context, width)
    with FlopCounterMode(display=False) as counter:
        for _ in range(4):
            q @ torch.randn(width, width)
        q @ torch.randn(width, 4 * width) @ torch.randn(4 * width, width)
    assert counter.get_total_flops() == matrix_flops(width)


@given(st.integers(1, 20_000))
def test_they_meet_at_the_crossover(width: int) -> None:
    assert mixing_flops(crossover(width), width) == matrix_flops(width)


@pytest.mark.parametrize(("heads", "kv_heads", "expected"), [(32, 32, 1), (64, 8, 8), (32, 1, 32), (128, 8, 16)])
def test_intensity_is_the_size_of_a_group(heads: int, kv_heads: int, expected: float) -> None:
    """At two bytes a number; at one byte it is twice as much."""
    assert decode_intensity(heads, kv_heads) == pytest.approx(expected)
    assert decode_intensity(heads, kv_heads, 1) == pytest.approx(2 * expected)


def test_ridge_by_hand() -> None:
    assert ridge(1000, 4) == pytest.approx(250)
    assert ridge() == pytest.approx(295.2, abs=0.1)


def test_reads_at_other_sizes() -> None:
    assert reads_counted(query_heads=6, kv_heads=3).holds
    assert reads_counted(query_heads=5, kv_heads=1, context=1).holds


def test_the_table() -> None:
    """One causal layer of 4096 over 8192 tokens: 8192 * 8193 / 2 pairs at 4 * 4096 operations are 550 GFLOPs."""
    by_name = {row["Layer"]: row for row in mixers()}
    assert [row["Steps in training"] for row in by_name.values()] == ["8,192", "1", "1", "13 (scan)"]
    assert by_name["Causal attention"]["GFLOPs"] == "550"
    assert by_name["Causal attention"]["Numbers kept to decode"] == "67,108,864"
    assert by_name["Recurrent, one matrix"]["GFLOPs"] == "275"
    assert by_name["Linear attention (state)"]["Numbers kept to decode"] == "524,288"


def test_a_window_as_long_as_the_text_is_full_attention() -> None:
    full, windowed = mixers(tokens=64, window=64)[1:3]
    assert windowed["GFLOPs"] == full["GFLOPs"]
    assert windowed["Numbers kept to decode"] == full["Numbers kept to decode"]


def test_the_figure_shows_three_growths() -> None:
    axes = Figure().subplots()
    draw_score_evaluations(axes)
    naive, cached, steps = (np.asarray(line.get_ydata(), float).tolist() for line in axes.get_lines())
    assert [naive[-1] / naive[-2], cached[-1] / cached[-2], steps[-1] / steps[-2]] == pytest.approx([8, 4, 2], rel=0.01)


def test_a_calculator_needs_no_torch() -> None:
    code = "import sys, snippets.transformers.attention_cost; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_checks_hold() -> None:
    assert all(check().holds for check in (counts_match_a_run, mixing_overtakes_the_matrices, reads_counted))
