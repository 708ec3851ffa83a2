r"""Keeping the logits in range after initialisation: what 1/sqrt(d_k) cannot do once queries and keys have learnt.

Sources: Yang et al., Tensor Programs V, 2022 (1/d for queries and keys that are correlated); Henry et al., Query-Key
Normalization, 2020, and Dehghani et al., ViT-22B, 2023 (normalised queries and keys); Gemma 2, 2024 (soft-capping).
Variant: QK-norm as RMSNorm over each head with one gain, and still divided by sqrt(d_k); soft-capping before the mask.
Not handled: gains a channel, LayerNorm or L2 in place of RMSNorm, QK-Clip, which rescales the weights after a step.

On paper: d_k = 4, q = k = (10, 10, 10, 10): the logit is 400 / 2 = 200. RMSNorm makes both (1, 1, 1, 1) and the logit
2, which is the bound sqrt(d_k). Soft-capping at 50 makes the 200 into 50 tanh(4) = 49.97.
"""

import math

import torch
from torch import Tensor

from snippets.evidence import Evidence
from snippets.transformers.attention import attention, weights

HALF_MAX = 65504.0
"""The largest number of float16."""


def rms_norm(x: Tensor, *, eps: float = 1e-6) -> Tensor:
    """Divide each vector by its root mean square, so that its length is sqrt(d_k). x: (..., d_k)   Returns the same."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps)


def qk_norm_attention(q: Tensor, k: Tensor, v: Tensor, *, gain: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """Attention of normalised queries and keys: no logit exceeds gain * sqrt(d_k), however large the inputs.

    q: (..., queries, d_k)   k: (..., keys, d_k)   v: (..., keys, d_v)   gain is learnt.   Returns (..., queries, d_v).
    """
    return attention(rms_norm(q) * gain, rms_norm(k), v, mask=mask)


def softcap(logits: Tensor, *, cap: float = 50.0) -> Tensor:
    """Bend the logits smoothly into (-cap, cap): close to themselves while small, and never without a gradient."""
    return cap * torch.tanh(logits / cap)


def qk_norm_bound(d_k: int, gain: float = 1.0) -> float:
    """Largest logit that QK-norm lets through: two vectors of length sqrt(d_k), over sqrt(d_k)."""
    return gain * math.sqrt(d_k)


def largest_entry(d_k: int, scale_first: bool = False) -> float:
    """Largest root mean square of two aligned vectors whose dot product float16 can still hold.

    The product is d_k e^2; when the query is divided by sqrt(d_k) before it, sqrt(d_k) e^2.
    """
    terms = math.sqrt(d_k) if scale_first else float(d_k)
    return math.sqrt(HALF_MAX / terms)


def aligned_logits_outgrow_the_scale(narrow: int = 64, wide: int = 1024) -> Evidence:
    """Mean logit of a query with a key that it is correlated with (0.5), at two widths: it grows like sqrt(d_k).

    Read from the weights of two keys, the correlated one and zero. From 64 to 1024 wide it grows fourfold; undivided
    it would grow sixteenfold, divided by d_k not at all. A mean over 256 queries is known to about 3 %.
    """

    def mean_logit(d_k: int) -> float:
        q, noise = torch.randn(256, 1, d_k).double(), torch.randn(256, 1, d_k).double()
        keys = torch.cat([0.5 * q + math.sqrt(0.75) * noise, torch.zeros_like(q)], dim=-2)
        p = weights(q, keys).clamp(min=1e-300).log()
        return (p[..., 0] - p[..., 1]).mean().item()

    growth = mean_logit(wide) / max(abs(mean_logit(narrow)), 1e-9)
    return Evidence(holds=abs(growth - 4) < 0.6, measured={"growth of the mean logit": growth})


def qk_norm_ignores_magnitude(d_k: int = 64, keys: int = 32) -> Evidence:
    """Queries and keys too large, each by its own factor from 50 to 150: QK-norm keeps the weights and its bound.

    The bound is met by a key along the query: against one the other way round, their logits differ by twice the bound.
    Plain attention gives one key nearly everything (above 0.9 in the mean over queries) on the same inputs.
    """
    q, k, eye = torch.randn(64, d_k).double(), torch.randn(keys, d_k).double(), torch.eye(keys).double()
    large_q, large_k = (x * (50 + 100 * torch.rand(len(x), 1).double()) for x in (q, k))
    normal, large = qk_norm_attention(q, k, eye), qk_norm_attention(large_q, large_k, eye)
    moved = (normal - large).abs().max().item()
    logits = large.clamp(min=1e-300).log()
    spread = (logits.amax(-1) - logits.amin(-1)).max().item()
    both_ways = torch.cat([large_q[:1], -large_q[:1]])
    aligned = qk_norm_attention(large_q[:1], both_ways, torch.eye(2).double()).clamp(min=1e-300).log()[0]
    widest = (aligned[0] - aligned[1]).item()
    plain = weights(large_q, large_k).amax(-1).mean().item()
    return Evidence(
        holds=moved < 1e-4 and 0.1 < spread < widest and abs(widest / 2 - qk_norm_bound(d_k)) < 1e-6 and plain > 0.9,
        measured={"logit of an aligned key": widest / 2, "largest weight without QK-norm": plain},
    )


def softcap_keeps_a_gradient(cap: float = 50.0) -> Evidence:
    """Soft-capped logits: within the cap, themselves to 1 % while below a tenth of it, and a slope above 0 at twice it.

    A hard clip is as bounded, but where it bites its slope is 0, and what is too large would stay so.
    """
    x = torch.tensor([0.1 * cap, 2 * cap, 20 * cap], dtype=torch.float64, requires_grad=True)
    y = softcap(x, cap=cap)
    slope = torch.autograd.grad(y.sum(), x)[0] if y.requires_grad else torch.zeros_like(x)
    error = abs(y[0].item() / (0.1 * cap) - 1)
    return Evidence(
        holds=y.abs().max().item() <= cap and error < 0.01 and slope[1].item() > 0.01,
        measured={"relative error at a tenth of the cap": error, "slope at twice the cap": slope[1].item()},
    )


def scaling_first_delays_overflow(d_k: int = 128) -> Evidence:
    """In float16 the dot product overflows at 1.1 times the size computed as safe, and not at 0.9 times it.

    Both with the scale after the product and with the query divided first. All terms are equal and positive.
    """
    outcomes = []
    for scale_first in (False, True):
        for factor in (0.9, 1.1):
            e = factor * largest_entry(d_k, scale_first)
            q = torch.full((1, d_k), e / math.sqrt(d_k) if scale_first else e, dtype=torch.float16)
            dot = (q @ torch.full((d_k, 1), e, dtype=torch.float16)).item()
            outcomes.append(math.isfinite(dot) == (factor < 1) and dot > HALF_MAX / 2)
    ratio = largest_entry(d_k, True) / max(largest_entry(d_k), 1e-9)
    return Evidence(holds=all(outcomes), measured={"entries may be larger by": ratio})
