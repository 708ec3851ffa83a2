"""The `quiz` command: practise in the terminal. Arguments, and the loop of question, answer, grade."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from qa.bank import Bank, BankError, Entry, UnknownQuestion, open_bank
from qa.practice import draw
from qa.practice.events import GRADE, SKIP, Event, Studied, now
from qa.practice.log import Log, LogError, home

if TYPE_CHECKING:
    from qa import model
    from qa.practice.terminal import Keys, Screen

COMMANDS = {
    "": "practise until you quit (the default)",
    "next": "print the question that comes next, and end",
    "list": "list the questions",
    "show": "print a question with its whole answer:   quiz show <id>",
    "prove": "run the checks of a question:             quiz prove <id>",
    "stats": "say what you have practised",
}
LEVELS = ("engineer", "senior", "architect")
TICKS = "abcdefghijlmnoprtvxyz"
"""Letters for key points; k, q, s, u and w are keys."""

KEYS = """\
space, enter  reveal the short answer and the key points; once you have ticked
              key points, enter takes the grade that they suggest
1 2 3 4       grade: 1 again (not known), 2 hard, 3 good, 4 easy
a b c ...     tick a key point that you said, or take the tick back
k             the key points again
w             the whole answer
s             skip this question
u             undo: take back the last grade, as often as you like, also of
              earlier sessions
q             quit (Ctrl-C and Ctrl-D too); every grade is saved at once
?             this help"""


class Stopped(Exception):
    """A signal asked to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        status = run(options)
        sys.stdout.flush() if sys.stdout else None
        return status
    except (UnknownQuestion, BadChoice) as error:
        return complain(str(error), 2)
    except BankError as error:
        return complain("The question bank has errors:\n" + "\n".join(map(str, error.problems)), 2)
    except LogError as error:
        return complain(str(error), 1)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Stopped as stopped:
        return 128 + int(stopped.args[0])
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
        epilog=f"keys while practising:\n{_indented(KEYS)}\n\nA question may be given by the last part of its id. Your "
        "answers are kept in\n$QUIZ_HOME, or in your data folder; `quiz stats` says where.",
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
        return practise(bank, entries, options)
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
    known_tags = {t for e in entries for t in e.tags}
    for name, wanted, known in (
        ("topic", options.topic, {e.topic for e in entries}),
        ("tag", options.tag, known_tags),
    ):
        for value in wanted:
            if value not in known:
                raise BadChoice(_unknown(name, value, known))
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
    drawn = draw.draw(
        entries, studied, now(), draw.numbers(options.seed).random(), last=log.last_asked() if log else None
    )
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
    screen.say(_place(entry) + f" · {', '.join(entry.tags)}", "faint")
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
    """Run the checks of a question, or say how to; then show what running them found."""
    import importlib.util
    import subprocess

    from qa import proof
    from qa.bank import IN_CHECKOUT
    from qa.practice import show
    from qa.practice.terminal import Screen

    if importlib.util.find_spec("torch"):
        return subprocess.run([sys.executable, "-m", "qa", "prove", entry.id], check=False).returncode
    screen, question, evidence = Screen(plain=options.plain), bank.question(entry.id), proof.evidence(entry.id)
    what = '-e ".[snippets]"' if IN_CHECKOUT else '"executable-answers[snippets]"'
    screen.say("To run the checks here, PyTorch and what else the snippets need have to be installed:")
    screen.say(f"\n    {sys.executable} -m pip install {what}\n")
    screen.say("What running them found elsewhere:")
    for claim in question.claims:
        call = proof.call(claim.check, claim.with_)
        made = evidence.get("checks", {}).get(call, {}).get("made", {})
        versions = ", ".join(f"{name} {version}" for name, version in made.items() if name != "on")
        when = f" ({made['on']}, {versions})" if made else ""
        screen.say(f"- {show.plain_text(claim.says)}", indent="  ")
        screen.say(f"  {call}: {show.checked(evidence, call)}{when}", "faint", indent="  ")
    for reason in proof.stale(entry.id, question):
        screen.say(f"Stale: {reason}", "yellow")
    return 1


def practise(bank: Bank, entries: list[Entry], options: argparse.Namespace) -> int:
    """Ask until it is enough."""
    from qa.practice.terminal import Keys, Screen

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise Stopped(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    screen, keys = Screen(plain=options.plain), Keys()
    log = Log(path(), check=True)
    try:
        session = Session(bank, entries, log, screen, keys, options.seed)
        with keys.reading():
            session.run()
    except KeyboardInterrupt:
        screen.say("\nStopped. Every grade that you gave is saved.")
        raise
    finally:
        log.close()
    return 0


class Session:
    """Questions until it is enough. Nothing is held back: each grade is in the log before the next question."""

    def __init__(
        self, bank: Bank, entries: list[Entry], log: Log, screen: "Screen", keys: "Keys", seed: int | None
    ) -> None:
        self.bank, self.entries, self.log, self.screen, self.keys = bank, entries, log, screen, keys
        self.numbers = draw.numbers(seed)
        self.last = log.last_asked()
        self.given: list[Event] = []
        self.back: str | None = None
        """The question whose grade was just taken back: it comes next."""

    def run(self) -> None:
        """Ask until the learner quits."""
        say = self.screen.say
        studied = self.log.studied()
        new = sum(e.id not in studied for e in self.entries)
        for note in self.log.notes:
            say(note, "yellow")
        say(f"{_count(len(self.entries), 'question')}, {new} new to you.", "bold")
        say("Say your answer aloud, press space to see ours, then grade yourself from 1 to 4.")
        say("q quits, and nothing is lost; ? explains every key.")
        while True:
            entry, why = self.pick()
            if not self.ask(entry, why):
                break
            self.last = entry.id
        say(f"{_count(len(self.given), 'answer')} saved. Until next time." if self.given else "Until next time.")

    def pick(self) -> tuple[Entry, str]:
        """Return the next question, and why it is that one."""
        if self.back:
            id, self.back = self.back, None
            try:
                return self.bank.entry(id), "its grade was taken back"
            except UnknownQuestion:
                self.screen.say(f"{id} is not in this bank; here is another question.")
        drawn = draw.draw(self.entries, self.log.studied(), now(), self.numbers.random(), last=self.last)
        assert drawn
        return self.entries[drawn.place], drawn.why

    def ask(self, entry: Entry, why: str) -> bool:
        """Ask one question; return whether to go on."""
        asking = Asking(self, entry, why)
        while True:
            key = self.keys.next()
            if key in ("q", "\x04"):
                return False
            if key == "u":
                if self.undo():
                    return True
            elif asking.press(key):
                return True

    def undo(self) -> bool:
        """Take back the last grade, of this session or of an earlier one."""
        gone = self.log.undo(self.given.pop() if self.given else None)
        if gone is None:
            self.screen.say("There is no grade to take back.")
            return False
        self.screen.say(f"Taken back: {_grade(gone.grade)} for {gone.item_id}.", "yellow")
        self.back = gone.item_id
        return True


class Asking:
    """One question on the screen: hidden, then revealed, until it is graded or skipped."""

    def __init__(self, session: Session, entry: Entry, why: str) -> None:
        self.session, self.entry, self.screen = session, entry, session.screen
        self.started = time.monotonic()
        self.revealed_ms: int | None = None
        self.ticked: set[int] = set()
        self.saw_whole = False
        say = self.screen.say
        say()
        say(_place(entry) + f" · {why}", "faint")
        self.note_changes(session.log.studied().get(entry.id))
        say(entry.question, "bold")
        say()
        self.prompt()
        self.question: model.Question = session.bank.question(entry.id)  # while the learner thinks

    def note_changes(self, studied: Studied | None) -> None:
        """Tell a learner when the answer is no longer the one they studied."""
        if studied and studied.item_hash != self.entry.hash:
            self.screen.say("The answer has changed since you studied it.", "yellow")

    def prompt(self) -> None:
        """Say what can be pressed."""
        if self.revealed_ms is None:
            self.screen.say("space: reveal   s: skip   u: undo   q: quit   ?: help", "cyan")
            return
        text = "1 again   2 hard   3 good   4 easy   w: whole answer   ?: help"
        if self.ticked:
            text += f"   enter: {_grade(self.suggested())}"
        self.screen.say(text, "cyan")

    def press(self, key: str) -> bool:
        """Do what a key asks for; return whether this question is done with."""
        if key == "?":
            self.screen.say(KEYS)
        elif key == "s":
            return self.save(SKIP) is not None
        elif key == "w":
            self.whole()
        elif self.revealed_ms is None and key in ("\n", "k"):
            self.reveal()
        elif self.revealed_ms is None:
            self.screen.say("First press space to see the answer.")
            return False
        elif key in "1234" or (key == "\n" and self.ticked):
            return self.grade(self.suggested() if key == "\n" else int(key))
        elif key == "k":
            self.points()
        elif key in TICKS[: len(self.question.key_points)]:
            self.tick(TICKS.index(key))
            return False
        elif key != "\n":
            self.screen.say(f"{key!r} is no key here.")
        self.prompt()
        return False

    def reveal(self) -> None:
        """Show the short answer and the key points."""
        from qa.practice.show import plain_text

        self.revealed_ms = self.elapsed()
        self.screen.say()
        self.screen.say(plain_text(self.question.short))
        self.screen.say()
        self.screen.say("Key points: press the letter of each that you said.", "faint")
        self.points()
        self.screen.say()

    def points(self) -> None:
        """List the key points."""
        from qa.practice.show import key_points

        for line in key_points(self.question, self.ticked, TICKS):
            self.screen.say(line, indent="      ")

    def tick(self, place: int) -> None:
        """Tick a key point, or take the tick back."""
        from qa.practice.show import key_points

        self.ticked ^= {place}
        line = list(key_points(self.question, self.ticked, TICKS))[place]
        suggested = f"  (suggests {_grade(self.suggested())}: press enter)" if self.ticked else ""
        self.screen.say(line + suggested, indent="      ")

    def suggested(self) -> int:
        """Return the grade that the ticks suggest."""
        from qa.practice.grade import suggest

        return suggest([p.weight for p in self.question.key_points], self.ticked)

    def whole(self) -> None:
        """Show the whole answer, a page at a time where there are pages."""
        from qa import proof
        from qa.practice import show

        if self.revealed_ms is None:
            self.revealed_ms = self.elapsed()
        self.saw_whole = True
        evidence = proof.evidence(self.entry.id)
        text = show.answer(self.question, evidence, width=self.screen.width, plain=self.screen.plain)
        lines = self.screen.markdown(f"{text}\n\n{show.details(self.question, evidence, self.session.bank)}")
        self.session.keys.paged(lines, self.screen)
        self.screen.say()

    def grade(self, grade: int) -> bool:
        """Save a grade; return whether it is saved."""
        ticks: dict[str, Any] = {"ticked": sorted(self.ticked), "of": len(self.question.key_points)}
        if self.ticked:
            ticks["suggested"] = self.suggested()
        saved = self.save(GRADE, grade, ticks | {"revealed_ms": self.revealed_ms, "whole": self.saw_whole})
        if saved:
            self.session.given.append(saved)
            self.screen.say(f"Saved: {_grade(grade)}.", "green")
        return saved is not None

    def save(self, kind: str, grade: int | None = None, payload: dict[str, Any] | None = None) -> Event | None:
        """Write to the log; what goes wrong is said, and the question stays, so that it can be tried again."""
        try:
            return self.session.log.append(
                self.entry.id, self.entry.hash, kind, grade=grade, took_ms=self.elapsed(), payload=payload
            )
        except LogError as error:
            self.screen.say(f"Not saved: {error}. Press the key again when that is mended.", "yellow")
            return None

    def elapsed(self) -> int:
        """Return the milliseconds since the question was asked."""
        return round(1000 * (time.monotonic() - self.started))


def _grade(grade: int | None) -> str:
    from qa.practice.grade import NAMES

    return NAMES[grade] if grade else ""


def _place(entry: Entry) -> str:
    return f"{entry.id} · {entry.level}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _lines(text: str, indent: str = "") -> str:
    """Break a text at 80 columns; textwrap would cost `quiz next` an import."""
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) + 1 > 80 and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return "\n".join([*lines, line.rstrip()])


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
