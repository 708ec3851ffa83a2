"""The terminal: what is said on it, and the keys pressed. Colour only where it is wanted, plain lines elsewhere."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

WIDEST = 100
PLAIN_WIDTH = 80
WORDS = {
    "reveal": "\n", "again": "1", "hard": "2", "good": "3", "easy": "4", "undo": "u", "skip": "s", "whole": "w",
    "points": "k", "key points": "k", "quit": "q", "exit": "q", "help": "?",
}  # fmt: skip
END = "\x04"
ESCAPE = re.compile(r"\x1b\[[\d;]*m")
FUNCTION_KEY = re.compile(r"\x1b(?:\[[\d;?]*[ -/]*[@-~]|O.|.)?")
TRAILING = re.compile(r"(?: |\x1b\[[\d;]*m)+$")


class Screen:
    """Where text goes. plain: no colour, no drawing, at most 80 columns."""

    def __init__(self, *, plain: bool = False) -> None:
        is_terminal = bool(sys.stdout and sys.stdout.isatty()) and os.environ.get("TERM") != "dumb"
        self.plain = plain or not is_terminal
        self.colour = not self.plain and not os.environ.get("NO_COLOR")

    @property
    def width(self) -> int:
        """Columns to write in, as the window is now."""
        columns = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns
        return max(20, min(columns, PLAIN_WIDTH if self.plain else WIDEST))

    @property
    def height(self) -> int:
        """Rows of the window as it is now."""
        return shutil.get_terminal_size((PLAIN_WIDTH, 24)).lines

    def say(self, text: str = "", style: str = "", indent: str = "", *, end: str = "\n") -> None:
        """Print a text in lines that fit; `indent` stands before every line but the first."""
        lines = [part for line in text.split("\n") for part in wrapped(line, self.width, indent)]
        print("\n".join(self.styled(line, style) for line in lines), end=end, flush=True)

    def styled(self, text: str, style: str) -> str:
        """Wrap a text in the codes of a style: bold, faint, or a colour."""
        codes = {"bold": "1", "faint": "2", "green": "32", "yellow": "33", "cyan": "36"}
        wanted = [codes[s] for s in style.split() if self.colour or (s in ("bold", "faint") and not self.plain)]
        return f"\x1b[{';'.join(wanted)}m{text}\x1b[0m" if wanted and text else text

    def markdown(self, text: str) -> list[str]:
        """Return Markdown as lines ready to print."""
        if self.plain:
            from qa.practice.plain import lines

            return list(lines(text, self.width))
        return rich_lines(text, self.width, colour=self.colour)


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Break a text into lines no wider than `width`."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_on_hyphens=False, replace_whitespace=False, drop_whitespace=True
    ) or [""]


def rich_lines(text: str, width: int, *, colour: bool) -> list[str]:
    """Return Markdown rendered by rich, as lines with escape codes."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    styles = {"markdown.code": "bold", "markdown.code_block": "none", "markdown.item.bullet": "none"}
    console = Console(
        width=width,
        force_terminal=True,
        no_color=not colour,
        color_system="standard",
        legacy_windows=False,
        theme=Theme(styles if not colour else {**styles, "markdown.code": "cyan"}),
    )
    with console.capture() as captured:
        console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
    lines = [TRAILING.sub(lambda m: m[0].replace(" ", ""), line) for line in captured.get().strip("\n").split("\n")]
    return [line for n, line in enumerate(lines) if not (n and blank(line) and blank(lines[n - 1]))]


def blank(line: str) -> bool:
    """Whether a line with escape codes shows nothing."""
    return not ESCAPE.sub("", line).strip()


def is_colour(code: str) -> bool:
    """Whether an escape code sets a colour; bold, faint, italic and underlined are none."""
    return any(30 <= int(n or 0) <= 107 and n not in ("39", "49") for n in code[2:-1].split(";"))


class Keys:
    """What is pressed: single keys at a terminal, lines elsewhere. `Keys.next()` gives END when there is no more."""

    def __init__(self) -> None:
        self.single = bool(sys.stdin and sys.stdin.isatty())
        self._waiting: list[str] = []

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Take single keys while this lasts; the terminal is put back as it was on every way out."""
        if not self.single:
            yield
            return
        import signal
        import termios
        import tty

        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)

        def single_keys(*_: Any) -> None:
            tty.setcbreak(fd, termios.TCSADRAIN)

        def continued(number: int, frame: FrameType | None) -> None:
            single_keys()

        old = signal.signal(signal.SIGCONT, continued)
        single_keys()
        try:
            yield
        finally:
            signal.signal(signal.SIGCONT, old)
            termios.tcsetattr(fd, termios.TCSADRAIN, before)

    def next(self) -> str:
        """Wait for a key. Enter and space are both given as "\\n"."""
        while not self._waiting:
            self._waiting = list(self._key() if self.single else self._line())
        return self._waiting.pop(0)

    def paged(self, lines: list[str], screen: Screen) -> None:
        """Print lines, a screenful at a time where keys are single; any key but enter ends it and counts as pressed."""
        size = screen.height - 2 if self.single and not screen.plain else len(lines)
        for start in range(0, len(lines), max(5, size)):
            if start:
                screen.say(f"space: more (lines left: {len(lines) - start})   q: back to the question", "cyan")
                if (key := self.next()) != "\n":
                    if key != "q":
                        self._waiting.insert(0, key)
                    return
            print("\n".join(lines[start : start + max(5, size)]), flush=True)

    def _key(self) -> str:
        try:
            typed = os.read(sys.stdin.fileno(), 1024)
        except OSError:  # the terminal went away
            return END
        if not typed:
            return END
        text = FUNCTION_KEY.sub("", typed.decode("utf-8", "replace"))
        return text.replace("\r", "\n").replace(" ", "\n")

    def _line(self) -> str:
        """Read a line: nothing is enter, a word is its key, anything else is its characters."""
        line = sys.stdin.readline() if sys.stdin else ""
        if not line:
            return END
        line = line.strip().lower()
        return WORDS.get(line, "".join(line.split()) or "\n")
