"""A known mistake, put in the place of the code that it is made in: everywhere in this process, so use a fresh one."""

import importlib
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any

from qa import model, source

AUTOMATIC = ("zeros", "first argument")
"""Tried on every function without being listed: zeros of the right shape, and its first argument handed back."""


@dataclass(frozen=True)
class Mistaken:
    """What to put where. `way` is "replace", "by_function" or one of AUTOMATIC; `says` names it in the evidence."""

    ref: str
    says: str
    way: str
    replace: tuple[tuple[str, str], ...] = ()
    by_function: str = ""


def of_question(question: model.Question) -> list[Mistaken]:
    """Return the listed mistakes of a question, then the automatic ones of every function that it names."""
    listed = [
        Mistaken(
            ref=m.in_,
            says=m.says,
            way="replace" if m.replace else "by_function",
            replace=tuple((r.this, r.by) for r in m.replace),
            by_function=m.by_function or "",
        )
        for m in question.mistakes
    ]
    named = [m.in_ for m in question.mistakes] + [d.code for d in question.drills if isinstance(d, model.CodeDrill)]
    return listed + [Mistaken(ref, f"{way}: {ref}", way) for ref in dict.fromkeys(named) for way in AUTOMATIC]


def put_in(mistaken: Mistaken) -> None:
    """Let the mistake stand in for its object in every loaded `snippets` module that holds it, methods included.

    The modules of the check have to be loaded before. Raises LookupError where a text to replace does not stand in the
    function exactly once.
    """
    module_name, _, qualified = mistaken.ref.partition(":")
    module = importlib.import_module(module_name)
    owner_name, _, attribute = qualified.rpartition(".")
    owner: Any = getattr(module, owner_name) if owner_name else module
    original = getattr(owner, attribute)
    if mistaken.way == "replace":
        if owner_name:  # the whole class is made again, or a method's super() would look for the old one
            _stand_in(owner, _rewritten(module, mistaken, owner_name))
        else:
            _stand_in(original, _rewritten(module, mistaken, qualified))
        return
    if mistaken.way == "by_function":
        other_module, _, other_name = mistaken.by_function.partition(":")
        wrong = getattr(importlib.import_module(other_module), other_name)
    else:
        wrong = {"zeros": zeros, "first argument": first_argument}[mistaken.way](original, method=bool(owner_name))
    if owner_name:
        setattr(owner, attribute, wrong)
    else:
        _stand_in(original, wrong)


def _stand_in(original: Any, wrong: Any) -> None:
    for name, module in list(sys.modules.items()):
        if name == "snippets" or name.startswith("snippets."):
            for attribute, value in list(vars(module).items()):
                if value is original:
                    setattr(module, attribute, wrong)


def _rewritten(module: ModuleType, mistaken: Mistaken, outermost: str) -> Any:
    """Make the function, or the class around the method, again from its source with the mistake in it."""
    inner, outer = source.find(mistaken.ref), source.find(f"{module.__name__}:{outermost}")
    wrong = rewrite(inner, mistaken)
    code = outer.code
    if inner is not outer and inner.ref != outer.ref:
        indented, wrong = (textwrap.indent(text, " " * inner.indent) for text in (inner.code, wrong))
        code = code.replace(indented, wrong)
    else:
        code = wrong
    namespace = vars(module)
    before = namespace[outermost]
    exec(compile("\n" * (outer.line - 1) + code, str(outer.path), "exec", dont_inherit=True), namespace)
    made, namespace[outermost] = namespace[outermost], before
    return made


def rewrite(inner: source.Source, mistaken: Mistaken) -> str:
    """Return the source of the function with every replacement made. Raises LookupError."""
    code = inner.code
    for this, by in mistaken.replace:
        if (times := code.count(this)) != 1:
            raise LookupError(
                f"{inner.path}, line {inner.line}: {this!r} stands {times} times in {inner.name}, not exactly once"
            )
        code = code.replace(this, by)
    return code


def zeros(function: Callable[..., Any], *, method: bool = False) -> Callable[..., Any]:
    """Return a function that gives zeros of the shape that this one would give."""

    @wraps(function)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        return nothing_of(function(*args, **kwargs))

    return wrong


def first_argument(function: Callable[..., Any], *, method: bool = False) -> Callable[..., Any]:
    """Return a function that hands its first argument back (the first after self for a method)."""

    @wraps(function)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        return [*args[1 if method else 0 :], *kwargs.values()][0]

    return wrong


def nothing_of(result: Any) -> Any:
    """Return the zero of whatever this is: tensor, number, equality, or a collection of them."""
    if hasattr(result, "new_zeros"):
        return result * 0 if result.requires_grad else result.new_zeros(result.shape)
    if isinstance(result, dict):
        return {key: nothing_of(value) for key, value in result.items()}
    if isinstance(result, (list, tuple)):
        made = [nothing_of(value) for value in result]
        return type(result)(*made) if hasattr(result, "_fields") else type(result)(made)
    if isinstance(result, (bool, int, float)):
        return type(result)(0)
    if (sympy := sys.modules.get("sympy")) and isinstance(result, sympy.Basic):
        return sympy.Eq(0, 0, evaluate=False) if isinstance(result, sympy.Equality) else sympy.Integer(0)
    return type(result)() if isinstance(result, str) else result
