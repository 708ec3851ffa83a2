"""Wrong versions of the Transformers snippets that a replaced word cannot make."""

import math

import torch
from torch import Tensor


def mask_after_softmax(q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Softmax over all keys, masked ones too, then zeros: the future stays in the denominator."""
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
    return weights @ v


def recency_bias(q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Attention whose logits fall with the distance (ALiBi of slope 1/2): it forgets what is far, whatever it says."""
    queries, keys = q.shape[-2], k.shape[-2]
    distance = (torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)).abs().to(q.dtype)
    logits = q @ k.mT / math.sqrt(q.shape[-1]) - distance / 2
    if mask is not None:
        logits = logits.masked_fill(~mask, -math.inf)
    return logits.softmax(dim=-1) @ v


def clipped(logits: Tensor, *, cap: float = 50.0) -> Tensor:
    """A hard clip under the name of soft-capping: as bounded, and without a gradient beyond the cap."""
    return logits.clamp(-cap, cap)
