"""Which question comes next, and why: by how often it is asked, and how likely it is forgotten.

The weight of a question is the draw weight of its priority times (1 - R), R being the chance that it is remembered
now, 0 if it was never graded. Later the plan looks ahead to the interview day; the draw looks at now.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

from qa.bank import DRAW_WEIGHT
from qa.practice.events import Studied, days_between

ASKED = {1: "nearly always", 2: "often", 3: "sometimes", 4: "seldom", 5: "rarely"}


class Drawable(Protocol):
    """What the draw has to know of a question; an entry of the bank is one."""

    @property
    def id(self) -> str: ...
    @property
    def priority(self) -> int: ...


class Drawn(NamedTuple):
    """A question that was drawn: its place in the list, and why."""

    place: int
    why: str


def weight(priority: int, recall: float) -> float:
    """Return how much a question counts in the draw; recall is 0 for one that was never graded."""
    return DRAW_WEIGHT[priority] * (1 - recall)


def draw(
    questions: Sequence[Drawable],
    studied: Mapping[str, Studied],
    now_ms: int,
    number: float,
    *,
    last: str | None = None,
) -> Drawn | None:
    """Draw a question by a number from 0 up to 1; the same number draws the same question. None where there is none.

    last: the question asked before, which does not come twice running unless it is the only one.
    """
    if not questions:
        return None
    weights = [0.0 if q.id == last else weight(q.priority, recall_of(q.id, studied, now_ms)) for q in questions]
    sums = list(accumulate(weights))
    if sums[-1]:
        index = bisect_right(sums, number * sums[-1])
        index = min(index, max(n for n, w in enumerate(weights) if w))
    else:  # all were graded this very moment
        others = [n for n, q in enumerate(questions) if q.id != last] or [0]
        index = others[int(number * len(others))]
    return Drawn(index, why(questions[index], studied, now_ms))


def recall_of(id: str, studied: Mapping[str, Studied], now_ms: int) -> float:
    """Return how likely a question is remembered now, 0 if it was never graded."""
    return studied[id].recall(now_ms) if id in studied else 0.0


def why(question: Drawable, studied: Mapping[str, Studied], now_ms: int) -> str:
    """Say why it was drawn: "asked nearly always, new"."""
    asked = f"asked {ASKED[question.priority]}"
    if question.id not in studied:
        return f"{asked}, new"
    known = studied[question.id]
    ago = in_words(days_between(known.last_ms, now_ms))
    return f"{asked}, {known.recall(now_ms):.0%} likely remembered, last seen {ago}"


def in_words(days: float) -> str:
    """Say how long ago something was."""
    if days < 1 / 24:
        return "just now" if days < 2 / 1440 else f"{days * 1440:.0f} minutes ago"
    if days < 1:
        hours = round(days * 24)
        return f"{hours} hour{'s' * (hours > 1)} ago"
    return f"{round(days)} day{'s' * (round(days) > 1)} ago"


def numbers(seed: int | None = None) -> Callable[[], float]:
    """Return a source of numbers from 0 up to 1 to draw by; the same seed gives the same ones."""
    if seed is None:
        return lambda: (int.from_bytes(os.urandom(7)) >> 3) / 2**53
    from random import Random

    return Random(seed).random
