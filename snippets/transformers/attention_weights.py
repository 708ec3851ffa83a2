r"""Attention weights are no explanation: different weights give the same answer, once there are more tokens than room.

The answer w V fixes d_v sums of the weights, and that they sum to one fixes one more. Of n weights, n - d_v - 1
directions are left in which they may move while the answer does not.

The same answer can even be had from d_v + 1 of the tokens alone (Caratheodory).

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
    """Changes of the weights that keep both the answer and the sum.

    values: (tokens, d_v)   Returns (directions, tokens), orthonormal rows.
    """
    fixed = torch.cat([values, torch.ones_like(values[:, :1])], dim=-1)
    _, singular, basis = torch.linalg.svd(fixed.mT)
    rank = int((singular > 1e-10 * singular.max()).sum())
    return torch.narrow(basis, 0, rank, len(values) - rank)


def fewest_weights(p: Tensor, values: Tensor) -> Tensor:
    """Find other weights with the same answer on at most d_v + 1 tokens, which Caratheodory's theorem promises.

    Walk along a null direction of the tokens that still have weight until one of them has none, and repeat.
    p: (tokens,), not negative, sums to one   values: (tokens, d_v)   Returns (tokens,).
    """
    other = p.clone()
    while len(active := other.nonzero()[:, 0]) > values.shape[-1] + 1:
        basis = null_space(values[active])
        direction = basis[0] if bool((basis[0] < 0).any()) else -basis[0]
        room = torch.where(direction < 0, -other[active] / direction, torch.inf)
        other[active] += room.min() * direction
        other[active[room.argmin()]] = 0.0
    return other


def same_answer_from_fewer_tokens(tokens: int = 16, d_v: int = 3) -> Evidence:
    """Attention as interpretation: a row of weights over 16 tokens, and a valid one over 4 with the same answer.

    They differ by at least a fifth of the mass (total variation), while the answers agree to rounding in float64.
    """
    q, k, v = torch.randn(1, 4).double(), torch.randn(tokens, 4).double(), torch.randn(tokens, d_v).double()
    p = weights(q, k)[0]
    other = fewest_weights(p, v)
    moved = 0.5 * (other - p).nan_to_num().abs().sum().item()
    used = int((other > 0).sum())
    valid = other.min().item() > -1e-9 and abs(other.sum().item() - 1) < 1e-9
    off = (other @ v - attention(q, k, v)[0]).abs().max().item()
    return Evidence(
        holds=valid and off < 1e-9 and moved > 0.2 and used <= d_v + 1,
        measured={"mass moved": moved, "tokens left": used, "answers agree within 1e-9": off < 1e-9},
    )


def few_tokens_are_identifiable(d_v: int = 8) -> Evidence:
    """With at most d_v + 1 tokens nothing is free; each further token frees one direction, as counted by the rank."""
    counted = [len(null_space(torch.randn(n, d_v).double())) for n in range(2, 2 * d_v + 4)]
    computed = [free_directions(n, d_v) for n in range(2, 2 * d_v + 4)]
    return Evidence(
        holds=counted == computed and counted[0] == 0 and counted[-1] > 0,
        measured={"free with as many tokens as d_v": counted[d_v - 2], "free with twice as many": counted[2 * d_v - 2]},
    )
