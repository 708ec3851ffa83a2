"""The bank, compiled: opened in a millisecond, made again from the YAML files when one of them changed.

What only compiling needs is imported where it is needed, since every start of the quiz imports this file.
"""

import os
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qa import __version__

if TYPE_CHECKING:
    from qa import model
    from qa.loading import Loaded

QA = Path(__file__).parent
QUESTIONS = QA / "questions"
SOURCES = QA / "sources.yaml"
IN_CHECKOUT = (QA.parent / "pyproject.toml").is_file()
READERS = tuple(QA / name for name in ("bank.py", "loading.py", "model.py", "yamlfile.py", "inventory.json"))
"""What the compiled file depends on beside the questions."""


DRAW_WEIGHT = {1: 16.0, 2: 8.0, 3: 4.0, 4: 2.0, 5: 1.0}
"""How often a priority is drawn, and how much it counts in the plan: the one place that says it."""


class Problem(NamedTuple):
    """A fault of a file: where, and what was expected. Line 0 is the file itself."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


class BankError(Exception):
    """The bank cannot be read; `problems` has every fault of every file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UnknownQuestion(KeyError):
    """No question has this id; the message names those that are close."""

    def __init__(self, id: str, known: Iterable[str]) -> None:
        import difflib

        self.id, known = id, list(known)
        slugs = {k.partition("/")[2]: k for k in known}
        close = [k for k in known if k.endswith("/" + id)] or difflib.get_close_matches(id, known, 3)
        close = close or [slugs[s] for s in difflib.get_close_matches(id, slugs, 3)]
        hint = f"did you mean {' or '.join(close)}?" if close else "`quiz list` shows all"
        self.message = f"there is no question {id}; {hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class Entry(NamedTuple):
    """What the index of the bank knows of a question."""

    id: str
    topic: str
    priority: int
    level: str
    tags: tuple[str, ...]
    question: str
    asked_as: tuple[str, ...]
    rank: int
    """Rank in the inventory, by how likely it is to be asked; 1000 for none."""
    hash: str
    """Of what a learner learns: changes when the answer does."""


SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE questions (id TEXT PRIMARY KEY, topic TEXT, priority INT, level TEXT, tags TEXT, question TEXT,
                        asked_as TEXT, rank INT, hash TEXT, path TEXT, mtime_ns INT, size INT, body TEXT);
CREATE TABLE topics (name TEXT PRIMARY KEY, place INT, body TEXT);
CREATE TABLE refs (key TEXT PRIMARY KEY, body TEXT);
CREATE INDEX in_order ON questions (priority, rank, id, topic, level, tags, question, asked_as, hash);
"""


class Bank:
    """A compiled bank. Reading is lazy: a question is read when it is asked for."""

    def __init__(self, path: Path, folders: tuple[Path, ...], signature: str) -> None:
        self.path, self._folders, self._signature = path, folders, signature
        self._connection = _connect(path)

    def _rows(self, sql: str, *parameters: Any) -> list[Any]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError:
            self._connection.close()
            compile_bank(self.path, self._folders, self._signature)
            self._connection = _connect(self.path)
            return self._connection.execute(sql, parameters).fetchall()

    def entries(self) -> list[Entry]:
        """Return every question's entry, in the order of priority, then rank, then id."""
        rows = self._rows(
            "SELECT id, topic, priority, level, tags, question, asked_as, rank, hash FROM questions"
            " ORDER BY priority, rank, id"
        )
        return [
            Entry(id, topic, priority, level, _words(tags), question, _words(asked_as), rank, hash)
            for id, topic, priority, level, tags, question, asked_as, rank, hash in rows
        ]

    def entry(self, id: str) -> Entry:
        """Return one entry, by its id or by a slug that only one question has. Raises UnknownQuestion."""
        entries = self.entries()
        found = [e for e in entries if id in (e.id, e.id.partition("/")[2])]
        if len(found) != 1:
            raise UnknownQuestion(id, [e.id for e in entries])
        return found[0]

    def question(self, id: str) -> "model.Question":
        """Return one question whole. Raises UnknownQuestion."""
        from qa.model import Question

        rows = self._rows("SELECT body FROM questions WHERE id = ?", id)
        if not rows:
            raise UnknownQuestion(id, [e.id for e in self.entries()])
        return Question.model_validate_json(rows[0][0])

    def source_path(self, id: str) -> Path:
        """Return the YAML file of a question. Raises UnknownQuestion."""
        rows = self._rows("SELECT path FROM questions WHERE id = ?", self.entry(id).id)
        return Path(rows[0][0])

    def topics(self) -> dict[str, "model.Topic"]:
        """Return the topics by folder name, in their order."""
        from qa.model import Topic

        rows = self._rows("SELECT name, body FROM topics ORDER BY place")
        return {name: Topic.model_validate_json(body) for name, body in rows}

    def references(self) -> dict[str, "model.Reference"]:
        """Return the bibliography by key."""
        from qa.model import Reference

        rows = self._rows("SELECT key, body FROM refs ORDER BY key")
        return {key: Reference.model_validate_json(body) for key, body in rows}


def load(*folders: Path) -> "Loaded":
    """Read the bank from YAML into memory, for authors and the site. Raises BankError."""
    from qa import loading

    return loading.load(*folders)


def open_bank(extra: Path | None = None) -> Bank:
    """Open the compiled bank, compiled first where that is due; `extra` adds a folder of one's own questions.

    In a checkout a changed, new or missing file is noticed; an installed bank is keyed by its version and the time it
    was installed. Raises BankError when a file is at fault.
    """
    folders = (QUESTIONS,) if extra is None else (QUESTIONS, extra.resolve())
    name = f"{zlib.crc32(repr(folders).encode()):08x}-{__version__}"
    current = signature(folders)
    for folder in cache_folders():
        path = folder / f"bank-{name}.sqlite"
        if _is_current(path, current):
            return Bank(path, folders, current)
        try:
            compile_bank(path, folders, current)
        except OSError:
            continue
        return Bank(path, folders, current)
    raise AssertionError("a temporary folder can always be made")


def cache_folders() -> Iterator[Path]:
    """Yield folders to keep the compiled bank in: the user's cache, then a temporary one that only they can read."""
    if place := os.environ.get("QUIZ_CACHE"):
        yield Path(place)
    elif sys.platform == "linux":  # what platformdirs does there; importing it costs a tenth of `quiz next`
        cache = os.environ.get("XDG_CACHE_HOME", "")
        yield Path(cache if os.path.isabs(cache) else os.path.expanduser("~/.cache")) / "executable-answers"
    else:
        from platformdirs import user_cache_path

        yield user_cache_path("executable-answers")
    yield _temporary()


@lru_cache(maxsize=1)
def _temporary() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="executable-answers-"))


def signature(folders: tuple[Path, ...]) -> str:
    """List what the compiled file was made from, with times and sizes; a hash of it would cost more than it saves."""
    found = [_stamp(str(path), path) for path in (*READERS, SOURCES)]
    for folder in folders if IN_CHECKOUT else folders[1:]:
        for topic in sorted(_scan(folder), key=lambda e: e.name):
            inside = sorted(_scan(Path(topic.path)), key=lambda e: e.name) if topic.is_dir() else [topic]
            found += [_stamp(file.path, file) for file in inside]
    return "\n".join(found)


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _stamp(name: str, file: "Path | os.DirEntry[str]") -> str:
    try:
        stat = file.stat()
    except OSError:
        return f"{name} is gone"
    return f"{name} {stat.st_mtime_ns} {stat.st_size}"


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _is_current(path: Path, current: str) -> bool:
    if not path.is_file():
        return False
    try:
        with _reading(path) as connection:
            rows = connection.execute("SELECT value = ? FROM meta WHERE key = 'signature'", (current,)).fetchall()
    except sqlite3.DatabaseError:
        return False
    return rows == [(1,)]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = _connect(path)
    try:
        yield connection
    finally:
        connection.close()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def compile_bank(path: Path, folders: tuple[Path, ...], current: str) -> None:
    """Write the compiled file at once or not at all; two processes that do so don't hurt each other.

    Raises BankError when a question is at fault, OSError when the folder cannot be written.
    """
    import tempfile

    from qa import loading

    bank = loading.load(*folders, unchanged=_unchanged(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [_row(bank, id) for id in bank.questions]
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    os.close(handle)
    try:
        connection = sqlite3.connect(name)
        with connection:
            connection.executescript(SCHEMA)
            meta = [("signature", current), ("readers", _readers())]
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
            connection.executemany("INSERT INTO questions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
            topics = [(name, place, topic.model_dump_json()) for place, (name, topic) in enumerate(bank.topics.items())]
            connection.executemany("INSERT INTO topics VALUES (?,?,?)", topics)
            references = [(key, reference.model_dump_json()) for key, reference in bank.references.items()]
            connection.executemany("INSERT INTO refs VALUES (?,?)", references)
        connection.close()
        os.chmod(name, 0o444)
        os.replace(name, path)
    except sqlite3.OperationalError as error:  # a full disk, a folder that went away
        raise OSError(str(error)) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _unchanged(path: Path) -> dict[Path, str]:
    """Return, from an older compiled file made by the same code, the questions whose files are still the same."""
    import json

    try:
        with _reading(path) as connection:
            if connection.execute("SELECT value FROM meta WHERE key = 'readers'").fetchone() != (_readers(),):
                return {}
            rows = connection.execute("SELECT path, mtime_ns, size, body FROM questions").fetchall()
        known = {}
        for name, mtime_ns, size, body in rows:
            stat = os.stat(name)
            if (stat.st_mtime_ns, stat.st_size) == (mtime_ns, size):
                json.loads(body)
                known[Path(name)] = body
    except (sqlite3.Error, OSError, ValueError):
        return {}
    return known


def _readers() -> str:
    return "\n".join(_stamp(path.name, path) for path in READERS)


def _row(bank: "Loaded", id: str) -> tuple[Any, ...]:
    import json

    q, path = bank.questions[id], bank.paths[id]
    body = json.dumps(q.model_dump(mode="json", by_alias=True, exclude_defaults=True), ensure_ascii=False)
    texts = ("\n".join(q.tags), q.question, "\n".join(q.asked_as))
    stat = path.stat()
    place = (str(path), stat.st_mtime_ns, stat.st_size)
    return (id, id.partition("/")[0], q.priority, q.level, *texts, bank.rank(id), bank.hash(id), *place, body)
