r"""How far attention reaches: one step to any token in the window, and a weight that thins out as the window fills.

    weight of the best key = e^g / (e^g + n - 1),   g = its logit less that of the n - 1 others

Sources: Vaswani et al., 2017, table 1 (path length); Pascanu et al., On the Difficulty of Training Recurrent Neural
Networks, 2013 (fading gradients); Nakanishi, Scalable-Softmax, 2025 (the weight fades as n grows).
Variant: a tanh network with h_t = tanh(W h_{t-1} + x_t) against one causal attention layer without positions.
Not handled: gates (LSTM, GRU), which slow the fading down; training; what real models do with long contexts.

On paper: g = ln 9 = 2.2 gives the better of two keys a weight of 0.9; among 1024 keys it has 9 / (9 + 1023) = 0.009.
"""

import math

import sympy
import torch
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof
from snippets.transformers.attention import attention
from snippets.transformers.masks import causal


def recurrent(x: Tensor, matrix: Tensor) -> Tensor:
    """Run a recurrent network over a sequence. x: (batch, tokens, width)   matrix: (width, width)   Returns like x."""
    states = [torch.tanh(x[:, 0])]
    for t in range(1, x.shape[1]):
        states.append(torch.tanh(states[-1] @ matrix.mT + x[:, t]))
    return torch.stack(states, dim=1)


def self_attention(x: Tensor) -> Tensor:
    """One causal layer in which tokens are their own queries, keys and values. x: (batch, tokens, width)"""
    return attention(x, x, x, mask=causal(x.shape[1], x.shape[1], device=x.device))


def gradient_by_lag(x: Tensor, y: Tensor) -> Tensor:
    """How strongly the last output depends on the input of each lag, from 1 to tokens - 1; a mean over the batch.

    x: (batch, tokens, width), a leaf that requires a gradient   y: the layer's output for it   Returns (tokens - 1,).
    """
    if not y.requires_grad:
        return torch.zeros(x.shape[1] - 1, dtype=x.dtype)
    gradient = torch.autograd.grad(y[:, -1].sum(), x)[0].nan_to_num()
    sizes: Tensor = torch.linalg.vector_norm(gradient, dim=-1).mean(dim=0)
    return sizes.flip(0)[1:]


def best_weight(advantage: float, keys: int) -> float:
    """Weight of the one key that matches, when its logit exceeds that of all the others by `advantage`."""
    return 1 / (1 + (keys - 1) * math.exp(-advantage))


def needed_advantage(share: float, keys: int) -> float:
    """How far the logit of one key must stand out among `keys` to get this share of the weight."""
    return math.log((keys - 1) * share / (1 - share))


def derive_dilution() -> Steps:
    """The weight of one key that stands out by g among n, and the g that a share p of the weight takes."""
    g = sympy.Symbol("g", real=True)
    others, odds = sympy.symbols("m r", positive=True)
    return {
        "Softmax of one logit g and m = n - 1 zeros": step(
            sympy.exp(g) / (sympy.exp(g) + others), 1 / (1 + others * sympy.exp(-g))
        ),
        "A share p, with odds r = p / (1 - p), takes the advantage ln(m r)": step(
            1 / (1 + others * sympy.exp(-sympy.log(others * odds))), odds / (1 + odds)
        ),
        "So twice the others cost one ln 2 more": step(
            sympy.log(2 * others * odds) - sympy.log(others * odds), sympy.log(2)
        ),
    }


@proof
def dilution_is_proved() -> Evidence:
    """Every step of the derivation is proved, and for g = 2 among ten keys it gives the number of best_weight."""
    steps = list(derive_dilution().values())
    results = [proved(equality) for equality in steps]
    formula = steps[0].rhs.subs({sympy.Symbol("g", real=True): 2, sympy.Symbol("m", positive=True): 9})
    off = abs(float(formula) - best_weight(2, 10))
    return Evidence(holds=all(results) and off < 1e-12, measured={"steps proved": sum(results)})


def attention_does_not_fade(tokens: int = 96, width: int = 32) -> Evidence:
    """Long-range dependency and vanishing gradient: slope of the last output by the input's lag, far over near quarter.

    Attention treats both alike, up to sampling (a factor of two is allowed); a recurrent network of spectral radius 0.9
    loses at least ten orders of magnitude over the same 70 steps, and so weights its inputs anything but equally.
    """
    x = torch.randn(8, tokens, width).double().requires_grad_()
    matrix = 0.9 * torch.randn(width, width).double() / math.sqrt(width)
    quarter, ratios, alive = tokens // 4, [], True
    for y in (self_attention(x), recurrent(x, matrix)):
        fade = gradient_by_lag(x, y)
        near, far = fade[:quarter].mean().clamp(min=1e-300), fade[-quarter:].mean().clamp(min=1e-300)
        ratios.append((far / near).item())
        alive = alive and near.item() > 1e-6
    lost = -math.log10(ratios[1])
    return Evidence(
        holds=alive and 0.5 < ratios[0] < 2 and lost > 10,
        measured={"attention, far over near": ratios[0], "orders of magnitude an RNN loses": lost},
    )


def mass_dilutes_with_length(advantage: float = 5.0) -> Evidence:
    """Attention of one query over n keys of which one stands out by 5: its weight is the formula's, and it fades.

    From 0.93 among 12 keys to 0.009 among 16 384. The wanted value is 1, the others are 0: the answer is that weight.
    """
    q = torch.tensor([[2 * advantage, 0, 0, 0]], dtype=torch.float64)
    answers, computed = [], []
    for n in (12, 1024, 16_384):
        k = torch.zeros(n, 4, dtype=torch.float64)
        place = int(torch.randint(n, ()))
        k[place, 0] = 1.0
        answers.append(attention(q, k, k[:, :1]).item())
        computed.append(best_weight(advantage, n))
    off = max(abs(a - b) for a, b in zip(answers, computed, strict=True))
    return Evidence(
        holds=off < 1e-12 and answers[0] > 0.9 and answers[2] < 0.01,
        measured={"weight among 12": answers[0], "among 1024": answers[1], "among 16384": answers[2]},
    )


def advantage_restores_the_share(share: float = 0.9) -> Evidence:
    """Put the computed advantage back into the softmax: the share comes out, whether 16 keys or a million compete."""
    off = max(abs(best_weight(needed_advantage(share, n), n) - share) for n in (16, 1024, 131_072, 10**6))
    doubling = needed_advantage(share, 2**20 + 1) - needed_advantage(share, 2**19 + 1)
    return Evidence(
        holds=off < 1e-9 and abs(doubling - math.log(2)) < 1e-9, measured={"logit that a doubling costs": doubling}
    )
