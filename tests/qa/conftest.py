"""A small bank of one's own, and a question to spoil."""

from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = """\
question: Why divide by the root?
priority: 2
basis: {note: made up for a test}
level: senior
tags: [attention]
reviewed: 2026-11-21
short: Because the variance grows.
shows:
  code: {code: "snippets.transformers.attention:attention"}
answer: |
  Look:

  {{ code }}
claims:
  - says: The weights sum to one.
    check: "snippets.transformers.attention:weights_sum_to_one"
mistakes:
  - in: "snippets.transformers.attention:attention"
    says: Softmax over the queries.
    replace: [{this: "softmax(dim=-1)", by: "softmax(dim=-2)"}]
key_points:
  - must: Variance d_k.
"""


@pytest.fixture
def bank_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one good question, mine/scale, and a cache of its own."""
    monkeypatch.setenv("QUIZ_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bank"
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "scale.yaml").write_text(GOOD, "utf-8")
    return folder


@pytest.fixture
def spoil(bank_folder: Path) -> Callable[[str, str], Path]:
    """Replace a text in the good question; it has to be there."""

    def change(this: str, by: str) -> Path:
        assert GOOD.count(this) == 1, this
        path = bank_folder / "mine" / "scale.yaml"
        path.write_text(GOOD.replace(this, by), "utf-8")
        return bank_folder

    return change
