"""Sparse formats: by hand, against torch's CSR tensors, and where they meet."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.compression.sparse_bytes import (
    bitmap_bits,
    bitmap_pays_from,
    formats_counted_by_hand,
    indexed_bits,
    int4_is_hard_to_beat_by_zeros,
    two_of_four_bits,
    ways_table,
)


def test_by_hand() -> None:
    assert bitmap_bits(0.5, 16) == two_of_four_bits(16) == 9
    assert indexed_bits(0.5, 16) == 16
    assert bitmap_pays_from(16, 9) == 0.5


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_torch_csr_agrees() -> None:
    """Values and column indices of a CSR tensor in float32 with 64-bit indices; row pointers are not counted."""
    w = torch.randn(20, 30) * (torch.rand(20, 30) < 0.3)
    csr = w.to_sparse_csr()
    bits = 8 * sum(t.numel() * t.element_size() for t in (csr.values(), csr.col_indices()))
    density = int((w != 0).sum()) / w.numel()
    assert bits / w.numel() == pytest.approx(indexed_bits(density, 32, index_bits=64))


@given(st.sampled_from([4, 8, 16]), st.floats(1, 4))
def test_formats_are_equal_where_the_bitmap_pays(bits: int, target: float) -> None:
    assert bitmap_bits(1 - bitmap_pays_from(bits, target), bits) == pytest.approx(target)


def test_table() -> None:
    bits = {str(row["format"]): float(str(row["bits a weight"])) for row in ways_table()}
    assert bits["int4 in groups of 128, dense"] < bits["int8, dense"] < bits["bf16, half removed, bitmap"]


def test_checks_hold() -> None:
    assert formats_counted_by_hand().holds
    assert int4_is_hard_to_beat_by_zeros().holds
