"""What surrounds the file of the log: its backups, the lock for its repair, the kind of folder it lies on."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path

NETWORK = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "9p",
        "ceph",
        "glusterfs",
        "lustre",
        "beegfs",
        "gpfs",
        "davfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.ceph",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.davfs2",
    ]
)


def backups(path: Path) -> Path:
    """Return the folder of the backups of a log."""
    return path.parent / "backups"


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


def dated(folder: Path) -> list[Path]:
    """Return the backups in a folder: files named after a day."""
    found = []
    for path in folder.glob("*.sqlite"):
        with suppress(ValueError):
            date.fromisoformat(path.stem)
            found.append(path)
    return found
