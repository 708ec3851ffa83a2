"""CPU time of `quiz next`, in units of `python -c pass`: run as `python tests/bench/bench_next.py` or by pytest.

Bound: at most 6 times, user and system time together, medians of interleaved runs of the same interpreter, with 1,000
questions and 10,000 events. How it grows to 10,000 questions and 100,000 events is reported and not bounded.
The questions are made in memory and compiled by the bank; their files are there (the bank looks at them), but empty.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from qa import bank, model  # noqa: E402
from qa.practice.events import GRADE, Event, new_uuid  # noqa: E402
from qa.practice.log import Log  # noqa: E402

BOUND = 6.0
DRIVER = """
import sys
from pathlib import Path
import qa.bank
qa.bank.QUESTIONS = Path(sys.argv.pop(1))
from qa.quiz import main
sys.exit(main())
"""


def make_bank(folder: Path, questions: int) -> None:
    """Compile a bank of so many questions."""
    from qa import loading

    loaded = loading.Loaded()
    for n in range(questions):
        topic = model.TOPICS[n % len(model.TOPICS)]
        path = folder / topic / f"question-number-{n}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        id = f"{topic}/{path.stem}"
        loaded.paths[id] = path
        loaded.questions[id] = model.Question(
            question=f"What is the {n}th thing that somebody could ask about {topic}, and why would they?",
            asked_as=["Another wording of the same question, as people put it?"],
            priority=1 + n % 5,
            basis=model.Basis(note="synthetic"),
            level="senior",
            tags=["one", "another", f"tag-{n % 50}"],
            reviewed=date(2026, 11, 21),
            short="Words " * 60,
            shows={"code": model.Code(code="snippets.topic.idea:function")},
            answer="Many more words about it. " * 100,
            claims=[model.Claim(says="It holds.", check="snippets.topic.idea:check")],
            key_points=[model.KeyPoint(must="A point.")],
            sources=["source"],
        )
    with patch.object(bank, "QUESTIONS", folder), patch.object(loading, "load", lambda *_, **__: loaded):
        made = bank.open_bank()
        assert len(made.entries()) == questions


def make_log(path: Path, ids: list[str], events: int) -> None:
    """Write so many answers, over the last hundred days."""
    generator, now = random.Random(0), time.time_ns() // 1_000_000
    log = Log(path)
    log.add(
        Event(
            new_uuid(), now - (events - n) * (100 * 86_400_000 // events), 60, generator.choice(ids), "0" * 16, GRADE,
            generator.randint(1, 4), 45_000, "fsrs-6", {"ticked": [0], "of": 4, "suggested": 3, "whole": False},
        )
        for n in range(events)
    )  # fmt: skip
    log.close()


def cpu_ms(*arguments: str) -> float:
    """Return the user and system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measure(questions: int, events: int, runs: int) -> float:
    """Return the ratio of the medians, having printed both."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ |= {"XDG_DATA_HOME": f"{place}/data", "XDG_CACHE_HOME": f"{place}/cache"}
        os.environ["PYTHONPYCACHEPREFIX"] = f"{place}/bytecode"  # as installed: compiled, whatever the settings here
        for name in ("QUIZ_HOME", "QUIZ_CACHE", "PYTHONDONTWRITEBYTECODE"):
            os.environ.pop(name, None)
        make_bank(folder / "questions", questions)
        ids = [f"{p.parent.name}/{p.stem}" for p in sorted((folder / "questions").glob("*/*.yaml"))]
        make_log(folder / "data" / "executable-answers" / "log.sqlite", ids, events)
        commands = {"pass": ("-c", "pass"), "next": ("-c", DRIVER, str(folder / "questions"), "next")}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for n in range(runs + 1):
            for name, command in commands.items():
                took = cpu_ms(*command)
                if n:  # the first one writes the byte code
                    times[name].append(took)
    middle = {name: statistics.median(each) for name, each in times.items()}
    ratio = middle["next"] / middle["pass"]
    print(
        f"{questions:6,} questions, {events:7,} events: quiz next {middle['next']:.1f} ms, "
        f"python -c pass {middle['pass']:.1f} ms, ratio {ratio:.2f} (median of {runs})"
    )
    return ratio


def test_quiz_next_keeps_its_bound() -> None:
    assert measure(1_000, 10_000, runs=21) <= BOUND


def main() -> int:
    """Print the table; exit with 1 where the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=31)
    parser.add_argument("--no-growth", action="store_true", help="only what is bounded")
    options = parser.parse_args()
    ratio = measure(1_000, 10_000, options.runs)
    if not options.no_growth:
        measure(10, 0, options.runs)
        measure(10_000, 100_000, options.runs)
    print(f"bound: {BOUND}; {'kept' if ratio <= BOUND else 'MISSED'}")
    return int(ratio > BOUND)


if __name__ == "__main__":
    sys.exit(main())
