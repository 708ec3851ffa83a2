"""Events, and what they come to: pure functions from what happened to what is remembered."""

import os
import time
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from qa.practice import memory

DAY_TURNS_AT = timedelta(hours=4)
GRADE, VOID, SKIP = "grade", "void", "skip"


class Event(NamedTuple):
    """Something that happened. kind: "grade", "void" (payload: what it takes back), "skip", or what later versions add.

    Other kinds are kept and passed over, so that logs of newer versions can be merged.
    """

    uuid: str
    ts_utc_ms: int
    tz_offset_min: int
    item_id: str
    item_hash: str
    kind: str
    grade: int | None
    took_ms: int | None
    scheduler_version: str
    payload: dict[str, Any]

    @property
    def day(self) -> date:
        """The day it belongs to, where it happened."""
        return day_of(self.ts_utc_ms, self.tz_offset_min)


class Studied(NamedTuple):
    """What the log knows of a question that was graded at least once."""

    memory: memory.Memory
    last_ms: int
    """When it was last graded."""
    item_hash: str
    """Of the answer as it was then."""
    grades: int

    def recall(self, now_ms: int) -> float:
        """Return how likely it is remembered now."""
        return memory.recall(self.memory, days_between(self.last_ms, now_ms))


def now() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def days_between(earlier_ms: int, later_ms: int) -> float:
    """Return the days from one moment to another; none where the clock went back."""
    return max(0, later_ms - earlier_ms) / 86_400_000


def day_of(ts_utc_ms: int, tz_offset_min: int) -> date:
    """Return the local day of a moment; a day turns at 4 am, so that a late evening is one day."""
    local = datetime(1970, 1, 1) + timedelta(milliseconds=ts_utc_ms, minutes=tz_offset_min)
    return (local - DAY_TURNS_AT).date()


def tz_offset(ts_utc_ms: int) -> int:
    """Return how far local time is ahead of UTC at that moment, in minutes."""
    return time.localtime(ts_utc_ms / 1000).tm_gmtoff // 60


def new_uuid() -> str:
    """Return a UUID of version 7, whose order is that of time to a quarter of a microsecond."""
    ns = time.time_ns()
    ms, rest = divmod(ns, 1_000_000)
    bits = ms << 80 | 7 << 76 | (rest * 4096 // 1_000_000) << 64 | 2 << 62 | int.from_bytes(os.urandom(8)) >> 2
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def standing(events: Iterable[Event]) -> list[Event]:
    """Return the events without those taken back and without the voids, in the order of time."""
    every = sorted(events, key=lambda e: (e.ts_utc_ms, e.uuid))
    gone = {e.payload.get("void") for e in every if e.kind == VOID}
    return [e for e in every if e.kind != VOID and e.uuid not in gone]


def replay(events: Iterable[Event]) -> Studied | None:
    """Return what the events of one question come to; None when no grade stands."""
    now, last, count = None, None, 0
    for event in standing(events):
        if event.kind == GRADE and event.grade:
            days = days_between(last.ts_utc_ms, event.ts_utc_ms) if last else 0.0
            now, last, count = memory.review(now, event.grade, days), event, count + 1
    return Studied(now, last.ts_utc_ms, last.item_hash, count) if now and last else None
