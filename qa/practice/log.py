"""The log: every answer ever given, append-only, in one SQLite file. What is derived from it can be thrown away.

The table `events` is the truth: nothing in it is changed or deleted (triggers see to that), undo is a `void` event, and
merging two logs is a union by uuid. The tables `memory` and `derived` only cache what replaying the events gives; they
are brought up to date from the first event that they have not seen, so dropping them changes nothing.
Not handled: a network folder on macOS is not noticed.
"""

import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qa.practice import memory
from qa.practice.events import GRADE, VOID, Event, Studied, day_of, new_uuid, now, replay, standing, tz_offset

SCHEMA = 1
BUSY_MS = 5000

EVENTS = """
CREATE TABLE events (
    uuid TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    ts_utc_ms INTEGER NOT NULL CHECK (typeof(ts_utc_ms) = 'integer'),
    tz_offset_min INTEGER NOT NULL CHECK (typeof(tz_offset_min) = 'integer'),
    item_id TEXT NOT NULL CHECK (item_id <> ''),
    item_hash TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind <> ''),
    grade INTEGER CHECK (grade IN (1, 2, 3, 4)),
    took_ms INTEGER CHECK (took_ms >= 0),
    scheduler_version TEXT NOT NULL,
    payload TEXT NOT NULL CHECK (payload LIKE '{%}'),
    seq INTEGER PRIMARY KEY,
    CHECK ((kind = 'grade') <= (grade IS NOT NULL))
);
CREATE INDEX events_of_item ON events (item_id);
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER events_stay_same BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""
DERIVED = (
    "CREATE TABLE IF NOT EXISTS memory (item_id TEXT PRIMARY KEY, stability REAL, difficulty REAL, last_ms INTEGER,"
    " item_hash TEXT, grades INTEGER) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS derived (version TEXT, seq INTEGER)",
)


class LogError(Exception):
    """The log cannot be used; the message says where it is and what to do."""


COLUMNS = ", ".join(Event._fields)


def home() -> Path:
    """Return the folder of the log: $QUIZ_HOME, or the user's data folder."""
    if place := os.environ.get("QUIZ_HOME"):
        return Path(place).expanduser()
    name = "executable-answers"
    if sys.platform == "linux":  # what platformdirs does there; importing it costs a third of `quiz next`
        data = os.environ.get("XDG_DATA_HOME", "")
        return Path(data if os.path.isabs(data) else os.path.expanduser("~/.local/share")) / name
    from platformdirs import user_data_path

    return user_data_path(name)


class Log:
    """An open log. `notes` says what its owner should be told: a repair, a network folder.

    Raises LogError where the file cannot be used. A damaged file is set aside and its events are brought back from
    the newest good backup and from what can still be read of it.
    """

    def __init__(self, path: Path, *, check: bool = False) -> None:
        self.path, self.notes = path, list[str]()
        self._added = False
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                if _is_empty(path):
                    from qa.practice import repair

                    with repair.alone(path):  # two that make the same log would find it locked
                        self._connection = _open(path, self.notes, check=check)
                else:
                    self._connection = _open(path, self.notes, check=check)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._repair()

    def append(
        self,
        item_id: str,
        item_hash: str,
        kind: str,
        *,
        grade: int | None = None,
        took_ms: int | None = None,
        payload: dict[str, Any] | None = None,
        ts_utc_ms: int | None = None,
    ) -> Event:
        """Write one event; when this returns it is on the disk."""
        at = now() if ts_utc_ms is None else ts_utc_ms
        event = Event(
            new_uuid(), at, tz_offset(at), item_id, item_hash, kind, grade, took_ms, memory.VERSION, payload or {}
        )
        self.add([event])
        return event

    def add(self, events: Iterable[Event]) -> int:
        """Write events that the log does not have yet, all or none; return how many those were."""
        rows = [_row(e) for e in events]

        def write() -> int:
            with _writing(self._connection):
                return _insert(self._connection, rows)

        with self._errors():
            try:
                added = write()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._connection.close()
                self._repair()
                added = write()
        self._added = self._added or added > 0
        return added

    def undo(self, event: Event | None = None) -> Event | None:
        """Take back an event, or else the last grade that stands; return what was taken back."""
        with self._errors(), _writing(self._connection):
            grades = [e for e in standing(self.events(event and event.item_id)) if e.kind == GRADE]
            target: Event | None = next((e for e in reversed(grades) if event is None or e.uuid == event.uuid), None)
            if target is None:
                return None
            at = now()
            void = target._replace(
                uuid=new_uuid(), ts_utc_ms=at, tz_offset_min=tz_offset(at), kind=VOID, grade=None, took_ms=None,
                scheduler_version=memory.VERSION, payload={"void": target.uuid},
            )  # fmt: skip
            _insert(self._connection, [_row(void)])
        self._added = True
        return target

    def events(self, item_id: str | None = None) -> list[Event]:
        """Return all events, or those of one question, in the order they were written."""
        with self._errors():
            where, values = ("WHERE item_id = ?", (item_id,)) if item_id else ("", ())
            rows = self._connection.execute(f"SELECT {COLUMNS} FROM events {where} ORDER BY seq", values)
            return [event_of(row) for row in rows]

    def studied(self) -> dict[str, Studied]:
        """Return what is remembered of each question that was graded."""
        with self._errors():
            if not _is_fresh(self._connection):
                with _writing(self._connection):
                    _refresh(self._connection)
            rows = self._connection.execute(
                "SELECT item_id, stability, difficulty, last_ms, item_hash, grades FROM memory"
            )
            return {row[0]: Studied(memory.Memory(row[1], row[2]), *row[3:]) for row in rows}

    def last_asked(self) -> str | None:
        """Return the id of the question of the last event."""
        with self._errors():
            row = self._connection.execute("SELECT item_id FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Close the file; keep a backup of the day if something was added."""
        with suppress(LogError):
            if self._added:
                self.backup()
        self._connection.close()

    def backup(self) -> None:
        """Keep a copy of the log as it is, in place of an earlier one of the same day, and thin the older ones."""
        from qa.practice import repair

        with self._errors():
            at = now()
            repair.back_up(self._connection, self.path, day_of(at, tz_offset(at)))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what SQLite and the system say into words about this file."""
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(_in_words(error, self.path)) from error
        except OSError as error:
            raise LogError(f"cannot use {self.path}: {error.strerror}; QUIZ_HOME names another folder") from error

    def _repair(self) -> None:
        """Set the damaged file aside, and bring back its events."""
        from qa.practice import repair

        with repair.alone(self.path):
            try:  # another process may have done it already
                self._connection = _open(self.path, self.notes, check=True)
                return
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
            aside = repair.set_aside(self.path)
            self._connection = _open(self.path, self.notes)
            day, events = repair.newest_good_backup(self.path)
            said = (
                f"{self.add(events)} events came back from the backup of {day}" if day else "no good backup was found"
            )
            rest = self.add(repair.readable(aside))
            self.notes.append(
                f"The log of your answers was damaged. It is kept as {aside}; {said}, {rest} more from the file itself."
            )


def _is_empty(path: Path) -> bool:
    return not path.exists() or not path.stat().st_size


def _open(path: Path, notes: list[str], *, check: bool = False) -> sqlite3.Connection:
    """Connect, look at the schema before anything is written, and make the tables of a new log."""
    fresh = _is_empty(path)
    if fresh and path.exists():
        from qa.practice.repair import backups

        if backups(path):
            raise damage("the file is empty, and there are backups")
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise LogError(
                f"{path} was written by a newer version (its schema is {version}, this one knows {SCHEMA}). "
                "Nothing was changed. Upgrade executable-answers, or choose another folder with QUIZ_HOME."
            )
        kind = None
        if fresh or check:
            from qa.practice.repair import network_kind

            kind = network_kind(path.parent.resolve())
        if kind:  # write-ahead logging needs memory that the processes share
            notes.append(
                f"{path.parent} is on a network folder ({kind}): don't practise on two machines at once, "
                "or choose a local folder with QUIZ_HOME."
            )
        if fresh or kind:
            connection.execute(f"PRAGMA journal_mode = {'DELETE' if kind else 'WAL'}")
        for pragma in ("synchronous = FULL", "fullfsync = ON", "checkpoint_fullfsync = ON"):
            connection.execute(f"PRAGMA {pragma}")
        if version < SCHEMA:
            _create(connection, path)
        if check:
            check_file(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, path: Path) -> None:
    with _writing(connection):
        if connection.execute("PRAGMA user_version").fetchone() != (0,):
            return  # another process was first
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
            raise LogError(f"{path} is a database of something else; choose another folder with QUIZ_HOME.")
        for statement in (*_statements(EVENTS), *DERIVED, f"PRAGMA user_version = {SCHEMA}"):
            connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """Split a script; `executescript` would commit between."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that has the right to write from its start; a plain BEGIN fails under concurrent writers."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _insert(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> int:
    before = connection.total_changes
    connection.executemany(
        f"INSERT INTO events ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (uuid) DO NOTHING", rows
    )
    added = connection.total_changes - before
    _refresh(connection)
    return added


def _is_fresh(connection: sqlite3.Connection) -> bool:
    try:
        seen = connection.execute("SELECT version, seq FROM derived").fetchall()
        connection.execute("SELECT 1 FROM memory LIMIT 1")
    except sqlite3.OperationalError:  # no such table
        return False
    return seen == [(memory.VERSION, _last_seq(connection))]


def _last_seq(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def _refresh(connection: sqlite3.Connection) -> None:
    """Replay the questions that have events which the cache has not seen."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'memory'").fetchone():
        connection.execute("DROP TABLE IF EXISTS derived")
    for statement in DERIVED:
        connection.execute(statement)
    seen = connection.execute("SELECT version, seq FROM derived").fetchall()
    since = seen[0][1] if len(seen) == 1 and seen[0][0] == memory.VERSION else 0
    if not since:
        connection.execute("DELETE FROM memory")
    of_item: dict[str, list[Event]] = {}
    items = "SELECT DISTINCT item_id FROM events WHERE seq > ?"
    for row in connection.execute(f"SELECT {COLUMNS} FROM events WHERE item_id IN ({items})", (since,)):
        of_item.setdefault(row[3], []).append(event_of(row))
    for item, events in of_item.items():
        if found := replay(events):
            values = (item, *found.memory, *found[1:])
            connection.execute("INSERT OR REPLACE INTO memory VALUES (?,?,?,?,?,?)", values)
        else:
            connection.execute("DELETE FROM memory WHERE item_id = ?", (item,))
    connection.execute("DELETE FROM derived")
    connection.execute("INSERT INTO derived VALUES (?, ?)", (memory.VERSION, _last_seq(connection)))


def _row(event: Event) -> tuple[Any, ...]:
    import json

    return (*event[:-1], json.dumps(event.payload, ensure_ascii=False))


def event_of(row: tuple[Any, ...]) -> Event:
    """Return the event in a row of the table."""
    import json  # not needed on the way to `quiz next`

    return Event._make((*row[:9], json.loads(row[9])))


def check_file(connection: sqlite3.Connection) -> None:
    """Raise DatabaseError where the file is damaged."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise damage(found[0])


def damage(what: str) -> sqlite3.DatabaseError:
    """Return the error that SQLite gives for a damaged file."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _in_words(error: sqlite3.Error, path: Path) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what = {
        sqlite3.SQLITE_BUSY: "another program has held it for five seconds; try again",
        sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
        sqlite3.SQLITE_READONLY: "it cannot be written; QUIZ_HOME names another folder",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened or made; QUIZ_HOME names another folder",
        sqlite3.SQLITE_CORRUPT: "it is damaged; start `quiz` to have it repaired",
    }.get(code, str(error))
    return f"cannot use {path}: {what}"
