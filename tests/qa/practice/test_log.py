"""The log: nothing is lost, nothing is changed, and what is derived can be thrown away."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from qa.practice import log as logs
from qa.practice import memory, repair
from qa.practice.events import GRADE, SKIP, VOID, Event, day_of, days_between, new_uuid, replay, standing, tz_offset
from qa.practice.log import Log, LogError

ROOT = Path(__file__).parents[3]
DAY = 86_400_000
START = 1_790_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "log.sqlite"


OPEN: list[Log] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop()._connection.close()


def opened(path: Path, *, check: bool = False) -> Log:
    """Open a log that is closed when the test ends."""
    OPEN.append(Log(path, check=check))
    return OPEN[-1]


def raw(path: Path, *statements: str) -> list[Any]:
    """Run statements past the log; return what the last one finds."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(s).fetchall() for s in statements][-1]


def grade(log: Log, item: str, given: int, ts: int | None = None, hash: str = "h") -> Event:
    return log.append(item, hash, GRADE, grade=given, took_ms=1000, ts_utc_ms=ts)


def filled(path: Path, answers: int = 300) -> list[Event]:
    """Make a log of several pages, closed without a backup."""
    log = opened(path)
    events = [
        Event(new_uuid(), START + n * 1000, 60, f"topic/q{n % 7}", "h", GRADE, 1 + n % 4, 1000, "fsrs-6", {"n": n})
        for n in range(answers)
    ]
    log.add(events)
    log._added = False
    log.close()
    return events


def test_an_event_comes_back_as_it_went_in(path: Path) -> None:
    log = opened(path)
    event = log.append("a/b", "hash", GRADE, grade=3, took_ms=4200, payload={"ticked": [0, 2], "ü": "√d"})
    log.close()
    (back,) = opened(path).events()
    assert back == event
    assert back.payload == {"ticked": [0, 2], "ü": "√d"}
    assert (back.grade, back.took_ms, back.scheduler_version) == (3, 4200, memory.VERSION)
    assert back.tz_offset_min == tz_offset(back.ts_utc_ms)


def test_the_columns_are_the_promised_ones(path: Path) -> None:
    opened(path).close()
    columns = [row[1] for row in raw(path, "PRAGMA table_info(events)")]
    assert columns[:10] == list(Event._fields)
    assert ",".join(columns[:5]) == "uuid,ts_utc_ms,tz_offset_min,item_id,item_hash"
    assert ",".join(columns[5:10]) == "kind,grade,took_ms,scheduler_version,payload"


def test_settings_that_keep_an_answer_through_a_power_cut(path: Path) -> None:
    log = opened(path)
    assert log._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert log._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert log._connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)


@pytest.mark.parametrize("statement", ["DELETE FROM events", "UPDATE events SET grade = 4"])
def test_events_cannot_be_changed(path: Path, statement: str) -> None:
    filled(path, 3)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw(path, statement)


@pytest.mark.parametrize(
    "change", [{"grade": 5}, {"grade": None}, {"item_id": ""}, {"kind": ""}, {"uuid": "x"}, {"took_ms": -1}]
)
def test_an_event_that_makes_no_sense_is_refused_and_nothing_is_written(path: Path, change: dict[str, Any]) -> None:
    log = opened(path)
    good = grade(log, "a/b", 3)
    fine, bad = good._replace(uuid=new_uuid()), good._replace(**({"uuid": new_uuid()} | change))
    with pytest.raises(LogError, match="CHECK constraint"):
        log.add([fine, bad])
    assert log.events() == [good]


# ------------------------------------------------------------------ undo


def test_undo_goes_back_through_sessions_and_keeps_everything(path: Path) -> None:
    for n, given in enumerate((1, 3, 4)):
        log = opened(path)
        grade(log, f"t/q{n}", given, START + n)
        log.close()
    log = opened(path)
    log.append("t/q9", "h", SKIP, ts_utc_ms=START + 10)
    gone = [log.undo() for _ in range(4)]
    assert [g and g.item_id for g in gone] == ["t/q2", "t/q1", "t/q0", None]
    assert log.studied() == {}
    kinds = [e.kind for e in log.events()]
    assert kinds == [GRADE] * 3 + [SKIP] + [VOID] * 3
    assert [e.payload["void"] for e in log.events() if e.kind == VOID] == [g.uuid for g in gone if g]


def test_undo_of_a_certain_event(path: Path) -> None:
    log = opened(path)
    first = grade(log, "t/a", 1, START)
    grade(log, "t/b", 3, START + 1)
    assert log.undo(first) == first
    assert log.undo(first) is None
    assert set(log.studied()) == {"t/b"}


def test_after_undo_the_memory_is_as_it_was(path: Path) -> None:
    log = opened(path)
    grade(log, "t/a", 3, START)
    before = log.studied()
    grade(log, "t/a", 1, START + 5 * DAY)
    assert log.studied() != before
    log.undo()
    assert log.studied() == before


# ------------------------------------------------------------------ what is derived


def test_memory_is_the_replay_of_the_grades(path: Path) -> None:
    log = opened(path)
    for given, day in ((3, 0), (1, 5), (3, 6), (4, 10)):
        grade(log, "t/a", given, START + day * DAY, hash=f"h{day}")
    found = log.studied()["t/a"]
    assert found.memory.stability == pytest.approx(13.2886, abs=5e-5)  # a vector of scheduling.md
    assert found.memory.difficulty == pytest.approx(6.4929, abs=5e-5)
    assert (found.last_ms, found.item_hash, found.grades) == (START + 10 * DAY, "h10", 4)
    assert found.recall(START + 11 * DAY) == pytest.approx(memory.recall(found.memory, 1), rel=1e-9)


@pytest.mark.parametrize(
    "destroy",
    [
        "DROP TABLE memory; DROP TABLE derived",
        "DROP TABLE memory",
        "DROP TABLE derived",
        "DELETE FROM derived",
        "UPDATE derived SET version = 'another'; UPDATE memory SET stability = 1",
    ],
)
def test_the_cache_can_be_thrown_away(path: Path, destroy: str) -> None:
    events = filled(path)
    before = opened(path).studied()
    assert len(before) == 7
    for item, found in before.items():
        assert found == replay(e for e in events if e.item_id == item)
    raw(path, *destroy.split(";"))
    assert opened(path).studied() == before


def test_an_older_event_that_comes_later_is_replayed_in_its_place(path: Path, tmp_path: Path) -> None:
    log, other = opened(path), opened(tmp_path / "other.sqlite")
    late = grade(log, "t/a", 3, START + 3 * DAY)
    early = grade(other, "t/a", 3, START)
    assert log.add([early]) == 1
    assert log.studied()["t/a"] == replay([early, late])
    assert log.studied()["t/a"].memory.stability == pytest.approx(13.8269, abs=5e-5)


def test_merging_is_a_union(path: Path, tmp_path: Path) -> None:
    log, other = opened(path), opened(tmp_path / "other.sqlite")
    for n in range(5):
        grade(log, "t/a", 3, START + n * DAY)
        grade(other, "t/b", 2, START + n * DAY)
    other.undo()
    assert log.add(other.events()) == 6
    assert log.add(other.events()) == 0
    assert other.add(log.events()) == 5
    assert log.studied() == other.studied()


def test_a_kind_of_a_later_version_is_kept_and_passed_over(path: Path) -> None:
    log = opened(path)
    grade(log, "t/a", 3, START)
    before = log.studied()
    log.append("t/a", "h", "drill", grade=1, ts_utc_ms=START + DAY)
    assert log.studied() == before
    assert [e.kind for e in log.events()] == [GRADE, "drill"]


# ------------------------------------------------------------------ several at once, and sudden ends

WRITER = """
import sys
from pathlib import Path
from qa.practice.log import Log
log = Log(Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    log.append(f"t/q{sys.argv[2]}", "h", "grade", grade=1 + n % 4, took_ms=n)
    print(n, flush=True)
log.close()
"""


def writer(path: Path, who: int, answers: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(who), str(answers)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_four_writers_lose_nothing(path: Path) -> None:
    """All four also make the file at the same time."""
    writers = [writer(path, who, 200) for who in range(4)]
    for each in writers:
        _, errors = each.communicate(timeout=120)
        assert (each.returncode, errors) == (0, "")
    events = opened(path).events()
    for who in range(4):
        assert [e.took_ms for e in events if e.item_id == f"t/q{who}"] == list(range(200))
    assert len({e.uuid for e in events}) == 800
    assert opened(path).studied() == {
        i: replay(e for e in events if e.item_id == i) for i in {e.item_id for e in events}
    }


def test_kill_9_between_answers_loses_nothing(path: Path) -> None:
    running = writer(path, 0, 100_000)
    assert running.stdout
    said = [running.stdout.readline() for _ in range(25)]
    running.send_signal(signal.SIGKILL)
    rest, _ = running.communicate(timeout=30)
    said += rest.splitlines(keepends=True)
    acknowledged = [int(s) for s in said if s.endswith("\n")]
    saved = [e.took_ms for e in opened(path, check=True).events()]
    assert len(acknowledged) >= 25
    assert saved[: len(acknowledged)] == acknowledged
    assert len(saved) - len(acknowledged) in (0, 1)  # one may be written and not yet said


# ------------------------------------------------------------------ damage


def damage(path: Path, at: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * length)


def sorted_events(log: Log) -> list[Event]:
    return sorted(log.events(), key=lambda e: e.uuid)


@pytest.mark.parametrize("kind", ["garbage", "emptied", "cut", "page"])
def test_a_damaged_log_is_set_aside_and_comes_back(path: Path, kind: str) -> None:
    filled(path)
    log = opened(path)
    log.backup()
    late = grade(log, "topic/late", 4)
    log._added = False
    log.close()
    everything = sorted_events(opened(path))
    size = path.stat().st_size
    if kind == "garbage":
        path.write_bytes(b"not a database, for sure " * 500)
    elif kind == "emptied":
        path.write_bytes(b"")
    elif kind == "cut":
        os.truncate(path, size // 2 // 4096 * 4096)
    else:
        damage(path, 4096 * 3, 4096)
    ruined = path.read_bytes()
    log = opened(path, check=True)
    assert len(log.notes) == 1
    assert "damaged" in log.notes[0]
    (aside,) = path.parent.glob("log.damaged-*.sqlite")
    assert aside.read_bytes() == ruined
    assert str(aside) in log.notes[0]
    back = sorted_events(log)
    assert [e for e in everything if e != late] == [e for e in back if e != late]
    assert log.studied()["topic/q0"] == replay(e for e in everything if e.item_id == "topic/q0")
    assert opened(path, check=True).notes == []


def test_what_is_not_in_the_backup_is_read_from_the_damaged_file(path: Path) -> None:
    events = filled(path, 2000)
    pages = path.stat().st_size // 4096
    damage(path, 4096 * (pages // 2), 4096)
    log = opened(path, check=True)
    assert "no good backup" in log.notes[0]
    back = {e.uuid for e in log.events()}
    assert back <= {e.uuid for e in events}
    assert len(back) > 0.5 * len(events)


def test_a_damaged_backup_is_passed_over(path: Path) -> None:
    filled(path)
    log = opened(path)
    log.backup()
    log.close()
    (good,) = repair.backups(path).values()
    newer = good.with_name("2999-01-01.sqlite")
    shutil.copy(good, newer)
    damage(newer, 4096 * 2, 8192)
    path.write_bytes(b"garbage" * 1000)
    log = opened(path)
    assert f"from the backup of {good.stem}" in log.notes[0]
    assert len(log.events()) == 300


def test_damage_found_while_answering_does_not_lose_the_answer(path: Path) -> None:
    filled(path)
    log = opened(path)
    log.backup()
    log.close()
    log = opened(path)
    for page in range(1, path.stat().st_size // 4096):
        damage(path, 4096 * page, 4096)
    answer = grade(log, "topic/new", 4)
    assert answer in opened(path).events()
    assert len(opened(path).events()) == 301
    assert len(log.notes) == 1


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    filled(path, 3)
    raw(path, "PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(LogError, match=r"newer version \(its schema is 2, this one knows 1\)") as error:
        opened(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.glob("*damaged*")] == []


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    path.parent.mkdir()
    raw(path, "CREATE TABLE recipes (name)")
    before = path.read_bytes()
    with pytest.raises(LogError, match="something else"):
        opened(path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="QUIZ_HOME"):
        opened(tmp_path / "file" / "log.sqlite")


def test_a_log_that_another_program_holds_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BUSY_MS", 50)
    log = opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogError, match="another program"):
            grade(log, "t/a", 3)
    grade(log, "t/a", 3)
    assert len(log.events()) == 1


# ------------------------------------------------------------------ backups, folders, time


def test_a_session_leaves_one_backup_a_day_and_it_is_whole(path: Path) -> None:
    for n in range(3):
        log = opened(path)
        grade(log, "t/a", 3, START + n * DAY)
        log.close()
    (copy,) = (path.parent / "backups").iterdir()
    assert len(opened(copy, check=True).events()) == 3
    opened(path).close()
    assert len(repair.backups(path)) == 1


def test_thinning_by_hand() -> None:
    today = date(2026, 11, 21)  # a Saturday
    days = [today - timedelta(days=n) for n in range(120)]
    keep = repair.kept(days, today)
    assert {today - timedelta(days=n) for n in range(7)} <= keep
    older = sorted(keep - {today - timedelta(days=n) for n in range(7)})
    assert all(d.weekday() == 6 for d in older if (today - d).days in range(14, 56))  # Sundays
    assert [d for d in older if (today - d).days >= 56] == [date(2026, 7, 31), date(2026, 8, 31), date(2026, 9, 26)]
    assert len(keep) < 20


@forall(st.sets(st.dates(date(2024, 1, 1), date(2026, 11, 21)), min_size=1))
def test_thinning_keeps_the_newest_and_is_done_at_once(days: set[date]) -> None:
    today = date(2026, 11, 21)
    keep = repair.kept(days, today)
    assert max(days) in keep <= days
    assert repair.kept(keep, today) == keep


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /home rw shared:2 - nfs4 server:/home rw
41 40 8:2 / /home/local rw - xfs /dev/sdb1 rw
42 22 0:51 / /mnt/with\\040space rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ada/data", "nfs4"),
        ("/home/local/ada", None),
        ("/homes", None),
        ("/var", None),
        ("/mnt/with space/x", "cifs"),
    ],
)
def test_network_folders(tmp_path: Path, folder: str, kind: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert repair.network_kind(Path(folder), mounts) == kind


def test_where_mounts_cannot_be_read_nothing_is_claimed(tmp_path: Path) -> None:
    assert repair.network_kind(Path("/"), tmp_path / "none") is None


def test_on_a_network_folder_the_log_does_without_shared_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, 3)
    monkeypatch.setattr(repair, "network_kind", lambda folder: "nfs4")
    log = opened(path, check=True)
    assert "network folder (nfs4)" in log.notes[0]
    assert log._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert len(log.events()) == 3


@pytest.mark.parametrize("data", [None, "/elsewhere", "relative", ""])
def test_home_is_where_platformdirs_says(data: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUIZ_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if data is not None:
        monkeypatch.setenv("XDG_DATA_HOME", data)
    assert logs.home() == platformdirs.user_data_path("executable-answers")


def test_home_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIZ_HOME", "~/quiz")
    assert logs.home() == Path("~/quiz").expanduser()


@pytest.mark.parametrize(
    ("utc", "offset", "day"),
    [
        ("2026-11-21T03:59:59", 0, date(2026, 11, 20)),
        ("2026-11-21T04:00:00", 0, date(2026, 11, 21)),
        ("2026-11-21T23:30:00", 330, date(2026, 11, 22)),  # 5:00 in India
        ("2026-11-21T10:00:00", -480, date(2026, 11, 20)),  # 2:00 in California
    ],
)
def test_a_day_turns_at_four_local_time(utc: str, offset: int, day: date) -> None:
    ms = int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000)
    assert day_of(ms, offset) == day


def test_days_between() -> None:
    assert days_between(START, START + DAY // 2) == 0.5
    assert days_between(START, START - DAY) == 0


def test_uuids_are_of_version_7_and_in_order() -> None:
    made = [new_uuid() for _ in range(200)]
    assert len(set(made)) == 200
    for text in made:
        assert str(uuid.UUID(text)) == text
        assert uuid.UUID(text).variant == uuid.RFC_4122
        assert uuid.UUID(text).version == 7
    assert made[::20] == sorted(made[::20])
    assert re.fullmatch("[0-9a-f-]{36}", made[0])


@forall(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.booleans()), max_size=12), st.randoms())
def test_what_stands_does_not_hang_on_the_order_of_writing(
    history: list[tuple[int, int, bool]], shuffled: object
) -> None:
    events = []
    for n, (item, given, taken_back) in enumerate(history):
        e = Event(f"{n:036}", START + n, 0, f"t/q{item}", "h", GRADE, given, 1, "fsrs-6", {})
        events.append(e)
        if taken_back:
            events.append(e._replace(uuid=f"{n:035}v", kind=VOID, grade=None, payload={"void": e.uuid}))
    wanted = [
        e.uuid for e, (_, _, back) in zip((e for e in events if e.kind == GRADE), history, strict=True) if not back
    ]
    mixed = list(events)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    assert [e.uuid for e in standing(mixed)] == wanted
    assert replay(mixed) == replay(events)
