"""The grade that ticked key points suggest. You may always give another."""

from collections.abc import Collection, Sequence

from qa.practice.memory import AGAIN, EASY, GOOD, HARD

NAMES = {AGAIN: "again", HARD: "hard", GOOD: "good", EASY: "easy"}
WEIGHTS = ("must", "should", "bonus")


def suggest(weights: Sequence[str], ticked: Collection[int]) -> int:
    """Return the grade for the key points said: their weights in order, and the places of those ticked.

    The heaviest kind present (usually the musts) is what has to be said. Less than half of it: again. Not all of it:
    hard. All of it: good. All of it and all of the next kind (usually the shoulds): easy.
    Raises IndexError for a tick that is no key point.
    """
    for place in ticked:
        if not 0 <= place < len(weights):
            raise IndexError(f"there is no key point {place}, only {len(weights)} of them")
    kinds = [[n for n, w in enumerate(weights) if w == kind] for kind in WEIGHTS if kind in weights]
    if not kinds:
        return GOOD
    said = len([n for n in kinds[0] if n in ticked])
    if 2 * said < len(kinds[0]):
        return AGAIN
    if said < len(kinds[0]):
        return HARD
    return EASY if len(kinds) > 1 and all(n in ticked for n in kinds[1]) else GOOD
