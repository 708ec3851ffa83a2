"""Saturation of the softmax: by hand, against autograd, at its two extremes, and derived."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.derivation import proved, step
from snippets.transformers.softmax_saturation import (
    by_width,
    derive_jacobian,
    draw_keys_in_use,
    jacobian_is_proved,
    jacobian_matches_autograd,
    keys_in_use,
    losing_keys_get_no_gradient,
    measure,
    scale_keeps_the_ranking,
    softmax_jacobian,
    weights_collapse_without_scale,
)


def test_by_hand() -> None:
    """p = (1/2, 1/4, 1/4): the diagonal is p(1 - p) = 1/4, 3/16, 3/16; the rest -p_i p_j = -1/8, -1/8, -1/16."""
    expected = torch.tensor([[4.0, -2, -2], [-2, 3, -1], [-2, -1, 3]]).double() / 16
    got = softmax_jacobian(torch.tensor([0.5, 0.25, 0.25]).double())
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-15)


def test_keys_in_use_by_hand() -> None:
    """Even shares count all keys, a single share one; 1/2, 1/4, 1/4 has an entropy of 1.5 bits, so 2^1.5 keys."""
    p = torch.tensor([[0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0], [0.5, 0.25, 0.25, 0]]).double()
    assert keys_in_use(p).tolist() == pytest.approx([4, 1, 2**1.5], abs=1e-12)


@given(st.integers(1, 9))
def test_autograd_agrees_at_any_size(keys: int) -> None:
    logits = torch.randn(keys).double().requires_grad_()
    p = logits.softmax(-1)
    for i, row in enumerate(softmax_jacobian(p.detach())):
        (expected,) = torch.autograd.grad(p[i], logits, retain_graph=True)
        torch.testing.assert_close(row, expected, rtol=0, atol=1e-12)


@given(st.integers(1, 9))
def test_rows_sum_to_zero(keys: int) -> None:
    """A shift of all logits changes no weight, and no logit changes the sum of the weights."""
    jacobian = softmax_jacobian(torch.randn(3, keys).double().softmax(-1))
    for axis in (-1, -2):
        torch.testing.assert_close(jacobian.sum(axis), torch.zeros(3, keys).double(), rtol=0, atol=1e-12)


def test_one_hot_weights_pass_nothing_and_even_ones_the_most() -> None:
    one_hot, even = torch.eye(5).double()[0], torch.full((5,), 0.2, dtype=torch.float64)
    assert softmax_jacobian(one_hot).norm().item() == 0
    assert softmax_jacobian(even).norm().item() == pytest.approx(0.4, abs=1e-12)


def test_the_norm_without_the_matrix_is_the_norm_of_the_matrix() -> None:
    """`measure` works on sums of powers; here the matrices are built, for the same queries and keys."""
    generator = torch.Generator().manual_seed(8)
    q, k = (torch.randn(n, 8, generator=generator, dtype=torch.float64) for n in (256, 16))
    p = (q @ k.T / math.sqrt(8)).softmax(-1)
    used, norm = measure(8, 16)
    assert norm == pytest.approx(softmax_jacobian(p).flatten(1).norm(dim=1).median().item(), rel=1e-9)
    assert used == pytest.approx(keys_in_use(p).mean().item(), rel=1e-9)


def test_gradient() -> None:
    p = torch.rand(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(softmax_jacobian, p)


@pytest.mark.parametrize("name", list(derive_jacobian()))
def test_every_step_is_proved_and_a_wrong_one_is_not(name: str) -> None:
    equality = derive_jacobian()[name]
    assert proved(equality)
    assert not proved(step(equality.lhs, -equality.rhs))


def test_the_table_has_widths_and_what_becomes_of_them() -> None:
    rows = by_width(keys=64)
    assert [row["d_k"] for row in rows] == ["16", "64", "128", "256", "512"]
    assert [float(row["Standard deviation of q·k"]) for row in rows] == pytest.approx([4, 8, 11.3, 16, 22.6])
    bare = [float(row["Keys in use of 64, unscaled"]) for row in rows]
    assert bare == sorted(bare, reverse=True)
    assert all(35 < float(row["with 1/√d_k"]) < 45 for row in rows)


def test_the_figure_shows_both() -> None:
    axes = Figure().subplots()
    draw_keys_in_use(axes)
    scaled, bare = (np.asarray(line.get_ydata(), float).tolist() for line in axes.get_lines())
    assert min(scaled) > 35
    assert bare[-1] < 2


def test_the_checks_hold() -> None:
    checks = (jacobian_is_proved, jacobian_matches_autograd, weights_collapse_without_scale)
    assert all(check().holds for check in (*checks, losing_keys_get_no_gradient, scale_keeps_the_ranking))
