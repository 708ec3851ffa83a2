r"""Two 4-bit integers in one byte: without packing, int4 takes as much room as int8.

    byte = (low & 15) | (high & 15) << 4        and back:  ((byte & 15) ^ 8) - 8

Source: two's complement; kernels lay nibbles out as their hardware reads them (MARLIN, 2024, arXiv:2408.11743).
Variant: signed nibbles from -8 to 7, neighbours in one byte, the first in the low half.
Not handled: layouts interleaved for tensor cores, widths that do not divide 8 (3 bits), odd lengths.

On paper: 3 and -2: -2 & 15 is 14, so the byte is 3 + 16 * 14 = 227. Back: 227 & 15 = 3, and 227 >> 4 = 14; 14 ^ 8 = 6,
and 6 - 8 = -2.
"""

import torch
from torch import Tensor

from snippets.evidence import Evidence


def pack(q: Tensor) -> Tensor:
    """Put two neighbours into one byte, the first in the low half.

    q: (..., n) integers from -8 to 7, n even. Returns (..., n / 2), uint8. Raises ValueError for anything else.
    """
    if q.shape[-1] % 2:
        raise ValueError(f"{q.shape[-1]} integers a row do not fill bytes by two: pad the row to an even length")
    if q.numel() and (q.min() < -8 or q.max() > 7):
        raise ValueError(f"integers from {int(q.min())} to {int(q.max())} do not fit into 4 bits: clamp to -8 to 7")
    low, high = q[..., 0::2] & 15, q[..., 1::2] & 15
    return (low | high << 4).to(torch.uint8)


def unpack(packed: Tensor) -> Tensor:
    """Return the integers again, with their signs: bit 3 of a nibble counts -8.

    packed: (..., n / 2), uint8. Returns (..., n), int32.
    """
    wide = packed.to(torch.int32)
    nibbles = torch.stack([wide & 15, wide >> 4], dim=-1).flatten(-2)
    return (nibbles ^ 8) - 8


def packing_loses_nothing() -> Evidence:
    """Pack int4 and unpack it: the same integers, at half a byte each, whichever signs the two neighbours have."""
    pairs = torch.cartesian_prod(torch.arange(-8, 8), torch.arange(-8, 8))
    q = pairs[torch.randperm(256)].reshape(16, 32).to(torch.int32)
    packed = pack(q)
    same = bool((unpack(packed) == q).all())
    bytes_each = packed.numel() * packed.element_size() / q.numel()
    return Evidence(holds=same and bytes_each == 0.5, measured={"all pairs survive": same, "bytes each": bytes_each})
