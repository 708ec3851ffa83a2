"""The `quiz` command: practise in the terminal. Arguments, and what each command prints.

`quiz next` has a bound on its CPU time (tests/bench/bench_next.py), so what is heavy is imported where it is needed.
"""

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from qa.bank import Bank, BankError, Entry, UnknownQuestion, open_bank
from qa.practice import draw
from qa.practice.events import now
from qa.practice.log import Log, LogError, home

COMMANDS = {
    "": "practise until you quit (the default)",
    "next": "print the question that comes next, and end",
    "list": "list the questions",
    "show": "print a question with its whole answer:   quiz show <id>",
    "prove": "run the checks of a question:             quiz prove <id>",
    "stats": "say what you have practised",
}
EPILOG = """\
While practising: space reveals the answer, 1 to 4 grade it, u undoes, s skips,
w shows the whole answer, q quits; ? explains every key.

A question may be given by the last part of its id. Your answers are kept in
$QUIZ_HOME, or in your data folder; `quiz stats` says where."""
LEVELS = ("engineer", "senior", "architect")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an encoding without √ shows ?
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        status = run(options)
        sys.stdout.flush() if sys.stdout else None
        return status
    except (UnknownQuestion, BadChoice) as error:
        return complain(str(error), 2)
    except BankError as error:
        problems = [str(problem) for problem in error.problems]
        rest = [f"and {len(problems) - 10:,} more; `python -m qa lint` lists them all"] if len(problems) > 10 else []
        return complain("\n".join(["the bank has faults, so there is nothing to ask yet:", *problems[:10], *rest]), 2)
    except LogError as error:
        return complain(str(error), 1)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains while it ends
        return 128 + signal.SIGPIPE


class BadChoice(ValueError):
    """An option names something that is not there."""


def complain(message: str, status: int) -> int:
    """Say what is wrong."""
    if sys.stdout:
        sys.stdout.flush()
    print(f"quiz: {message}", file=sys.stderr)
    return status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    commands = "\n".join(f"  {name or '(none)':8} {what}" for name, what in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="quiz",
        usage="quiz [command] [options]",
        description=f"Practise interview questions whose answers can be run.\n\ncommands:\n{commands}",
        epilog=EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80),
    )
    parser.add_argument("command", nargs="?", default="", help=argparse.SUPPRESS)
    parser.add_argument("question", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument(
        "--topic", action="append", default=[], help="only this topic (may be repeated, as the next three)"
    )
    parser.add_argument("--tag", action="append", default=[], help="only questions with this tag")
    parser.add_argument("--level", action="append", default=[], choices=LEVELS, help="only this level")
    parser.add_argument(
        "--priority", action="append", default=[], type=priorities, metavar="N[-M]",
        help="only these priorities, 1 (asked nearly always) to 5 (rarely): 1 or 1-2",
    )  # fmt: skip
    parser.add_argument("--bank", type=Path, metavar="DIR", help="add a folder of your own questions")
    parser.add_argument("--seed", type=int, metavar="N", help="draw the same questions again")
    parser.add_argument("--plain", action="store_true", help="plain lines of at most 80 columns, for a screen reader")
    options = parser.parse_intermixed_args(arguments)
    if options.command not in COMMANDS:
        parser.error(f"there is no command {options.command!r}; there are {', '.join(filter(None, COMMANDS))}")
    if options.command in ("show", "prove") and not options.question:
        parser.error(f"which question? quiz {options.command} <id>; `quiz list` shows their ids")
    if options.command not in ("show", "prove") and options.question:
        parser.error(f"quiz {options.command} takes no question; did you mean quiz show {options.question}?")
    return options


def priorities(text: str) -> range:
    """Read "2" or "1-3"."""
    first, _, last = text.partition("-")
    try:
        low, high = int(first), int(last or first)
    except ValueError:
        low, high = 0, 0
    if not 1 <= low <= high <= 5:
        raise argparse.ArgumentTypeError(f"{text!r} is no priority; write 1 to 5, or a range such as 1-2")
    return range(low, high + 1)


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for."""
    bank = open_bank(options.bank)
    if options.command in ("show", "prove"):
        entry = bank.entry(options.question)
        return (show if options.command == "show" else prove)(bank, entry, options)
    entries = chosen(bank.entries(), options)
    if not entries:
        return complain(
            "no question matches; `quiz list` shows all of them" if bank.entries() else "the bank is empty", 1
        )
    if options.command == "":
        from qa.practice.session import practise

        return practise(bank, entries, path(), seed=options.seed, plain=options.plain)
    log = Log(path()) if path().exists() else None
    try:
        command = {"next": print_next, "list": print_list, "stats": print_stats}[options.command]
        return command(entries, log, options)
    finally:
        if log:
            log.close()


def path() -> Path:
    """Return the place of the log."""
    return home() / "log.sqlite"


def chosen(entries: list[Entry], options: argparse.Namespace) -> list[Entry]:
    """Return the entries that the filters let through: any value of a filter, all filters. Raises BadChoice."""
    for topic in options.topic:
        if topic not in (known := {e.topic for e in entries}):
            raise BadChoice(_unknown("topic", topic, known))
    for tag in options.tag:
        if tag not in (known := {t for e in entries for t in e.tags}):
            raise BadChoice(_unknown("tag", tag, known))
    allowed = {p for r in options.priority for p in r}
    return [
        e
        for e in entries
        if (not options.topic or e.topic in options.topic)
        and (not options.tag or not set(options.tag).isdisjoint(e.tags))
        and (not options.level or e.level in options.level)
        and (not allowed or e.priority in allowed)
    ]


def _unknown(name: str, value: str, known: Iterable[str]) -> str:
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(value, names, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names[:20])}"
    return f"no question has the {name} {value}; {hint}"


def print_next(entries: list[Entry], log: Log | None, options: argparse.Namespace) -> int:
    """Print the question that comes next. It imports little: see tests/bench/bench_next.py."""
    studied = log.studied() if log else {}
    drawn = draw.draw(entries, studied, now(), draw.numbers(options.seed)(), last=log.last_asked() if log else None)
    assert drawn
    entry = entries[drawn.place]
    print(_lines(entry.question))
    print(_lines(f"({drawn.why}; {entry.level})"))
    print(f"\nIts answer: quiz show {entry.id}")
    return 0


def print_list(entries: list[Entry], log: Log | None, options: argparse.Namespace) -> int:
    """Print every question on two lines: id, priority, level, recall; then its wording."""
    studied, at = log.studied() if log else {}, now()
    for e in entries:
        known = f"{studied[e.id].recall(at):.0%} likely remembered" if e.id in studied else "new"
        print(f"{e.id}  priority {e.priority}, {e.level}, {known}")
        print(_lines(e.question, "    "))
    return 0


def print_stats(entries: list[Entry], log: Log | None, options: argparse.Namespace) -> int:
    """Say what was practised, and how much of it is likely remembered now."""
    from qa.practice.stats import summary

    print("\n".join(summary(entries, log.events() if log else [], log.studied() if log else {}, now())))
    print(f"Kept in {path()}" if log else f"Nothing is kept yet; it will be in {path()}")
    return 0


def show(bank: Bank, entry: Entry, options: argparse.Namespace) -> int:
    """Print a question with its whole answer."""
    from qa import proof
    from qa.practice import show
    from qa.practice.terminal import Screen

    screen, question = Screen(plain=options.plain), bank.question(entry.id)
    screen.say(question.question, "bold")
    screen.say(f"{entry.id} · {entry.level} · {', '.join(entry.tags)}", "faint")
    screen.say()
    evidence = proof.evidence(entry.id)
    text = "\n\n".join(
        (
            show.prose(question.short),
            "## The whole answer",
            show.answer(question, evidence, width=screen.width, plain=screen.plain),
            "## Key points",
            "\n".join(f"- {p.weight}: {show.prose(p.text)}" for p in question.key_points),
            show.details(question, evidence, bank),
        )
    )
    print("\n".join(screen.markdown(text)))
    return 0


def prove(bank: Bank, entry: Entry, options: argparse.Namespace) -> int:
    """Run the checks of a question, or say how to; then show what running them has found."""
    import importlib.util
    import subprocess

    from qa.bank import IN_CHECKOUT, QUESTIONS

    if not (own := bank.source_path(entry.id)).is_relative_to(QUESTIONS):
        raise BadChoice(f"{entry.id} is a question of your own ({own}); only those that come with the quiz are proved")
    if importlib.util.find_spec("torch"):
        status = subprocess.run([sys.executable, "-m", "qa", "prove", "--check", entry.id], check=False).returncode
    else:
        what = '-e ".[snippets]"' if IN_CHECKOUT else '"executable-answers[snippets]"'
        print("To run the checks here, install PyTorch and what else they need:\n")
        print(f"    {sys.executable} -m pip install {what}\n", flush=True)
        status = 1
    print_found(bank, entry, options)
    return status


def print_found(bank: Bank, entry: Entry, options: argparse.Namespace) -> None:
    """Print each claim of a question and what the evidence has for it: figures, date, versions."""
    from qa import proof
    from qa.practice import show
    from qa.practice.terminal import Screen

    screen, question, evidence = Screen(plain=options.plain), bank.question(entry.id), proof.evidence(entry.id)
    screen.say(question.question, "bold")
    for claim in question.claims:
        call = proof.call(claim.check, claim.with_)
        made = evidence.get("checks", {}).get(call, {}).get("made", {})
        versions = ", ".join(f"{name} {version}" for name, version in made.items() if name != "on")
        screen.say(f"\n- {show.plain_text(claim.says)}", indent="  ")
        screen.say(f"  {show.checked(evidence, call)}", indent="  ")
        screen.say(f"  {call}" + (f", run {made['on']} with {versions}" if made else ""), "faint", indent="  ")
    for reason in proof.stale(entry.id, question):
        screen.say(f"Stale: {reason}", "yellow")


def _lines(text: str, indent: str = "") -> str:
    """Break a text at 80 columns; textwrap would cost `quiz next` an import."""
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) > 80 and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return "\n".join([*lines, line.rstrip()])


if __name__ == "__main__":
    sys.exit(main())
