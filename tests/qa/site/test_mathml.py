"""Formulas: what is one, what becomes of it, and that money and code stay as they are."""

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.site import font, mathml
from qa.site.mathml import BadFormula, Formula


def test_formulas_in_prose() -> None:
    text = r"a $d_k$ at $0.15 to $0.60, `$x$`, US$3 or \$4: $\sqrt{d_k}$ and $$\sum_i x_i$$ end"
    assert mathml.in_prose(text) == [Formula("d_k"), Formula(r"\sqrt{d_k}"), Formula(r"\sum_i x_i", display=True)]


@pytest.mark.parametrize(
    "text",
    [
        "from $5 to $10",
        "$0.15-$0.60 a million",
        "US$3 (or $4)",
        "`$HOME` and `$PATH`",
        "```bash\necho $a $b\n```",
        "~~~\n$x$\n~~~",
        "a $ b $ c",
        "$a\n\nb$",
    ],
)
def test_what_is_no_formula(text: str) -> None:
    assert mathml.in_prose(text) == []
    assert mathml.replace_in_prose(text, lambda formula: "changed") == text


def test_a_formula_may_run_over_a_line_end() -> None:
    assert mathml.in_prose("so $a +\nb$ is") == [Formula("a +\nb")]


def shown(latex: str) -> str:
    """Return the elements of a formula in short: text, and `_` for a space."""
    math = ElementTree.fromstring(mathml.convert([Formula(latex)])[Formula(latex)])
    return "".join("_" if e.tag == "mspace" else (e.text or "").strip("\N{FUNCTION APPLICATION}") for e in math.iter())


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\log p", "log_p"),
        (r"2\log p", "2_log_p"),
        (r"\log(p)", "log(p)"),
        (r"\log{\left(x \right)}", "log(x)"),
        (r"a = \log x", "a=log_x"),
        (r"-\log x", "−log_x"),
        (r"\min_G \max_D V", "minG_maxD_V"),
        (r"f(x) \log y", "f(x)_log_y"),
        (r"\sin^2 x", "sin2_x"),
        (r"q{\left(x \right)} \log{\left(y \right)}", "q(x)_log(y)"),
        (r"(\log x)", "(log_x)"),
    ],
)
def test_names_of_functions_keep_their_distance(latex: str, text: str) -> None:
    assert shown(latex) == text


def test_what_is_shown_is_mathml_without_tex() -> None:
    (display,) = mathml.convert([Formula(r"\frac{1}{\sqrt{d_k}}", display=True)]).values()
    assert display.startswith('<math display="block">')
    assert "annotation" not in display
    assert [e.tag for e in ElementTree.fromstring(display).iter() if e.tag != "mrow"][1:3] == ["mfrac", "mn"]


@pytest.mark.parametrize(
    ("latex", "stretchy"),
    [
        (r"q{\left(x \right)}", "false"),
        (r"\left(\mu_{1} - \mu_{2}\right)", "false"),
        (r"\left(\frac{a}{b}\right)", "true"),
        (r"\left(\sum_i x_i\right)", "true"),
        (r"\left(x^{\frac{1}{2}}\right)", "true"),
    ],
)
def test_brackets_are_as_high_as_what_they_hold(latex: str, stretchy: str) -> None:
    math = ElementTree.fromstring(mathml.convert([Formula(latex)])[Formula(latex)])
    assert [e.get("stretchy") for e in math.iter("mo") if e.text in ("(", ")")] == [stretchy] * 2


def test_many_formulas_keep_their_order() -> None:
    formulas = [Formula(f"x_{{{n}}}", display=bool(n % 2)) for n in range(300)]
    converted = mathml.convert([*formulas, *formulas])
    assert list(converted) == formulas
    for n, markup in enumerate(converted.values()):
        assert "".join(ElementTree.fromstring(markup).itertext()) == f"x{n}"


def test_what_pandoc_does_not_understand_is_named() -> None:
    with pytest.raises(BadFormula, match=r"\\notacommand"):
        mathml.convert([Formula("x"), Formula(r"\notacommand{y"), Formula("z")])


@given(st.lists(st.sampled_from(["a_b", "x^2", "a*b", r"\{a\}", "[a]", "a|b", r"\_", "a<b", r"a\&b", "`"]), max_size=4))
def test_markdown_means_nothing_inside_a_formula(parts: list[str]) -> None:
    """Whatever a formula holds, Markdown gives back the same text and no emphasis, no link, no code."""
    import markdown  # type: ignore[import-untyped]

    formula = Formula(" + ".join(["x", *(p for p in parts if p != "`")]))
    math = mathml.convert([formula])[formula]
    source = f"*a* <span>{math}</span> and <span>{math}</span> *b*"
    html = markdown.markdown(source, extensions=["attr_list", "tables", "md_in_html"])
    tree = ElementTree.fromstring(html)
    assert ["".join(m.itertext()) for m in tree.iter("math")] == ["".join(ElementTree.fromstring(math).itertext())] * 2
    assert [e.tag for e in tree if e.tag != "span"] == ["em", "em"]


def test_the_font_has_what_formulas_show() -> None:
    import io

    from fontTools.ttLib import TTFont

    converted = mathml.convert([Formula(r"\mathbb{E}_{x \sim p}[h(\theta)]"), Formula(r"\sum_i \sqrt{x_i}")])
    characters = mathml.characters(converted.values())
    assert {"𝔼", "∼", "θ", "∑", "h"} <= characters
    data = font.subset(characters)
    assert len(data) < 60_000
    has = TTFont(io.BytesIO(data)).getBestCmap()
    assert {ord(c) for c in "𝔼∼θ∑xhℎ𝑥𝜃√(0"} <= has.keys()
    assert ord("Ж") not in has
    assert "MATH" in TTFont(io.BytesIO(data))
