"""Run one snippet and print what it shows: `python -m snippets <topic>.<idea>[:<function>] [--seed N]`."""

import argparse
import importlib
import inspect
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from snippets.evidence import Evidence


def ideas() -> list[str]:
    """Return every snippet as <topic>.<idea>."""
    here = Path(__file__).parent
    return sorted(f"{p.parent.name}.{p.stem}" for p in here.glob("*/*.py") if not p.stem.startswith("_"))


def shown(module: ModuleType) -> list[Callable[..., Any]]:
    """Return the checks and derivations of a module, in the order of the file."""
    own = [f for _, f in inspect.getmembers(module, inspect.isfunction) if f.__module__ == module.__name__]
    own = [f for f in own if f.__name__.startswith("derive_") or inspect.signature(f).return_annotation is Evidence]
    return sorted(own, key=lambda f: f.__code__.co_firstlineno)


def set_seed(seed: int) -> None:
    """Seed Python, and torch and NumPy where the snippet has loaded them."""
    random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)


def run(function: Callable[..., Any], seed: int) -> bool:
    """Run a check or a derivation and print what came out. Returns whether it holds."""
    set_seed(seed)
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    result = function()
    if isinstance(result, Evidence):
        print(f"{'holds ' if result.holds else 'FAILS '} {function.__name__}: {summary}")
        for name, figure in result.measured.items():
            print(f"         {name}: {figure:.6g}" if isinstance(figure, float) else f"         {name}: {figure}")
        return result.holds
    if isinstance(result, dict):
        from sympy import pretty

        print(f"derive {function.__name__}: {summary}")
        for name, equality in result.items():
            print(f"\n  {name}\n")
            print("    " + pretty(equality, use_unicode=True, wrap_line=False).replace("\n", "\n    "))
        print()
        return True
    print(f"{function.__name__}() = {result}")
    return True


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line names; without a name, list what there is."""
    parser = argparse.ArgumentParser(prog="python -m snippets", description=__doc__)
    parser.add_argument("snippet", nargs="?", help="<topic>.<idea>, or <topic>.<idea>:<function>")
    parser.add_argument("--seed", type=int, default=0, help="seed of the experiment (default 0)")
    options = parser.parse_args(arguments)
    if options.snippet is None:
        print("\n".join(ideas()))
        return 0
    name, _, function_name = options.snippet.removeprefix("snippets.").partition(":")
    if name not in ideas():
        print(f"There is no snippet {name}. There are:\n  " + "\n  ".join(ideas()), file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"snippets.{name}")
    except ModuleNotFoundError as error:
        print(f"{name} needs {error.name}: pip install 'executable-answers[snippets]'", file=sys.stderr)
        return 2
    functions = shown(module)
    if function_name:
        functions = [f for f in [getattr(module, function_name, None)] if inspect.isfunction(f)]
        if not functions:
            print(f"{name} has no function {function_name}.", file=sys.stderr)
            return 2
        if any(p.default is p.empty for p in inspect.signature(functions[0]).parameters.values()):
            print(f"{function_name} needs arguments; call it from Python.", file=sys.stderr)
            return 2
    else:
        print((module.__doc__ or "").strip(), end="\n\n")
    outcomes = [run(function, options.seed) for function in functions]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
