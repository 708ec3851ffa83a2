r"""Each loss teaches the discriminator something else about data against fakes; generators differ.

    loss             best score            what the generator then minimises
    cross-entropy    log p/q               minimax: 2 JSD; non-saturating: slope of KL(q || p) - 2 JSD
    least squares    p/(p + q)             with other labels (-1, 1, target 0): Pearson's chi-squared
    hinge            sign of p - q         the discriminator's loss is 2 - 2 TV, with TV the total variation distance
    Wasserstein      none without a bound  with a 1-Lipschitz critic: the Wasserstein-1 distance

Source: Arjovsky and Bottou 2017 (arXiv:1701.04862), theorem 2.5, for non-saturating; Mao et al. 2017
    (arXiv:1611.04076), section 3, for least squares; Lim and Ye 2017 (arXiv:1705.02894) for hinge.
Variant: natural logarithm; finitely many outcomes; the discriminator is held fixed while the generator moves, as it is
    in training. Least squares is derived with the labels that give chi-squared and trained with 0, 1 and target 1.
Not handled: discriminators of limited capacity; the Lipschitz constraint (wasserstein.py).

Worked example: an outcome seen 6 times among 20 real and once among 20 fake samples. Cross-entropy: log 6 = 1.79, and
    sigmoid(1.79) = 6/7 = 0.857. Least squares: 6/7. Hinge: +1, as it would be for 6 against 5.
"""

import sympy
import torch
from sympy import log
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof
from snippets.gans.losses import games
from snippets.gans.optimal_discriminator import optimal_discriminator

D, P, Q = sympy.symbols("D p q", positive=True)


def derive_non_saturating() -> Steps:
    r"""The non-saturating slope :math:`-\log D^*`, against that of :math:`KL(q \| p) - 2 JSD`, at one outcome."""
    m = (P + Q) / 2
    minus_log = -log(P / (P + Q))
    kl, two_jsd = Q * log(Q / P), P * log(P / m) + Q * log(Q / m)
    return {
        "Slope of KL(q || p) in the probability q of one outcome": step(sympy.Derivative(kl, Q), log(Q / P) + 1),
        "Slope of 2 JSD": step(sympy.Derivative(two_jsd, Q), log(Q / m)),
        "Their difference is -log D*, but for a constant that moves no probability": step(
            sympy.Derivative(kl - two_jsd, Q), minus_log + 1 - log(2)
        ),
    }


def derive_least_squares() -> Steps:
    r"""Least squares with labels -1 (fake), 1 (real) and target 0: the generator's sum is a Pearson :math:`\chi^2`."""
    best = (P - Q) / (P + Q)
    return {
        "Slope of the discriminator's loss at one outcome": step(
            sympy.Derivative(P * (D - 1) ** 2 / 2 + Q * (D + 1) ** 2 / 2, D), (P + Q) * D - (P - Q)
        ),
        "With D* in it, the squared score is Pearson's chi-squared between p + q and 2q": step(
            P * best**2 + Q * best**2, (2 * Q - (P + Q)) ** 2 / (P + Q)
        ),
    }


@proof
def other_objectives_are_proved() -> Evidence:
    """Non-saturating: KL(q || p) - 2 JSD. Least squares: Pearson's chi-squared. Each step, as above."""
    steps = [*derive_non_saturating().values(), *derive_least_squares().values()]
    results = [proved(equality) for equality in steps]
    return Evidence(holds=len(results) == 5 and all(results), measured={"steps proved": sum(results)})


def best_scores(game: str, real: Tensor, fake: Tensor, *, steps: int = 900) -> Tensor:
    """Scores that minimise the discriminator's loss of a game, one free score for each outcome.

    real, fake: (outcomes,) how often each outcome occurs in the batch, integers.   Returns (outcomes,).
    """
    which = torch.arange(len(real))
    seen, made = which.repeat_interleave(real), which.repeat_interleave(fake)
    scores = torch.zeros(len(real), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.05)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.995)
    for _ in range(steps):
        loss = games()[game].discriminator(scores[seen], scores[made])
        optimizer.zero_grad()
        if loss.requires_grad:  # a stand-in that ignores the scores has nothing to train
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        decay.step()
    return scores.detach()


COUNTS = (torch.tensor([6, 5, 4, 3, 2]), torch.tensor([1, 3, 2, 8, 6]))
"""Twenty real and twenty fake samples over five outcomes: the ratio is above one in three of them, below in two."""


def each_loss_learns_something_else() -> Evidence:
    """Train free scores under three losses and compare with the closed forms, at 20 real and 20 fake samples.

    Cross-entropy: log p/q, whose sigmoid is p/(p + q). Least squares: p/(p + q) itself. Hinge: the sign of p - q, so it
    says which is more frequent and not by how much. Bounds of 0.02 leave room for the optimiser's last step.
    """
    real, fake = COUNTS
    p_real, p_fake = real.double() / real.sum(), fake.double() / fake.sum()
    posterior = optimal_discriminator(p_real, p_fake)
    wanted = {
        "minimax": (p_real / p_fake).log(),
        "least squares": posterior,
        "hinge": (p_real - p_fake).sign(),
    }
    off = {name: (best_scores(name, real, fake) - target).abs().max().item() for name, target in wanted.items()}
    sigmoid = (wanted["minimax"].sigmoid() - posterior).abs().max().item()
    return Evidence(
        holds=max(off.values()) < 0.02 and sigmoid < 1e-9,
        measured={f"{name}: within 0.02": size < 0.02 for name, size in off.items()},
    )


def learned_table() -> list[dict[str, object]]:
    """What the scores become under each loss, at outcomes seen so often as real and as fake."""
    learned = {name: best_scores(name, *COUNTS) for name in ("minimax", "least squares", "hinge")}
    return [
        {
            "real : fake": f"{real} : {fake}",
            "cross-entropy, score": f"{learned['minimax'][k].item():+.2f}",
            "its sigmoid": f"{learned['minimax'][k].sigmoid().item():.2f}",
            "least squares, score": f"{learned['least squares'][k].item():.2f}",
            "hinge, score": f"{learned['hinge'][k].item():+.1f}",
        }
        for k, (real, fake) in enumerate(zip(*(counts.tolist() for counts in COUNTS), strict=True))
    ]


def hinge_loss_is_total_variation() -> Evidence:
    """Best hinge loss on 20 real and 20 fake samples, against 2 - 2 TV, with TV half the sum of |p - q|.

    At the optimum an outcome costs twice the smaller of its two probabilities, so the loss falls from 2, where nothing
    can be told apart, to 0, where supports are disjoint. 0.02 leaves room for the optimiser's last step.
    """
    real, fake = COUNTS
    scores = best_scores("hinge", real, fake)
    which = torch.arange(len(real))
    loss = games()["hinge"].discriminator(scores[which.repeat_interleave(real)], scores[which.repeat_interleave(fake)])
    total_variation = (real / real.sum() - fake / fake.sum()).abs().sum().item() / 2
    off = abs(loss.item() - (2 - 2 * total_variation))
    return Evidence(
        holds=off < 0.02, measured={"total variation": total_variation, "loss within 0.02 of 2 - 2 TV": off < 0.02}
    )


def non_saturating_slope_is_the_divergence_s() -> Evidence:
    """Slope that the non-saturating loss sends to the probabilities of a generator, against that of KL(q || p) - 2 JSD.

    A generator over six outcomes is a softmax of free numbers; its loss is E_q[-log D*] with D* held fixed. Both slopes
    are taken by autograd and agree to rounding.
    """
    real = torch.randn(6, dtype=torch.float64).softmax(-1)
    logits = torch.randn(6, dtype=torch.float64)
    score = (real / logits.softmax(-1)).log()

    def loss(free: Tensor) -> Tensor:
        each = torch.stack([games()["non-saturating"].generator(s.unsqueeze(0)) for s in score])
        return (free.softmax(-1) * each).sum()

    def divergence(free: Tensor) -> Tensor:
        fake = free.softmax(-1)
        mean = (real + fake) / 2
        two_jsd = (real * (real / mean).log()).sum() + (fake * (fake / mean).log()).sum()
        return (fake * (fake / real).log()).sum() - two_jsd

    ours, theirs = (torch.func.grad(f)(logits) for f in (loss, divergence))
    off = (ours - theirs).abs().max().item()
    return Evidence(
        holds=off < 1e-12 and theirs.abs().max().item() > 1e-3, measured={"slopes agree to 1e-12": off < 1e-12}
    )
