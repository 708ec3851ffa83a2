"""A session of practice: question, answer, grade, and again, until it is enough."""

import signal
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from qa.bank import Bank, Entry, UnknownQuestion
from qa.practice import draw
from qa.practice.events import GRADE, SKIP, Event, Studied, now
from qa.practice.grade import NAMES, suggest
from qa.practice.log import Log, LogError
from qa.practice.terminal import Keys, Screen

if TYPE_CHECKING:
    from qa import model

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


def practise(bank: Bank, entries: list[Entry], path: Path, *, seed: int | None = None, plain: bool = False) -> int:
    """Ask until it is enough; return the exit status. path: the log. Raises LogError, and SystemExit at a signal."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, stop)
    screen, keys, log = Screen(plain=plain), Keys(), Log(path, check=True)
    try:
        with keys.reading():
            Session(bank, entries, log, screen, keys, seed).run()
    except KeyboardInterrupt:
        screen.say("\nStopped. Every grade that you gave is saved.")
        return 128 + signal.SIGINT
    finally:
        log.close()
    return 0


class Session:
    """Questions until it is enough. Nothing is held back: each grade is in the log before the next question."""

    def __init__(
        self, bank: Bank, entries: list[Entry], log: Log, screen: Screen, keys: Keys, seed: int | None
    ) -> None:
        self.bank, self.entries, self.log, self.screen, self.keys = bank, entries, log, screen, keys
        self.number = draw.numbers(seed)
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
        drawn = draw.draw(self.entries, self.log.studied(), now(), self.number(), last=self.last)
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
        gone = None
        while self.given and gone is None:  # another session may have taken it back already
            gone = self.log.undo(self.given.pop())
        gone = gone or self.log.undo()
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
    return NAMES[grade] if grade else ""


def _place(entry: Entry) -> str:
    return f"{entry.id} · {entry.level}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
