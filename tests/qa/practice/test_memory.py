"""FSRS-6 against its published vectors, against the `fsrs` package, and by what has to be true of any memory."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.practice.memory import EASY, SMALLEST, F, Memory, W, interval, recall, review

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "fsrs_vectors.json").read_text("utf-8"))
memories = st.builds(Memory, st.floats(SMALLEST, 5000), st.floats(1, 10))
grades = st.integers(1, 4)
histories = st.lists(st.tuples(grades, st.integers(0, 400)), min_size=1, max_size=12)


@pytest.mark.parametrize("history", VECTORS["histories"], ids=lambda h: "".join(map(str, h["grades"])))
def test_vectors(history: dict[str, Any]) -> None:
    memory = None
    compared = 0
    for grade, gap, after in zip(history["grades"], history["gaps"], history["after"], strict=True):
        memory = review(memory, grade, gap)
        got = {
            "stability": memory.stability,
            "difficulty": memory.difficulty,
            "interval": max(1, round(interval(memory))),
        }
        for name, wanted in after.items():
            if wanted is not None:
                assert got[name] == pytest.approx(wanted, abs=VECTORS["tolerance"]), (name, grade, gap)
                compared += 1
    assert compared >= 2 * len(history["grades"]) - 1


@given(histories)
def test_the_reference_package_agrees(history: list[tuple[int, int]]) -> None:
    scheduler = fsrs.Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False, maximum_interval=10**6)
    card, now, memory = fsrs.Card(), datetime(2026, 1, 1, tzinfo=UTC), None
    for n, (grade, gap) in enumerate(history):
        days = gap if n else 0
        now += timedelta(days=days)
        if memory is not None:
            assert recall(memory, days) == pytest.approx(scheduler.get_card_retrievability(card, now), rel=1e-9)
        memory = review(memory, grade, days)
        card, _ = scheduler.review_card(card, fsrs.Rating(grade), now)
        assert memory.stability == pytest.approx(card.stability, rel=1e-9)
        assert memory.difficulty == pytest.approx(card.difficulty, rel=1e-9)


def test_parameters_are_those_of_the_reference_package() -> None:
    assert tuple(fsrs.Scheduler().parameters) == W
    assert pytest.approx(0.980346, abs=5e-7) == F


@given(memories, st.floats(0, 3000), st.floats(0.001, 3000))
def test_recall_starts_at_one_and_falls(memory: Memory, days: float, more: float) -> None:
    assert recall(memory, 0) == 1
    assert 0 < recall(memory, days + more) < recall(memory, days) <= 1


@given(memories, st.floats(0.05, 0.99))
def test_the_interval_is_when_recall_has_fallen_so_far(memory: Memory, wanted: float) -> None:
    assert recall(memory, interval(memory, wanted)) == pytest.approx(wanted, rel=1e-9)


@given(memories)
def test_stability_is_the_days_to_ninety_per_cent(memory: Memory) -> None:
    assert recall(memory, memory.stability) == pytest.approx(0.9, rel=1e-9)


@given(memories, st.floats(1, 1000))
def test_a_better_grade_never_leaves_a_weaker_memory(memory: Memory, days: float) -> None:
    after = [review(memory, grade, days) for grade in (1, 2, 3, 4)]
    assert [m.stability for m in after] == sorted(m.stability for m in after)
    assert [m.difficulty for m in after] == sorted((m.difficulty for m in after), reverse=True)
    assert after[0].stability < memory.stability or memory.stability <= SMALLEST


@given(memories, grades, st.floats(0, 1000))
def test_a_memory_stays_within_its_bounds(memory: Memory, grade: int, days: float) -> None:
    after = review(memory, grade, days)
    assert after.stability >= SMALLEST
    assert 1 <= after.difficulty <= 10


@given(memories)
def test_the_same_day_pass_does_not_weaken_and_the_fail_does(memory: Memory) -> None:
    assert review(memory, 2, 0.4).stability >= memory.stability
    assert review(memory, EASY, 0.99).stability >= memory.stability
    assert review(memory, 1, 0.4).stability < memory.stability or memory.stability <= SMALLEST


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    assert recall(Memory(3.0, 5.0), -2.0) == 1


@pytest.mark.parametrize("grade", [0, 5, -1])
def test_another_grade_is_refused(grade: int) -> None:
    with pytest.raises(ValueError, match=f"not {grade}"):
        review(None, grade)
