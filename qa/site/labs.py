"""Executed notebooks: their formulas to MathML, and mkdocs-jupyter's page of them without its scripts and styles."""

import atexit
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from qa.labs import LABS
from qa.site import mathml
from qa.site.mathml import Formula

_DOLLARS = re.compile(r"^\$+\\displaystyle\s*(.*?)\$+$|^\$+(.*?)\$+$", re.DOTALL)


def read(path: Path) -> dict[str, Any]:
    """Read a notebook."""
    return dict(json.loads(path.read_text("utf-8")))


def title(path: Path) -> str:
    """Return the first heading of a notebook."""
    text = "\n".join("".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == "markdown")
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    return heading[1].strip() if heading else path.stem


def formulas(notebook: dict[str, Any]) -> list[Formula]:
    """Return every formula of a notebook: in its text, and among its outputs."""
    found: list[Formula] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            found += mathml.in_prose("".join(cell["source"]))
        found += [f for output in cell.get("outputs", []) if (f := _output(output))]
    return found


def prepared(path: Path, math: Mapping[Formula, str]) -> Path:
    """Copy a notebook with its formulas as MathML into a folder labs/ of a temporary folder, and return the latter."""
    notebook = read(path)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = mathml.replace_in_prose("".join(cell["source"]), math.__getitem__)
        for output in cell.get("outputs", []):
            if formula := _output(output):
                output["data"] = {"text/html": math[formula]}
    copy = _folder() / "labs" / path.name
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(json.dumps(notebook), "utf-8")
    return _folder()


def lean(html: str, name: str) -> str:
    """Drop the scripts and the half megabyte of styles of a notebook's page; our own style sheet shows it.

    Below it stands how to run it again, and, where its script is beside it, a link to that.
    """
    html = re.sub(r"<(script|style)\b.*?</\1>|<link\b[^>]*>|<!--.*?-->", "", html, flags=re.DOTALL)
    html = re.sub(r'<div class="zeroclipboard-container">.*?</clipboard-copy>\s*</div>', "", html, flags=re.DOTALL)
    html = re.sub(r'<div class="clipboard-copy-txt".*?</div>', "", html, flags=re.DOTALL)
    html = re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", html, flags=re.DOTALL)
    html = re.sub(r'(<div class="jp-Cell-inputWrapper") tabindex="0"', r"\1", html)
    script = f' It is <a href="../{name}.py">one script</a>.' if (LABS / f"{name}.py").is_file() else ""
    again = f"This notebook was run from top to bottom by <code>python -m qa prove labs/{name}</code>.{script}"
    return f'{html.strip()}\n<p class="qa-from">{again}</p>\n'


def _output(output: dict[str, Any]) -> Formula | None:
    latex = "".join(output.get("data", {}).get("text/latex", "")).strip()
    match = _DOLLARS.match(latex)
    return Formula((match[1] or match[2] or "").strip(), display=True) if match else None


@lru_cache(maxsize=1)
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="executable-answers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
