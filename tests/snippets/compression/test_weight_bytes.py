"""Bytes and least times: by hand, against tensors laid out, and as properties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.compression.granularity import quantize_groups
from snippets.compression.packing import pack
from snippets.compression.weight_bytes import (
    bits_a_weight,
    busy_from,
    bytes_counted_by_hand,
    decode_ms,
    formats_table,
    gigabytes,
    speed_table,
    weight_only_pays_while_reading_dominates,
)


def test_by_hand() -> None:
    """70e9 weights: 140 GB in bf16, at 4.125 bits 36.09; 140/3.35 = 41.8 ms and 36.09/3.35 = 10.8 ms to read."""
    assert gigabytes(70, 16) == 140
    assert bits_a_weight(4, 128) == 4.125
    assert gigabytes(70, 4, 128) == pytest.approx(36.094, abs=1e-3)
    assert decode_ms(70, 16) == pytest.approx(41.79, abs=0.01)
    assert decode_ms(70, 4, 128) == pytest.approx(10.77, abs=0.01)
    assert gigabytes(70, 4, 128, kept=2) == pytest.approx(68 * 4.125 / 8 + 4)


def test_tensors_laid_out_weigh_the_same() -> None:
    q, scale = quantize_groups(torch.randn(6, 64), 32)
    packed, scale = pack(q), scale.to(torch.bfloat16)
    laid_out = sum(t.numel() * t.element_size() for t in (packed, scale))
    assert laid_out == pytest.approx(gigabytes(6 * 64, 4, 32), rel=1e-12)


@given(st.floats(1, 1000), st.sampled_from([3, 4, 8]), st.sampled_from([16, 32, 128]), st.integers(1, 4096))
def test_more_is_never_faster(billions: float, bits: int, group: int, batch: int) -> None:
    assert decode_ms(billions, bits, group, batch=batch) <= decode_ms(billions, bits, group, batch=batch + 1)
    assert decode_ms(billions, bits, group, batch=batch) <= decode_ms(billions, 16, batch=batch)
    assert gigabytes(billions, bits, group) > gigabytes(billions, bits)


@pytest.mark.parametrize(("bits", "computes_in"), [(4, 16), (8, 8), (16, 16)])
def test_both_times_are_equal_where_they_meet(bits: int, computes_in: int) -> None:
    meet = busy_from(bits, computes_in=computes_in)
    reading, later = (decode_ms(7, bits, batch=n, computes_in=computes_in) for n in (int(meet), 2 * round(meet)))
    assert reading == decode_ms(7, bits, computes_in=computes_in)
    assert later == pytest.approx(2 * reading, rel=0.01)


def test_tables() -> None:
    sizes = {str(row["format"]): float(str(row["GB of 70B"])) for row in formats_table()}
    assert sizes["bf16"] == 140
    assert sizes["NVFP4, groups of 16, 8-bit scales"] == sizes["int4, groups of 32"] == 39.4
    fast = {str(row["weights × activations"]): row for row in speed_table()}
    assert fast["bf16"]["8192 tokens, ms"] == fast["int4 weights only (W4A16)"]["8192 tokens, ms"]


def test_checks_hold() -> None:
    assert bytes_counted_by_hand().holds
    assert weight_only_pays_while_reading_dominates().holds
