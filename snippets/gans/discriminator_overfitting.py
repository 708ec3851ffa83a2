r"""Discriminators overfit when real samples are few; the loss is not to blame, and no loss is spared.

Source: Karras et al. 2020 (ADA, arXiv:2006.06676), section 2: the scores of training and held-out images drift apart.
Variant: fixed fakes, so that only the discriminator learns; Gaussians in eight dimensions whose means are 1 apart; two
    hidden layers, with the gradient penalty for Wasserstein. The gap is divided by the spread of held-out scores,
    because the losses use different units.
Not handled: what helps (augmentation, ADA; R1; transfer), and the generator that follows an overfitted discriminator.

Worked example: training reals score 2.0 on average, held-out reals -1.0 with a standard deviation of 3.0: gap 1.0. To
    the generator that means: everything but the few training samples looks fake.
"""

import torch
from torch import Tensor

from snippets.evidence import Evidence, trained
from snippets.gans.adversarial import mlp
from snippets.gans.gradient_penalty import gradient_penalty
from snippets.gans.losses import games

FEATURES = 8


def gap(train: Tensor, held_out: Tensor) -> float:
    """Mean score of training reals minus that of held-out reals, in standard deviations of held-out scores.

    train, held_out: (count,) scores.
    """
    return ((train.mean() - held_out.mean()) / held_out.std()).item()


def trained_gap(game: str, reals: int, *, steps: int = 250) -> float:
    """Train a discriminator on so many real samples and any number of fakes; return the gap to fresh reals."""
    data = torch.randn(reals, FEATURES)
    discriminator = mlp(FEATURES, 64, 64, 1)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
    for _ in range(steps):
        real, fake = data[torch.randint(reals, (128,))], torch.randn(128, FEATURES) + FEATURES**-0.5
        loss = games()[game].discriminator(discriminator(real), discriminator(fake))
        if game == "Wasserstein":
            loss = loss + gradient_penalty(discriminator, real, fake)
        optimizer.zero_grad()
        if loss.requires_grad:  # a stand-in that ignores the scores has nothing to train
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        return gap(discriminator(data).flatten(), discriminator(torch.randn(5000, FEATURES)).flatten())


@trained
def few_samples_overfit_under_every_loss() -> Evidence:
    """Gap of four losses on 20 real samples and on 20 000: above 0.6 for each with few, below 0.15 for each with many.

    Trivial: a discriminator that gives every sample the same score, or has not trained, has a gap of about 0. If
    cross-entropy were the cause, hinge, least squares and Wasserstein would stay below with 20.
    """
    names = ("non-saturating", "hinge", "least squares", "Wasserstein")
    few = {name: trained_gap(name, 20) for name in names}
    many = {name: trained_gap(name, 20_000) for name in names}
    return Evidence(
        holds=min(few.values()) > 0.6 and max(many.values()) < 0.15,
        measured={f"{name}, 20 reals": few[name] for name in names} | {"largest with 20 000 reals": max(many.values())},
        rel=None,
    )
