"""A mistake stands in wherever the object is held: in other modules, in classes, in what was imported by name."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qa import mistakes, model, source
from qa.mistakes import Mistaken

IDEA = '''\
"""A module to make mistakes in."""
import torch

def double(x):
    return x * 2

class Base:
    def __init__(self):
        self.n = 1

class Layer(Base):
    def __init__(self):
        super().__init__()
        self.scale = 3

    def forward(self, x):
        return double(x) * self.scale

def use(x):
    return double(x)
'''
USER = """\
from snippets.madeup.idea import Layer, double

def through_name(x):
    return double(x)

def through_class(x):
    return Layer().forward(x)
"""


@pytest.fixture
def madeup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two snippets of a house of their own, importable as snippets.madeup, forgotten afterwards."""
    folder = tmp_path / "snippets" / "madeup"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "idea.py").write_text(IDEA)
    (folder / "user.py").write_text(USER)
    monkeypatch.setattr(source, "ROOT", tmp_path)
    import snippets

    monkeypatch.setattr(snippets, "__path__", [str(tmp_path / "snippets"), *snippets.__path__])
    yield
    for name in [n for n in sys.modules if n.startswith("snippets.madeup")]:
        del sys.modules[name]
    snippets.__dict__.pop("madeup", None)


def replaced(ref: str, this: str, by: str) -> Mistaken:
    return Mistaken(f"snippets.madeup.idea:{ref}", "wrong", "replace", ((this, by),))


@pytest.mark.usefixtures("madeup")
class TestPutIn:
    """Every way in which code holds an object."""

    def load(self) -> tuple[Any, Any]:
        return importlib.import_module("snippets.madeup.idea"), importlib.import_module("snippets.madeup.user")

    def test_a_function_is_replaced_in_its_module_and_where_it_was_imported_by_name(self) -> None:
        idea, user = self.load()
        assert (idea.use(5), user.through_name(5), user.through_class(5)) == (10, 10, 30)
        mistakes.put_in(replaced("double", "x * 2", "x * 7"))
        assert (idea.use(5), user.through_name(5), user.through_class(5)) == (35, 35, 105)

    def test_a_method_is_replaced_and_super_still_works(self) -> None:
        idea, user = self.load()
        mistakes.put_in(replaced("Layer.__init__", "self.scale = 3", "self.scale = 11"))
        assert user.through_class(5) == 110
        assert idea.Layer().n == 1

    def test_a_method_that_calls_others(self) -> None:
        _, user = self.load()
        mistakes.put_in(replaced("Layer.forward", "double(x)", "x"))
        assert user.through_class(5) == 15

    def test_zeros_and_first_argument_for_functions_and_methods(self) -> None:
        _, user = self.load()
        mistakes.put_in(Mistaken("snippets.madeup.idea:double", "", "zeros"))
        assert user.through_name(5) == 0
        mistakes.put_in(Mistaken("snippets.madeup.idea:Layer.forward", "", "first argument"))
        assert user.through_class(5) == 5

    def test_a_text_that_does_not_stand_exactly_once_is_an_error_with_file_and_line(self) -> None:
        self.load()
        with pytest.raises(LookupError, match=r"idea\.py, line 4: 'x' stands 2 times in double"):
            mistakes.put_in(replaced("double", "x", "y"))

    def test_the_mistake_has_the_globals_of_its_module(self) -> None:
        idea, _ = self.load()
        mistakes.put_in(replaced("use", "double(x)", "double(double(x))"))
        mistakes.put_in(replaced("double", "x * 2", "x + 1"))
        assert idea.use(5) == 7


def test_nothing_of_a_thing_has_its_shape() -> None:
    import sympy
    import torch

    found = mistakes.nothing_of((torch.ones(2, 3), {"a": 4.5}, [True], sympy.Symbol("x")))
    assert torch.equal(found[0], torch.zeros(2, 3))
    assert found[1:] == ({"a": 0.0}, [False], 0)
    grown = torch.ones(2, requires_grad=True) * 3
    mistakes.nothing_of(grown).sum().backward()  # a gradient still flows, and is zero
    equality = mistakes.nothing_of(sympy.Eq(sympy.Symbol("x"), 1, evaluate=False))
    assert isinstance(equality, sympy.Eq)


def test_automatic_mistakes_are_tried_on_every_function_that_a_question_names() -> None:
    question = model.Question.model_validate(
        {
            "question": "Q?", "priority": 1, "level": "senior", "tags": ["t"], "reviewed": "2026-11-21", "short": "s",
            "answer": "a", "key_points": [{"must": "m"}],
            "mistakes": [{"in": "snippets.a.b:f", "says": "wrong", "replace": [{"this": "a", "by": "b"}]}],
            "drills": [{"code": "snippets.a.b:g"}],
        }
    )  # fmt: skip
    found = [(m.ref, m.way) for m in mistakes.of_question(question)]
    assert found == [
        ("snippets.a.b:f", "replace"),
        ("snippets.a.b:f", "zeros"),
        ("snippets.a.b:f", "first argument"),
        ("snippets.a.b:g", "zeros"),
        ("snippets.a.b:g", "first argument"),
    ]
