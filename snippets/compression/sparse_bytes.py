r"""What a sparse matrix weighs: the values that stay, and the index that says where they stood.

    bitmap   1 + density * b bits a weight          indices   density * (b + i)          2:4   (b + 2) / 2

Sources: Mishra et al. 2021 (arXiv:2104.08378), section 3, for 2:4 (two bits of position for each value kept); the
rest is counting.
Variant: bits a weight of the original matrix, no row pointers, no alignment.
Not handled: time. That a format is smaller does not mean that a kernel reads it faster than dense int4.

Worked example: bf16 with half of its weights removed: 1 + 8 = 9 bits in a bitmap, 9 bits in 2:4 ((16 + 2) / 2), and
0.5 * (16 + 16) = 16 bits with 16-bit indices: nothing won. Dense int4 in groups of 128 has 4.125.
"""

from snippets.evidence import Evidence


def bitmap_bits(density: float, bits: float) -> float:
    """Bits a weight with one bit for each place and b bits for each value that stays."""
    return 1 + density * bits


def indexed_bits(density: float, bits: float, *, index_bits: float = 16) -> float:
    """Bits a weight with an index beside each value that stays, as in CSR."""
    return density * (bits + index_bits)


def two_of_four_bits(bits: float) -> float:
    """Bits a weight where two of every four stay, each with two bits that say where it stood."""
    return 2 * (bits + 2) / 4


def bitmap_pays_from(bits: float, target_bits: float) -> float:
    """Sparsity from which a bitmap of b-bit values is smaller than a dense format of so many bits a weight."""
    return 1 - (target_bits - 1) / bits


def ways_table() -> list[dict[str, object]]:
    """Bits a weight, relative to dense bf16, of sparse and quantised formats."""
    ways = {
        "bf16, dense (zeros included)": 16.0,
        "bf16, half removed, 16-bit indices": indexed_bits(0.5, 16),
        "bf16, half removed, bitmap": bitmap_bits(0.5, 16),
        "bf16, 2:4": two_of_four_bits(16),
        "bf16, nine tenths removed, bitmap": bitmap_bits(0.1, 16),
        "int8, dense": 8.0,
        "int4 in groups of 128, dense": 4.125,
        "int4 in groups of 128, 2:4": two_of_four_bits(4) + 0.125,
    }
    return [{"format": name, "bits a weight": round(b, 3), "of bf16": f"{b / 16:.0%}"} for name, b in ways.items()]


def formats_counted_by_hand() -> Evidence:
    """Lay out 60 weights of 8 bits, half of them removed, in the three formats, and count every bit."""
    stays = [i % 4 in (0, 3) for i in range(60)]
    bitmap = sum(1 + (8 if kept else 0) for kept in stays)
    indexed = sum(8 + 16 for kept in stays if kept)
    fours = sum(sum(8 + 2 for kept in stays[i : i + 4] if kept) for i in range(0, 60, 4))
    counted = [bitmap, indexed, fours]
    said = [60 * b for b in (bitmap_bits(0.5, 8), indexed_bits(0.5, 8), two_of_four_bits(8))]
    right = all(abs(a - b) < 1e-9 for a, b in zip(counted, said, strict=True))
    return Evidence(
        holds=right, measured={"bitmap, bits": said[0], "indices, bits": said[1], "two of four, bits": said[2]}
    )


def int4_is_hard_to_beat_by_zeros() -> Evidence:
    """Find by search the sparsity at which a bf16 bitmap gets below dense int4 with scales; the formula gives the same.

    It is 80 %: half of the weights removed, the usual point of unstructured pruning, is bigger than int8.
    """
    found = next(n / 10_000 for n in range(10_001) if bitmap_bits(1 - n / 10_000, 16) < 4.125)
    said = bitmap_pays_from(16, 4.125)
    return Evidence(
        holds=abs(found - said) < 2e-4 and 0.75 < said < 0.85 and bitmap_bits(0.5, 16) > 8,
        measured={"sparsity needed": said, "bits a weight at half": bitmap_bits(0.5, 16)},
    )
