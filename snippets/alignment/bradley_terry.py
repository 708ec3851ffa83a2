r"""Bradley-Terry: a reward for each response, such that differences of rewards are the log odds of being preferred.

    P(a preferred to b) = sigma(r_a - r_b),   loss = -log sigma(r_chosen - r_rejected)

Source: Bradley and Terry, Rank Analysis of Incomplete Block Designs, 1952; Ouyang et al., InstructGPT, 2022,
equation 1, for the loss of a reward model.
Variant: one prompt, no ties, a free reward for each response (a reward model shares parameters between responses);
a ranking of K responses is used as its K (K - 1) / 2 pairs.
Not handled: ties, margins, raters of different reliability.

On paper: rewards 2 and 0 give P = sigma(2) = 0.881, a loss of -log 0.881 = 0.127 where the first was chosen and 2.127
where the second was. Rewards 102 and 100 give the same: only differences enter.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from snippets.evidence import Evidence


def preference(reward_a: Tensor, reward_b: Tensor) -> Tensor:
    """Probability that a is preferred to b.   Both (...).   Returns (...)."""
    return (reward_a - reward_b).sigmoid()


def reward_loss(reward_chosen: Tensor, reward_rejected: Tensor) -> Tensor:
    """Negative log-likelihood of each comparison.   Both (...).   Returns (...). Ouyang et al., equation 1."""
    return -F.logsigmoid(reward_chosen - reward_rejected)


def preferences(reward: Tensor) -> Tensor:
    """Every pair at once: entry i, j is the probability that i is preferred to j.   reward: (n,).   Returns (n, n)."""
    return preference(reward[:, None], reward[None, :])


def expected_loss(reward: Tensor, wins: Tensor) -> Tensor:
    """Loss of a reward over comparisons counted, or weighted, by `wins`: row preferred to column; a number for a pair.

    reward: (n,)   wins: (n, n).   Returns a scalar. The diagonal compares nothing and is left out.
    """
    wins = wins - wins.diagonal().diag()
    return (wins * reward_loss(reward[:, None], reward[None, :])).sum() / wins.sum()


def fit(wins: Tensor, steps: int = 50) -> Tensor:
    """Rewards of the highest likelihood, by Newton's method from zero; centred, because a common constant is free.

    wins: (n, n).   Returns (n,). Raises ValueError where the rewards would be infinite (somebody never loses).
    """
    compared = wins - wins.diagonal().diag()
    if bool((compared.sum(0) == 0).any() or (compared.sum(1) == 0).any()):
        raise ValueError("a response won or lost all of its comparisons: its reward is infinite; add a prior or pairs")
    reward = torch.zeros(len(wins), dtype=torch.float64)
    for _ in range(steps):
        slope: Tensor = torch.func.grad(expected_loss)(reward, wins)
        curvature: Tensor = torch.func.jacrev(torch.func.grad(expected_loss))(reward, wins)
        step = torch.linalg.pinv(curvature, rtol=1e-10) @ slope  # flat along a common constant
        reward = reward - step / max(1.0, step.abs().max().item())
        reward = reward - reward.mean()
    return reward


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's correlation of two vectors; zero where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (a.norm() * b.norm()).clamp(min=1e-30))


def pairs_recover_differences() -> Evidence:
    """Preference comparisons made of known rewards: the reward model (the fit) gives back every difference of rewards.

    Seven responses, all pairs in their exact proportions: the loss has its minimum where sigma of the difference is
    the proportion, so the differences are right to rounding. The level is not: the truth was shifted by a random one.
    """
    truth = 1.5 * torch.randn(7, dtype=torch.float64) + 10 * torch.randn(1, dtype=torch.float64)
    found = fit(preferences(truth))
    off = ((found - found[0]) - (truth - truth[0])).abs().max().item()
    return Evidence(holds=off < 1e-6, measured={"every difference within 1e-6": off < 1e-6})


def only_differences_count() -> Evidence:
    """Add 100 to both rewards of every comparison: no loss moves, so reward scores of two prompts do not compare.

    Doubling the rewards does move it: the scale is fixed by how noisy the choices are, the level by nothing.
    """
    chosen, rejected = torch.randn(2, 50, dtype=torch.float64)
    loss = reward_loss(chosen, rejected)
    shifted = (reward_loss(chosen + 100, rejected + 100) - loss).abs().max().item()
    doubled = (reward_loss(2 * chosen, 2 * rejected) - loss).abs().max().item()
    return Evidence(
        holds=shifted < 1e-9 and doubled > 0.1,
        measured={"unmoved by a constant": shifted < 1e-9, "largest move by a factor of two": doubled},
    )


def loss_is_the_log_likelihood() -> Evidence:
    """The loss against torch's binary cross-entropy on log odds, and finite where exp would overflow (oracle)."""
    chosen, rejected = 3 * torch.randn(2, 200, dtype=torch.float64)
    oracle = F.binary_cross_entropy_with_logits(chosen - rejected, torch.ones(200).double(), reduction="none")
    off = (reward_loss(chosen, rejected) - oracle).abs().max().item()
    far = reward_loss(torch.tensor(-1000.0), torch.tensor(1000.0)).item()
    return Evidence(
        holds=off < 1e-12 and abs(far - 2000) < 1e-3, measured={"agrees to 1e-12": off < 1e-12, "loss at -2000": far}
    )


def pairs_of_a_ranking(ranked: int) -> int:
    """Comparisons that one ranking of so many responses yields: each pair once."""
    return math.comb(ranked, 2)


def chance(gap: float) -> float:
    """Probability that the response whose reward is higher by `gap` is preferred."""
    return preference(torch.tensor(gap, dtype=torch.float64), torch.zeros((), dtype=torch.float64)).item()
