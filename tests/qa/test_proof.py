"""Proving: every way in which a task can end, what is written, and what makes evidence stale."""

import json
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from qa import figure, labs, proof, source, worker
from qa.proof import Outcome
from qa.worker import Task
from snippets import evidence as snippet_evidence

HOUSE = source.ROOT
CHECKS = '''
"""Checks that end in every way there is."""
import os, random, time
from snippets.evidence import Evidence, trained

def twice(x: float) -> float:
    """Words."""
    return 2 * x

def right() -> Evidence:
    """Words."""
    return Evidence(abs(twice(3.0) - 6) < 1e-9, {"twice three": twice(3.0)})

def lucky() -> Evidence:
    """Words."""
    return Evidence(random.random() < 0.5, {"draw": random.random()})

def wrong() -> Evidence:
    """Words."""
    return Evidence(False, {"x": 1.0})

def raises() -> Evidence:
    """Words."""
    raise RuntimeError("out of order")

def not_a_number() -> Evidence:
    """Words."""
    return Evidence(False, {"x": float("nan")})

def hangs() -> Evidence:
    """Words."""
    while True:
        pass

def dies() -> Evidence:
    """Words."""
    os.kill(os.getpid(), 9)

def prints() -> Evidence:
    """Words."""
    print("noise" * 100000)
    return Evidence(True)

def draw(axes, slope: float = 1.0) -> None:
    """Words."""
    axes.plot([0, 1], [0, slope], label="a line")

def rows() -> list[dict[str, float]]:
    """Words."""
    return [{"d": 64, "std": 8.0}, {"d": 512, "std": 22.627}]
'''
QUESTION = """\
question: Why?
priority: 1
basis: {note: test}
level: senior
tags: [test]
reviewed: 2026-11-21
short: Because.
shows:
  code: {code: "snippets.madeup.checks:twice"}
  number: {value: "snippets.madeup.checks:twice", with: {x: 2.125}, format: ".2f"}
  line: {figure: "snippets.madeup.checks:draw", alt: "A line."}
  rows: {table: "snippets.madeup.checks:rows", format: ".1f"}
answer: "{{ code }} {{ number }} {{ line }} {{ rows }}"
claims:
  - {says: Twice three is six., check: "snippets.madeup.checks:right"}
mistakes:
  - {in: "snippets.madeup.checks:twice", says: Thrice., replace: [{this: "2 * x", by: "3 * x"}]}
  - {in: "snippets.madeup.checks:twice", says: Square., replace: [{this: "2 * x", by: "x + 3"}]}
  - {in: "snippets.madeup.checks:twice", says: Crash., replace: [{this: "2 * x", by: "x / 0"}]}
key_points: [{must: Six.}]
drills:
  - {number: "snippets.madeup.checks:twice", ask: "Twice {x}?", vary: {x: [1.0, 2.0]}, tolerance: 0.01, working: "2x"}
sources: [someone2020]
"""


def task(name: str, kind: str = "check", **more: Any) -> Task:
    return Task("t/q", "checks", name, kind, f"snippets.madeup.checks:{name}", "key", more.pop("limit", 2.0), **more)


class House:
    """A checkout of its own under a temporary folder, with a snippet and a question; commands run inside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("qa", "snippets"):
            target = folder / name
            target.mkdir(parents=True)
            for path in (HOUSE / name).glob("*"):
                if path.suffix in (".py", ".json") or path.name in ("practice", "site"):
                    (target / path.name).symlink_to(path) if path.is_dir() else (target / path.name).write_bytes(
                        path.read_bytes()
                    )
        (folder / "pyproject.toml").write_text("")
        (folder / "snippets" / "madeup").mkdir()
        (folder / "snippets" / "madeup" / "__init__.py").write_text("")
        self.checks = folder / "snippets" / "madeup" / "checks.py"
        self.checks.write_text(CHECKS.lstrip())
        topic = folder / "qa" / "questions" / "practice"
        topic.mkdir(parents=True)
        (topic / "_topic.yaml").write_text("title: Test\nblurb: Test.\norder: 1\n")
        self.question = topic / "why.yaml"
        self.question.write_text(QUESTION)
        (folder / "qa" / "sources.yaml").write_text("someone2020: {title: T, authors: A, year: 2020}\n")
        self.evidence = folder / "qa" / "evidence" / "practice" / "why.json"

    def qa(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "qa", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def python(self, code: str) -> str:
        script = self.folder / "script.py"
        script.write_text(textwrap.dedent(code))
        done = subprocess.run(
            [sys.executable, str(script)], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def change(self, path: Path, this: str, by: str) -> None:
        text = path.read_text()
        assert text.count(this) == 1
        path.write_text(text.replace(this, by))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def test_a_task_that_raises_hangs_or_dies_is_named_and_harms_no_other(house: House) -> None:
    out = house.python("""
        from qa import proof
        from qa.worker import Task
        def task(name, limit=2.0):
            return Task("t/q", "checks", name, "check", f"snippets.madeup.checks:{name}", "key", limit)
        if __name__ == "__main__":
            names = ["raises", "not_a_number", "dies", "hangs", "wrong", "prints", "right"]
            for o in proof.run([task(n, 0.01 if n == "hangs" else 2.0) for n in names], jobs=2):
                print(o.task.name, o.state, o.verdict, o.what, sep="|")
    """)
    found = {line.split("|")[0]: line.split("|")[1:] for line in out.splitlines()}
    assert found["raises"] == ["raised", "crashes", "RuntimeError: out of order (checks.py, line 23)"]
    assert found["not_a_number"][:2] == ["raised", "crashes"], "a NaN rejects nothing"
    assert found["dies"][:2] == ["killed", "crashes"]
    assert found["hangs"][:2] == ["hangs", "hangs"]
    assert found["wrong"][:2] == ["done", "rejects"]
    assert found["prints"][:2] == ["done", "passes"]
    assert found["right"][2] == (
        "{'holds': True, 'measured': {'twice three': 6.0}, 'rel': 0.001, "
        "'reached': ['snippets.madeup.checks:right', 'snippets.madeup.checks:twice']}"
    )


def test_prove_writes_evidence_and_then_has_nothing_to_do(house: House) -> None:
    done = house.qa("prove", "--mistakes")
    assert done.returncode == 0, done.stderr
    assert "5 results of 1 questions and 0 labs, 5 run; 5 mistakes tried; 0 failures" in done.stdout
    evidence = json.loads(house.evidence.read_text())
    assert evidence["checks"]["snippets.madeup.checks:right"]["measured"] == {"twice three": 6.0}
    assert evidence["shown"]["number"]["text"] == "4.25"
    assert evidence["shown"]["rows"]["rows"][1] == {"d": "512.0", "std": "22.6"}
    assert evidence["drills"]["snippets.madeup.checks:twice"]["table"] == [
        {"with": {"x": 1.0}, "answer": 2.0},
        {"with": {"x": 2.0}, "answer": 4.0},
    ]
    assert evidence["mistakes"]["snippets.madeup.checks:right"]["verdicts"] == {
        "Thrice.": "rejects",
        "Square.": "passes",
        "Crash.": "crashes",
        "zeros: snippets.madeup.checks:twice": "rejects",
        "first argument: snippets.madeup.checks:twice": "rejects",
    }
    assert "NO CHECK REJECTS: Square." in done.stdout
    svg = house.evidence.with_name("why.line.svg").read_text()
    assert "currentColor" in svg
    assert "<metadata>" not in svg

    before = house.evidence.read_bytes()
    again = house.qa("prove")
    assert "0 run; 0 mistakes tried; 0 failures" in again.stdout
    assert house.qa("prove", "--check").returncode == 0
    assert house.qa("prove", "--all").returncode == 0
    assert house.evidence.read_bytes() == before, "what agrees is left as it is"
    assert house.evidence.with_name("why.line.svg").read_text() == svg, "a figure is the same on every run"
    assert house.qa("lint").returncode == 0, house.qa("lint").stdout


def test_a_changed_source_makes_evidence_stale_and_a_comment_does_not(house: House) -> None:
    assert house.qa("prove").returncode == 0
    house.checks.write_text(house.checks.read_text() + "# a comment\n")
    assert "0 run; 0 mistakes" in house.qa("prove").stdout
    house.change(house.checks, "return 2 * x", "return 2.0 * x")
    house.change(house.question, '2 * x", by: "3 * x', '2.0 * x", by: "3 * x')
    house.change(house.question, '2 * x", by: "x + 3', '2.0 * x", by: "x + 3')
    house.change(house.question, '2 * x", by: "x / 0', '2.0 * x", by: "x / 0')
    stale = house.qa("lint")
    assert stale.returncode == 1
    assert "evidence is stale or missing: shown number" in stale.stdout
    check = house.qa("prove", "--check")
    assert check.returncode == 1
    assert "the evidence is stale or missing" in check.stderr
    assert "5 run; 5 mistakes tried; 0 failures" in house.qa("prove").stdout


def test_evidence_that_was_edited_is_caught_by_check(house: House) -> None:
    assert house.qa("prove").returncode == 0
    house.change(house.evidence, '"twice three": 6.0', '"twice three": 6.5')
    done = house.qa("prove", "--check")
    assert done.returncode == 1
    assert "differs from the evidence: twice three: was 6.5, is 6.0" in done.stderr


def test_a_claim_that_fails_is_named_with_its_question_and_file(house: House) -> None:
    house.change(house.question, "checks:right", "checks:raises")
    done = house.qa("prove")
    assert done.returncode == 1
    assert "qa/questions/practice/why.yaml:15: practice/why: check snippets.madeup.checks:raises: " in done.stderr
    assert "RuntimeError: out of order" in done.stderr
    assert json.loads(house.evidence.read_text())["shown"]["number"]["text"] == "4.25", "the others went on"


def test_a_claim_that_rejects_no_mistake_does_not_count(house: House) -> None:
    house.change(house.question, 'by: "3 * x"', 'by: "x / 0 "')
    done = house.qa("prove")
    assert done.returncode == 1
    assert "has rejected no mistake with holds=False" in done.stderr
    assert "has rejected no mistake" in house.qa("lint").stdout


def test_luck_is_found_out_by_other_seeds(house: House) -> None:
    house.change(house.question, "checks:right", "checks:lucky")
    done = house.qa("prove", "--seeds", "12")
    assert done.returncode == 1
    assert "does not hold (seed" in done.stderr
    house.change(house.question, "checks:lucky", "checks:right")
    assert house.qa("prove", "--seeds", "12").returncode == 0


def test_what_a_question_no_longer_has_is_dropped_and_orphans_are_named(house: House) -> None:
    assert house.qa("prove").returncode == 0
    house.change(house.question, '  line: {figure: "snippets.madeup.checks:draw", alt: "A line."}\n', "")
    house.change(house.question, " {{ line }}", "")
    assert house.qa("prove").returncode == 0
    assert not house.evidence.with_name("why.line.svg").exists()
    assert "line" not in json.loads(house.evidence.read_text())["shown"]
    house.evidence.with_name("gone.json").write_text("{}")
    assert "gone.json: belongs to no question" in house.qa("lint").stdout


def test_with_nothing_stale_prove_is_quick_and_loads_no_torch(house: House) -> None:
    assert house.qa("prove").returncode == 0
    code = "import sys; from qa.__main__ import main; main(['prove']); print({'torch', 'sympy'} & {*sys.modules})"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = house.python(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "0 run; 0 mistakes" in out
    assert out.splitlines()[-1] == "set()"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_an_unknown_id_is_a_usage_error(house: House) -> None:
    done = house.qa("prove", "practice/whi")
    assert done.returncode == 2
    assert "did you mean practice/why?" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ({"holds": True, "measured": {"a": 1.0}}, {"holds": True, "measured": {"a": 1.0005}, "rel": 1e-3}, ""),
        (
            {"holds": True, "measured": {"a": 1.0}},
            {"holds": True, "measured": {"a": 1.01}, "rel": 1e-3},
            "a: was 1.0, is 1.01",
        ),
        ({"holds": True, "measured": {"a": 1.0}}, {"holds": True, "measured": {"a": 2.0}, "rel": None}, ""),
        (
            {"holds": True, "measured": {"a": 1.0}},
            {"holds": False, "measured": {"a": 1.0}, "rel": None},
            "holds was True, is False",
        ),
        ({"holds": True, "measured": {"a": True}}, {"holds": True, "measured": {"a": 1}, "rel": 1e-3}, ""),
        ({"holds": True, "measured": {}}, {"holds": True, "measured": {"a": 1.0}, "rel": 1e-3}, "had , has a"),
        ({"value": 2, "text": "2"}, {"value": 2, "text": "2.0"}, ""),
        ({"rows": [{"a": "1"}]}, {"rows": [{"a": "2"}]}, "rows: a: was 1, is 2"),
    ],
)
def test_when_two_results_agree(old: dict[str, Any], new: dict[str, Any], difference: str) -> None:
    assert proof.agree(old, new) == difference


def test_the_limits_are_those_that_the_snippets_promise() -> None:
    assert proof.SECONDS == snippet_evidence.SECONDS
    assert proof.SEEDS == snippet_evidence.SEEDS


def luminance(colour: str) -> float:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", figure.PALETTE)
def test_curves_are_legible_on_light_and_on_dark(colour: str) -> None:
    light, dark, curve = luminance("#ffffff"), luminance("#1e2129"), luminance(colour)
    assert (light + 0.05) / (curve + 0.05) >= 3
    assert (curve + 0.05) / (dark + 0.05) >= 3


def test_outcomes_of_mistakes_are_rejections_only_when_the_check_said_no() -> None:
    def verdict(state: str, holds: bool) -> str:
        return Outcome(task("right"), state, {"holds": holds}, 0.0).verdict

    assert verdict("done", False) == "rejects"
    assert verdict("done", True) == "passes"
    assert verdict("raised", False) == verdict("killed", False) == "crashes"
    assert verdict("hangs", False) == "hangs"


@pytest.mark.slow
@pytest.mark.parametrize("name", labs.names())
def test_labs_are_executed_and_fresh(name: str) -> None:
    notebook = proof.EVIDENCE / "labs" / f"{name}.ipynb"
    assert labs.key_of_notebook(notebook) == labs.key(name), "run python -m qa prove labs"
    (found,) = proof.run(proof.lab_tasks([name]))
    assert found.state == "done", found.what
    kinds = [o["output_type"] for c in json.loads(notebook.read_text())["cells"] for o in c.get("outputs", [])]
    assert "display_data" in kinds or "execute_result" in kinds


def test_new_begins_a_question_that_lint_asks_to_be_filled_in(house: House) -> None:
    done = house.qa("new", "practice/how")
    assert done.returncode == 0, done.stderr
    found = house.qa("lint")
    assert found.returncode == 1
    for key in ("question", "tags", "short", "answer", "key_points"):
        assert f"{key}: " in found.stderr, found.stderr
    assert "no key here" not in found.stderr
    assert house.qa("new", "practice/how").returncode == 2, "an id is never used twice"
    assert "The topics are" in house.qa("new", "cooking/how").stderr


def test_an_unfinished_question_of_somebody_else_keeps_nobody_from_proving(house: House) -> None:
    other = house.question.with_name("other.yaml")
    other.write_text(house.question.read_text().replace("someone2020", "nobody2020"))
    done = house.qa("prove", "practice/why")
    assert done.returncode == 0, done.stderr
    assert "1 problems elsewhere" in done.stderr
    assert house.qa("prove", "practice/other").returncode == 1, "but its own"
    assert house.qa("prove").returncode == 1


def test_a_mistake_that_a_check_does_not_reach_is_not_tried(house: House) -> None:
    house.change(
        house.question,
        "key_points:",
        '  - {in: "snippets.madeup.checks:rows", says: Unseen., replace: [{this: "8.0", by: "9.0"}]}\nkey_points:',
    )
    assert house.qa("prove").returncode == 0
    verdicts = json.loads(house.evidence.read_text())["mistakes"]["snippets.madeup.checks:right"]["verdicts"]
    assert "Thrice." in verdicts
    assert "Unseen." not in verdicts
    assert "zeros: snippets.madeup.checks:rows" not in verdicts
    assert house.qa("lint").returncode == 0, "and its absence is not stale evidence"


def test_of_what_trains_only_holds_has_to_agree_elsewhere() -> None:
    def check() -> snippet_evidence.Evidence:
        return snippet_evidence.Evidence(True, {"loss": 0.5})

    assert worker.check(check, task("fast"))["rel"] == 1e-3
    assert worker.check(snippet_evidence.trained(check), task("trained"))["rel"] is None
