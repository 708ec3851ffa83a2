"""The set-up says what it does: pins, ranges, extras, make targets, README, and nothing of anybody's machine."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OURS = "executable-answers"
LINES = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] != "#"]
PINS = {
    pin.name: next(iter(pin.specifier)).version
    for pin in map(Requirement, LINES)
    if pin.marker is None or pin.marker.evaluate()
}
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
PHONY = set(re.findall(r"^\.PHONY:(.*)", MAKEFILE, re.M)[0].split())
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))


def extra(name: str) -> list[Requirement]:
    """What pyproject.toml lists under an extra; "" is the base."""
    listed = PROJECT["optional-dependencies"][name] if name else PROJECT["dependencies"]
    return [Requirement(line) for line in listed if not line.startswith(OURS)]


EVERYTHING = [requirement for name in ("", "snippets", "site", "dev") for requirement in extra(name)]


def installed_closure(wanted: Iterable[Requirement]) -> set[str]:
    """The names of what is installed here for these requirements, and for theirs."""
    seen: set[tuple[str, str]] = set()
    todo = [(r.name, e) for r in wanted for e in ("", *r.extras)]
    while todo:
        name, part = todo.pop()
        if (canonical(name), part) in seen:
            continue
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        seen.add((canonical(name), part))
        for requirement in map(Requirement, requires):
            if requirement.marker is None or requirement.marker.evaluate({"extra": part}):
                todo += [(requirement.name, e) for e in ("", *requirement.extras)]
    return {name for name, _ in seen}


def test_every_installed_dependency_is_pinned() -> None:
    # What a CUDA build of torch brings along is chosen by that build, not by us.
    cuda = re.compile(r"nvidia-|cuda-|triton$")
    closure = {name for name in installed_closure(EVERYTHING) if not cuda.match(name)}
    assert len(closure) > 50
    assert closure - PINS.keys() == set()


def test_constraints_are_pins_in_order_for_any_machine() -> None:
    pins = [Requirement(line) for line in LINES]
    assert [(pin.name, str(pin.marker)) for pin in pins] == sorted((pin.name, str(pin.marker)) for pin in pins)
    assert [pin for pin in LINES if not re.match(r"[a-z0-9-]+==[0-9.]+($|; python_full_version )", pin)] == []
    assert [pin.name for pin in pins if re.match(r"nvidia|cuda|triton", pin.name)] == []


def test_ranges_contain_the_pins() -> None:
    backend = [Requirement(name) for name in ("pip", "hatchling", "editables", "setuptools")]
    outside = {
        str(r): PINS[canonical(r.name)] for r in EVERYTHING + backend if PINS[canonical(r.name)] not in r.specifier
    }
    assert outside == {}


def imported(folder: str, without: str = "") -> dict[str, str]:
    """Distributions that the modules of a folder import, anywhere in them, each with one module that does."""
    found: dict[str, str] = {}
    providers = metadata.packages_distributions()
    for path in (ROOT / folder).rglob("*.py"):
        if without and path.is_relative_to(ROOT / without):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for top in (
                {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"qa", "snippets", "tests"}
            ):
                for distribution in providers.get(top, [top]):
                    found[canonical(distribution)] = str(path.relative_to(ROOT))
    return found


def names(*extras: str) -> set[str]:
    return {canonical(r.name) for each in extras for r in extra(each)}


def test_snippets_import_only_what_their_extra_lists() -> None:
    assert {k: v for k, v in imported("snippets").items() if k not in names("snippets")} == {}


def test_the_quiz_imports_only_what_is_listed() -> None:
    # Proving needs the snippets; nothing else outside qa/site may ask for more than the base.
    known = names("", "snippets")
    authors = {"qa/labs.py"}
    assert {k: v for k, v in imported("qa", without="qa/site").items() if k not in known and v not in authors} == {}
    practice = imported("qa/practice") | {k: v for k, v in imported("qa").items() if v in ("qa/quiz.py", "qa/bank.py")}
    assert {k: v for k, v in practice.items() if k not in names("")} == {}


def test_the_site_imports_only_what_is_listed() -> None:
    assert {k: v for k, v in imported("qa/site").items() if k not in names("", "snippets", "site")} == {}


def test_tests_import_only_what_is_listed() -> None:
    brought_by_pytest = {"packaging", "pluggy"}
    known = names("", "snippets", "site", "dev") | brought_by_pytest
    assert {k: v for k, v in imported("tests").items() if k not in known} == {}


def test_every_target_is_phony_and_in_the_help() -> None:
    assert TARGETS == PHONY
    shown = set(re.findall(r"^make ([a-z]+)", make(ROOT).stdout, re.M))
    assert shown == PHONY - {"help"}


def test_readme_names_only_commands_and_files_that_exist() -> None:
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S) + re.findall(r"`([^`\n]+)`", README))
    targets = set(re.findall(r"\bmake ([a-z]+)", commands))
    assert {"quiz", "test", "site"} <= targets <= TARGETS
    modules = set(re.findall(r"python -m ([a-z_.]+)", commands)) - {"pip", "pytest"}
    arguments = re.findall(r"python -m snippets ([a-z_.]+)", commands)
    for module in modules | {f"snippets.{argument}" for argument in arguments}:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    return subprocess.run(["make", *arguments], cwd=folder, env=clean, capture_output=True, text=True, timeout=60)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """What make needs to plan a set-up, without a virtual environment."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_without_a_python_the_error_says_what_to_install(fresh: Path) -> None:
    said = make(fresh, "quiz", "PYTHON=python-that-is-not-there")
    assert said.returncode == 2
    assert "Python 3.11 or newer" in said.stderr
    assert "python-that-is-not-there" in said.stderr
    assert "apt install python3" in said.stderr
    assert not (fresh / ".venv").exists()


@pytest.mark.parametrize(("target", "stamp"), [("quiz", "base-ready"), ("test", "dev-ready"), ("lint", "dev-ready")])
def test_set_up_happens_once_and_again_when_the_pins_change(fresh: Path, target: str, stamp: str) -> None:
    assert "pip install" in make(fresh, "-n", target).stdout
    (fresh / ".venv").mkdir()
    (fresh / ".venv" / stamp).touch()
    assert "pip install" not in make(fresh, "-n", target).stdout
    for changed in ("pyproject.toml", "constraints.txt"):
        os.utime(fresh / changed, (4e9, 4e9))
        assert "pip install" in make(fresh, "-n", target).stdout
        os.utime(fresh / changed, (0, 0))


def test_the_quiz_is_set_up_without_the_extras(fresh: Path) -> None:
    assert "[" not in "".join(re.findall(r"-e '(.*?)'", make(fresh, "-n", "quiz").stdout))
    assert re.findall(r"-e '(.*?)'", make(fresh, "-n", "test").stdout) == [".[dev]"]


def test_ci_is_an_executable_script_without_a_mistake_in_its_grammar() -> None:
    path = ROOT / ".ci/run"
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", path], timeout=60).returncode == 0


def git(*arguments: str) -> list[str]:
    """The names that a git command lists."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a checkout knows what is tracked")
    said = subprocess.run(["git", *arguments, "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in said.split("\0") if name]


def test_no_source_file_is_ignored() -> None:
    ignored = git("ls-files", "--others", "--ignored", "--exclude-standard", "--", "qa", "snippets", "tests", "docs")
    assert [name for name in ignored if "__pycache__" not in name and ".egg-info" not in name] == []


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    forbidden = re.compile(
        rb"(?<![\w.~-])/(?:work|farm|root|opt)/\w"
        rb"|py[p]i\.org|python[h]osted|download\.py[t]orch|registry\.np[m]js|deb\.deb[i]an"
    )
    found = []
    for name in git("ls-files"):
        path = ROOT / name
        if path.is_file():
            lines = path.read_bytes().splitlines()
            found += [f"{name}:{n}: {line[:120]!r}" for n, line in enumerate(lines, 1) if forbidden.search(line)]
    assert found == []


def test_nothing_leaves_this_machine() -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match=r"stay on 127\.0\.0\.1"):
        sock.connect(("192.0.2.1", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(RuntimeError, match=r"stay on 127\.0\.0\.1"):
        sock.sendto(b"", ("192.0.2.1", 53))
    with pytest.raises(RuntimeError, match=r"stay on 127\.0\.0\.1"):
        socket.create_connection(("example.org", 80))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
