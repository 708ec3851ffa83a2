"""What the documentation shows is true: its YAML loads, its commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from qa import loading, model, source, yamlfile

PAGES = sorted([source.ROOT / "README.md", *(source.ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[tuple[Path, str]]:
    return [(page, text) for page in PAGES for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language]


def load_block(text: str, where: Path) -> model.Question | None:
    """Load a block as a question where it is one; what it refers to has to be there, too."""
    data, lines = yamlfile.parse(text)
    if "question" not in data:
        return None
    question = model.Question.model_validate(data)
    bank = loading.load()
    bank.questions["docs/example"], bank.paths["docs/example"] = question, where
    bank.lines["docs/example"] = lines
    assert [str(p) for p in loading.dangling("docs/example", bank)] == []
    return question


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_every_yaml_block_loads(page: Path, text: str) -> None:
    load_block(text, page)


def test_the_whole_form_is_whole() -> None:
    page = source.ROOT / "docs" / "write-a-question.md"
    (question,) = [q for p, text in blocks("yaml") if p == page and (q := load_block(text, p))]
    assert question.model_fields_set == model.Question.model_fields.keys()


def test_a_block_with_an_unknown_key_would_be_noticed() -> None:
    with pytest.raises(ValidationError):
        load_block("question: Why?\npriorty: 1\n", PAGES[0])


def test_every_python_command_of_the_docs_has_its_options() -> None:
    """Each `python -m qa …` and `python -m snippets …` in a block is one that the parser takes."""
    commands = {
        tuple(line.partition("#")[0].split())
        for _, text in blocks("bash")
        for line in text.splitlines()
        if line.startswith(("python -m qa ", "python -m snippets"))
    }
    assert commands
    helps = {}
    for command in commands:
        key = command[2:4] if command[2] == "qa" else command[2:3]
        if key not in helps:
            run = [sys.executable, "-m", *key, "--help"]
            helps[key] = subprocess.run(run, cwd=source.ROOT, capture_output=True, text=True, check=True).stdout
        for option in (part for part in command if part.startswith("--")):
            assert option in helps[key], f"{' '.join(command)}: there is no {option}"
