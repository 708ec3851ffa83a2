r"""Grouped-query attention: several query heads read the same keys and values.

Source: Ainslie et al. 2023 (arXiv:2305.13245), section 2.2; one head for all is Shazeer 2019 (arXiv:1911.02150).
Variant: neighbouring query heads share (heads 0..g-1 read KV head 0), as `repeat_interleave`, Llama and
    `F.scaled_dot_product_attention(enable_gqa=True)` have it. kv_heads = heads is MHA, kv_heads = 1 is MQA.
Not handled: positions (RoPE goes on q and k before), prefill in chunks, a cache in pages.

Worked example: four query heads and two KV heads; every key is the same, so each head answers with the mean of its
    values. Values of KV head 0 average to 10, of KV head 1 to 20: the four heads answer 10, 10, 20, 20. Repeated in the
    other order (0, 1, 0, 1) they would answer 10, 20, 10, 20: with a checkpoint trained the first way, silently wrong.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from snippets.evidence import Evidence
from snippets.serving.kv_cache import GIB, gib
from snippets.transformers.attention import attention
from snippets.transformers.multi_head import Weights, random_weights
from snippets.transformers.online_softmax import Largest


class Cache(NamedTuple):
    """Keys and values of what has been read, both (..., kv_heads, tokens, d_head)."""

    k: Tensor
    v: Tensor


def grouped_query(q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Let every group of query heads attend to its own head of keys and values.

    The queries of a group stand in one list, so its keys and values are read once and never copied.

    q: (..., heads, queries, d_k)   k: (..., kv_heads, keys, d_k)   v: (..., kv_heads, keys, d_v)
    mask: (queries, keys), True where a query may look.
    Returns (..., heads, queries, d_v). Raises ValueError when kv_heads does not divide heads.
    """
    heads, kv_heads = q.shape[-3], k.shape[-3]
    if heads % kv_heads:
        raise ValueError(f"{heads} query heads cannot share {kv_heads} KV heads evenly: choose a divisor of {heads}")
    group = heads // kv_heads
    packed = torch.unflatten(q, -3, (kv_heads, group)).flatten(-3, -2)  # (..., kv_heads, group * queries, d_k)
    if mask is not None:
        mask = mask.repeat(group, 1)
    mixed = attention(packed, k, v, mask=mask)
    return torch.unflatten(mixed, -2, (group, -1)).flatten(-4, -3)


def decode_step(x: Tensor, cache: Cache, weights: Weights, *, heads: int) -> tuple[Tensor, Cache]:
    """Read one more token: put its keys and values into the cache, let its queries look at all that is there.

    x: (..., 1, d_model)   Returns (..., 1, d_model) and the cache, one token longer.
    """
    d_head = weights.q.shape[1] // heads

    def split(tokens: Tensor) -> Tensor:
        return torch.unflatten(tokens, -1, (-1, d_head)).transpose(-2, -3)

    k = torch.cat([cache.k, split(x @ weights.k)], dim=-2)
    v = torch.cat([cache.v, split(x @ weights.v)], dim=-2)
    mixed = grouped_query(split(x @ weights.q), k, v)
    return mixed.transpose(-2, -3).flatten(-2) @ weights.out, Cache(k, v)


def decode(x: Tensor, weights: Weights, *, heads: int) -> tuple[Tensor, Cache]:
    """Read a sequence token by token. x: (tokens, d_model). Returns the same shape, and the cache at the end."""
    d_head = weights.q.shape[1] // heads
    nothing = x.new_zeros(weights.k.shape[1] // d_head, 0, d_head)
    cache, rows = Cache(nothing, nothing), []
    for token in x:
        row, cache = decode_step(token.unsqueeze(0), cache, weights, heads=heads)
        rows.append(row)
    return torch.cat(rows), cache


def sharing_equals_repeating(heads: int = 12, kv_heads: int = 3) -> Evidence:
    """Grouped attention against plain attention over keys and values that are copied for every query head.

    Head h has to read KV head h // 4. Read as h % 3, the same shapes come out and the largest difference is above 0.1.
    """
    q = torch.randn(2, heads, 5, 8, dtype=torch.float64)
    k, v = (torch.randn(2, kv_heads, 7, 8, dtype=torch.float64) for _ in range(2))
    each = [attention(q[:, h], k[:, h // (heads // kv_heads)], v[:, h // (heads // kv_heads)]) for h in range(heads)]
    copied = torch.stack(each, dim=1)
    difference = (grouped_query(q, k, v) - copied).abs().max().item()
    return Evidence(holds=difference < 1e-12, measured={"largest difference": difference}, rel=None)


def keys_are_not_copied(heads: int = 16, kv_heads: int = 2, tokens: int = 96, d_head: int = 24) -> Evidence:
    """Largest tensor of a decoding step: the cached keys themselves, 2 x 96 x 24 elements.

    A version that copies them to every query head first makes one eight times as large, and reads it, too.
    """
    q = torch.randn(heads, 1, d_head)
    k, v = torch.randn(kv_heads, tokens, d_head), torch.randn(kv_heads, tokens, d_head)
    with Largest() as largest:
        grouped_query(q, k, v)
    return Evidence(
        holds=0 < largest.elements <= k.numel(),
        measured={"elements of the largest tensor": largest.elements, "elements of the keys": k.numel()},
    )


def sharing_saves_no_arithmetic(heads: int = 8, tokens: int = 24, d_head: int = 16) -> Evidence:
    """FLOPs of the matrix products with 8, 4, 2 and 1 KV heads: the same 4 x heads x tokens^2 x d_head.

    Every query still meets every key that its group reads. A version that is cheaper has left queries or keys out.
    """
    q, flops = torch.randn(heads, tokens, d_head), []
    for kv_heads in (8, 4, 2, 1):
        k, v = torch.randn(kv_heads, tokens, d_head), torch.randn(kv_heads, tokens, d_head)
        with FlopCounterMode(display=False) as counter:
            grouped_query(q, k, v)
        flops.append(counter.get_total_flops())
    return Evidence(
        holds=set(flops) == {4 * heads * tokens**2 * d_head},
        measured={"FLOPs with 8 KV heads": flops[0], "with 1": flops[-1]},
    )


def decoding_equals_reading_at_once(tokens: int = 13, heads: int = 6, kv_heads: int = 2) -> Evidence:
    """Token by token with a cache against the whole sequence at once under a causal mask.

    No token's keys and values ever change when later ones arrive, which is why they can be kept. Both are rounded
    differently, nothing more: 1e-12.
    """
    weights = random_weights(30, heads=heads, kv_heads=kv_heads)
    x = torch.randn(tokens, 30, dtype=torch.float64)

    def split(projected: Tensor) -> Tensor:
        return torch.unflatten(projected, -1, (-1, 5)).transpose(-2, -3)

    causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    k, v = (split(x @ w).repeat_interleave(heads // kv_heads, dim=-3) for w in (weights.k, weights.v))
    at_once = attention(split(x @ weights.q), k, v, mask=causal).transpose(-2, -3).flatten(-2) @ weights.out
    difference = (decode(x, weights, heads=heads)[0] - at_once).abs().max().item()
    return Evidence(holds=difference < 1e-12, measured={"largest difference": difference}, rel=None)


def cache_has_the_size_computed(tokens: int = 11, heads: int = 8) -> Evidence:
    """Decode with 8, 4, 2 and 1 KV heads, weigh the cache that is left, and compare with the calculator.

    The bytes have to follow the KV heads alone; the number of query heads stays 8 throughout.
    """
    weighed, computed = [], []
    for kv_heads in (8, 4, 2, 1):
        weights = random_weights(24, heads=heads, kv_heads=kv_heads)
        cache = decode(torch.randn(tokens, 24, dtype=torch.float64), weights, heads=heads)[1]
        weighed.append(sum(part.numel() * part.element_size() for part in cache))
        computed.append(round(gib(1, kv_heads, 3, tokens, bytes_per_element=8) * GIB))
    return Evidence(
        holds=weighed == computed and weighed[0] == 8 * weighed[-1],
        measured={
            "bytes with 8 KV heads": weighed[0],
            "bytes with 1": weighed[-1],
            "bytes computed for 8": computed[0],
        },
    )
