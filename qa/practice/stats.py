"""What was practised, in lines of text."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from statistics import mean, median

from qa.bank import Entry
from qa.practice.draw import ASKED, recall_of
from qa.practice.events import GRADE, Event, Studied, day_of, standing, tz_offset
from qa.practice.grade import NAMES


def summary(
    entries: Sequence[Entry], events: Iterable[Event], studied: Mapping[str, Studied], now_ms: int
) -> Iterator[str]:
    """Yield what to say of these questions; grades taken back do not count."""
    ids = {e.id for e in entries}
    given = [e for e in standing(events) if e.kind == GRADE and e.item_id in ids]
    today = day_of(now_ms, tz_offset(now_ms))
    this_week = [e for e in given if e.day > today - timedelta(days=7)]
    grades = Counter(e.grade for e in given)
    yield f"Questions: {len(entries):,}, of which {sum(e.id not in studied for e in entries):,} new to you"
    yield f"Answers: {len(given):,}; today {sum(e.day == today for e in given):,}, in seven days {len(this_week):,}"
    if given:
        yield "Grades: " + ", ".join(f"{name} {grades[grade]:,}" for grade, name in NAMES.items())
    if times := [e.took_ms / 1000 for e in given if e.took_ms is not None]:
        yield f"Time: {median(times):.0f} seconds an answer (median)"
    yield ""
    yield "Asked           questions  studied  likely remembered now"
    for priority, asked in ASKED.items():
        if group := [e for e in entries if e.priority == priority]:
            known = sum(e.id in studied for e in group)
            now = mean(recall_of(e.id, studied, now_ms) for e in group)
            yield f"{asked:15} {len(group):9,}  {known:7,}  {now:8.0%}"
    yield ""
