r"""torch.nn.functional.kl_div(input, target) is KL(target || input): the second argument of the call comes first.

Source: PyTorch documentation of torch.nn.KLDivLoss, and its note that the order differs from the usual notation.
Variant: categorical distributions over the last dimension, `input` as log probabilities, `target` as probabilities.
Not handled: `log_target=True`, which wants log probabilities for both.

On paper: p = (3/4, 1/4), q = (1/2, 1/2). KL(p || q) = 0.75 log 1.5 + 0.25 log 0.5 = 0.131, and
KL(q || p) = 0.5 log(2/3) + 0.5 log 2 = 0.144.
"""

import warnings

import torch
from torch import Tensor

from snippets.evidence import Evidence


def categorical(log_a: Tensor, log_b: Tensor) -> Tensor:
    """KL(a || b) of categorical distributions, in nats: the average under a of log a - log b.

    log_a, log_b: (..., classes), log probabilities.   Returns (...).
    """
    return (log_a.exp() * (log_a - log_b)).sum(-1)


def the_target_comes_first() -> Evidence:
    """F.kl_div(log q, p, reduction="batchmean") is the average of KL(p || q), and not of KL(q || p).

    Three pairs of random distributions over 7 classes, float64, to rounding.
    """
    p, log_q = torch.randn(3, 7).double().softmax(-1), torch.randn(3, 7).double().log_softmax(-1)
    forward, reverse = categorical(p.log(), log_q).sum().item() / 3, categorical(log_q, p.log()).sum().item() / 3
    by_torch = torch.nn.functional.kl_div(log_q, p, reduction="batchmean").item()
    return Evidence(
        holds=abs(by_torch - forward) < 1e-12 and abs(by_torch - reverse) > 1e-6,
        measured={"F.kl_div(log q, p)": by_torch, "KL(p || q)": forward, "KL(q || p)": reverse},
    )


def its_default_reduction_is_no_divergence() -> Evidence:
    """reduction="mean", the default, divides by the classes as well: a seventh of the average divergence."""
    p, log_q = torch.randn(3, 7).double().softmax(-1), torch.randn(3, 7).double().log_softmax(-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch warns of just this
        mean = torch.nn.functional.kl_div(log_q, p).item()
    ratio = categorical(p.log(), log_q).sum().item() / 3 / mean
    return Evidence(holds=abs(ratio - 7) < 1e-9, measured={"average divergence over the default": ratio})
