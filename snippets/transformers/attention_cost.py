"""What attention costs: score evaluations, floating-point operations, and operations per byte that decoding reads.

Sources: Vaswani et al., 2017, table 1 (operations, sequential steps, path length); Kaplan et al., Scaling Laws, 2020,
table 1 (operations per token); Shazeer, Fast Transformer Decoding, 2019 (memory traffic of decoding).
Variant: a multiplication and an addition are two operations; a block is the four square matrices of attention and a
feed-forward network four times as wide (24 d^2 operations a token); a token that sees n keys mixes them with 4 n d.
Not handled: bytes of cache (snippets.serving.kv_cache), the softmax, biases, gated feed-forward networks, experts.

On paper: 3 tokens without a cache: passes of 1, 2 and 3 tokens evaluate 1 + 4 + 9 = 14 scores; with a cache it is
1 + 2 + 3 = 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snippets.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def score_evaluations(tokens: int, cache: bool = True) -> int:
    """Query-key products, a head and layer, to generate `tokens` tokens one by one.

    With a cache step t has one query and t keys; without one it runs all t queries again over t keys.
    """
    if cache:
        return tokens * (tokens + 1) // 2
    return tokens * (tokens + 1) * (2 * tokens + 1) // 6


def mixing_flops(context: int, width: int) -> int:
    """Operations of one token's attention over `context` keys: the products with K, then the weighted sum of V."""
    return 2 * context * width + 2 * context * width


def matrix_flops(width: int) -> int:
    """Operations of one token in the matrices of a block: Q, K, V, output (4 d^2 weights) and feed-forward (8 d^2)."""
    return 2 * (4 * width**2 + 8 * width**2)


def crossover(width: int) -> int:
    """Context at which attending costs a token as much as all matrices of the block: six times the width."""
    return 6 * width


def decode_intensity(query_heads: int, kv_heads: int, bytes_per_number: int = 2) -> float:
    """Operations per byte of cache read while decoding one sequence.

    Each cached number is read once and serves every query head of its group with a multiplication and an addition.
    """
    return 2 * (query_heads / kv_heads) / bytes_per_number


def ridge(teraflops: float = 989, terabytes_per_second: float = 3.35) -> float:
    """Operations per byte above which a chip computes instead of waiting for memory; default: H100 SXM, dense bf16."""
    return teraflops / terabytes_per_second


def counts_match_a_run(tokens: int = 48) -> Evidence:
    """Count the query-key products by generating token by token, in loops: the formulas give the same two numbers."""
    cached = without = 0
    for step in range(1, tokens + 1):
        for query in range(step):
            for _key in range(step):
                without += 1
                cached += query == step - 1
    return Evidence(
        holds=(cached, without) == (score_evaluations(tokens), score_evaluations(tokens, cache=False)),
        measured={"with a cache": cached, "without": without},
    )


def mixing_overtakes_the_matrices(width: int = 4096) -> Evidence:
    """Search for the first context at which a token's mixing costs more than its matrices: just past `crossover`.

    A quarter of the way there it is a quarter of them: the quadratic term is the smaller one for most prompts.
    """
    context = 1
    while mixing_flops(context, width) <= matrix_flops(width) and context < 10**9:
        context *= 2
    low, high = context // 2, context
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if mixing_flops(middle, width) <= matrix_flops(width) else (low, middle)
    return Evidence(holds=low == crossover(width), measured={"contexts until then, in widths": low / width})


def reads_counted(query_heads: int = 8, kv_heads: int = 2, head_dim: int = 4, context: int = 6) -> Evidence:
    """Walk through one decoding step and count operations and bytes of cache read once each: the formula's ratio."""
    operations, read = 0, set()
    for head in range(query_heads):
        shared = head * kv_heads // query_heads
        for token in range(context):
            for channel in range(head_dim):
                for part in "kv":
                    operations += 2
                    read.add((part, shared, token, channel))
    ratio = operations / (2 * len(read))
    return Evidence(
        holds=abs(ratio - decode_intensity(query_heads, kv_heads)) < 1e-12,
        measured={"operations per byte": ratio},
    )


def mixers(tokens: int = 8192, width: int = 4096, head_dim: int = 128, window: int = 1024) -> list[dict[str, str]]:
    """Table: four ways to mix 8192 tokens in one layer 4096 wide, after table 1 of Vaswani et al.

    Operations of the mixing alone, causal (half of all pairs); numbers that decoding keeps a layer. Linear attention
    needs its few operations and runs in parallel by a scan over the states, whose depth is the logarithm of the length.
    """
    pairs = score_evaluations(tokens)
    windowed = sum(min(t, window) for t in range(1, tokens + 1))
    state = width * head_dim

    def row(name: str, steps: int | str, path: str, operations: int, kept: int) -> dict[str, str]:
        return {
            "Layer": name,
            "Steps in training": steps if isinstance(steps, str) else f"{steps:,}",
            "Longest path": path,
            "GFLOPs": f"{operations / 1e9:,.0f}",
            "Numbers kept to decode": f"{kept:,}",
        }

    return [
        row("Recurrent, one matrix", tokens, "n", 2 * tokens * width**2, width),
        row("Causal attention", 1, "1", 4 * pairs * width, 2 * tokens * width),
        row(f"Window of {window}", 1, "n/w layers", 4 * windowed * width, 2 * window * width),
        row(
            "Linear attention (state)",
            f"{(tokens - 1).bit_length()} (scan)",
            "through the state",
            4 * tokens * state,
            state,
        ),
    ]


def draw_score_evaluations(axes: Axes) -> None:
    """Work to generate n tokens: without a cache, with one, and steps of a recurrent network."""
    lengths = [2**n for n in range(4, 14)]
    axes.plot(lengths, [score_evaluations(n, cache=False) for n in lengths], marker="o", label="scores, no cache")
    axes.plot(lengths, [score_evaluations(n) for n in lengths], marker="s", label="scores, KV cache")
    axes.plot(lengths, lengths, marker="^", label="steps of an RNN")
    axes.set(xscale="log", yscale="log", xlabel="tokens generated", ylabel="evaluations, a head and layer")
    axes.legend(frameon=False, loc="upper left")
