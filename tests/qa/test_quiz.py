"""The quiz as people use it: in a pipe, at a terminal, interrupted, and given nonsense."""

import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qa import quiz
from qa.bank import QUESTIONS, Entry
from qa.practice.events import GRADE, SKIP, VOID, Event
from qa.practice.log import Log

ROOT = Path(__file__).parents[2]
DRIVER = """
import sys
from pathlib import Path
import qa.bank
folder = Path(sys.argv.pop(1))
qa.bank.QUESTIONS, qa.bank.SOURCES = folder / "questions", folder / "sources.yaml"
from qa.quiz import main
sys.exit(main())
"""
PRIORITIES = {"training/adam": 1, "training/warmup": 1, "training/clipping": 2, "gans/mode-collapse": 3, "gans/adam": 5}


def write_bank(folder: Path, priorities: dict[str, int] = PRIORITIES) -> None:
    for id, priority in priorities.items():
        topic, slug = id.split("/")
        (folder / "questions" / topic).mkdir(parents=True, exist_ok=True)
        (folder / "questions" / topic / "_topic.yaml").write_text(f"title: {topic}\nblurb: x\norder: 1\n")
        (folder / "questions" / topic / f"{slug}.yaml").write_text(
            f"""\
question: "What is {slug} (√) in {topic}, and why would anybody who has to answer for the bill of a training run care?"
priority: {priority}
basis: {{note: a test}}
level: {"architect" if slug == "warmup" else "senior"}
tags: [{slug}, optimiser]
reviewed: 2026-11-21
short: The short answer about {slug}.
shows: {{attention: {{code: "snippets.transformers.attention:attention"}}}}
answer: |
  The whole answer about **{slug}**, with $d_k$.

  {{{{ attention }}}}
claims: [{{says: It holds., check: "snippets.transformers.attention:weights_sum_to_one"}}]
key_points: [{{must: The first point.}}, {{must: The second.}}, {{should: The third.}}]
sources: [ours]
"""
        )
    (folder / "sources.yaml").write_text("ours: {title: A book, authors: A. Author, year: 2020}\n")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    write_bank(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(bank: Path, home: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "TERM", "FORCE_COLOR")}
    place = {"QUIZ_HOME": str(home), "QUIZ_CACHE": str(bank / "cache"), "PYTHONWARNINGS": "error"}
    return kept | {"TERM": "xterm-256color"} | place | more


@pytest.fixture
def run(bank: Path, home: Path) -> Run:
    def run(*arguments: str, typed: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", DRIVER, str(bank), *arguments],
            input=typed,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(bank, home, **more),
            timeout=60,
        )

    return run


def events(home: Path) -> list[Event]:
    log = Log(home / "log.sqlite")
    try:
        return log.events()
    finally:
        log._connection.close()


def asked(output: str) -> list[str]:
    """Ids of the questions that an output asks, in order."""
    return re.findall(r"^([a-z]+/[a-z-]+) · ", output, re.MULTILINE)


# ------------------------------------------------------------------ in a pipe


def test_an_answer_in_a_pipe(run: Run, home: Path) -> None:
    done = run(typed="\na\nb\n3\nq\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 questions, 5 new to you." in done.stdout
    assert "new\n" in done.stdout
    assert "The short answer about" in done.stdout
    assert "a [x] must: The first point.  (suggests hard: press enter)" in done.stdout
    assert "b [x] must: The second.  (suggests good: press enter)" in done.stdout
    assert "Saved: good." in done.stdout
    assert "\x1b" not in done.stdout
    (event,) = events(home)
    assert (event.kind, event.grade, event.item_id) == (GRADE, 3, asked(done.stdout)[0])
    assert event.payload["ticked"] == [0, 1]
    assert (event.payload["of"], event.payload["suggested"], event.payload["whole"]) == (3, 3, False)
    assert event.took_ms is not None
    assert 0 <= event.payload["revealed_ms"] <= event.took_ms < 60_000
    assert len(event.item_hash) == 16


def test_words_and_several_keys_on_a_line(run: Run, home: Path) -> None:
    run(typed="reveal\nac\nwhole\ngood\nskip\nreveal\nc c\nabc\n\n")
    graded, skipped, second = events(home)
    assert (graded.grade, graded.payload["ticked"], graded.payload["whole"]) == (3, [0, 2], True)
    assert (skipped.kind, skipped.grade) == (SKIP, None)
    assert (second.grade, second.payload["ticked"]) == (4, [0, 1, 2])


def test_enter_takes_the_suggestion_only_after_a_tick(run: Run, home: Path) -> None:
    done = run(typed="\n\n\n\nb\n\nq\n")
    assert [e.grade for e in events(home)] == [2]
    assert done.returncode == 0


def test_a_grade_before_the_answer_is_refused(run: Run, home: Path) -> None:
    done = run(typed="3\nq\n")
    assert "First press space to see the answer." in done.stdout
    assert events(home) == []


def test_the_end_of_the_input_ends_quietly(run: Run, home: Path) -> None:
    done = run(typed="\n4\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert [e.grade for e in events(home)] == [4]
    assert "1 answer saved." in done.stdout


def test_undo_in_a_session_and_across_sessions(run: Run, home: Path) -> None:
    first = run(typed="\n1\n\n2\n")
    assert [e.grade for e in events(home)] == [1, 2]
    done = run(typed="u\nu\nu\n\n4\n")
    after = events(home)
    assert [e.kind for e in after] == [GRADE, GRADE, VOID, VOID, GRADE]
    assert [e.payload.get("void") for e in after[2:4]] == [after[1].uuid, after[0].uuid]
    assert "There is no grade to take back." in done.stdout
    assert asked(done.stdout)[1:3] == [after[1].item_id, after[0].item_id]  # what is taken back is asked again
    assert after[4].item_id == after[0].item_id == asked(first.stdout)[0]


def test_undo_takes_back_this_session_first(run: Run, home: Path) -> None:
    """Also where another log entry claims to be younger, after a clock was set back."""
    log = Log(home / "log.sqlite")
    log.append("training/adam", "h", GRADE, grade=2, ts_utc_ms=4_000_000_000_000)
    log._connection.close()
    run(typed="\n3\nu\n")
    future, given, void = events(home)
    assert void.payload["void"] == given.uuid != future.uuid


def test_undo_passes_over_what_another_session_took_back(bank: Path, home: Path) -> None:
    with piped(bank, home) as quiz:
        assert quiz.stdin
        assert quiz.stdout
        quiz.stdin.write("\n3\n\n1\n")
        quiz.stdin.flush()
        wait_for(lambda: (home / "log.sqlite").exists() and len(events(home)) == 2)
        log = Log(home / "log.sqlite")
        assert log.undo()
        log._connection.close()
        said, _ = quiz.communicate("u\n", timeout=30)
    assert "Taken back: good" in said
    first, second, *voids = events(home)
    assert [e.payload["void"] for e in voids] == [second.uuid, first.uuid]


def test_what_has_changed_since_it_was_studied_is_said(run: Run, home: Path) -> None:
    run("--topic", "gans", "--tag", "adam", typed="\n3\n")
    (event,) = events(home)
    same = run("--topic", "gans", "--tag", "adam", typed="q")
    assert "has changed" not in same.stdout
    log = Log(home / "log.sqlite")
    log.append(event.item_id, "another", GRADE, grade=3)
    log._connection.close()
    assert "The answer has changed since you studied it." in run("--topic", "gans", "--tag", "adam", typed="q").stdout


def test_the_same_question_does_not_come_twice_running(run: Run, home: Path) -> None:
    done = run(typed="s\n" * 40)
    ids = asked(done.stdout)
    assert len(ids) == 41
    assert all(a != b for a, b in pairwise(ids))


def test_a_seed_repeats_the_draw(bank: Path, tmp_path: Path) -> None:
    def ids(seed: str, home: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, str(bank), "--seed", seed],
            input="s\n" * 12,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(bank, tmp_path / home),
        )
        return asked(done.stdout)

    first = ids("7", "a")
    assert len(first) == 13
    assert ids("7", "b") == first
    assert ids("8", "c") != first


# ------------------------------------------------------------------ commands


def test_next_asks_and_writes_nothing(run: Run, home: Path) -> None:
    done = run("next")
    assert (done.returncode, done.stderr) == (0, "")
    assert "asked" in done.stdout
    assert re.search(r"Its answer: quiz show (\S+)\n$", done.stdout)
    assert not home.exists()
    same = [run("next", "--seed", "3").stdout for _ in range(2)]
    assert same[0] == same[1]


def test_next_is_not_the_one_that_was_asked_last(run: Run, home: Path) -> None:
    run("--tag", "adam", typed="\n1\n")
    (event,) = events(home)
    for seed in range(6):
        assert f"quiz show {event.item_id}\n" not in run("next", "--tag", "adam", "--seed", str(seed)).stdout


def test_list_filters_and_order(run: Run) -> None:
    def ids(*arguments: str) -> list[str]:
        done = run("list", *arguments)
        assert done.returncode == 0
        return [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")]

    assert ids() == sorted(PRIORITIES, key=lambda id: (PRIORITIES[id], id))
    assert ids("--topic", "gans") == ["gans/mode-collapse", "gans/adam"]
    assert ids("--tag", "adam") == ["training/adam", "gans/adam"]
    assert ids("--tag", "adam", "--tag", "warmup") == ["training/adam", "training/warmup", "gans/adam"]
    assert ids("--level", "architect") == ["training/warmup"]
    assert ids("--priority", "1") == ["training/adam", "training/warmup"]
    assert ids("--priority", "1-2") == ["training/adam", "training/warmup", "training/clipping"]
    assert ids("--priority", "2", "--priority", "5") == ["training/clipping", "gans/adam"]
    assert ids("--topic", "training", "--priority", "2-5") == ["training/clipping"]


def test_options_may_stand_before_and_after_the_command(run: Run) -> None:
    assert run("--topic", "gans", "list").stdout == run("list", "--topic", "gans").stdout


def test_show_by_id_and_by_slug(run: Run) -> None:
    done = run("show", "training/warmup")
    assert done.returncode == 0
    assert done.stdout == run("show", "warmup").stdout
    for text in (
        "What is warmup (√)",
        "The short answer about warmup",
        "with dₖ.",
        "def attention(",
        "must: The second.",
    ):
        assert text in done.stdout
    assert "A. Author (2020). A book." in done.stdout


def test_stats_count_what_stands(run: Run, home: Path) -> None:
    run(typed="\n3\n\n1\nu\n")
    done = run("stats")
    assert "Questions: 5, of which 4 new to you" in done.stdout
    assert "Answers: 1; today 1, in seven days 1" in done.stdout
    assert "again 0, hard 0, good 1, easy 0" in done.stdout
    assert str(home / "log.sqlite") in done.stdout
    assert run("stats").stdout == done.stdout


def test_prove_without_torch_says_how_and_shows_what_was_found(run: Run, bank: Path, home: Path) -> None:
    hidden = (
        "import sys, importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'torch' else find(n, *a)"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden + DRIVER, str(bank), "prove", "warmup"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(bank, home),
    )
    assert done.returncode == 1
    assert f'\n    {sys.executable} -m pip install -e ".[snippets]"\n' in done.stdout
    assert "- It holds.\n  not run yet\n  snippets.transformers.attention:weights_sum_to_one\n" in done.stdout


def test_prove_runs_the_prover(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is the one promised, with the whole id, and its exit status is handed on."""
    called: list[list[str]] = []

    def instead(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        called.append(command)
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(subprocess, "run", instead)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(quiz, "print_found", lambda *_: None)
    entry = Entry("training/adam", "training", 1, "senior", ("x",), "Q?", (), 1, "h")
    bank = SimpleNamespace(source_path=lambda id: QUESTIONS / f"{id}.yaml")
    assert quiz.prove(bank, entry, quiz.parse(["prove", "adam"])) == 7  # type: ignore[arg-type]
    assert called == [[sys.executable, "-m", "qa", "prove", "--check", "training/adam"]]


def test_a_folder_of_ones_own(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "own"
    write_bank(own, {"training/mine": 2})
    (own / "sources.yaml").rename(own / "questions" / "sources.yaml")
    text = (own / "questions/training/mine.yaml").read_text().replace("sources: [ours]", "sources: [theirs]")
    (own / "questions/training/mine.yaml").write_text(text)
    (own / "questions/sources.yaml").write_text("theirs: {title: T, authors: B, year: 2021}\n")
    assert "training/mine" not in run("list").stdout
    done = run("list", "--bank", str(own / "questions"))
    assert done.stderr == ""
    assert "training/mine" in done.stdout
    assert "training/warmup" in done.stdout
    refused = run("prove", "mine", "--bank", str(own / "questions"))
    assert refused.returncode == 2
    assert "training/mine is a question of your own" in refused.stderr


# ------------------------------------------------------------------ what is wrong is said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "mode-colapse"], "there is no question mode-colapse; did you mean gans/mode-collapse"),
        (["show", "adam"], "did you mean"),
        (["prove", "nothing-like-it-at-all"], "`quiz list` shows all"),
        (["show"], "which question?"),
        (["nxt"], "there is no command 'nxt'; there are next, list"),
        (["next", "adam"], "quiz next takes no question; did you mean quiz show adam?"),
        (["list", "--topic", "trainign"], "no question has the topic trainign; did you mean training?"),
        (["list", "--tag", "zzz"], "no question has the tag zzz; there are adam"),
        (["--priority", "6"], "'6' is no priority"),
        (["--priority", "3-1"], "'3-1' is no priority"),
        (["--priority", "x"], "'x' is no priority"),
        (["--level", "junior"], "junior"),
        (["--seed", "x"], "seed"),
        (["--bank", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_nonsense_gives_a_clear_error_and_status_2(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_ambiguous_slug_names_both(run: Run) -> None:
    error = run("show", "adam").stderr
    assert "training/adam" in error
    assert "gans/adam" in error


def test_a_bank_with_faults_says_the_first_ten(tmp_path: Path, home: Path) -> None:
    write_bank(tmp_path, {f"training/q{n}": 1 for n in range(14)})
    for file in (tmp_path / "questions").rglob("q*.yaml"):
        file.write_text(file.read_text().replace("priority: 1", "priority: 9"))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path), "next"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(tmp_path, home),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("priority: ") == 10
    assert "and 4 more" in done.stderr


def test_no_match_is_status_1(run: Run) -> None:
    done = run("--topic", "gans", "--level", "architect")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no question matches" in done.stderr


def test_a_newer_log_is_refused_in_words(run: Run, home: Path) -> None:
    Log(home / "log.sqlite").close()
    with closing(sqlite3.connect(home / "log.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 9")
    for arguments in ([], ["next"], ["stats"]):
        done = run(*arguments)
        assert done.returncode == 1
        assert "newer version (its schema is 9" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_said_before_the_first_question(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(typed="\n3\n", QUIZ_HOME=str(tmp_path / "file" / "x"))
    assert done.returncode == 1
    assert "QUIZ_HOME" in done.stderr
    assert done.stdout == ""


# ------------------------------------------------------------------ pipes, widths, colours

EVERYTHING = "?\n\na\nk\nw\n3\nu\ns\n\n1\nq\n"


@pytest.mark.parametrize("arguments", [[], ["next"], ["list"], ["stats"], ["show", "warmup"], ["--help"]])
def test_no_line_is_wider_than_80_columns(run: Run, arguments: list[str]) -> None:
    done = run(*arguments, "--plain", typed=EVERYTHING, COLUMNS="200")
    assert done.returncode == 0
    wide = [line for line in done.stdout.splitlines() if len(line) > 80 and "log.sqlite" not in line]
    assert wide == []
    assert "\x1b" not in done.stdout


def test_an_encoding_without_greek_is_no_error(run: Run) -> None:
    done = run("show", "warmup", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "with d?." in done.stdout
    for command in ("next", "list"):
        done = run(command, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "(?)" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["list"], ["show", "warmup"], ["next"]])
def test_a_broken_pipe_is_quiet(bank: Path, home: Path, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(bank), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(bank, home),
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 128 + signal.SIGPIPE


def test_a_pipe_that_breaks_in_the_middle_loses_no_answer(bank: Path, home: Path) -> None:
    quiz = piped(bank, home)
    assert quiz.stdin
    assert quiz.stdout
    quiz.stdin.write("\n3\n")
    quiz.stdin.flush()
    wait_for(lambda: (home / "log.sqlite").exists() and len(events(home)) == 1)
    quiz.stdout.close()
    quiz.stdin.write("\n4\n")
    with suppress(BrokenPipeError):
        quiz.stdin.close()
    assert quiz.wait(30) == 128 + signal.SIGPIPE
    assert quiz.stderr
    assert quiz.stderr.read() == ""
    assert [e.grade for e in events(home)] == [3]
    quiz.stderr.close()


def piped(bank: Path, home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(bank)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(bank, home),
    )


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_loses_no_answer(bank: Path, home: Path, number: signal.Signals) -> None:
    with piped(bank, home) as quiz:
        assert quiz.stdin
        assert quiz.stderr
        quiz.stdin.write("\n3\n\n2\n\n")
        quiz.stdin.flush()
        wait_for(lambda: (home / "log.sqlite").exists() and len(events(home)) == 2)
        quiz.send_signal(number)
        quiz.wait(30)
        assert quiz.stderr.read() == ""
    assert quiz.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert [e.grade for e in events(home)] == [3, 2]


# ------------------------------------------------------------------ at a terminal


def take_terminal() -> None:
    """Make the standard input the terminal that controls this process, so that Ctrl-C reaches it."""
    ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A quiz on a pseudo-terminal: keys go in, what is on the screen comes out."""

    def __init__(self, bank: Path, home: Path, *arguments: str, rows: int = 24, columns: int = 80, **more: str) -> None:
        self.primary, self.secondary = pty.openpty()
        ioctl(self.secondary, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.secondary)
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(bank), *arguments],
            stdin=self.secondary,
            stdout=self.secondary,
            stderr=self.secondary,
            cwd=ROOT,
            env=environment(bank, home, **more),
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        self.seen = ""

    def expect(self, *texts: str, seconds: float = 30) -> str:
        """Read until one of the texts appears; return what came before and with it."""
        end = time.monotonic() + seconds
        while not (found := [t for t in texts if t in self.seen]):
            assert time.monotonic() < end, f"no {texts} in {self.seen!r}"
            if select.select([self.primary], [], [], 0.1)[0]:
                self.seen += os.read(self.primary, 65536).decode()
        at = min(self.seen.index(t) + len(t) for t in found)
        before, self.seen = self.seen[:at], self.seen[at:]
        return before.replace("\r\n", "\n")

    def press(self, keys: str) -> None:
        os.write(self.primary, keys.encode())

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.secondary)

    def wait(self) -> int:
        return self.process.wait(30)


@pytest.fixture
def terminal(bank: Path, home: Path) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def make(*arguments: str, **more: Any) -> Terminal:
        made.append(Terminal(bank, home, *arguments, **more))
        return made[-1]

    yield make
    for each in made:
        each.process.kill()
        each.process.wait()
        os.close(each.primary)
        os.close(each.secondary)


def test_single_keys_at_a_terminal(terminal: Callable[..., Terminal], home: Path) -> None:
    quiz = terminal()
    first = quiz.expect("?: help")
    assert "press space" in first
    assert "asked " in first
    quiz.press(" ")
    quiz.expect("w: whole answer")
    quiz.press("b")
    assert "[x] must: The second." in quiz.expect("enter)")
    quiz.press("\x1b[A")  # an arrow key is no key, and no harm
    quiz.press("\r")
    quiz.expect("Saved: ")
    quiz.expect("?: help")
    quiz.press("u")
    quiz.expect("Taken back: hard for ")
    quiz.expect("?: help")
    quiz.press(" 4s")  # typed ahead
    quiz.expect("Saved: ")
    quiz.expect("?: help")
    quiz.expect("?: help")
    assert quiz.settings() != quiz.before
    quiz.press("q")
    assert quiz.wait() == 0
    assert quiz.settings() == quiz.before
    assert [e.kind for e in events(home)] == [GRADE, VOID, GRADE, SKIP]
    assert [e.grade for e in events(home)] == [2, None, 4, None]


@pytest.mark.parametrize(
    ("end", "status"),
    [("\x03", 130), ("\x04", 0), ("q", 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129), ("\x1c", 131)],
)
@pytest.mark.parametrize("revealed", [False, True])
def test_the_terminal_is_restored_on_every_way_out(
    terminal: Callable[..., Terminal], home: Path, end: str | signal.Signals, status: int, revealed: bool
) -> None:
    quiz = terminal()
    quiz.expect("?: help")
    quiz.press(" 3")
    quiz.expect("Saved: ")
    quiz.expect("?: help")
    if revealed:
        quiz.press(" ")
        quiz.expect("w: whole answer")
    if isinstance(end, str):
        quiz.press(end)
    else:
        quiz.process.send_signal(end)
    assert quiz.wait() == status
    assert quiz.settings() == quiz.before
    assert [e.grade for e in events(home)] == [3]


def test_a_crash_restores_the_terminal_too(terminal: Callable[..., Terminal], bank: Path, home: Path) -> None:
    quiz = terminal()
    quiz.expect("?: help")
    with closing(sqlite3.connect(home / "log.sqlite")) as connection:
        connection.execute("DROP TABLE events")
    quiz.press("u")
    quiz.expect("no such table")
    assert quiz.wait() == 1
    assert quiz.settings() == quiz.before


def test_stopped_and_continued_it_still_takes_single_keys(terminal: Callable[..., Terminal]) -> None:
    quiz = terminal()
    quiz.expect("?: help")
    quiz.process.send_signal(signal.SIGSTOP)
    termios.tcsetattr(quiz.secondary, termios.TCSANOW, quiz.before)  # as a shell does
    quiz.process.send_signal(signal.SIGCONT)
    wait_for(lambda: quiz.settings() != quiz.before)
    quiz.press(" ")
    quiz.expect("w: whole answer")


def test_the_whole_answer_comes_a_page_at_a_time(terminal: Callable[..., Terminal]) -> None:
    quiz = terminal(rows=14)
    quiz.expect("?: help")
    quiz.press("w")
    pages = [quiz.expect("back to the question", "w: whole answer")]
    while pages[-1].endswith("back to the question"):
        quiz.press(" ")
        pages.append(quiz.expect("back to the question", "w: whole answer"))
    assert len(pages) >= 3
    assert max(page.count("\n") for page in pages) <= 14
    assert "A. Author" in pages[-1] + pages[-2]


def test_colour_is_there_at_a_terminal_and_not_with_no_color(terminal: Callable[..., Terminal]) -> None:
    from qa.practice.terminal import ESCAPE, is_colour

    with_colour = terminal().expect("?: help")
    assert [c for c in ESCAPE.findall(with_colour) if is_colour(c)]
    without = terminal(NO_COLOR="1")
    text = without.expect("?: help")
    without.press("w")
    text += without.expect("space: more")
    assert [c for c in ESCAPE.findall(text) if is_colour(c)] == []


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {}])
def test_plain_has_no_codes_at_a_terminal(terminal: Callable[..., Terminal], more: dict[str, str]) -> None:
    quiz = terminal(*([] if more else ["--plain"]), columns=120, **more)
    text = quiz.expect("?: help")
    quiz.press("w")
    text += quiz.expect("w: whole answer")
    assert "\x1b" not in text
    assert max(map(len, text.split("\n"))) <= 80


# ------------------------------------------------------------------ what `quiz next` may import


def test_next_imports_nothing_heavy(bank: Path, home: Path) -> None:
    Log(home / "log.sqlite").close()
    subprocess.run([sys.executable, "-c", DRIVER, str(bank), "list"], cwd=ROOT, env=environment(bank, home), check=True)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", DRIVER, str(bank), "next"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(bank, home),
        check=True,
    )
    imported = {line.split("|")[2].strip() for line in done.stderr.splitlines() if line.count("|") == 2}
    assert {"qa.practice.draw", "qa.bank", "sqlite3"} <= imported
    heavy = {"yaml", "pydantic", "rich", "torch", "platformdirs", "markdown_it", "qa.model", "qa.source", "qa.proof"}
    assert imported & heavy == set()
