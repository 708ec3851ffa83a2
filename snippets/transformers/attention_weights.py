r"""Attention weights are no explanation: different weights give the same answer, once there are more tokens than room.

The answer w V fixes d_v sums of the weights, and that they sum to one fixes one more. Of n weights, n - d_v - 1 directions
are left in which they may move and the answer does not.

Source: Brunner et al., On Identifiability in Transformers, 2020, section 3.1; Jain and Wallace, Attention is not
Explanation, 2019, for predictions that survive other weights.
Variant: one head, one query, values as they are (before the output matrix, which can only add directions).
Not handled: whether training could have found the other weights; Wiegreffe and Pinter, 2019, argue that this matters.

On paper: values 1, 2, 3: weights (1/2, 0, 1/2) and (0, 1, 0) both answer 2, and agree on no token.
"""

import torch
from torch import Tensor

from snippets.evidence import Evidence
from snippets.transformers.attention import attention, weights


def free_directions(tokens: int, d_v: int) -> int:
    """Directions in which n weights can move without moving the answer, for values in general position."""
    return max(0, tokens - d_v - 1)


def null_space(values: Tensor) -> Tensor:
    """Changes of the weights that keep both the answer and the sum. values: (tokens, d_v)   Returns (directions, tokens)."""
    fixed = torch.cat([values, torch.ones_like(values[:, :1])], dim=-1)
    _, singular, basis = torch.linalg.svd(fixed.mT)
    return basis[int((singular > 1e-10 * singular.max()).sum()) :]


def other_weights(p: Tensor, values: Tensor, *, tries: int = 256) -> Tensor:
    """Find weights far from p that give the same answer: walk along random null directions until one weight is zero.

    p: (tokens,), positive, sums to one   values: (tokens, d_v)   Returns (tokens,), p itself where nothing is free.
    """
    basis = null_space(values)
    if len(basis) == 0:
        return p
    directions = torch.randn(tries, len(basis), dtype=p.dtype) @ basis
    room = torch.where(directions < 0, -p / directions, torch.inf).amin(dim=-1, keepdim=True)
    candidates = p + room * directions
    return candidates[(candidates - p).abs().sum(-1).argmax()].clamp(min=0)


def same_answer_from_other_weights(tokens: int = 8, d_v: int = 3) -> Evidence:
    """Attention as interpretation: an attention row, and another one far from it, valid too, with the same answer.

    Far: they move at least a fifth of the mass (total variation). Same: to rounding in float64.
    """
    q, k, v = torch.randn(1, 4).double(), torch.randn(tokens, 4).double(), torch.randn(tokens, d_v).double()
    p = weights(q, k)[0]
    other = other_weights(p, v)
    moved = 0.5 * (other - p).abs().sum().item()
    valid = other.min().item() >= 0 and abs(other.sum().item() - 1) < 1e-9
    off = (other @ v - attention(q, k, v)[0]).abs().max().item()
    return Evidence(
        holds=valid and off < 1e-9 and moved > 0.2,
        measured={"mass moved": moved, "answers agree within 1e-9": off < 1e-9},
    )


def few_tokens_are_identifiable(d_v: int = 8) -> Evidence:
    """With at most d_v + 1 tokens nothing is free; each further token frees one direction, as counted by the rank."""
    counted = [len(null_space(torch.randn(n, d_v).double())) for n in range(2, 2 * d_v + 4)]
    computed = [free_directions(n, d_v) for n in range(2, 2 * d_v + 4)]
    return Evidence(
        holds=counted == computed and counted[0] == 0 and counted[-1] > 0,
        measured={"free with as many tokens as d_v": counted[d_v - 2], "free with twice as many": counted[2 * d_v - 2]},
    )
