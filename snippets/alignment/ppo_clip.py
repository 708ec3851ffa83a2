r"""PPO's clipped objective: samples may be used for several steps, until the policy has moved by epsilon on them.

    L = min(rho A, clip(rho, 1 - eps, 1 + eps) A),   rho = pi(a) / pi_old(a)

Source: Schulman et al., Proximal Policy Optimization Algorithms, 2017 (arXiv:1707.06347), equation 7.
Variant: a whole response is one action; the advantage is the net reward less its batch mean (no critic, no GAE); the
KL to the *reference* is in the reward, as in InstructGPT, while the clip is about the *previous* policy.
Not handled: a value network, ratios for each token, an adaptive beta, entropy bonus.

On paper: eps = 0.2. A = +1 at rho = 1.5 counts as 1.2, gradient 0: enough of a good thing. A = -1 at rho = 1.5 counts
as -1.5, with its gradient: a bad action that has become likelier must still be undone. At rho = 1/2 the reverse.
"""

import torch
from torch import Tensor

from snippets.alignment.bradley_terry import preferences
from snippets.alignment.dpo import train
from snippets.alignment.kl_regularised_optimum import divergence, optimum
from snippets.evidence import Evidence, trained


def clipped_objective(log_policy: Tensor, log_old: Tensor, advantage: Tensor, *, epsilon: float = 0.2) -> Tensor:
    """What PPO maximises, for each sample.

    log_policy, log_old, advantage: (...); only log_policy carries a gradient.   Returns (...). Schulman et al., eq. 7.
    """
    ratio = (log_policy - log_old).exp()
    return torch.minimum(ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage)


def slope(ratio: float, advantage: float) -> float:
    """Derivative of the clipped objective in the ratio, at epsilon 0.2."""
    log_old = torch.zeros((), dtype=torch.float64)
    at = torch.tensor(ratio, dtype=torch.float64)
    gradient: Tensor = torch.func.grad(
        lambda r: clipped_objective(r.log(), log_old, torch.tensor(advantage, dtype=torch.float64))
    )(at)
    return gradient.item()


def truth_table() -> list[dict[str, str | float]]:
    """Gradient in the ratio for both signs of the advantage, below, inside and above the range."""
    return [
        {"advantage": a, "ratio 0.5": slope(0.5, a), "ratio 1.0": slope(1.0, a), "ratio 1.5": slope(1.5, a)}
        for a in (1.0, -1.0)
    ]


def only_the_good_side_is_cut() -> Evidence:
    """Proximal policy optimisation (PPO), its truth table by autograd: no gradient in two of six cases.

    Zero where a good action is above the range or a bad one below it; everywhere else it is the advantage itself, so
    that what went the wrong way is always pulled back, however far it went.
    """
    expected = {
        (0.5, 2.0): 2.0,
        (1.1, 2.0): 2.0,
        (1.5, 2.0): 0.0,
        (0.5, -3.0): 0.0,
        (0.9, -3.0): -3.0,
        (1.5, -3.0): -3.0,
    }
    off = max(abs(slope(ratio, advantage) - value) for (ratio, advantage), value in expected.items())
    return Evidence(holds=off < 1e-9, measured={"six cases as in the table": off < 1e-9})


def improve(
    log_old: Tensor, drawn: Tensor, advantage: Tensor, *, epochs: int, rate: float, epsilon: float = 0.2
) -> Tensor:
    """Several ascent steps on one batch of samples of the old policy.

    log_old: (n,)   drawn, advantage: (batch,), indices and advantages.   Returns logits (n,).
    """
    logits = log_old

    def gain(z: Tensor) -> Tensor:
        return clipped_objective(z.log_softmax(-1)[drawn], log_old[drawn], advantage, epsilon=epsilon).mean()

    for _ in range(epochs):
        gradient: Tensor = torch.func.grad(gain)(logits)
        logits = logits + rate * gradient
    return logits


def ppo(log_ref: Tensor, reward: Tensor, beta: float, *, rounds: int = 150, batch: int = 1024) -> Tensor:
    """Log-probabilities that PPO reaches from the reference, by samples alone; the step shrinks over the rounds."""
    logits = log_ref
    for number in range(rounds):
        log_old = logits.log_softmax(-1)
        drawn = torch.multinomial(log_old.exp(), batch, replacement=True)
        net = (reward - beta * (log_old - log_ref))[drawn]
        logits = improve(log_old, drawn, net - net.mean(), epochs=4, rate=1.5 * (1 - number / rounds))
    return logits.log_softmax(-1)


@trained
def ppo_and_dpo_meet() -> Evidence:
    """RLHF by PPO with a KL penalty, and DPO on preferences of the same reward: both end at ref exp(r / beta) / Z.

    PPO within 0.03 nats, as far as its samples carry, DPO within 1e-6. The reference, where both start and what doing
    nothing would score, is above 0.3 away.
    """
    log_ref = torch.tensor([0.3, 0.1, 0.2, 0.1, 0.2, 0.1], dtype=torch.float64).log()
    reward = torch.linspace(-1, 1, 6, dtype=torch.float64)[torch.randperm(6)]
    best = optimum(log_ref, reward, 0.5)
    start = divergence(log_ref, best).item()
    by_ppo = divergence(ppo(log_ref, reward, 0.5), best).item()
    by_dpo = divergence(train(log_ref, preferences(reward), 0.5), best).item()
    return Evidence(
        holds=start > 0.3 and by_ppo < 0.03 and by_dpo < 1e-6,
        measured={"KL at the start": start, "KL after PPO": by_ppo, "DPO below 1e-6": by_dpo < 1e-6},
        rel=None,
    )


def clip_holds_stale_samples() -> Evidence:
    """60 steps on one batch of a uniform policy: with the clip it stays within 0.1 nats, without it goes beyond 0.3.

    The clip is no constraint, samples share a softmax and push each other, so the ratio does leave the range by a bit.
    """
    log_old = torch.full((8,), 1 / 8, dtype=torch.float64).log()
    drawn = torch.multinomial(log_old.exp(), 256, replacement=True)
    reward = torch.linspace(-1, 1, 8, dtype=torch.float64)[torch.randperm(8)][drawn]
    advantage = reward - reward.mean()
    held, free = (improve(log_old, drawn, advantage, epochs=60, rate=0.5, epsilon=e) for e in (0.2, 1e9))
    near, far = (divergence(z.log_softmax(-1), log_old).item() for z in (held, free))
    ratio = (held.log_softmax(-1) - log_old).exp()
    largest, smallest = ratio.max().item(), ratio.min().item()
    return Evidence(
        holds=1e-4 < near < 0.1 and far > 0.3 and (largest > 1.2 or smallest < 0.8),
        measured={"KL with the clip": near, "KL without": far, "largest ratio": largest, "smallest ratio": smallest},
    )
