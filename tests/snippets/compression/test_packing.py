"""Two nibbles to a byte: by hand, through Python's integers, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.compression.packing import pack, packing_loses_nothing, unpack


def test_by_hand() -> None:
    assert pack(torch.tensor([3, -2])).tolist() == [227]
    assert unpack(torch.tensor([227], dtype=torch.uint8)).tolist() == [3, -2]


@given(st.lists(st.integers(-8, 7), min_size=2, max_size=12).filter(lambda q: len(q) % 2 == 0))
def test_python_agrees(q: list[int]) -> None:
    bytes_ = [(low % 16) + 16 * (high % 16) for low, high in zip(q[::2], q[1::2], strict=True)]
    assert pack(torch.tensor(q)).tolist() == bytes_
    assert unpack(pack(torch.tensor([q, q]))).tolist() == [q, q]


def test_odd_lengths_and_large_integers_are_refused() -> None:
    with pytest.raises(ValueError, match="even length"):
        pack(torch.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match="4 bits"):
        pack(torch.tensor([8, 0]))


def test_nothing_packs_to_nothing() -> None:
    assert pack(torch.zeros(3, 0, dtype=torch.int32)).shape == (3, 0)


def test_check_holds() -> None:
    assert packing_loses_nothing().holds
