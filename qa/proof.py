"""Runs checks, values, formulas, figures, tables, drills, mistakes and labs; keeps what they found as evidence.

Evidence is keyed by the source that made it, so what is stale is known without torch, and only that is run again.
"""

import ast
import hashlib
import json
import math
import multiprocessing
import os
import platform
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from qa import labs, mistakes, model, source
from qa.mistakes import Mistaken
from qa.worker import Task
from qa.worker import main as work

EVIDENCE = Path(__file__).parent / "evidence"
SECONDS = {"fast": 2.0, "proof": 15.0, "trained": 15.0}
"""Core-seconds by kind of check; a test holds them to snippets.evidence, which cannot be imported here."""

SEEDS = {"fast": 20, "proof": 1, "trained": 3}
"""Seeds that a check of each kind has to hold for; the same test holds them."""

Evidence = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a task ended: `state` is "done", "raised", "hangs" or "killed"; `what` is the result or what happened."""

    task: Task
    state: str
    what: Any
    seconds: float

    @property
    def verdict(self) -> str:
        """For a mistake: it is rejected only by a check that came back and said no."""
        if self.state == "done":
            return "passes" if self.what["holds"] else "rejects"
        return "hangs" if self.state == "hangs" else "crashes"


def call(ref: str, with_: dict[str, Any] | None = None) -> str:
    """Name a call in the evidence: the reference, with its arguments where there are any."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in (with_ or {}).items())
    return f"{ref}({arguments})" if arguments else ref


# ------------------------------------------------------------------ what there is to run


def tasks(id: str, question: model.Question) -> list[Task]:
    """Return everything of a question that code makes or checks, mistakes left out."""
    found = {t.name: t for t in _checks(id, question)}
    return [*found.values(), *_shown(id, question), *_drills(id, question)]


def _checks(id: str, question: model.Question) -> Iterator[Task]:
    calls = [(c.check, c.with_) for c in question.claims]
    calls += [(m.check, {}) for m in question.misconceptions if m.check]
    for ref, with_ in calls:
        limit = SECONDS[source.find(ref).kind]
        yield _task(id, "checks", call(ref, with_), "check", ref, limit, with_)


def _shown(id: str, question: model.Question) -> Iterator[Task]:
    for name, shown in question.shows.items():
        match shown:
            case model.Value():
                options = {"format": shown.format, "measured": shown.measured}
                limit = SECONDS[source.find(shown.value).kind] if shown.measured else 15.0
                yield _task(id, "shown", name, "value", shown.value, limit, shown.with_, options)
            case model.Formula():
                yield _task(id, "shown", name, "formula", shown.formula, 30.0, {}, {"step": shown.step})
            case model.Figure():
                yield _task(id, "shown", name, "figure", shown.figure, 15.0, shown.with_)
            case model.Table():
                yield _task(id, "shown", name, "table", shown.table, 15.0, shown.with_, {"format": shown.format})


def _drills(id: str, question: model.Question) -> Iterator[Task]:
    for drill in question.drills:
        if isinstance(drill, model.NumberDrill):
            yield _task(id, "drills", drill.number, "drill", drill.number, 15.0, dict(drill.vary))


def _task(
    id: str,
    section: str,
    name: str,
    kind: str,
    ref: str,
    limit: float,
    with_: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Task:
    task = Task(id, section, name, kind, ref, "", limit, with_ or {}, options or {})
    source_of_check = source.fingerprint(ref.partition(":")[0])
    # how a figure looks is ours to change, too; how a number is run and formatted is in the options
    style = _own("figure.py") if kind == "figure" else ""
    return replace(task, key=_digest(source_of_check, style, kind, name, ref, with_, options))


def mistake_tasks(id: str, question: model.Question, checks: Iterable[str] | None = None) -> list[Task]:
    """Return each claim's check against each mistake that it can see; the key is that of the check's whole row.

    A mistake in a function that the check does not call cannot change what it finds; which it calls is known from the
    evidence, once the check was run.
    """
    wrong, known = mistakes.of_question(question), evidence(id).get("checks", {})
    found = {}
    for check in _checks(id, question):
        if check.name in {call(c.check, c.with_) for c in question.claims} and (checks is None or check.name in checks):
            modules, last = source.closure(check.ref.partition(":")[0]), known.get(check.name, {})
            reached = last.get("reached") if last.get("key") == check.key else None
            key = _digest(check.key, [_mistake_key(m) for m in wrong])
            found[check.name] = [
                replace(check, section="mistakes", kind="mistake", key=key, mistake=m)
                for m in wrong
                if m.ref.partition(":")[0] in modules and (reached is None or _is_reached(m.ref, reached))
            ]
    return [task for row in found.values() for task in row]


def _is_reached(ref: str, reached: list[str]) -> bool:
    is_class = isinstance(source.find(ref).node, ast.ClassDef)
    return is_class or ref in reached


def _mistake_key(mistake: Mistaken) -> list[str]:
    by = source.fingerprint(mistake.by_function.partition(":")[0]) if mistake.by_function and _has_tests() else ""
    return [repr(mistake), by]


def _has_tests() -> bool:
    return (source.ROOT / "tests").is_dir()


@cache
def _own(name: str) -> str:
    return hashlib.sha256((Path(__file__).parent / name).read_bytes()).hexdigest()


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def lab_tasks(wanted: Iterable[str] | None = None) -> list[Task]:
    """Return the labs, all or those wanted."""
    every = labs.names()
    return [
        Task(f"labs/{name}", "labs", name, "lab", name, labs.key(name), labs.SECONDS)
        for name in every
        if wanted is None or name in wanted
    ]


# ------------------------------------------------------------------ the evidence


def path_of(id: str) -> Path:
    """Return the evidence file of a question."""
    return EVIDENCE / f"{id}.json"


def evidence(id: str) -> Evidence:
    """Return what proving a question found; {} where there is none, or where the file is damaged."""
    try:
        found = json.loads(path_of(id).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def entry(task: Task) -> Evidence:
    """Return what the evidence has for a task; {} where there is nothing."""
    return dict(evidence(task.question).get(task.section, {}).get(task.name, {}))


def is_stale(task: Task, known: Evidence | None = None) -> bool:
    """Whether what the evidence has was made by other source than there is now, or is missing."""
    if task.section == "labs":
        return labs.key_of_notebook(EVIDENCE / "labs" / f"{task.name}.ipynb") != task.key
    found = (evidence(task.question) if known is None else known).get(task.section, {}).get(task.name, {})
    if found.get("key") != task.key:
        return True
    if task.mistake:
        return task.mistake.says not in found["verdicts"]
    return task.kind == "figure" and not (path_of(task.question).parent / found["file"]).is_file()


def stale(id: str, question: model.Question) -> list[str]:
    """Say what of a question's evidence is stale or missing. Imports no torch."""
    known = evidence(id)
    found = [f"{t.section} {t.name}" for t in tasks(id, question) if is_stale(t, known)]
    return found + sorted({f"mistakes {t.name}" for t in mistake_tasks(id, question) if is_stale(t, known)})


def rejected(id: str, question: model.Question, check: str) -> list[str]:
    """Return what the listed mistakes say that a check (by its call) has rejected, in the order of the question."""
    verdicts = evidence(id).get("mistakes", {}).get(check, {}).get("verdicts", {})
    return [m.says for m in question.mistakes if verdicts.get(m.says) == "rejects"]


def agree(old: Evidence, new: Evidence) -> str:
    """Say how two results differ, or "" where they agree: `holds` always, figures within `rel`, the rest exactly."""
    if old.get("holds") != new.get("holds"):
        return f"holds was {old.get('holds')}, is {new.get('holds')}"
    if "holds" in new:
        if new["rel"] is None:
            return "" if old.get("measured", {}).keys() == new["measured"].keys() else "other figures are measured"
        return _differ(old.get("measured"), new["measured"], new["rel"])
    skip = {"key", "made", "file", "svg", "text"} if "value" in new else {"key", "made", "file", "svg"}
    before, after = ({k: v for k, v in side.items() if k not in skip} for side in (old, new))
    return _differ(before, after, 1e-3)


def _differ(old: Any, new: Any, rel: float) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            return f"had {', '.join(map(str, old))}, has {', '.join(map(str, new))}"
        return next((f"{k}: {d}" for k in new if (d := _differ(old[k], new[k], rel))), "")
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return next((d for a, b in zip(old, new, strict=True) if (d := _differ(a, b, rel))), "")
    number = (int, float)
    if isinstance(old, number) and isinstance(new, number) and bool not in (type(old), type(new)):
        return "" if math.isclose(old, new, rel_tol=rel, abs_tol=1e-6) else f"was {old}, is {new}"
    return "" if old == new else f"was {old}, is {new}"


def keep(outcomes: Iterable[Outcome]) -> None:
    """Write results into the evidence. A result that agrees with the one there leaves its figures and its date."""
    made = {"on": datetime.now(UTC).date().isoformat(), **versions()}
    by_question: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_question.setdefault(outcome.task.question, []).append(outcome)
    for id, found in by_question.items():
        if id.startswith("labs/"):
            for outcome in found:
                write(EVIDENCE / f"{id}.ipynb", outcome.what["notebook"])
            continue
        file = evidence(id)
        for outcome in found:
            task = outcome.task
            section = file.setdefault(task.section, {})
            if task.section == "mistakes":
                row = section.setdefault(task.name, {})
                if row.get("key") != task.key:
                    row.clear()
                    row.update(key=task.key, made=made, verdicts={})
                row["verdicts"][task.mistake.says if task.mistake else ""] = outcome.verdict
                continue
            result = dict(outcome.what)
            if "svg" in result:
                result["file"] = f"{id.partition('/')[2]}.{task.name}.svg"
                write(path_of(id).parent / result["file"], result.pop("svg"))
            old = section.get(task.name, {})
            same = bool(old) and not agree(old, result) and ("file" not in result or old.get("key") == task.key)
            fresh = {"key": task.key, **({"reached": result["reached"]} if "reached" in result else {})}
            section[task.name] = {**old, **fresh} if same else {"key": task.key, **result, "made": made}
        _save(id, file)


def _save(id: str, file: Evidence) -> None:
    for row in file.get("mistakes", {}).values():
        row["verdicts"] = dict(sorted(row["verdicts"].items()))
    ordered = {s: dict(sorted(file[s].items())) for s in ("checks", "shown", "drills", "mistakes") if file.get(s)}
    write(path_of(id), json.dumps(ordered, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def tidy(id: str, question: model.Question) -> None:
    """Drop what the question no longer has: results, rows of mistakes, figures."""
    file, wanted = evidence(id), {(t.section, t.name) for t in [*tasks(id, question), *mistake_tasks(id, question)]}
    kept = {s: {n: e for n, e in entries.items() if (s, n) in wanted} for s, entries in file.items()}
    if kept != file:
        _save(id, kept)
    figures = {e["file"] for e in kept.get("shown", {}).values() if "file" in e}
    topic, _, slug = id.partition("/")
    for path in (EVIDENCE / topic).glob(f"{slug}.*.svg"):
        if path.name not in figures:
            path.unlink()


def orphans(ids: Iterable[str]) -> list[Path]:
    """Return evidence files that belong to no question and no lab."""
    known = {path_of(id) for id in ids} | {EVIDENCE / "labs" / f"{name}.ipynb" for name in labs.names()}
    files = [*EVIDENCE.glob("*/*.json"), *EVIDENCE.glob("labs/*.ipynb")]
    return sorted(path for path in files if path not in known)


def write(path: Path, text: str) -> None:
    """Write a file at once or not at all; one that already says so is left alone."""
    with suppress(OSError, UnicodeDecodeError):
        if path.read_text("utf-8") == text:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(name, 0o644)
    os.replace(name, path)


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result is noted with."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("torch", "sympy"):
        with suppress(PackageNotFoundError):
            found[package] = re.sub(r"\+.*", "", version(package))
    return found


# ------------------------------------------------------------------ running


def missing_packages(wanted: Iterable[Task]) -> list[str]:
    """Return the packages that tasks need and that are not installed here."""
    from importlib.util import find_spec

    return sorted(p for p in needed(wanted) if find_spec(p) is None)


def needed(wanted: Iterable[Task]) -> set[str]:
    """Return the heavy packages that the source of some tasks imports, so that one process loads them for all."""
    found: set[str] = set()
    for task in wanted:
        if task.kind == "lab":
            found |= {"jupytext", "nbclient"}
            continue
        if task.kind == "figure":
            found.add("matplotlib")
        for name in source.closure(task.ref.partition(":")[0]):
            text = source.module(name).text
            found |= {
                p
                for p in ("torch", "sympy", "matplotlib", "sklearn")
                if re.search(rf"^\s*(import|from) {p}\b", text, re.M)
            }
    return found


def run(wanted: list[Task], jobs: int = 0, progress: Callable[[Outcome], None] | None = None) -> list[Outcome]:
    """Run tasks in fresh processes, `jobs` at a time (0: one a core); a task that raises, hangs or dies harms no other.

    The processes are forked from a server that has loaded torch and the like, but nothing of ours that holds state.
    """
    if not wanted:
        return []
    context = multiprocessing.get_context("forkserver")
    preload = {p: p for p in needed(wanted) - {"jupytext", "nbclient", "sklearn"}}
    if "matplotlib" in preload:
        preload["matplotlib"] = "matplotlib.pyplot"
    with one_thread():
        context.set_forkserver_preload(["qa.worker", *sorted(preload.values())])
        return list(_run(wanted, jobs or os.cpu_count() or 1, context, progress or (lambda _: None)))


class one_thread:
    """While it lasts, a process that is started has one thread for its arithmetic."""

    NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in self.NAMES}
        os.environ.update(dict.fromkeys(self.NAMES, "1"))

    def __exit__(self, *_: object) -> None:
        for name, value in self.before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _run(wanted: list[Task], jobs: int, context: Any, progress: Callable[[Outcome], None]) -> Iterator[Outcome]:
    todo = list(reversed(wanted))
    running: dict[Any, tuple[Any, Task, float]] = {}
    try:
        while todo or running:
            while todo and len(running) < jobs:
                task = todo.pop()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=work, args=(task, theirs), daemon=task.kind != "lab")
                process.start()
                theirs.close()
                # the limit is in core-seconds; a machine shared with others may need several times as long
                running[ours] = (process, task, time.monotonic() + 60 + 8 * task.limit)
            soonest = min(deadline for _, _, deadline in running.values())
            ready = wait(list(running), timeout=max(0.0, soonest - time.monotonic()))
            late = [c for c, (_, _, deadline) in running.items() if c not in ready and time.monotonic() > deadline]
            for connection in [*ready, *late]:
                assert isinstance(connection, Connection)
                process, task, _ = running.pop(connection)
                outcome = _ended(process, task, connection, connection in late)
                progress(outcome)
                yield outcome
    finally:
        for process, _, _ in running.values():
            process.kill()


def _ended(process: Any, task: Task, connection: Connection, late: bool) -> Outcome:
    if late:
        process.kill()
        process.join()
        return Outcome(task, "hangs", f"did not end within {60 + 8 * task.limit:.0f} s", 0.0)
    try:
        state, what, seconds = connection.recv()
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGXCPU:
            return Outcome(task, "hangs", f"took more than three times its {task.limit:.0f} core-seconds", 0.0)
        return Outcome(
            task, "killed", f"its process ended with {process.exitcode} (a negative number is a signal)", 0.0
        )
    finally:
        connection.close()
    process.join()
    return Outcome(task, state, what, seconds)
