"""Executed notebooks: their formulas to MathML, and the page that mkdocs-jupyter makes of them without its scripts and styles."""

import json
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from qa.site import mathml
from qa.site.mathml import Formula

_DOLLARS = re.compile(r"^\$+\\displaystyle\s*(.*?)\$+$|^\$+(.*?)\$+$", re.DOTALL)


def formulas(notebook: dict[str, Any]) -> list[Formula]:
    """Return every formula of a notebook: in its text, and among its outputs."""
    found: list[Formula] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            found += mathml.in_prose("".join(cell["source"]))
        found += [f for output in cell.get("outputs", []) if (f := _output(output))]
    return found


def prepared(path: Path, math: dict[Formula, str]) -> Path:
    """Copy a notebook with its formulas as MathML into a folder labs/ of a temporary folder, and return the latter."""
    notebook = json.loads(path.read_text("utf-8"))
    math.update(mathml.convert(f for f in formulas(notebook) if f not in math))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = mathml.replace_in_prose("".join(cell["source"]), math.__getitem__)
        for output in cell.get("outputs", []):
            if formula := _output(output):
                output["data"] = {"text/html": math[formula]}
    copy = _folder() / "labs" / path.name
    copy.parent.mkdir(exist_ok=True)
    text = json.dumps(notebook)
    if not copy.is_file() or copy.read_text("utf-8") != text:
        copy.write_text(text, "utf-8")
    return _folder()


def lean(html: str) -> str:
    """Drop the half megabyte of styles and the scripts that stand in a notebook's page; our own style sheet shows it."""
    html = re.sub(r"<(script|style)\b.*?</\1>|<link\b[^>]*>", "", html, flags=re.DOTALL)
    html = re.sub(r'<div class="zeroclipboard-container">.*?</clipboard-copy>\s*</div>', "", html, flags=re.DOTALL)
    return re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", html, flags=re.DOTALL)


def _output(output: dict[str, Any]) -> Formula | None:
    latex = "".join(output.get("data", {}).get("text/latex", "")).strip()
    match = _DOLLARS.match(latex)
    return Formula((match[1] or match[2] or "").strip(), display=True) if match else None


@lru_cache(maxsize=1)
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="executable-answers-"))
