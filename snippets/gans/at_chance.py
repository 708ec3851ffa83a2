r"""A discriminator at chance does not prove a good generator: it may just not be able to see the difference.

Source: Arora et al. 2017 (arXiv:1703.00573), section 3: a discriminator of limited capacity is fooled by a generator of
    limited support.
Variant: data N(0, 1); fakes from two narrow bumps at -0.95 and 0.95, with the mean and the variance of the data.
Not handled: counting the support (birthday paradox test), precision and recall.

Worked example: bumps at -0.95 and 0.95 with spread s have variance 0.9025 + s^2, which is 1 for s = 0.312. Mean and
    variance agree with the data, so no linear score can have a different average on the two.
"""

import math

import torch
from torch import Tensor, nn

from snippets.evidence import Evidence, trained
from snippets.gans.adversarial import mlp
from snippets.gans.losses import logistic_discriminator

BUMP = 0.95


def two_bumps(count: int) -> Tensor:
    """Draw fakes: half of them around -0.95, half around 0.95, mean 0 and variance 1 like the data. (count, 1)."""
    side = 2.0 * torch.randint(2, (count, 1)) - 1
    return BUMP * side + math.sqrt(1 - BUMP**2) * torch.randn(count, 1)


def accuracy(discriminator: nn.Module, real: Tensor, fake: Tensor) -> float:
    """Share of samples, half of them real, on the right side of score 0.

    real, fake: (count, features), equally many.
    """
    with torch.no_grad():
        hits = (discriminator(real) > 0).sum() + (discriminator(fake) <= 0).sum()
    return float(hits.item() / (len(real) + len(fake)))


def fitted(discriminator: nn.Module, steps: int = 400) -> nn.Module:
    """Train a discriminator on fresh data and fakes by cross-entropy."""
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=0.01)
    for _ in range(steps):
        loss = logistic_discriminator(discriminator(torch.randn(256, 1)), discriminator(two_bumps(256)))
        optimizer.zero_grad()
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return discriminator


@trained
def small_discriminator_is_fooled() -> Evidence:
    """Accuracy on 20 000 fresh samples of a linear discriminator and of one with two hidden layers; chance is 0.5.

    The linear one stays within 0.03 of chance against a generator that is plainly wrong; the other gets above 0.6.
    """
    data, fakes = torch.randn(10_000, 1), two_bumps(10_000)
    linear, deep = (accuracy(fitted(net), data, fakes) for net in (nn.Linear(1, 1), mlp(1, 32, 32, 1)))
    return Evidence(
        holds=abs(linear - 0.5) < 0.03 and deep > 0.6, measured={"linear": linear, "two hidden layers": deep}, rel=None
    )
