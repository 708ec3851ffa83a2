r"""FSRS-6: how well something is remembered, from the grades given and the time between them.

A memory has a stability S (days until recall falls to 90 %) and a difficulty D from 1 to 10. Recall after t days is
$R(t, S) = (1 + F t/S)^{-w_{20}}$. Pure functions; the log is replayed through `review`.
The numbers are the default parameters of FSRS-6 (github.com/open-spaced-repetition, the `fsrs` package is the oracle).
Variant: time in fractions of a day, no learning steps, no fuzz. Not handled: fitting the parameters to a learner.
"""

from math import exp
from typing import NamedTuple

VERSION = "fsrs-6"
"""Noted with every event; a later model replays the log."""

W = (
    0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796,
    1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
)  # fmt: skip
F = 0.9 ** (-1 / W[20]) - 1
AGAIN, HARD, GOOD, EASY = 1, 2, 3, 4
SMALLEST = 0.001


class Memory(NamedTuple):
    """stability: days until recall falls to 90 %. difficulty: 1 (easy) to 10."""

    stability: float
    difficulty: float


def recall(memory: Memory, days: float) -> float:
    """Return the probability that it is recalled `days` after the last review."""
    return float((1 + F * max(0.0, days) / memory.stability) ** -W[20])


def interval(memory: Memory, wanted: float = 0.9) -> float:
    """Return the days after which recall has fallen to `wanted`."""
    return float(memory.stability / F * (wanted ** (-1 / W[20]) - 1))


def review(before: Memory | None, grade: int, days: float = 0.0) -> Memory:
    """Return the memory after a review: grade 1 again, 2 hard, 3 good, 4 easy, `days` after the one before.

    before: None for the first review. Raises ValueError for another grade.
    """
    if grade not in (AGAIN, HARD, GOOD, EASY):
        raise ValueError(f"a grade is 1, 2, 3 or 4, not {grade!r}")
    if before is None:
        return Memory(W[grade - 1], _within(_first_difficulty(grade)))
    if days < 1:
        stability = _same_day(before, grade)
    elif grade == AGAIN:
        stability = _forgotten(before, recall(before, days))
    else:
        stability = _recalled(before, grade, recall(before, days))
    return Memory(max(stability, SMALLEST), _difficulty(before.difficulty, grade))


def _first_difficulty(grade: int) -> float:
    return W[4] - exp(W[5] * (grade - 1)) + 1


def _difficulty(d: float, grade: int) -> float:
    moved = d + (10 - d) / 9 * -W[6] * (grade - 3)
    return _within(W[7] * _first_difficulty(EASY) + (1 - W[7]) * moved)


def _within(difficulty: float) -> float:
    return min(max(difficulty, 1.0), 10.0)


def _same_day(memory: Memory, grade: int) -> float:
    factor = exp(W[17] * (grade - 3 + W[18])) * memory.stability ** -W[19]
    return float(memory.stability * (max(factor, 1.0) if grade >= HARD else factor))


def _recalled(memory: Memory, grade: int, r: float) -> float:
    s, d = memory
    bonus = W[15] if grade == HARD else W[16] if grade == EASY else 1.0
    return float(s * (1 + exp(W[8]) * (11 - d) * s ** -W[9] * (exp(W[10] * (1 - r)) - 1) * bonus))


def _forgotten(memory: Memory, r: float) -> float:
    s, d = memory
    after = W[11] * d ** -W[12] * ((s + 1) ** W[13] - 1) * exp(W[14] * (1 - r))
    return float(min(after, s / exp(W[17] * W[18])))
