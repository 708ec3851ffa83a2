"""What ticked key points suggest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.practice.grade import suggest

weights = st.lists(st.sampled_from(["must", "should", "bonus"]), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("points", "ticked", "grade"),
    [
        ("must must should bonus", {}, 1),
        ("must must should bonus", {2, 3}, 1),  # shoulds do not make up for a must
        ("must must should bonus", {0}, 2),  # half of the musts
        ("must must must should", {1}, 1),  # less than half
        ("must must should bonus", {0, 1}, 3),
        ("must must should bonus", {0, 1, 3}, 3),
        ("must must should bonus", {0, 1, 2}, 4),
        ("must should should", {0, 1}, 3),
        ("must must", {0, 1}, 3),  # easy is yours to say
        ("should bonus", {0}, 3),  # without musts the shoulds are what has to be said
        ("should bonus", {0, 1}, 4),
        ("must", {0}, 3),
        ("must", {}, 1),
    ],
)
def test_by_hand(points: str, ticked: set[int], grade: int) -> None:
    assert suggest(points.split(), ticked) == grade


@given(weights, st.data())
def test_one_more_tick_never_suggests_less(points: list[str], data: st.DataObject) -> None:
    places = st.integers(0, len(points) - 1)
    ticked, more = data.draw(st.sets(places)), data.draw(places)
    assert 1 <= suggest(points, ticked) <= suggest(points, ticked | {more}) <= 4


@given(weights)
def test_all_said_is_at_least_good_and_nothing_is_again(points: list[str]) -> None:
    assert suggest(points, range(len(points))) >= 3
    assert suggest(points, ()) == 1


@pytest.mark.parametrize("place", [-1, 2])
def test_a_tick_that_is_no_key_point_is_refused(place: int) -> None:
    with pytest.raises(IndexError, match=f"no key point {place}"):
        suggest(["must", "should"], {place})
