"""The wheel, installed elsewhere with what it says it needs and no more, is a quiz with a bank of its own."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """What a command prints; it must succeed, and sees no PYTHON or QUIZ variable of ours."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "QUIZ", "PIP_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        command, cwd=cwd, env=clean | env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the wheel is built from, so that no build leaves anything in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source)
    for name in ("qa", "snippets"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "wheel", "-q", *offline, "-w", out, source, cwd=out)
    [built] = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and links to those packages of this one that the wheel asks for."""
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", *offline, wheel, cwd=home)

    [info] = home.glob("lib/python*/site-packages/executable_answers-*.dist-info")
    site = info.parent
    todo = metadata.PathDistribution(info).requires or []
    seen = set()
    while todo:
        requirement = Requirement(todo.pop())
        if requirement.name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(requirement.name)
        found = metadata.distribution(requirement.name)
        todo += found.requires or []
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            link = site / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))).resolve())
    return home


def test_the_wheel_holds_questions_evidence_sources_and_snippets(wheel: Path, source: Path) -> None:
    expected = {
        path.relative_to(source).as_posix()
        for folder in ("qa", "snippets")
        for path in (source / folder).rglob("*")
        if path.is_file()
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        described = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata_lines = archive.read(described).decode().splitlines()
    assert held == expected
    for pattern in ("qa/questions/*/*.yaml", "qa/evidence/*/*.json", "qa/sources.yaml", "snippets/*/*.py", "qa/site/*"):
        assert any(Path(name).match(pattern) for name in held), pattern
    needs = [Requirement(line.split(":")[1]) for line in metadata_lines if line.startswith("Requires-Dist:")]
    base = {need.name for need in needs if need.marker is None}
    assert base == {"markdown-it-py", "platformdirs", "pydantic", "pyyaml", "rich", "unicodeit"}


def test_installed_elsewhere_it_asks_from_its_own_bank(installed: Path, tmp_path: Path) -> None:
    quiz, python = installed / "bin" / "quiz", installed / "bin" / "python"
    here, home = tmp_path / "somewhere", tmp_path / "progress"
    here.mkdir()

    modules = run(
        python, "-c", "import qa.bank, snippets; print(qa.bank.__file__, snippets.__file__)", cwd=here
    ).split()
    assert len(modules) == 2
    assert [path for path in modules if not Path(path).is_relative_to(installed)] == []
    absent = (
        "import importlib.util as u; print(*[n for n in ('torch', 'sympy', 'mkdocs', 'matplotlib') if u.find_spec(n)])"
    )
    assert run(python, "-c", absent, cwd=here).split() == []

    questions = {
        path.relative_to(ROOT / "qa/questions").with_suffix("").as_posix(): yaml.safe_load(path.read_text("utf-8"))
        for path in (ROOT / "qa/questions").glob("*/*.yaml")
        if path.name[0] != "_"
    }
    listed = run(quiz, "list", "--plain", cwd=here, QUIZ_HOME=str(home))
    assert [name for name in questions if name not in listed] == []
    asked = " ".join(run(quiz, "next", "--plain", cwd=here, QUIZ_HOME=str(home)).split())
    assert [name for name, question in questions.items() if question["question"] in asked] != []
    for name, question in list(questions.items())[:3]:
        shown = " ".join(run(quiz, "show", name, "--plain", cwd=here, QUIZ_HOME=str(home)).split())
        assert question["question"] in shown
        assert " ".join(question["short"].split()) in shown
