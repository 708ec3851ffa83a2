r"""Scaled dot-product attention: every query takes an average of the values, weighted by how well it matches each key.

    Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V

Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.1, equation 1, and its footnote on the variance.
Variant: one head, softmax over the keys, a boolean mask that is True where a query may look.
Not handled: heads, dropout on the weights, blocks that fit on the chip (FlashAttention), positions.

On paper: d_k = 4, q = (2, 2, 2, 2), keys (1, 1, 1, 1) and (0, 0, 0, 0), values 10 and 20. The dot products are 8 and 0,
divided by sqrt(4) they are 4 and 0; the weights are e^4 / (e^4 + 1) = 0.982 and 0.018, and the answer is
0.982 * 10 + 0.018 * 20 = 10.18.
"""

import math

import sympy
import torch
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof


def attention(q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mix the values by how well each query matches each key (equation 1).

    q: (..., queries, d_k)   k: (..., keys, d_k)   v: (..., keys, d_v)
    mask: (..., queries, keys), True where a query may look; a row without a True gives NaN.
    Returns (..., queries, d_v).
    """
    logits = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        logits = logits.masked_fill(~mask, -math.inf)
    return logits.softmax(dim=-1) @ v


def attention_spec(q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Say the same one number at a time, without a batch: what equation 1 means.

    q: (queries, d_k)   k: (keys, d_k)   v: (keys, d_v)   mask: (queries, keys)   Returns (queries, d_v).
    """
    rows = []
    for i in range(len(q)):
        seen = [j for j in range(len(k)) if mask is None or mask[i, j]]
        scores = [sum(float(a * b) for a, b in zip(q[i], k[j], strict=True)) / len(q[i]) ** 0.5 for j in seen]
        odds = [math.exp(score - max(scores)) for score in scores]
        mixed = torch.zeros_like(v[0])
        for share, j in zip(odds, seen, strict=True):
            mixed = mixed + share * v[j]
        rows.append(mixed / sum(odds))
    return torch.stack(rows)


def weights(q: Tensor, k: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Read the weights back from `attention`: with the identity for values, a query's answer is its weights.

    q: (..., queries, d_k)   k: (..., keys, d_k)   Returns (..., queries, keys).
    """
    return attention(q, k, torch.eye(k.shape[-2], dtype=q.dtype, device=q.device), mask=mask)


def unscaled_std(d_k: int) -> float:
    """Standard deviation of q . k when the d_k entries of each are independent, with mean 0 and variance 1."""
    return math.sqrt(d_k)


def derive_variance() -> Steps:
    """Variance of q . k over d_k independent entries of means mu and deviations sigma, before and after the scale."""
    d, i = sympy.symbols("d_k i", positive=True, integer=True)
    mu_q, mu_k = sympy.symbols("mu_q mu_k", real=True)
    s_q, s_k, rho = sympy.symbols("sigma_q sigma_k rho", positive=True)
    second_moments = (s_q**2 + mu_q**2) * (s_k**2 + mu_k**2)
    scale = sympy.Pow(1 / sympy.sqrt(d), 2, evaluate=False)
    return {
        "Variance of one product of independent numbers, E[q²]E[k²] - (E[q]E[k])²": step(
            second_moments - (mu_q * mu_k) ** 2, s_q**2 * s_k**2 + s_q**2 * mu_k**2 + mu_q**2 * s_k**2
        ),
        "With means 0, variances of independent terms add": step(
            sympy.Sum(s_q**2 * s_k**2, (i, 1, d)), d * s_q**2 * s_k**2
        ),
        "A factor on the logits counts squared": step(
            sympy.Mul(scale, d * s_q**2 * s_k**2, evaluate=False), s_q**2 * s_k**2
        ),
        "But where each term has a mean rho, means add too, and outgrow the scale": step(
            sympy.Sum(rho, (i, 1, d)) / sympy.sqrt(d), rho * sympy.sqrt(d)
        ),
    }


@proof
def variance_is_d_k() -> Evidence:
    """Every step of the derivation is proved, and at unit variance the sum of the terms has variance d_k."""
    steps = derive_variance()
    results = {name: proved(equality) for name, equality in steps.items()}
    d = sympy.Symbol("d_k", positive=True, integer=True)
    units = {symbol: 1 for equality in steps.values() for symbol in equality.free_symbols if "sigma" in str(symbol)}
    total = steps["With means 0, variances of independent terms add"].rhs.subs(units)
    return Evidence(holds=all(results.values()) and bool(total == d), measured={"steps proved": sum(results.values())})


def dot_products_have_that_std(d_k: int = 64) -> Evidence:
    """Sample 40 000 dot products of entries that are no Gaussians: their deviation is unscaled_std to 3 %.

    Entries are +1 or -1: any distribution of mean 0 and variance 1 will do. A standard deviation over 40 000 samples is
    known to about 0.4 %.
    """
    q, k = (torch.randint(0, 2, (40_000, d_k)).double() * 2 - 1 for _ in range(2))
    ratio = (q * k).sum(-1).std().item() / max(abs(unscaled_std(d_k)), 1e-9)
    return Evidence(holds=abs(ratio - 1) < 0.03, measured={"sampled over computed": ratio})


def scale_keeps_unit_variance(d_k: int = 512, keys: int = 64) -> Evidence:
    """Standard deviation of the logits of scaled dot-product attention, read back from the weights that it gives.

    With the scale it is 1 whatever d_k is; divided by d_k instead it would be 1/sqrt(d_k), undivided sqrt(d_k).
    """
    q, k = torch.randn(256, d_k).double(), torch.randn(keys, d_k).double()
    logits = weights(q, k).clamp(min=1e-300).log()
    std = (logits - logits.mean(-1, keepdim=True)).std().item()
    return Evidence(holds=abs(std - 1) < 0.05, measured={"standard deviation of the logits": std})


def weights_sum_to_one() -> Evidence:
    """Sum of each query's weights at a small and at a large width: 1 to rounding, as the softmax runs over the keys.

    Over the queries instead, the columns would sum to one and the rows to anything.
    """
    sums = [weights(torch.randn(7, d_k).double(), torch.randn(5, d_k).double()).sum(-1) for d_k in (2, 512)]
    off = max((s - 1).abs().max().item() for s in sums)
    return Evidence(holds=off < 1e-12, measured={"every sum is 1 within 1e-12": off < 1e-12})


def matches_spec() -> Evidence:
    """Scaled dot-product attention equals its definition in loops, with a mask and without, to rounding in float64.

    The sizes are different primes, so that a wrong axis or a transpose by reshape cannot go unseen.
    """
    q, k, v = (torch.randn(*size).double() for size in ((3, 5), (7, 5), (7, 2)))
    mask = torch.rand(3, 7) < 0.5
    mask[:, 0] = True
    off = max((attention(q, k, v, mask=m) - attention_spec(q, k, v, mask=m)).abs().max().item() for m in (None, mask))
    return Evidence(holds=off < 1e-12, measured={"largest difference is below 1e-12": off < 1e-12})


def order_carries_no_information() -> Evidence:
    """Shuffle the tokens of self-attention: the answers are shuffled with them and otherwise the same, to rounding.

    With a vector added to each place (a positional encoding) the same shuffle changes them, by far more than rounding.
    """
    x, places = torch.randn(11, 6).double(), torch.randn(11, 6).double()
    shuffle = torch.arange(11).roll(int(torch.randint(1, 11, ())))
    bare = (attention(x[shuffle], x[shuffle], x[shuffle]) - attention(x, x, x)[shuffle]).abs().max().item()
    a, b = x + places, x[shuffle] + places
    placed = (attention(b, b, b) - attention(a, a, a)[shuffle]).abs().max().item()
    return Evidence(
        holds=bare < 1e-12 and placed > 0.01,
        measured={"change without positions is below 1e-12": bare < 1e-12, "change with positions": placed},
    )
