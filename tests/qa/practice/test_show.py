"""A question as text: what code makes is put in, nothing is wider than asked, nothing of Markdown or LaTeX is left."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import source
from qa.model import Question
from qa.practice import plain, show, terminal

ANSWER = """\
For $d_k = 512$ the deviation is {{ std }}, and it costs $5 to $10 to try.

{{ attention }}

{{ variance }}

- a point with `x_1 * y` and *stress*, $p(x \\mid z)$

{{ examples }}

{{ spread }}

| Method | Cost |
|---|---:|
| one | $O(n^2)$ |

```python
price = "$1 and $2"
```
"""
QUESTION = Question.model_validate(
    {
        "question": "Why?",
        "priority": 1,
        "basis": {"note": "a test"},
        "level": "senior",
        "tags": ["attention"],
        "reviewed": "2026-11-21",
        "short": "Because.",
        "shows": {
            "std": {"value": "snippets.transformers.attention:unscaled_std", "with": {"d_k": 512}},
            "attention": {"code": "snippets.transformers.attention:attention"},
            "variance": {"formula": "snippets.transformers.attention:derive_variance"},
            "examples": {"table": "snippets.vaes.gaussian_kl:worked_examples"},
            "spread": {"figure": "snippets.transformers.attention:draw", "alt": "Largest weight against d_k"},
        },
        "answer": ANSWER,
        "claims": [{"says": "It *holds*.", "check": "snippets.transformers.attention:weights_sum_to_one"}],
        "key_points": [{"must": "The $d_k$ terms."}, {"should": "`softmax` saturates."}, {"bonus": "muP."}],
        "sources": ["vaswani2017attention"],
    }
)
PRETTY = "     a\n x = ─\n     b"
EVIDENCE: dict[str, Any] = {
    "checks": {
        "snippets.transformers.attention:weights_sum_to_one": {
            "holds": True,
            "measured": {"largest difference": 1.25e-16, "exact": True, "rows": 1024},
        }
    },
    "shown": {
        "std": {"value": 22.6, "text": "22.6"},
        "variance": {"steps": [{"name": "the_first", "latex": r"x = \frac{a}{b}", "text": PRETTY}] * 2},
        "examples": {"rows": [{"model": "a_b", "GiB": "1.5"}, {"model": "c|d", "GiB": "20"}]},
    },
}


def lines(width: int = 80) -> list[str]:
    return list(plain.lines(show.answer(QUESTION, EVIDENCE, width=width, plain=True), width))


def test_what_code_makes_stands_in_its_place() -> None:
    text = "\n".join(lines())
    assert "For dₖ = 512 the deviation is 22.6, and it costs $5 to $10 to try." in text
    found = source.find("snippets.transformers.attention:attention")
    assert f"{found.path}, line {found.line}:" in text
    assert "    return logits.softmax(dim=-1) @ v" in text
    assert "the first:\n\nx = a/b" in text
    assert "- model: a_b; GiB: 1.5\n- model: c|d; GiB: 20" in text
    assert "[figure: Largest weight against d_k]" in text
    assert "- a point with x_1 * y and stress, p(x | z)" in text
    assert "- Method: one; Cost: O(n²)" in text
    assert 'price = "$1 and $2"' in text
    assert "{{" not in text


def test_on_a_terminal_a_formula_is_the_pretty_text() -> None:
    text = show.answer(QUESTION, EVIDENCE, width=80)
    rendered = "\n".join(terminal.rich_lines(text, 80, colour=False))
    assert "\n".join("  " + line for line in PRETTY.split("\n")).strip() in rendered.replace("\n ", "\n  ")
    assert "x = a/b" not in rendered


def test_a_formula_too_wide_for_the_terminal_becomes_one_line() -> None:
    wide = {"name": "", "latex": r"y = \frac{c}{d}", "text": "─" * 90}
    evidence = {"shown": EVIDENCE["shown"] | {"variance": {"steps": [wide]}}}
    text = show.answer(QUESTION, evidence, width=80)
    assert "y = c/d" in text
    assert "─" * 90 not in text


def test_what_is_not_computed_yet_is_said() -> None:
    text = "\n".join(plain.lines(show.answer(QUESTION, {}, plain=True), 80))
    assert "[std: not computed yet]" in text
    assert "[not computed yet: snippets.transformers.attention:derive_variance]" in text
    assert "[not computed yet: snippets.vaes.gaussian_kl:worked_examples]" in text
    assert show.checked({}, "x") == "not run yet"


def test_evidence_in_words() -> None:
    call = "snippets.transformers.attention:weights_sum_to_one"
    assert show.checked(EVIDENCE, call) == "holds; largest difference: 1.25e-16, exact: yes, rows: 1,024"
    assert show.checked({"checks": {call: {"holds": False}}}, call) == "DOES NOT HOLD"


def test_key_points_are_plain_and_ticked() -> None:
    assert list(show.key_points(QUESTION, {1}, "abc")) == [
        "a [ ] must: The dₖ terms.",
        "b [x] should: softmax saturates.",
        "c [ ] bonus: muP.",
    ]


@pytest.mark.parametrize("width", [20, 40, 79, 80])
def test_no_line_is_wider_than_asked(width: int) -> None:
    assert max(map(len, lines(width))) <= width


def test_the_rich_text_fits_and_has_no_colour_where_none_is_wanted() -> None:
    text = show.answer(QUESTION, EVIDENCE, width=80)
    coloured, without = (terminal.rich_lines(text, 80, colour=colour) for colour in (True, False))
    codes = {code for line in without for code in terminal.ESCAPE.findall(line)}
    assert codes
    assert not [c for c in codes if terminal.is_colour(c)]
    assert [c for line in coloured for c in terminal.ESCAPE.findall(line) if terminal.is_colour(c)]
    for line in coloured + without:
        assert show.columns(terminal.ESCAPE.sub("", line)) <= 80
    assert [terminal.ESCAPE.sub("", line) for line in coloured] == [terminal.ESCAPE.sub("", line) for line in without]


@given(st.text(alphabet="ab (,)=_", max_size=60), st.integers(20, 60))
def test_broken_code_loses_no_sign(line: str, width: int) -> None:
    parts = list(show.wrapped_code(line, width))
    assert "".join("".join(parts).split()) == "".join(line.split())
    assert all(len(part) <= width for part in parts)


@given(st.text(alphabet="ab*_`|[]<>#~\\ ", max_size=40))
def test_escaped_text_is_read_as_it_stands(text: str) -> None:
    words = " ".join(text.split())
    said = " ".join(" ".join(plain.lines("x " + show.escaped(words), 400)).split())
    assert said == f"x {words}".strip()


def test_plain_markdown_by_hand() -> None:
    text = (
        "# Title\n\nOne [link](https://a.b/c) and <https://d.e>.\n\n3. three\n4. four\n\n   more\n\n"
        "- a\n  - b\n\n> quoted\n> on\n\n---\n\n    code\n\nlast  \nline ![alt](x.png)\n"
    )
    assert list(plain.lines(text, 60)) == [
        "# Title",
        "",
        "One link (https://a.b/c) and https://d.e.",
        "",
        "3. three",
        "",
        "4. four",
        "",
        "   more",
        "",
        "- a",
        "  - b",
        "",
        "> quoted on",
        "",
        "",
        "",
        "    code",
        "",
        "last",
        "line [figure: alt]",
    ]


def test_a_code_reference_that_is_gone_is_said() -> None:
    gone = QUESTION.model_copy(
        update={
            "shows": QUESTION.shows
            | {"attention": QUESTION.shows["attention"].model_copy(update={"code": "snippets.none:x"})}
        }
    )
    assert "there is no module snippets" in show.answer(gone, EVIDENCE)


def test_no_file_is_where_the_evidence_looks_for_it_is_no_error() -> None:
    from qa import proof

    assert proof.evidence("no/such-question") == {}
    assert not Path(proof.EVIDENCE, "no").exists()
