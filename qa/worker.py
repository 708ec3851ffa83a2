"""What runs in the child process of a proof: one task, seeds set, one thread, a limit on core-seconds."""

import contextlib
import importlib
import itertools
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import CodeType, FrameType
from typing import Any

from qa.mistakes import Mistaken


@dataclass(frozen=True)
class Task:
    """One thing to run. `section` and `name` say where in the question's evidence its result stands."""

    question: str
    section: str
    """checks, shown, drills, mistakes or labs"""
    name: str
    kind: str
    """check, value, table, formula, figure, drill, mistake or lab"""
    ref: str
    key: str
    limit: float
    """core-seconds"""
    with_: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    mistake: Mistaken | None = None


def main(task: Task, connection: Connection) -> None:
    """Run a task and send back ("done", result, core-seconds) or ("raised", what, 0)."""
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    hard = int(cpu.ru_utime + cpu.ru_stime + 3 * task.limit + 5)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard + 1))
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            result, seconds = run(task)
            connection.send(("done", result, seconds))
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)
            ours = [f for f in where if f"{os.sep}snippets{os.sep}" in f.filename] or list(where)
            at = f" ({os.path.basename(ours[-1].filename)}, line {ours[-1].lineno})" if ours else ""
            connection.send(("raised", f"{type(error).__name__}: {error}{at}", 0.0))
    connection.close()


def run(task: Task) -> tuple[Any, float]:
    """Return the result of a task and the core-seconds that it took, imports not counted."""
    if task.kind == "lab":
        from qa import labs

        began = time.process_time()
        return labs.execute(task.ref, task.key), time.process_time() - began
    module_name, _, name = task.ref.partition(":")
    module = importlib.import_module(module_name)
    if task.mistake:
        from qa import mistakes

        mistakes.put_in(task.mistake)
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part)
    seed(task.seed)
    began = time.process_time()
    result = KINDS[task.kind](function, task)
    return result, time.process_time() - began


def seed(number: int) -> None:
    """Seed Python, NumPy and torch where they are loaded, and leave torch one thread."""
    random.seed(number)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(number)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(number)
        torch.set_num_threads(1)


def check(function: Any, task: Task) -> dict[str, Any]:
    from snippets.evidence import Evidence, kind

    with reaching() as reached:
        found = function(**task.with_)
    if not isinstance(found, Evidence):
        raise TypeError(f"{task.ref} returned {type(found).__name__}, not Evidence")
    rel = None if kind(function) == "trained" else found.rel  # of what trains only `holds` has to agree elsewhere
    return {"holds": found.holds, "measured": dict(found.measured), "rel": rel, "reached": sorted(reached)}


@contextlib.contextmanager
def reaching() -> Iterator[set[str]]:
    """Note which functions of the snippets are called: a mistake in any other cannot change what a check finds."""
    codes: dict[CodeType, str] = {}
    reached: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code not in codes:
            codes[frame.f_code] = module = str(frame.f_globals.get("__name__", ""))
            if module.startswith("snippets.") and module.count(".") > 1 and "<" not in frame.f_code.co_qualname:
                reached.add(f"{module}:{frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        yield reached
    finally:
        sys.setprofile(None)


def value(function: Any, task: Task) -> dict[str, Any]:
    found = plain(function(**task.with_))
    if measured := task.options.get("measured"):
        found = plain(found.measured[measured])
    if not isinstance(found, (bool, int, float, str)):
        raise TypeError(f"{task.ref} returned {type(found).__name__}, not a number or text")
    return {"value": found, "text": formatted(found, task.options.get("format", ""))}


def table(function: Any, task: Task) -> dict[str, Any]:
    form = task.options.get("format", "")
    rows = [dict(row) for row in function(**task.with_)]
    if not rows or any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError(f"{task.ref} has to return rows that all have the same headings")
    return {"rows": [{k: formatted(plain(v), form) for k, v in row.items()} for row in rows]}


def formula(function: Any, task: Task) -> dict[str, Any]:
    import sympy

    from snippets.derivation import proved

    steps = function(**task.with_)
    if wanted := task.options.get("step"):
        if wanted not in steps:
            raise LookupError(f"{task.ref} has no step {wanted!r}; it has {', '.join(steps)}")
        steps = {wanted: steps[wanted]}
    if unproved := [name for name, equality in steps.items() if not proved(equality)]:
        raise ArithmeticError(f"{task.ref}: not proved: {', '.join(unproved)}")
    settings = {"order": "none"}
    return {
        "steps": [
            {
                "name": name,
                "latex": sympy.latex(eq, **settings),
                "text": sympy.pretty(eq, use_unicode=True, wrap_line=False),
            }
            for name, eq in steps.items()
        ]
    }


def figure(function: Any, task: Task) -> dict[str, Any]:
    from qa.figure import draw

    return {"svg": draw(function, salt=f"{task.question} {task.name}", **task.with_)}


def drill(function: Any, task: Task) -> dict[str, Any]:
    names = list(task.with_)
    rows = []
    for values in itertools.product(*task.with_.values()):
        with_ = dict(zip(names, values, strict=True))
        answer = plain(function(**with_))
        if isinstance(answer, bool) or not isinstance(answer, (int, float)):
            raise TypeError(f"{task.ref} returned {type(answer).__name__}, not a number")
        rows.append({"with": with_, "answer": answer})
    return {"table": rows}


def plain(found: Any) -> Any:
    """Turn a 0-d tensor or a NumPy number into Python's."""
    return found.item() if hasattr(found, "item") and getattr(found, "ndim", 0) == 0 else found


def formatted(found: Any, form: str) -> str:
    """Format numbers by the specification; text and whole numbers without one stay as they are."""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, (int, float)) and form:
        return format(found, form)
    return f"{found:.4g}" if isinstance(found, float) else f"{found:,}" if isinstance(found, int) else str(found)


KINDS = {
    "check": check,
    "mistake": check,
    "value": value,
    "table": table,
    "formula": formula,
    "figure": figure,
    "drill": drill,
}
