r"""Text stops the discriminator's gradient: choosing a token is flat or undefined, unless it is relaxed.

Source: Jang et al. 2017 (arXiv:1611.01144), equations 1 and 2, and section 2.2 for the straight-through version;
    SeqGAN, Yu et al. 2017 (arXiv:1609.05473), for the alternative, policy gradients.
Variant: straight-through Gumbel-softmax: one-hot going forward, the slope of the softmax going back. It is biased.
Not handled: the policy gradient, temperature schedules, sequences.

Worked example: logits (0, 2), noise 0, temperature 1. Softmax (0.119, 0.881); forward the one-hot (0, 1). Backward the
    slope of the second entry in its logit is 0.881 * 0.119 = 0.105, where that of an argmax is 0.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from snippets.evidence import Evidence


def gumbel_noise(shape: torch.Size) -> Tensor:
    """Draw standard Gumbel noise, -log(-log u): the largest of logits plus noise is a sample of their softmax."""
    return -(-torch.rand(shape, dtype=torch.float64).clamp(1e-12, 1 - 1e-12).log()).log()


def hard_token(logits: Tensor) -> Tensor:
    """Choose a token the plain way: one-hot of the argmax. It has no gradient.

    logits: (..., vocabulary).   Returns (..., vocabulary).
    """
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits)


def straight_through(logits: Tensor, noise: Tensor, temperature: float = 1.0) -> Tensor:
    """Sample a token that is one-hot going forward and a softmax going back.

    logits, noise: (..., vocabulary), noise from `gumbel_noise`.   Returns (..., vocabulary). Jang et al., section 2.2.
    """
    soft = ((logits + noise) / temperature).softmax(-1)
    return hard_token(soft) + soft - soft.detach()


def only_the_relaxation_has_a_gradient() -> Evidence:
    """A discriminator scores tokens by fixed numbers; what of its slope reaches the logits of the generator.

    Through the argmax nothing: the result does not even require a gradient. Straight through, the gradient is not zero
    and equals that of the softmax, while the token that goes forward is as one-hot as before.
    """
    logits = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    score, noise = torch.randn(7, dtype=torch.float64), gumbel_noise(torch.Size((5, 7)))
    plain = hard_token(logits)
    token = straight_through(logits, noise)
    one_hot = bool(((token.detach() - token.detach().round()).abs() < 1e-9).all())
    one_hot = one_hot and bool((token.detach().sum(-1) - 1).abs().max() < 1e-9)
    if not token.requires_grad:
        return Evidence(holds=False, measured={"gradient through the relaxation": False})
    (slope,) = torch.autograd.grad((token @ score).sum(), logits)
    (soft,) = torch.autograd.grad(((logits + noise).softmax(-1) @ score).sum(), logits)
    off = (slope - soft).abs().max().item()
    return Evidence(
        holds=not plain.requires_grad and one_hot and off < 1e-12 and slope.abs().max().item() > 1e-3,
        measured={"argmax requires a gradient": plain.requires_grad, "one-hot going forward": one_hot},
    )


def noise_makes_it_a_sample() -> Evidence:
    """How often each of 4 tokens comes out of 20 000 draws, against the softmax of the logits.

    Within 0.02, five standard errors. Without the noise the largest would come out always.
    """
    logits = torch.tensor([0.0, 1.0, -0.5, 0.5], dtype=torch.float64).expand(20_000, 4)
    seen = straight_through(logits, gumbel_noise(logits.shape)).mean(0)
    off = (seen - logits[0].softmax(-1)).abs().max().item()
    return Evidence(holds=off < 0.02, measured={"within 0.02 of the softmax": off < 0.02})
