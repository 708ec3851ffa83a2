"""For authors: `python -m qa lint`, `prove`, `new`, `coverage`, `schema`."""

import argparse
import json
import re
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

from qa import bank, coverage, lint, loading, model, proof, source
from qa.loading import Loaded, shown_path
from qa.worker import Task


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Exit status: 0 all is well, 1 something does not hold, 2 it was asked wrongly."""
    parser = argparse.ArgumentParser(prog="python -m qa", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lint", help="read every file of the bank and say what is wrong with it")
    commands.add_parser("coverage", help="count questions, claims, mistakes, drills and inventory ids by topic")
    commands.add_parser("schema", help="print the JSON Schema of a question, for editors")
    new = commands.add_parser("new", help="begin a question: writes its file with every key, to be filled in")
    new.add_argument("id", help="<topic>/<slug>")
    prove = commands.add_parser("prove", help="run what is stale: claims, values, formulas, figures, drills, labs")
    prove.add_argument(
        "ids", nargs="*", metavar="id", help="<topic>/<slug>, labs/<name>, or a topic; default: everything"
    )
    prove.add_argument("--all", action="store_true", help="run what is fresh, too")
    prove.add_argument(
        "--check", action="store_true", help="run everything, write nothing, fail where evidence differs"
    )
    prove.add_argument("--mistakes", action="store_true", help="print which check rejects which mistake")
    prove.add_argument(
        "--seeds", type=int, metavar="N", help="does a check depend on luck? N seeds (at most 20 fast, 3 trained)"
    )
    prove.add_argument("--jobs", type=int, default=0, metavar="N", help="processes at a time (default: one a core)")
    options = parser.parse_args(arguments)
    if options.command == "schema":
        print(json.dumps(model.json_schema(), indent=2))
        return 0
    if options.command == "new":
        return begin(options.id)
    loaded, problems = loading.read()
    if options.command == "prove" and options.ids and problems:
        # somebody else's unfinished question does not keep this one from being proved
        mine = [shown_path(loaded.paths[id]) for id in loaded.questions if meant(id, options.ids)]
        unread = [shown_path(bank.QUESTIONS / f"{id}.yaml") for id in options.ids]
        elsewhere = [p for p in problems if p.path not in (*mine, *unread)]
        if elsewhere:
            print(f"{len(elsewhere)} problems elsewhere in the bank; see python -m qa lint", file=sys.stderr)
        problems = [p for p in problems if p not in elsewhere]
    if problems:
        print(bank.BankError(problems), file=sys.stderr)
        print(f"{len(problems)} problems", file=sys.stderr)
        return 1
    if options.command == "coverage":
        print(coverage.report(loaded))
        return 0
    if options.command == "lint":
        return lint_all(loaded)
    try:
        ids = chosen(loaded, options.ids)
    except bank.UnknownQuestion as error:
        print(error, file=sys.stderr)
        return 2
    return Prover(loaded, ids, options).run()


SKELETON = """\
question: ""
asked_as: []
covers: []            # concepts of qa/inventory.json
priority: 3           # 1 nearly always asked … 5 rarely
basis: {{}}             # inventory: <id>, or sources: [<key>], or note: <text>
level: senior         # engineer, senior or architect
needs: []
tags: []
reviewed: {today}
short: >-             # at most 90 words

shows: {{}}             # name: {{code: "snippets.<topic>.<idea>:<function>"}}; or value, formula, figure, table
answer: |             # 250 to 700 words; {{{{ name }}}} puts a shown thing in its place

claims: []            # - {{says: <statement>, check: "snippets.<topic>.<idea>:<check>"}}
mistakes: []          # - {{in: "snippets.…", says: <what is wrong>, replace: [{{this: <text>, by: <text>}}]}}
key_points: []        # - must: …    - should: …    - bonus: …
misconceptions: []    # - {{wrong: …, right: …}}
follow_ups: []        # - question: <topic>/<slug>    - {{ask: …, answer: …}}
drills: []            # - code: …    - number: …    - choice: …
sources: []           # keys of qa/sources.yaml
"""


def begin(id: str) -> int:
    """Write a question's file with every key of the form; `lint` then says what is still to be filled in."""
    if not re.fullmatch(model.Id.__metadata__[0].pattern, id) or id.partition("/")[0] not in model.TOPICS:  # type: ignore[attr-defined]
        print(f"{id} is no id: <topic>/<slug>, lower-case words joined by hyphens.", file=sys.stderr)
        print(f"The topics are {', '.join(model.TOPICS)}.", file=sys.stderr)
        return 2
    path = bank.QUESTIONS / f"{id}.yaml"
    if path.exists():
        print(f"{shown_path(path)} exists; ids are never used twice.", file=sys.stderr)
        return 2
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SKELETON.format(today=date.today().isoformat()), "utf-8")
    print(f"{shown_path(path)}: fill it in, then run python -m qa lint")
    return 0


def lint_all(loaded: Loaded) -> int:
    """Print what lint finds; warnings do not count as failure."""
    errors, warnings = lint.lint(loaded)
    for warning in warnings:
        print(f"{warning} (warning)")
    for error in errors:
        print(error)
    print(f"{len(loaded.questions)} questions, {len(errors)} errors, {len(warnings)} warnings")
    return 1 if errors else 0


def meant(id: str, wanted: list[str]) -> bool:
    """Whether a question or lab is named: by its id, its topic or its slug."""
    return any(each in (id, *id.split("/")) for each in wanted)


def chosen(loaded: Loaded, wanted: list[str]) -> list[str]:
    """Return the ids that are meant: of questions, of topics, of labs. Raises UnknownQuestion."""
    labs = [task.question for task in proof.lab_tasks()]
    if not wanted:
        return [*loaded.order(), *labs]
    found: list[str] = []
    for each in wanted:
        these = [id for id in [*loaded.order(), *labs] if meant(id, [each])]
        if not these:
            raise bank.UnknownQuestion(each, [*loaded.questions, *labs])
        found += these
    return list(dict.fromkeys(found))


class Progress:
    """A bar on a terminal; nothing where there is none."""

    def __init__(self, total: int, what: str) -> None:
        self.bar: Any = None
        if total and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn(what),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
            )
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=total)

    def __call__(self, outcome: proof.Outcome) -> None:
        if self.bar:
            self.bar.update(self.task, advance=1, description=outcome.task.name[-40:])

    def close(self) -> None:
        if self.bar:
            self.bar.stop()


class Prover:
    """One run of `prove`."""

    def __init__(self, loaded: Loaded, ids: list[str], options: argparse.Namespace) -> None:
        self.loaded, self.options = loaded, options
        self.questions = {id: loaded.questions[id] for id in ids if id in loaded.questions}
        self.labs = [id.partition("/")[2] for id in ids if id not in loaded.questions]
        self.failures: list[str] = []

    def run(self) -> int:
        """Return the exit status."""
        if self.options.seeds:
            self.try_seeds()
        elif self.options.check:
            self.compare()
        else:
            self.prove()
        for failure in self.failures:
            print(failure, file=sys.stderr)
        return 1 if self.failures else 0

    def where(self, task: Task) -> str:
        """Name the file and line that a task comes from."""
        if task.section == "labs":
            return f"docs/labs/{task.name}.py"
        lines = self.loaded.lines[task.question]
        question = self.questions[task.question]
        at: tuple[str | int, ...] = ("shows", task.name)
        if task.section in ("checks", "mistakes"):
            calls = [proof.call(c.check, c.with_) for c in question.claims]
            at = ("claims", calls.index(task.name)) if task.name in calls else ("misconceptions",)
        elif task.section == "drills":
            at = ("drills",)
        return f"{shown_path(self.loaded.paths[task.question])}:{lines.get(at, 1)}"

    def fail(self, task: Task, message: str) -> None:
        self.failures.append(f"{self.where(task)}: {task.question}: {task.kind} {task.name}: {message}")

    def work(self, tasks: list[Task], what: str, *, write: bool) -> list[proof.Outcome]:
        """Run tasks with a bar; keep each result as soon as it is there, so that a Ctrl-C loses nothing."""
        if tasks and (missing := proof.missing_packages(tasks)):
            raise SystemExit(
                f"proving needs {', '.join(missing)}: pip install -c constraints.txt -e '.[dev]' (or make prove)"
            )
        progress = Progress(len(tasks), what)
        good: list[proof.Outcome] = []

        def ended(outcome: proof.Outcome) -> None:
            progress(outcome)
            good.append(outcome)

        try:
            return proof.run(tasks, self.options.jobs, ended)
        finally:
            progress.close()
            if write:
                proof.keep(
                    o for o in good if o.task.kind == "mistake" or (o.state == "done" and o.what.get("holds", True))
                )

    def results(self) -> list[Task]:
        found = [task for id, question in self.questions.items() for task in proof.tasks(id, question)]
        return found + proof.lab_tasks(self.labs)

    def prove(self) -> None:
        """Run what is stale, then the mistakes against the claims whose row is stale."""
        everything = self.results()
        tasks = [t for t in everything if self.options.all or proof.is_stale(t)]
        outcomes = self.work(tasks, "proving", write=True)
        failed = {o.task.name for o in outcomes if self.judge(o)}
        rows = [t for id, question in self.questions.items() for t in proof.mistake_tasks(id, question)]
        due = [t for t in rows if (self.options.all or proof.is_stale(t)) and t.name not in failed]
        self.work(due, "mistakes", write=True)
        for id, question in self.questions.items():
            proof.tidy(id, question)
            for claim in question.claims:
                name = proof.call(claim.check, claim.with_)
                if name not in failed and not proof.rejected(id, question, name):
                    task = next(t for t in everything if t.name == name)
                    self.fail(
                        task, "has rejected no mistake with holds=False, so it proves nothing; see prove --mistakes"
                    )
        if self.options.mistakes:
            self.print_table()
        what = f"{len(everything)} results of {len(self.questions)} questions and {len(self.labs)} labs"
        print(f"{what}, {len(tasks)} run; {len(due)} mistakes tried; {len(self.failures)} failures")

    def judge(self, outcome: proof.Outcome) -> bool:
        """Note a failure. Returns whether it is one."""
        task = outcome.task
        if outcome.state != "done":
            self.fail(task, f"{outcome.state}: {outcome.what}" if outcome.state != "raised" else str(outcome.what))
        elif not outcome.what.get("holds", True):
            measured = ", ".join(
                f"{k} {v:.6g}" if isinstance(v, float) else f"{k} {v}" for k, v in outcome.what["measured"].items()
            )
            self.fail(task, f"does not hold (seed {task.seed}): {measured}")
        elif task.kind in ("check", "formula") and outcome.seconds > 2 * task.limit:
            self.fail(task, f"took {outcome.seconds:.1f} core-seconds; {task.limit:.0f} is the limit")
        else:
            return False
        return True

    def compare(self) -> None:
        """Run everything, write nothing, and say where the evidence is missing, stale or different."""
        tasks = self.results()
        for outcome in self.work(tasks, "checking", write=False):
            if self.judge(outcome):
                continue
            task = outcome.task
            if proof.is_stale(task):
                self.fail(task, "the evidence is stale or missing; run python -m qa prove and commit what it writes")
            elif task.section != "labs" and (difference := proof.agree(proof.entry(task), outcome.what)):
                self.fail(task, f"differs from the evidence: {difference}")
        for id, question in self.questions.items() if bank.IN_CHECKOUT else ():  # mistakes lie with the tests
            for task in {t.name: t for t in proof.mistake_tasks(id, question) if proof.is_stale(t)}.values():
                self.fail(task, "the table of mistakes is stale or missing; run python -m qa prove")
        print(f"{len(tasks)} results compared, {len(self.failures)} failures")

    def try_seeds(self) -> None:
        """Run the claims with many seeds; a check that holds for some is a matter of luck. No seed matters to a proof,
        and what trains has to hold for three.
        """
        checks = [t for t in self.results() if t.kind == "check"]
        most = {t.name: min(self.options.seeds, proof.SEEDS[source.find(t.ref).kind]) for t in checks}
        tasks = [replace(t, seed=seed) for t in checks for seed in range(most[t.name])]
        for outcome in self.work(tasks, "seeds", write=False):
            self.judge(outcome)
        runs = f"{len(checks)} checks, {len(tasks)} runs with up to {self.options.seeds} seeds"
        print(f"{runs}, {len(self.failures)} failures")

    def print_table(self) -> None:
        """Print, for each claim, what became of each mistake."""
        for id, question in self.questions.items():
            rows = proof.evidence(id).get("mistakes", {})
            print(f"\n{id}")
            for name in dict.fromkeys(proof.call(c.check, c.with_) for c in question.claims):
                print(f"  {name.partition(':')[2]}")
                for says, verdict in rows.get(name, {}).get("verdicts", {}).items():
                    print(f"    {verdict:8} {says}")
            rejected = {says for row in rows.values() for says, v in row.get("verdicts", {}).items() if v == "rejects"}
            for mistake in question.mistakes:
                if mistake.says not in rejected:
                    print(f"  NO CHECK REJECTS: {mistake.says}")


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        try:
            sys.exit(main())
        except KeyboardInterrupt:
            print("stopped; what was proved so far is kept", file=sys.stderr)
            sys.exit(130)
