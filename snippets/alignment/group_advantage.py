r"""GRPO's advantage: sample a group of answers to one prompt, and let their mean reward be the baseline; no critic.

    A_i = (r_i - mean(r)) / (std(r) + eps)

Source: Shao et al., DeepSeekMath, 2024 (arXiv:2402.03300), section 4.1; Ahmadian et al., 2024 (arXiv:2402.14740) for
the leave-one-out baseline of RLOO, which subtracts the mean of the others.
Variant: outcome rewards, one for each answer; population standard deviation (divided by G); the group mean includes the
answer itself.
Not handled: ratios for each token, clipping (see ppo_clip), how the loss is averaged over answers of unequal length.

On paper: four answers, one right: rewards (1, 0, 0, 0), mean 1/4, standard deviation 0.433, advantages (1.732, -0.577,
-0.577, -0.577). Four right or four wrong: all zero, nothing is learned from that prompt.
"""

from itertools import product

import torch
from torch import Tensor

from snippets.evidence import Evidence


def group_advantage(reward: Tensor, *, epsilon: float = 1e-6) -> Tensor:
    """Standardised reward within each group.   reward: (..., G).   Returns (..., G). Shao et al., section 4.1."""
    centred = reward - reward.mean(-1, keepdim=True)
    return centred / (reward.std(-1, keepdim=True, correction=0) + epsilon)


def leave_one_out(reward: Tensor) -> Tensor:
    """Reward less the mean of the *other* answers of the group (RLOO).   reward: (..., G > 1).   Returns (..., G)."""
    others = (reward.sum(-1, keepdim=True) - reward) / (reward.shape[-1] - 1)
    return reward - others


def signal(right: float, group: int) -> float:
    """Probability that a group teaches anything: that not all of its answers are right or all wrong.

    right: share of answers to this prompt that are right.   group: how many are sampled.
    """
    return 1 - right**group - (1 - right) ** group


def expected_gradient(logits: Tensor, reward: Tensor, group: int, *, own: bool) -> Tensor:
    """Mean policy gradient over all groups, by enumeration; baseline with (`own`) or without the answer itself.

    logits, reward: (n,).   Returns (n,).
    """
    log_policy = logits.log_softmax(-1)
    policy, n = log_policy.exp(), len(logits)
    draws = torch.tensor(list(product(range(n), repeat=group)))
    chance = policy[draws].prod(-1)
    rewards = reward[draws]
    advantage = rewards - rewards.mean(-1, keepdim=True) if own else leave_one_out(rewards)
    score = torch.eye(n, dtype=logits.dtype)[draws] - policy  # gradient of log pi at each draw
    mean: Tensor = (chance[:, None] * (advantage[..., None] * score).mean(1)).sum(0)
    return mean


def others_are_an_unbiased_baseline() -> Evidence:
    """Groups of three over four answers, all 64 of them: leave-one-out gives the exact gradient of the expected reward.

    With the answer's own reward in the mean the gradient is 2/3 of it, (G - 1) / G: the same direction, which the
    learning rate takes up. Both to rounding.
    """
    logits, reward = torch.randn(2, 4, dtype=torch.float64)
    exact = torch.func.grad(lambda z: z.softmax(-1) @ reward)(logits)
    apart = (expected_gradient(logits, reward, 3, own=False) - exact).abs().max().item()
    shrunk = (expected_gradient(logits, reward, 3, own=True) - exact * 2 / 3).abs().max().item()
    return Evidence(
        holds=apart < 1e-12 and shrunk < 1e-12,
        measured={"leave-one-out is exact": apart < 1e-12, "own mean gives 2/3": shrunk < 1e-12},
    )


def advantage_is_standardised() -> Evidence:
    """Groups of five with random rewards: mean zero, mean square one, unmoved by the scale and level of the rewards.

    So no reward scale has to be tuned, and a prompt of tiny differences pulls as much as one of large ones. A group of
    equal rewards gives exactly nothing.
    """
    reward = torch.randn(50, 5, dtype=torch.float64)
    advantage = group_advantage(reward)
    mean = advantage.mean(-1).abs().max().item()
    square = (advantage.square().mean(-1) - 1).abs().max().item()
    moved = (group_advantage(7 * reward + 3) - advantage).abs().max().item()
    nothing = group_advantage(torch.ones(1, 5, dtype=torch.float64)).abs().max().item()
    return Evidence(
        holds=mean < 1e-9 and square < 1e-3 and moved < 1e-3 and nothing == 0,
        measured={"mean and square as they should be": mean < 1e-9 and square < 1e-3, "of equal rewards": nothing},
    )


def only_mixed_groups_teach() -> Evidence:
    """Groups of eight answers, right or wrong: the share with any advantage, sampled, against 1 - p^8 - (1 - p)^8.

    At p = 0.5 nearly all groups teach; at p = 0.02 about one in seven does, within 0.03, 4000 groups each.
    """
    off = []
    for right in (0.02, 0.5, 0.9):
        reward = (torch.rand(4000, 8, dtype=torch.float64) < right).double()
        share = (group_advantage(reward).abs().amax(-1) > 1e-3).double().mean().item()
        off.append(abs(share - signal(right, 8)))
    return Evidence(
        holds=max(off) < 0.03 and signal(0.02, 8) < 0.2 < 0.9 < signal(0.5, 8),
        measured={"share that teaches at 2%": signal(0.02, 8), "at 50%": signal(0.5, 8)},
    )
