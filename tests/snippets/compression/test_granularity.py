"""Scales per tensor, channel and group: by hand, against torch and torchao, and as properties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from snippets.compression.granularity import (
    a_loud_channel_silences_the_rest,
    by_granularity,
    dequantize_groups,
    draw_error_by_group,
    groups_contain_outliers,
    groups_match_the_definition,
    quantize_groups,
    relative_error,
    rounded,
    rounded_spec,
)


def test_by_hand() -> None:
    """The worked example: one scale loses the small weights, groups of two lose nothing."""
    w = torch.tensor([[0.7, -0.2, 7.0, 3.0]]).double()
    assert quantize_groups(w, 4)[0].tolist() == [[1, 0, 7, 3]]
    q, scale = quantize_groups(w, 2)
    assert q.tolist() == [[7, -2], [7, 3]]
    assert scale.flatten().tolist() == pytest.approx([0.1, 1.0])
    assert rounded(w, 2).flatten().tolist() == pytest.approx([0.7, -0.2, 7, 3])


@pytest.mark.parametrize(("group", "bits"), [(35, 8), (7, 4), (5, 4), (1, 8)])
def test_torch_per_channel_agrees(group: int, bits: int) -> None:
    """Groups are channels of torch's per-channel operator, once the matrix is folded; integers are compared."""
    w = torch.randn(3, 35)
    q, scale = quantize_groups(w, group, bits=bits)
    top = 2 ** (bits - 1) - 1
    theirs = torch.fake_quantize_per_channel_affine(
        w.reshape(-1, group), scale.flatten(), torch.zeros(len(scale), dtype=torch.int32), 0, -top - 1, top
    )
    assert (q - (theirs / scale).round()).abs().max().item() == 0


@pytest.mark.oracle_heavy
@pytest.mark.filterwarnings("ignore")
def test_torchao_agrees() -> None:
    primitives = pytest.importorskip("torchao.quantization.quant_primitives")
    w = torch.randn(3, 64)
    block = (1, 32)
    scale, zero = primitives.choose_qparams_affine(
        w, primitives.MappingType.SYMMETRIC_NO_CLIPPING_ERR, block, torch.int8, -8, 7, eps=1e-9
    )
    q = primitives.quantize_affine(w, block, scale, zero, torch.int8, -8, 7)
    back = primitives.dequantize_affine(q, block, scale, zero, torch.int8, -8, 7)
    # Theirs takes max(largest / 7, -smallest / 8) for a scale, so a group whose largest weight is negative may differ.
    same = w.reshape(-1, 32).amax(-1) / 7 >= -w.reshape(-1, 32).amin(-1) / 7
    assert same.any()
    torch.testing.assert_close(rounded(w, 32).reshape(-1, 32)[same], back.reshape(-1, 32)[same])


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 7), st.integers(2, 8))
def test_definition_agrees(rows: int, groups: int, group: int, bits: int) -> None:
    w = torch.randn(rows, groups * group).double()
    torch.testing.assert_close(rounded(w, group, bits=bits), rounded_spec(w, group, bits=bits))


@given(st.integers(1, 4), st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(2, 8))
def test_error_is_half_a_step_of_the_own_group(rows: int, group: int, bits: int) -> None:
    w = torch.randn(rows, 12).double()
    q, scale = quantize_groups(w, group, bits=bits)
    off = (dequantize_groups(q, scale, w.shape) - w).abs().reshape(-1, group)
    assert (off <= scale / 2 * (1 + 1e-9)).all()
    assert q.abs().max() <= 2 ** (bits - 1) - 1


def test_scaling_a_row_scales_what_comes_back() -> None:
    w, sizes = torch.randn(3, 12).double(), torch.tensor([[0.01], [1.0], [100.0]]).double()
    torch.testing.assert_close(rounded(w * sizes, 4), rounded(w, 4) * sizes)


def test_groups_that_straddle_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="group of 5 does not divide a row of 12"):
        quantize_groups(torch.randn(3, 12), 5)
    assert rounded(torch.randn(3, 12), 36).shape == (3, 12)


def test_all_zeros_come_back() -> None:
    assert rounded(torch.zeros(2, 4), 2).abs().max().item() == 0


def test_table_falls_with_the_group_and_with_the_bits() -> None:
    rows = by_granularity(512)
    for column in ("error at 8 bits, %", "error at 4 bits, %"):
        errors = [float(str(row[column])) for row in rows]
        assert errors == sorted(errors, reverse=True)
    assert all(float(str(r["error at 4 bits, %"])) > 10 * float(str(r["error at 8 bits, %"])) for r in rows)


def test_checks_hold() -> None:
    for check in (groups_match_the_definition, a_loud_channel_silences_the_rest, groups_contain_outliers):
        assert check().holds, check.__name__


def test_figure_rises_with_the_group() -> None:
    axes = Figure().add_subplot()
    draw_error_by_group(axes)
    for line in axes.lines:
        y = line.get_ydata().tolist()  # type: ignore[union-attr]
        assert y == sorted(y)


def test_relative_error_of_zeros_is_one() -> None:
    w = torch.randn(5)
    assert relative_error(w, torch.zeros(5)) == pytest.approx(1)
