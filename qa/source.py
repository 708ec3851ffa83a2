"""Our own source, read with `ast` and never imported: where a function stands, what it says, what it rests on."""

import ast
import hashlib
import os
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds qa/ and snippets/: the checkout, or site-packages."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Source:
    """A function, method or class of ours.

    ref:     "package.module:Name" or "package.module:Class.method".
    path:    its file, relative to ROOT; `line` its first line there, decorators included, from 1.
    code:    its text, dedented; `indent` is how far it was indented in the file.
    doc:     its docstring, cleaned, or "".
    kind:    for a check "fast", "proof" or "trained".
    """

    ref: str
    path: Path
    line: int
    code: str
    indent: int
    doc: str
    kind: str
    node: Definition

    @property
    def name(self) -> str:
        return self.ref.partition(":")[2]

    @property
    def module(self) -> str:
        return self.ref.partition(":")[0]

    @property
    def required(self) -> list[str]:
        """Names of the arguments that have no default; a check has none."""
        if isinstance(self.node, ast.ClassDef):
            return []
        arguments = self.node.args
        positional = [a.arg for a in arguments.posonlyargs + arguments.args]
        keyword = [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not default]
        return positional[: len(positional) - len(arguments.defaults)] + keyword

    @property
    def arguments(self) -> list[str]:
        """Names of all arguments."""
        if isinstance(self.node, ast.ClassDef):
            return []
        arguments = self.node.args
        return [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]


class NotFoundInSource(LookupError):
    """A reference that names no file, or no function in it; the message says which and what there is instead."""


@dataclass(frozen=True)
class Module:
    """One file of ours: its text, its syntax tree, its docstring."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.tree) or ""

    @property
    def functions(self) -> list[str]:
        """Public functions and classes, in the order of the file."""
        return [n.name for n in self.tree.body if isinstance(n, Definition) and not n.name.startswith("_")]


def module_path(name: str) -> Path | None:
    """Return the file of a module under snippets/ or tests/, or None where there is none."""
    stem = os.path.join(ROOT, *name.split("."))
    return next((Path(p) for p in (f"{stem}.py", f"{stem}/__init__.py") if os.path.isfile(p)), None)


@cache
def _parse(name: str, path: Path, mtime_ns: int, size: int) -> Module:
    text = path.read_text("utf-8")
    return Module(name, path.relative_to(ROOT), text, ast.parse(text, str(path)))


def module(name: str) -> Module:
    """Read one module of ours. Raises NotFoundInSource."""
    path = module_path(name)
    if path is None:
        raise NotFoundInSource(f"there is no module {name}: no file {'/'.join(name.split('.'))}.py")
    stat = path.stat()
    try:
        return _parse(name, path, stat.st_mtime_ns, stat.st_size)
    except SyntaxError as error:
        raise NotFoundInSource(f"{path.relative_to(ROOT)}, line {error.lineno}: {error.msg}") from error


def find(ref: str) -> Source:
    """Look up "package.module:Name" or "package.module:Class.method". Raises NotFoundInSource."""
    module_name, colon, qualified = ref.partition(":")
    if not colon or not qualified:
        raise NotFoundInSource(f'{ref!r} is no reference: write "snippets.<topic>.<idea>:<function>"')
    where = module(module_name)
    body: list[ast.stmt] = where.tree.body
    node: Definition | None = None
    for part in qualified.split("."):
        node = next((n for n in body if isinstance(n, Definition) and n.name == part), None)
        if node is None:
            there = ", ".join(n.name for n in body if isinstance(n, Definition)) or "nothing"
            raise NotFoundInSource(f"{where.path} defines no {qualified}; it defines {there}")
        body = node.body
    assert node is not None
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    lines = where.text.splitlines(keepends=True)[first - 1 : node.end_lineno]
    return Source(
        ref=ref,
        path=where.path,
        line=first,
        code=textwrap.dedent("".join(lines)),
        indent=node.col_offset,
        doc=ast.get_docstring(node) or "",
        kind=_kind(node),
        node=node,
    )


def _kind(node: Definition) -> str:
    for decorator in node.decorator_list:
        name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
        if name in ("trained", "proof"):
            return name
    return "proof" if node.name.startswith("derive_") else "fast"


def imported(name: str) -> list[str]:
    """Return the modules of ours that a module imports, by their names; also inside functions, relative or not."""
    is_package = (module_path(name) or Path()).name == "__init__.py"
    return _imports(module(name).tree, tuple(name.split(".") if is_package else name.split(".")[:-1]))


def imports_of(text: str) -> list[str]:
    """Return the modules of ours that a script imports."""
    return _imports(ast.parse(text), ())


@cache
def _imports(tree: ast.Module, package: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in found if name.split(".")[0] in ("snippets", "tests") and module_path(name)]


def closure(name: str) -> list[str]:
    """Return the module and all of ours that it imports, directly or not, sorted."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo.extend(imported(current))
    return sorted(seen)


@cache
def _fingerprint(text: str) -> str:
    return hashlib.sha256(ast.dump(ast.parse(text)).encode()).hexdigest()


def fingerprint(name: str) -> str:
    """Hash a module and all of ours that it imports; comments and blank lines do not count, docstrings do."""
    digest = hashlib.sha256()
    for each in closure(name):
        digest.update(f"{each} {_fingerprint(module(each).text)}\n".encode())
    return digest.hexdigest()


def all_modules() -> list[str]:
    """Names of the snippet modules that hold an idea: snippets.<topic>.<idea>."""
    return sorted(
        f"snippets.{p.parent.name}.{p.stem}" for p in (ROOT / "snippets").glob("*/*.py") if not p.stem.startswith("_")
    )
