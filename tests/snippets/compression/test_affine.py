"""Affine quantisation: by hand, against torch's fake quantisation, and as properties."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.compression.affine import (
    a_bit_is_six_decibels,
    affine_parameters,
    asymmetry_buys_a_bit_after_relu,
    decibels,
    dequantize,
    derive_noise,
    draw_staircase,
    error_is_half_a_step,
    integers,
    noise_is_proved,
    quantize,
    round_trip,
    symmetric_scale,
    what_does_not_fit_saturates,
    zero_is_exact,
)
from snippets.derivation import proved, step


def test_by_hand() -> None:
    """The worked example: 4 bits over [-1, 2]."""
    scale, zero = affine_parameters(torch.tensor([-1.0, 2.0]).double(), bits=4)
    assert [scale.item(), zero.item()] == pytest.approx([0.2, -3])
    q = quantize(torch.tensor([0.5, 0.0, -1.0, 2.0, 9.0]).double(), scale, zero, bits=4)
    assert q.tolist() == [-1, -3, -8, 7, 7]
    assert dequantize(q, scale, zero).tolist() == pytest.approx([0.4, 0, -1, 2, 2])


def test_symmetric_by_hand() -> None:
    x = torch.tensor([-3.81, 1.27])
    assert symmetric_scale(x).item() == pytest.approx(0.03)
    assert quantize(x, symmetric_scale(x), torch.zeros(())).tolist() == [-127, 42]


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("offset", [0.0, 1.5, -3.0])
def test_torch_agrees(bits: int, offset: float, device: torch.device) -> None:
    """Scales are powers of two, so that torch's multiplication by 1/s rounds as our division does."""
    x = torch.randn(997, device=device) + offset
    scale, zero = affine_parameters(x, bits=bits)
    scale = 2 ** scale.log2().ceil()
    ours = dequantize(quantize(x, scale, zero, bits=bits), scale, zero)
    lowest, highest = integers(bits)
    theirs = torch.fake_quantize_per_tensor_affine(x, scale.item(), int(zero.item()), lowest, highest)
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)


@given(st.integers(1, 37), st.integers(2, 8), st.floats(-5, 5), st.floats(0.01, 100))
def test_within_half_a_step_and_zero_exact(n: int, bits: int, offset: float, size: float) -> None:
    x = (torch.randn(n).double() + offset) * size
    scale, zero = affine_parameters(x, bits=bits)
    # The rounded zero point may shift the grid by half a step, which is then clamped away at one end.
    assert (round_trip(x, bits=bits) - x).abs().max() <= scale * (1 + 1e-9)
    assert dequantize(quantize(torch.zeros(1).double(), scale, zero, bits=bits), scale, zero).item() == 0


@given(st.integers(1, 37), st.integers(2, 8))
def test_symmetric_is_odd_and_idempotent(n: int, bits: int) -> None:
    x = torch.randn(n).double()
    once = round_trip(x, bits=bits, symmetric=True)
    torch.testing.assert_close(round_trip(-x, bits=bits, symmetric=True), -once, atol=0, rtol=0)
    torch.testing.assert_close(round_trip(once, bits=bits, symmetric=True), once)


def test_all_zeros_come_back() -> None:
    zeros = torch.zeros(5)
    for symmetric in (False, True):
        assert round_trip(zeros, symmetric=symmetric).abs().max().item() == 0


def test_decibels_by_hand() -> None:
    assert decibels(torch.tensor([10.0]), torch.tensor([9.0])) == pytest.approx(20)


@pytest.mark.parametrize("name", list(derive_noise()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_noise()[name]
    assert not proved(step(equality.lhs, 2 * equality.rhs))


def test_checks_hold() -> None:
    checks = (noise_is_proved, zero_is_exact, error_is_half_a_step, a_bit_is_six_decibels)
    assert all(check().holds for check in (*checks, asymmetry_buys_a_bit_after_relu, what_does_not_fit_saturates))


def test_six_decibels_is_a_factor_of_two() -> None:
    assert a_bit_is_six_decibels().measured["dB at 8 bits"] == pytest.approx(20 * math.log10(255), abs=0.1)


def test_staircase_has_the_steps_of_three_bits() -> None:
    axes = Figure().add_subplot()
    draw_staircase(axes)
    assert len(set(axes.lines[1].get_ydata().tolist())) == 8  # type: ignore[union-attr]
