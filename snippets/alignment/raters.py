r"""Human raters: why they compare instead of scoring, and whose values a reward model learns when they disagree.

Source: Christiano et al., Deep Reinforcement Learning from Human Preferences, 2017 (arXiv:1706.03741), for comparisons;
Casper et al., Open Problems of RLHF, 2023 (arXiv:2307.15217), section 3.2, for what one reward cannot represent.
Variant: simulated raters who see the true quality plus noise; each has a level of their own on the scale, from which
they score, and each group has one reward of its own.
Not handled: fatigue, sycophancy, raters who agree because they are wrong in the same way.

On paper: Ann scores A 8 and B 7, Ben scores B 4 and C 3. The averages say A 8, B 5.5, C 3; but Ben is just strict: by
comparisons A beats B by one and B beats C by one. Had Ben scored A and B alone, 4 and 3, and Ann C 6, C would beat B.
"""

import torch
from torch import Tensor

from snippets.alignment.bradley_terry import correlation, fit, preferences
from snippets.evidence import Evidence


def scores(quality: Tensor, seen: Tensor, level: Tensor) -> Tensor:
    """What raters give the items that they see: quality, their own level, and logistic noise.

    quality: (items,)   seen: (raters, k), indices of items   level: (raters,).   Returns (raters, k).
    """
    uniform = torch.rand(seen.shape, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
    gumbel = uniform.log().neg().log().neg()  # the difference of two of them is logistic, as Bradley-Terry has it
    return quality[seen] + level[:, None] + gumbel


def average_ratings(given: Tensor, seen: Tensor, items: int) -> Tensor:
    """Mean score of each item over the raters who saw it.   given, seen: (raters, k).   Returns (items,)."""
    total, count = torch.zeros(2, items, dtype=torch.float64)
    total.index_add_(0, seen.flatten(), given.flatten())
    count.index_add_(0, seen.flatten(), torch.ones_like(given).flatten())
    average: Tensor = total / count.clamp(min=1)
    return average


def count_wins(given: Tensor, seen: Tensor, items: int) -> Tensor:
    """Wins of row over column when each rater only says which of two items is better.

    given, seen: (raters, 2).   Returns (items, items), with half a vote added so that nobody wins or loses everything.
    """
    wins = torch.full((items, items), 0.5, dtype=torch.float64)
    first = given[:, 0] > given[:, 1]
    better, worse = torch.where(first, seen[:, 0], seen[:, 1]), torch.where(first, seen[:, 1], seen[:, 0])
    wins.index_put_((better, worse), torch.ones(len(seen), dtype=torch.float64), accumulate=True)
    return wins


def comparisons_beat_ratings() -> Evidence:
    """Human raters of uneven strictness: 600 of them, two of eight items each, scored or just compared.

    Both ways of asking see the same raters and noise. Levels spread by 6, qualities by 2: the averages are thrown off
    by who saw what, while a comparison is made by one rater and the level cancels. Correlation with truth,
    mean of three panels: above 0.9 by comparisons, at least 0.05 more than by averages.
    """
    quality = torch.linspace(0, 2, 8, dtype=torch.float64)
    by_pairs, by_average = [], []
    for _ in range(3):
        seen = torch.rand(600, 8).argsort(-1)[:, :2]
        given = scores(quality, seen, 6 * torch.randn(600, dtype=torch.float64))
        by_pairs.append(correlation(fit(count_wins(given, seen, 8), steps=12), quality))
        by_average.append(correlation(average_ratings(given, seen, 8), quality))
    pairs, average = sum(by_pairs) / 3, sum(by_average) / 3
    return Evidence(
        holds=pairs > 0.9 and pairs > average + 0.05,
        measured={"correlation by comparisons": pairs, "correlation by average scores": average},
    )


def agreement(reward: Tensor, other: Tensor) -> float:
    """Share of pairs that two rewards order the same way.   Both (n,)."""
    i, j = torch.triu_indices(len(reward), len(reward), 1)
    return ((reward[i] - reward[j]) * (other[i] - other[j]) > 0).double().mean().item()


def pooled(majority: Tensor, minority: Tensor, share: float) -> Tensor:
    """Preferences of everybody together; `share` of the raters are of the majority.   Both (n,).   Returns (n, n)."""
    return share * preferences(majority) + (1 - share) * preferences(minority)


def majority_sets_the_reward() -> Evidence:
    """Quality of feedback: seven raters in ten want one thing, three its opposite; one reward is fitted to all.

    It orders every pair as the majority does and none as the minority does. More data of the same kind cannot help:
    the preferences are exact here. The scale shrinks as well, which reads as noise, not as disagreement.
    """
    majority = torch.linspace(-1, 1, 6, dtype=torch.float64)[torch.randperm(6)] * 2
    found = fit(pooled(majority, -majority, 0.7), steps=20)
    with_most, with_few = agreement(found, majority), agreement(found, -majority)
    scale = (found.std() / majority.std()).item()
    return Evidence(
        holds=with_most == 1 and with_few == 0 and scale < 0.6,
        measured={"pairs as the majority": with_most, "as the minority": with_few, "scale of the reward": scale},
    )
