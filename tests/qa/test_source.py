"""Our source, read without importing it."""

from pathlib import Path

import pytest

from qa import source
from qa.source import NotFoundInSource, find

A = '''\
"""A."""
from snippets.t.b import g
from snippets.evidence import proof


@proof
def f(x, *, y=1):
    """F."""
    return g(x)
'''
B = '''\
"""B."""
import math


def g(x):
    return h(x)


class C:
    def m(self):
        return 1
'''


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three snippets, of which one imports the next."""
    folder = tmp_path / "snippets" / "t"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(A)
    (folder / "b.py").write_text(B)
    (folder / "c.py").write_text("def late():\n    from . import b\n    return b\n")
    (tmp_path / "snippets" / "evidence.py").write_text("def proof(f): return f\n")
    monkeypatch.setattr(source, "ROOT", tmp_path)
    return folder


def test_a_function_with_its_decorators_and_its_place(house: Path) -> None:
    found = find("snippets.t.a:f")
    assert (found.line, found.doc, found.kind, found.required) == (6, "F.", "proof", ["x"])
    assert found.arguments == ["x", "y"]
    assert found.code.startswith("@proof\ndef f(x, *, y=1):")


def test_a_method_is_dedented_and_knows_its_indent(house: Path) -> None:
    found = find("snippets.t.b:C.m")
    assert (found.code, found.indent, found.line) == ("def m(self):\n    return 1\n", 4, 10)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("snippets.t.z:f", "no module snippets.t.z"),
        ("snippets.t.b:f", "defines no f; it defines g, C"),
        ("snippets.t.b:C.z", "defines no C.z; it defines m"),
        ("snippets.t.b", "is no reference"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(house: Path, ref: str, message: str) -> None:
    with pytest.raises(NotFoundInSource, match=message):
        find(ref)


def test_a_file_that_does_not_parse_is_no_traceback(house: Path) -> None:
    (house / "d.py").write_text("def f(:\n")
    with pytest.raises(NotFoundInSource, match=r"d\.py, line 1: invalid syntax"):
        find("snippets.t.d:f")


def test_what_a_module_rests_on(house: Path) -> None:
    assert source.closure("snippets.t.a") == ["snippets.evidence", "snippets.t.a", "snippets.t.b"]
    assert "snippets.t.b" in source.closure("snippets.t.c")
    assert source.imports_of("import torch\nfrom snippets.t.a import f\n") == ["snippets.t.a"]


def test_the_fingerprint_changes_with_code_below_and_not_with_comments(house: Path) -> None:
    before = source.fingerprint("snippets.t.a")
    (house / "b.py").write_text("# a comment\n" + (house / "b.py").read_text())
    assert source.fingerprint("snippets.t.a") == before
    (house / "c.py").write_text("x = 1\n")
    assert source.fingerprint("snippets.t.a") == before
    (house / "b.py").write_text((house / "b.py").read_text().replace("return h(x)", "return h(-x)"))
    assert source.fingerprint("snippets.t.a") != before


def test_all_modules_are_the_files_of_the_topics() -> None:
    found = source.all_modules()
    assert "snippets.transformers.attention" in found
    assert not [name for name in found if name.endswith(("__init__", "__main__", "snippets.evidence"))]
