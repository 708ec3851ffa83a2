"""Labs: .py notebooks under docs/labs, executed by `prove` into the evidence, shown by mkdocs-jupyter."""

import hashlib
import json
from pathlib import Path
from typing import Any

from qa import source

LABS = source.ROOT / "docs" / "labs"
SECONDS = 60.0
"""Core-seconds that a lab may take."""


def names() -> list[str]:
    """Return the labs by file name, without .py; none in an installed package."""
    return sorted(path.stem for path in LABS.glob("*.py")) if LABS.is_dir() else []


def key(name: str) -> str:
    """Hash a lab and everything of ours that it imports; here comments are text, so they count."""
    text = (LABS / f"{name}.py").read_text("utf-8")
    digest = hashlib.sha256(text.encode())
    for module in sorted({m for found in source.imports_of(text) for m in source.closure(found)}):
        digest.update(source.fingerprint(module).encode())
    return digest.hexdigest()[:16]


def key_of_notebook(path: Path) -> str:
    """Return the key that an executed notebook was made with, or "" where there is none."""
    try:
        return str(json.loads(path.read_text("utf-8"))["metadata"]["executable_answers"]["key"])
    except (OSError, ValueError, KeyError):
        return ""


def execute(name: str, key: str) -> dict[str, Any]:
    """Run a lab from top to bottom in a kernel of its own; a cell that raises ends it. Returns the notebook as JSON."""
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(LABS / f"{name}.py")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{name}-{number}"
    resources = {"metadata": {"path": str(source.ROOT)}}
    NotebookClient(notebook, timeout=int(SECONDS * 4), resources=resources, record_timing=False).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["executable_answers"] = {"key": key}
    return {"notebook": json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"}
