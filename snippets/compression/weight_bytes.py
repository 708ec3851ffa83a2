r"""What quantised weights weigh, scales included, and what that is worth in time: bytes to read, operations to do.

    bits a weight = b + (bits of a scale + bits of a zero point) / group
    decoding step >= max(bytes of weights / bandwidth, 2 * weights * batch / FLOPS)

Sources: Rouhani et al. 2023 (arXiv:2310.10537) for MXFP4; Dettmers et al., QLoRA, 2023 (arXiv:2305.14314), section 3,
for NF4 and double quantisation; Williams et al., Roofline, 2009, for the larger of two times.
Variant: decimal gigabytes; every weight is read once a step; an H100 SXM by default, dense, at its data-sheet rates.
Not handled: the KV cache, activations, the cost of unpacking, which kernels pay, mixtures of experts.

Worked example: 70e9 weights at 4 bits, a 16-bit scale for each 128: 4 + 16/128 = 4.125 bits, 36.1 GB against 140 GB in
bf16. At 3.35 TB/s that is 10.8 ms a step against 41.8 ms.
"""

from snippets.evidence import Evidence

BANDWIDTH = 3.35e12
"""Bytes a second of an H100 SXM's HBM3."""

FLOPS = {16: 989e12, 8: 1979e12}
"""Dense operations a second of an H100 SXM, by the bits of the operands: bf16, and int8 or fp8."""

FORMATS = {  # bits, weights that share a scale (0: so many that it does not count), bits of that scale, of a zero point
    "bf16": (16.0, 0, 0.0, 0.0),
    "int8, a scale a channel": (8.0, 8192, 16.0, 0.0),
    "int4, groups of 128": (4.0, 128, 16.0, 0.0),
    "int4, groups of 128, 4-bit zero points": (4.0, 128, 16.0, 4.0),
    "int4, groups of 32": (4.0, 32, 16.0, 0.0),
    "NF4, groups of 64, scales in 8 bits": (4.0, 64, 8 + 32 / 256, 0.0),
    "MXFP4, groups of 32, 8-bit scales": (4.0, 32, 8.0, 0.0),
    "NVFP4, groups of 16, 8-bit scales": (4.0, 16, 8.0, 0.0),
}


def bits_a_weight(bits: float, group: int = 0, *, scale_bits: float = 16, zero_bits: float = 0) -> float:
    """Bits that a weight takes with its share of the scale and of the zero point; a group of 0 has neither."""
    return bits + (scale_bits + zero_bits) / group if group else bits


def gigabytes(
    billions: float, bits: float, group: int = 0, *, scale_bits: float = 16, zero_bits: float = 0, kept: float = 0
) -> float:
    """Gigabytes (1e9) of so many billion weights, of which `kept` billion stay in 16 bits (embeddings, output)."""
    quantised = (billions - kept) * bits_a_weight(bits, group, scale_bits=scale_bits, zero_bits=zero_bits)
    return (quantised + kept * 16) / 8


def decode_ms(billions: float, bits: float, group: int = 0, *, batch: int = 1, computes_in: int = 16) -> float:
    """Least milliseconds of a decoding step: reading the weights or multiplying them, whichever takes longer.

    bits, group: how weights are stored   computes_in: bits of the operands that are multiplied, 16 for weight-only.
    """
    reading = gigabytes(billions, bits, group) * 1e9 / BANDWIDTH
    multiplying = 2 * billions * 1e9 * batch / FLOPS[computes_in]
    return 1000 * max(reading, multiplying)


def busy_from(bits: float, *, computes_in: int = 16) -> float:
    """Tokens in a step from which multiplying takes longer than reading weights of so many bits."""
    return bits / 8 * FLOPS[computes_in] / (2 * BANDWIDTH)


def formats_table(billions: float = 70) -> list[dict[str, object]]:
    """What a model of so many billion weights weighs in the formats in use."""
    rows: list[dict[str, object]] = []
    for name, (bits, group, scale_bits, zero_bits) in FORMATS.items():
        each = bits_a_weight(bits, group, scale_bits=scale_bits, zero_bits=zero_bits)
        total = gigabytes(billions, bits, group, scale_bits=scale_bits, zero_bits=zero_bits)
        rows.append({"format": name, "bits a weight": f"{each:.3f}", f"GB of {billions:g}B": f"{total:.1f}"})
    return rows


def speed_table(billions: float = 70) -> list[dict[str, object]]:
    """Least time of a step on one H100 for a few sizes of batch, by what is stored and what is multiplied, in ms."""
    ways = {"bf16": (16, 0, 16), "int8 × int8 (W8A8)": (8, 0, 8), "int4 weights only (W4A16)": (4, 128, 16)}
    return [
        {
            "weights × activations": name,
            **{
                f"{batch} token{'s' * (batch > 1)}, ms": round(
                    decode_ms(billions, bits, group, batch=batch, computes_in=multiplied), 1
                )
                for batch in (1, 64, 512, 8192)
            },
        }
        for name, (bits, group, multiplied) in ways.items()
    ]


def bytes_counted_by_hand() -> Evidence:
    """Lay out 3 rows of 30 weights in groups of 5: count nibbles, scales and zero points one by one, and compare.

    Six groups a row, each with a scale of 16 bits and a zero point of 4; two further weights stay in 16 bits.
    """
    counted = 0
    for _row in range(3):
        for _group in range(6):
            counted += 16 + 4 + sum(4 for _weight in range(5))
    counted += 2 * 16
    ours = gigabytes(92, 4, 5, scale_bits=16, zero_bits=4, kept=2) * 8  # in units of a billion weights
    return Evidence(holds=abs(ours - counted) < 1e-6, measured={"bits by the formula": ours, "bits counted": counted})


def weight_only_pays_while_reading_dominates() -> Evidence:
    """Least time of a step at one token and at 8192: int4 weights save nearly three quarters of it, then nothing.

    W8A8 saves half in both, since the products are done in 8 bits, too. Where the two regimes meet is `busy_from`.
    """
    saved = {batch: 1 - decode_ms(70, 4, 128, batch=batch) / decode_ms(70, 16, batch=batch) for batch in (1, 8192)}
    both = [1 - decode_ms(70, 8, batch=n, computes_in=8) / decode_ms(70, 16, batch=n) for n in (1, 8192)]
    meet = busy_from(4)
    before, after = (decode_ms(70, 4, batch=round(meet * f)) for f in (0.9, 1.1))
    return Evidence(
        holds=saved[1] > 0.7
        and saved[8192] == 0
        and all(abs(s - 0.5) < 0.01 for s in both)
        and before == decode_ms(70, 4)
        and after > 1.05 * before,
        measured={"saved by W4A16 at one token": saved[1], "at 8192": saved[8192], "W4A16 is busy from": meet},
    )
