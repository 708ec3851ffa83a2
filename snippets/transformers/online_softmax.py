r"""Exact attention, block by block over the keys, without ever holding the matrix of weights.

A softmax can be summed in any order, as long as partial sums are kept relative to a reference point m and rescaled when
m moves. So three running figures a query are enough: the maximum m, the sum of exponentials l, the weighted values o.

Source: Milakov and Gimelshein 2018 (arXiv:1805.02867), algorithm 3, for m and l; Rabe and Staats 2021
    (arXiv:2112.05682) for o; FlashAttention, Dao et al. 2022 (arXiv:2205.14135), algorithm 1, made it one GPU kernel.
Variant: o stays unnormalised until the end, as in FlashAttention-2 (arXiv:2307.08691), section 3.1.1.
Not handled: blocks of queries (they are independent, so kernels give each its own thread block), skipping blocks that a
    causal mask hides, the backward pass (`derive_backward` says what it needs).

Worked example: logits 1, 3, 2 with values 10, 20, 30, one key at a time.
    1: m = 1, l = 1, o = 10.
    3: the maximum rises by 2, so old sums shrink by e^-2 = 0.1353: m = 3, l = 1.1353, o = 1.353 + 20 = 21.353.
    2: the maximum stays: l = 1.1353 + e^-1 = 1.5032, o = 21.353 + 30 e^-1 = 32.390.   o / l = 21.547.
"""

import math
from typing import Any

import sympy
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from snippets.derivation import Steps, named, step
from snippets.evidence import Evidence
from snippets.transformers.attention import attention


def online_attention(q: Tensor, k: Tensor, v: Tensor, *, block: int = 128, mask: Tensor | None = None) -> Tensor:
    """Compute what `attention` computes, holding one (queries, block) tile of weights at a time.

    q: (..., queries, d_k)   k: (..., keys, d_k)   v: (..., keys, d_v)
    mask: (..., queries, keys), True where a query may look; a row without a True gives NaN.
    Returns (..., queries, d_v). FlashAttention, algorithm 1, over the keys.
    """
    m = q.new_full((*q.shape[:-1], 1), -math.inf)  # largest logit so far
    l = torch.zeros_like(m)  # sum of exp(logit - m)
    o = q.new_zeros(*q.shape[:-1], v.shape[-1])  # sum of exp(logit - m) * value
    for start in range(0, k.shape[-2], block):
        tile = slice(start, start + block)
        logits = q @ k[..., tile, :].mT / math.sqrt(q.shape[-1])
        if mask is not None:
            logits = logits.masked_fill(~mask[..., tile], -math.inf)
        highest = torch.maximum(m, logits.amax(-1, keepdim=True))
        reference = highest.masked_fill(highest == -math.inf, 0.0)  # nothing seen yet: -inf - -inf would be NaN
        p = (logits - reference).exp()
        shrink = (m - reference).exp()
        l = l * shrink + p.sum(-1, keepdim=True)
        o = o * shrink + p @ v[..., tile, :]
        m = highest
    return o / l


def merge(
    m_a: Tensor, l_a: Tensor, o_a: Tensor, m_b: Tensor, l_b: Tensor, o_b: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Combine what two workers found over different keys: the same rescaling, on both sides.

    m, l: (..., queries, 1)   o: (..., queries, d_v), unnormalised. Returns m, l, o over all the keys.
    """
    m = torch.maximum(m_a, m_b)
    a, b = (m_a - m).exp(), (m_b - m).exp()
    return m, l_a * a + l_b * b, o_a * a + o_b * b


def derive_rescaling() -> Steps:
    r"""Why the running figures may be rescaled: old keys with logits s1, s2 and values v1, v2, then a new key s3, v3.

    m is the old reference point and M the new one. Nothing uses that they are maxima: any numbers give the same result.
    The maximum is chosen because it keeps every exponential at or below 1.
    """
    s1, s2, s3, v1, v2, v3, m, M = sympy.symbols("s_1 s_2 s_3 v_1 v_2 v_3 m M", real=True)
    exp = sympy.exp
    l_old, o_old = exp(s1 - m) + exp(s2 - m), exp(s1 - m) * v1 + exp(s2 - m) * v2
    l_new, o_new = l_old * exp(m - M) + exp(s3 - M), o_old * exp(m - M) + exp(s3 - M) * v3
    total = exp(s1) + exp(s2) + exp(s3)
    return {
        "sum of exponentials": step(l_new, exp(s1 - M) + exp(s2 - M) + exp(s3 - M)),
        "weighted values": step(o_new, exp(s1 - M) * v1 + exp(s2 - M) * v2 + exp(s3 - M) * v3),
        "their ratio": step(o_new / l_new, (exp(s1) * v1 + exp(s2) * v2 + exp(s3) * v3) / total),
    }


def derive_backward() -> Steps:
    r"""Why the backward pass needs no stored weights: the gradient of one logit, for three keys.

    With L the log of the sum of exponentials, kept from the forward pass, every weight can be made again; the gradient
    then needs only that weight, its value and the output o.
    """
    s = sympy.symbols("s_1:4", real=True)
    v = sympy.symbols("v_1:4", real=True)
    total = sum(sympy.exp(x) for x in s)
    mean = sum(sympy.exp(x) * y for x, y in zip(s, v, strict=True)) / total
    L = named("L", *s, stands_for=sympy.log(total))
    o = named("o", *s, stands_for=mean)
    weight = sympy.exp(s[0] - L(*s))
    return {
        "output": step(o(*s), mean),
        "a weight, made again from L": step(weight, sympy.exp(s[0]) / total),
        "gradient of the first logit": step(sympy.Derivative(o(*s), s[0]), weight * (v[0] - o(*s))),
    }


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remember the number of elements of the largest tensor that any operation returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.elements = max(self.elements, result.numel())
        return result


def largest_tensors(tokens: int, *, width: int = 16, block: int = 32) -> tuple[int, int]:
    """Elements of the largest tensor made on the way: by plain attention, and block by block."""
    q, k, v = (torch.randn(tokens, width) for _ in range(3))
    with Largest() as plain:
        attention(q, k, v)
    with Largest() as online:
        online_attention(q, k, v, block=block)
    return plain.elements, online.elements


def matrix_gib(tokens: int, heads: int = 1, bytes_per_element: int = 2) -> float:
    """GiB of the attention matrices of one layer and one sequence, if they were stored."""
    return heads * tokens**2 * bytes_per_element / 2**30


def state_mib(tokens: int, heads: int = 1, d_v: int = 128) -> float:
    """MiB of m, l and o in 32-bit floats, for every query of one layer and one sequence."""
    return heads * tokens * (d_v + 2) * 4 / 2**20


def memory_table(heads: int = 64) -> list[dict[str, object]]:
    """What a layer of 64 heads of 128 would store for one sequence: matrices in bf16, against m, l and o in fp32."""
    return [
        {
            "tokens": tokens,
            "matrices, GiB": matrix_gib(tokens, heads),
            "m, l and o, GiB": round(state_mib(tokens, heads) / 1024, 2),
            "ratio": round(1024 * matrix_gib(tokens, heads) / state_mib(tokens, heads)),
        }
        for tokens in (2048, 8192, 32768, 131072)
    ]


def equals_plain_softmax(tokens: int = 101, block: int = 16) -> Evidence:
    """Against the softmax over everything at once: 101 keys in blocks of 16, so that the last block has five.

    Exact means up to rounding, 1e-12 in double precision. With and without a causal mask; the mask hides whole blocks
    from the first queries. The values are kept apart from zero by a constant, so that a wrong normaliser shows.
    """
    q, k = (3 * torch.randn(2, tokens, 8, dtype=torch.float64) for _ in range(2))
    v = 1 + torch.randn(2, tokens, 8, dtype=torch.float64)
    causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    worst = 0.0
    for mask in (None, causal):
        difference = online_attention(q, k, v, block=block, mask=mask) - attention(q, k, v, mask=mask)
        worst = max(worst, difference.abs().nan_to_num(nan=1e9).max().item())
    return Evidence(holds=worst < 1e-12, measured={"largest difference": worst}, rel=None)


def never_holds_the_matrix() -> Evidence:
    """Largest tensor on the way, at 256 and at 512 tokens.

    Plain attention makes tokens^2 elements: twice the tokens, four times as many. Block by block it is the larger of a
    tile, tokens x block, and an input, tokens x width: twice the tokens, twice as many.
    """
    (plain_256, online_256), (plain_512, online_512) = largest_tensors(256), largest_tensors(512)
    return Evidence(
        holds=online_512 <= 512 * 32 and online_512 <= 2 * online_256 and plain_512 == 512 * 512 == 4 * plain_256,
        measured={
            "plain, 512 tokens": plain_512,
            "block by block": online_512,
            "block by block, 256 tokens": online_256,
        },
    )


def survives_large_logits(size: float = 1e4) -> Evidence:
    """Logits up to 10 000 in single precision, where exp overflows at 89, against double precision.

    Once the maximum comes last, so that every block has to rescale; once first, so that the reference point must not
    fall back. 1e-5 is single-precision noise.
    """
    finite, error = True, 0.0
    values = 1 + torch.randn(40, 4)
    for keys in (torch.linspace(0, 0.5, 40), torch.linspace(0.5, 0, 40)):
        q = torch.full((1, 4), size / 2)  # a logit is four products, halved by sqrt(4)
        k = keys.unsqueeze(-1).expand(-1, 4)
        ours, exact = online_attention(q, k, values, block=7), attention(q.double(), k.double(), values.double())
        finite = finite and bool(ours.isfinite().all())
        error = max(error, (ours - exact).abs().nan_to_num(nan=1e9).max().item())
    return Evidence(
        holds=finite and error < 1e-5, measured={"largest logit": size, "finite": finite, "within 1e-5": error < 1e-5}
    )


def saves_no_arithmetic(tokens: int = 96, width: int = 16) -> Evidence:
    """FLOPs of the matrix products, plain and block by block: the same 4 x tokens^2 x width.

    What is saved is memory and the traffic to it. A version that is cheaper has left keys out.
    """
    q, k, v = (torch.randn(tokens, width) for _ in range(3))
    counts = []
    for compute in (attention, lambda *args: online_attention(*args, block=20)):
        with FlopCounterMode(display=False) as counter:
            compute(q, k, v)
        counts.append(counter.get_total_flops())
    return Evidence(
        holds=counts[0] == counts[1] == 4 * tokens**2 * width,
        measured={"plain": counts[0], "block by block": counts[1]},
    )


def partial_results_merge(keys: int = 37, cut: int = 14) -> Evidence:
    """Two workers see 14 and 23 of 37 keys; their merged figures against attention over all of them.

    One worker's logits are raised by 3, so that adding up without rescaling cannot come out right.
    """
    q = torch.randn(5, 8, dtype=torch.float64)
    k, v = torch.randn(keys, 8, dtype=torch.float64), 1 + torch.randn(keys, 3, dtype=torch.float64)
    logits = q @ k.mT / math.sqrt(8)
    logits[:, cut:] += 3
    found: list[Tensor] = []
    for part in (slice(0, cut), slice(cut, keys)):
        m = logits[:, part].amax(-1, keepdim=True)
        p = (logits[:, part] - m).exp()
        found += [m, p.sum(-1, keepdim=True), p @ v[part]]
    _, l, o = merge(*found)
    error = (o / l - logits.softmax(-1) @ v).abs().nan_to_num(nan=1e9).max().item()
    return Evidence(holds=error < 1e-12, measured={"largest difference": error}, rel=None)


def draw_largest_tensor(axes: Axes) -> None:
    """Largest tensor made on the way against the number of tokens, both axes logarithmic."""
    lengths = [2**n for n in range(6, 12)]
    plain, online = zip(*(largest_tensors(tokens) for tokens in lengths), strict=True)
    axes.loglog(lengths, plain, "o-", color="C0", label="plain: tokens²")
    axes.loglog(lengths, online, "s-", color="C1", label="block by block: tokens × 32")
    axes.set(xlabel="tokens", ylabel="elements of the largest tensor")
    axes.legend()
