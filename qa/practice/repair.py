"""What surrounds the file of the log: its backups, what can be read of a damaged one, the kind of folder it lies on."""

import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path

from qa.practice.events import GRADE, Event
from qa.practice.log import COLUMNS, check_file, event_of

NETWORK = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs", "lustre", "beegfs", "gpfs",
    "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.davfs2",
}  # fmt: skip


def backups(path: Path) -> dict[date, Path]:
    """Return the backups of a log by their day, which is their name."""
    found = {}
    for copy in folder_of(path).glob("*.sqlite"):
        with suppress(ValueError):
            found[date.fromisoformat(copy.stem)] = copy
    return found


def folder_of(path: Path) -> Path:
    """Return the folder of the backups of a log."""
    return path.parent / "backups"


def back_up(connection: sqlite3.Connection, path: Path, day: date) -> None:
    """Copy a log into the backup of the day, at once or not at all; drop backups that are no longer worth keeping."""
    folder = folder_of(path)
    folder.mkdir(exist_ok=True)
    part = folder / f"{day}.{os.getpid()}.part"
    part.unlink(missing_ok=True)
    try:
        connection.execute("VACUUM INTO ?", (str(part),))
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, folder / f"{day}.sqlite")
    finally:
        part.unlink(missing_ok=True)
    have = backups(path)
    for old in have.keys() - kept(have, day):
        have[old].unlink(missing_ok=True)
    for left in folder.glob("*.part"):  # of a process that was killed
        if not left.name.startswith(str(day)):
            left.unlink(missing_ok=True)


def kept(days: Iterable[date], today: date) -> set[date]:
    """Return the backups worth keeping: the last 7 days, the last of each of 8 weeks, the last of each month."""
    keep: dict[object, date] = {}
    for day in sorted(days):
        age = (today - day).days
        keep[day if age < 7 else day.isocalendar()[:2] if age < 56 else (day.year, "month", day.month)] = day
    return set(keep.values())


def network_kind(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Return the kind of network file system a folder lies on, None for a local one or where it cannot be told."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    best, kind = -1, None
    for line in lines:
        before, _, after = line.partition(" - ")
        place = before.split()[4].replace("\\040", " ")
        if folder.is_relative_to(place) and len(place) >= best:
            best, kind = len(place), after.split()[0]
    return kind if kind in NETWORK else None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from repairing at the same time."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_aside(path: Path) -> Path:
    """Rename the damaged file, and what SQLite keeps beside it, to a name that is not taken."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (path.with_name(f"{path.stem}.damaged-{stamp}{n}{path.suffix}") for n in ("", *range(1, 10_000)))
    aside = next(name for name in names if not name.exists())
    for tail in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{tail}", f"{aside}{tail}")
    return aside


def newest_good_backup(path: Path) -> tuple[date | None, list[Event]]:
    """Return the day of the newest backup that is whole, and its events."""
    for day, copy in sorted(backups(path).items(), reverse=True):
        if events := readable(copy, whole=True):
            return day, events
    return None, []


def readable(path: Path, *, whole: bool = False) -> list[Event]:
    """Return the events that can be read from a file, from both of its ends; with `whole`, all of them or none."""
    events: dict[str, Event] = {}
    with tempfile.TemporaryDirectory() as folder:  # of a copy, since SQLite tidies what it opens
        copy = Path(folder, path.name)
        for tail in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{tail}", f"{copy}{tail}")
        connection = sqlite3.connect(copy, isolation_level=None)
        for order in ("ASC", "DESC"):
            try:
                if whole:
                    check_file(connection)
                rows = iter(connection.execute(f"SELECT {COLUMNS} FROM events ORDER BY seq {order}"))
                while (row := next(rows, None)) is not None:
                    with suppress(ValueError, TypeError):
                        event = event_of(row)
                        if _is_sound(event):
                            events.setdefault(event.uuid, event)
            except sqlite3.Error:
                if whole:
                    events.clear()
                    break
        connection.close()
    return list(events.values())


def _is_sound(event: Event) -> bool:
    """Say whether a row from a damaged file looks like an event at all."""
    return (
        isinstance(event.uuid, str)
        and len(event.uuid) == 36
        and isinstance(event.ts_utc_ms, int)
        and isinstance(event.tz_offset_min, int)
        and isinstance(event.item_hash, str)
        and isinstance(event.item_id, str)
        and event.item_id != ""
        and isinstance(event.kind, str)
        and isinstance(event.scheduler_version, str)
        and isinstance(event.payload, dict)
        and (event.grade in (1, 2, 3, 4) if event.kind == GRADE else event.grade in (None, 1, 2, 3, 4))
        and (event.took_ms is None or (isinstance(event.took_ms, int) and event.took_ms >= 0))
    )
