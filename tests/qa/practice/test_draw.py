"""The draw: its weights, that it is repeatable, that it says why, and that nothing comes twice running."""

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import bank, model
from qa.practice import draw
from qa.practice.events import Studied
from qa.practice.memory import Memory, recall

NOW = 1_800_000_000_000
DAY = 86_400_000


class Asked(NamedTuple):
    id: str
    priority: int


def studied(days: float, stability: float = 5.0) -> Studied:
    return Studied(Memory(stability, 5.0), NOW - round(days * DAY), "hash", 1)


questions = st.lists(st.integers(1, 5), min_size=1, max_size=30).map(
    lambda ps: [Asked(f"q{n}", p) for n, p in enumerate(ps)]
)
unit = st.floats(0, 1, exclude_max=True)


def test_every_priority_has_a_weight_and_a_word() -> None:
    priority = model.Question.model_json_schema()["properties"]["priority"]
    every = set(range(priority["minimum"], priority["maximum"] + 1))
    assert set(bank.DRAW_WEIGHT) == every
    assert set(draw.ASKED) == every
    assert sorted(bank.DRAW_WEIGHT.values(), reverse=True) == [bank.DRAW_WEIGHT[p] for p in sorted(every)]


def test_a_weight_by_hand() -> None:
    assert draw.weight(1, 0.0) == 16
    assert draw.weight(2, 0.75) == 2
    assert draw.weight(5, 1.0) == 0


def test_a_new_question_has_no_recall_and_another_what_the_memory_says() -> None:
    known = {"a": studied(3)}
    assert draw.recall_of("b", known, NOW) == 0
    assert draw.recall_of("a", known, NOW) == pytest.approx(recall(Memory(5.0, 5.0), 3), rel=1e-9)


def test_frequencies_follow_the_weights() -> None:
    asked = [Asked("a", 1), Asked("b", 3), Asked("c", 5), Asked("d", 2)]
    known = {"d": studied(5, stability=5.0)}  # R = 0.9 after S days
    number = draw.numbers(0)
    drawn: Counter[str] = Counter()
    for _ in range(20_000):
        found = draw.draw(asked, known, NOW, number())
        assert found
        drawn[asked[found.place].id] += 1
    total = 16 + 4 + 1 + 0.8
    for id, weight in {"a": 16, "b": 4, "c": 1, "d": 0.8}.items():
        assert drawn[id] / 20_000 == pytest.approx(weight / total, abs=0.01)


@given(questions, unit)
def test_the_same_number_draws_the_same_question(asked: list[Asked], number: float) -> None:
    assert draw.draw(asked, {}, NOW, number) == draw.draw(asked, {}, NOW, number)


@given(questions, unit, st.data())
def test_never_the_same_twice_running_unless_it_is_the_only_one(
    asked: list[Asked], number: float, data: st.DataObject
) -> None:
    last = data.draw(st.sampled_from(asked)).id
    graded = data.draw(st.sets(st.sampled_from(asked)))
    known = {q.id: studied(data.draw(st.sampled_from([0.0, 0.01, 3.0, 200.0]))) for q in graded}
    found = draw.draw(asked, known, NOW, number, last=last)
    assert found
    assert asked[found.place].id != last or len(asked) == 1


def test_what_was_graded_this_moment_is_not_drawn_while_there_is_another() -> None:
    asked = [Asked("a", 1), Asked("b", 5), Asked("c", 1)]
    known = {"a": studied(0), "c": studied(0)}
    for number in (0.0, 0.3, 0.9999999999999999):
        found = draw.draw(asked, known, NOW, number)
        assert found
        assert found.place == 1


def test_when_all_were_graded_this_moment_each_can_come() -> None:
    asked = [Asked("a", 1), Asked("b", 5), Asked("c", 1)]
    known = {q.id: studied(0) for q in asked}
    places = [draw.draw(asked, known, NOW, number, last="a") for number in (0.0, 0.49, 0.5, 0.99)]
    assert [p and p.place for p in places] == [1, 1, 2, 2]


def test_nothing_to_draw_from() -> None:
    assert draw.draw([], {}, NOW, 0.5) is None


def test_a_seed_repeats_the_numbers() -> None:
    first, second, other = draw.numbers(7), draw.numbers(7), draw.numbers(8)
    numbers = [first() for _ in range(5)]
    assert numbers == [second() for _ in range(5)]
    assert numbers != [other() for _ in range(5)]


def test_without_a_seed_numbers_are_even_and_below_one() -> None:
    number = draw.numbers()
    found = sorted(number() for _ in range(20_000))
    assert 0 <= found[0] < 0.01
    assert 0.99 < found[-1] < 1
    for place, value in enumerate(found):
        assert value == pytest.approx(place / 20_000, abs=0.02)  # Kolmogorov-Smirnov, far beyond the usual bound


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0.0, "just now"),
        (0.01, "14 minutes ago"),
        (1 / 24, "1 hour ago"),
        (0.5, "12 hours ago"),
        (1.2, "1 day ago"),
        (40.0, "40 days ago"),
    ],
)
def test_how_long_ago(days: float, said: str) -> None:
    assert draw.in_words(days) == said


def test_why() -> None:
    asked = [Asked("a", 1), Asked("b", 2)]
    assert draw.why(asked[0], {}, NOW) == "asked nearly always, new"
    said = draw.why(asked[1], {"b": studied(5)}, NOW)
    assert said == "asked often, 90% likely remembered, last seen 5 days ago"
