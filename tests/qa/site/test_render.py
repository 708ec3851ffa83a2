"""The page of a question, as Markdown: what stands in it, and that nothing is passed over in silence."""

import copy
import re
from typing import Any

import pytest

from qa import proof, source
from qa.site import mathml, render
from tests.qa.site import made_up


def page(evidence: dict[str, Any] | None = None, **changed: Any) -> render.Page:
    """Return what the made-up question's page is made from, with other evidence or a changed question."""
    evidence = made_up.EVIDENCE if evidence is None else evidence
    question = made_up.question(**changed)
    bank = made_up.bank()
    return render.Page(
        id=made_up.SCALING,
        question=question,
        evidence=evidence,
        stale=[],
        figures={"attention-scaling.spread.svg": made_up.SVG},
        titles={id: q.question for id, q in bank.questions.items()},
        references=bank.references,
        math=mathml.convert(render.formulas(question, evidence)),
        code=source.find,
        call=proof.call,
    )


@pytest.fixture(scope="module")
def text() -> str:
    return render.render(page())


def section(text: str, heading: str) -> str:
    """Return what stands under a heading."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading}"
    return found[1]


def test_it_is_pure(text: str) -> None:
    assert render.render(page()) == text


def test_the_short_answer_stands_before_the_whole(text: str) -> None:
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [
        "The whole answer",
        "Evidence",
        "What costs candidates the offer",
        "What an interviewer listens for",
        "What comes next in the room",
        "Practise",
        "Sources",
        "About this page",
    ]
    assert text.index("In 30 seconds") < text.index("## The whole answer")
    assert "What happens to attention without the scaling factor?" in text[: text.index("## ")]


def test_front_matter_is_yaml(text: str) -> None:
    import yaml

    meta = yaml.safe_load(text.split("---")[1])
    assert meta["title"] == "Why is dot-product attention divided by √d_k?"
    assert 50 < len(meta["description"]) <= 160
    assert render.render(page(question='Is "x: y" #1 a \\ problem?')).splitlines()[1] == (
        r'title: "Is \"x: y\" #1 a \\ problem?"'
    )


def test_everything_shown_stands_in_its_place(text: str) -> None:
    answer = section(text, "The whole answer")
    places = [
        "def attention(",
        "22.6",
        "qa-derivation",
        "<table" if "<table" in answer else "| Model",
        "<svg",
        "| width",
    ]
    assert [answer.index(each) for each in places] == sorted(answer.index(each) for each in places)
    assert "{{" not in answer.replace("{{ ", "", 0) or "{{" not in re.sub(r"\{: .*?\}", "", answer)


def test_a_value_links_to_the_function_that_made_it(text: str) -> None:
    assert "[22.6](../snippets/transformers/attention.md#unscaled_std){ .qa-value" in text
    assert 'title="computed by unscaled&#95;std(d&#95;k=512)"' in text


def test_a_value_inside_a_formula_is_part_of_it(text: str) -> None:
    formulas = re.findall(r"<math.*?</math>", section(text, "The whole answer"))
    assert any("<mn>22.6</mn>" in each and "<msqrt>" in each for each in formulas)


def test_code_is_the_tested_source(text: str) -> None:
    code = source.find("snippets.transformers.attention:attention").code.rstrip()
    assert f"```python\n{code}\n```" in section(text, "The whole answer")
    assert "(../snippets/transformers/attention.md#attention)" in text


def test_headings_of_an_answer_stand_below_its_own() -> None:
    text = render.render(page(answer="One.\n\n## Two\n\n### Three\n\n#hash {{ attention }}"))
    assert re.findall(r"^#+ ?T.*$", text, re.MULTILINE)[:3] == ["## The whole answer", "### Two", "#### Three"]
    assert "\n#hash " in text


def test_money_and_code_are_no_formulas(text: str) -> None:
    assert "A price of $0.15 to $0.60 a million tokens does not notice it; `$x$` is code." in text


def test_steps_of_a_derivation_are_named_and_numbered(text: str) -> None:
    steps = re.findall(r'<li><span class="qa-step">(.*?)</span>.*?<math display="block">', text)
    assert steps == ["one term", "the sum of d&#95;k terms"]
    assert "2 steps, each proved with SymPy" in text


def test_a_figure_has_a_name_and_ids_of_its_own(text: str) -> None:
    (figure,) = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert 'role="img" aria-label="Largest weight, with &amp; without &quot;scale&quot;."' in figure
    assert 'viewBox="0 0 345.6 237.6"' in figure
    assert "max-width:461px" in figure
    assert set(re.findall(r'\bid="([^"]+)"', figure)) == {"spread-tick", "spread-figure_1", "spread-clip"}
    assert 'href="#spread-tick"' in figure
    assert "url(#spread-clip)" in figure
    assert not re.search(r"xlink|<\?xml|DOCTYPE|<style|\bheight=\"237", figure)


def test_a_table_keeps_its_cells(text: str) -> None:
    assert "| width | kind |\n| ---: | --- |\n| 64 | small&#124;narrow |\n| 4,096 | wide |" in text


def test_claims_show_what_was_measured_and_rejected(text: str) -> None:
    evidence = section(text, "Evidence")
    assert "**2 of 2 hold.**" in evidence
    assert evidence.count('class="qa-claim qa-holds"') == 2
    assert "<dt>standard deviation of the logits</dt><dd>1.003</dd>" in evidence
    assert "<dt>keys</dt><dd>12,345</dd>" in evidence
    assert "<dd>4.40 × 10<sup>−16</sup></dd>" in evidence
    first, second = re.findall(r"^Rejects .*$", evidence, re.MULTILINE)
    assert ("instead of its root" in first, "over the queries" in first) == (True, False)
    assert ("instead of its root" in second, "over the queries" in second) == (False, True)
    assert "zeros from `attention`" in first
    assert "first argument" not in second, "a crash rejects nothing"
    assert "def scale_keeps_unit_variance(" in evidence
    assert "- math.sqrt(q.shape[-1])\n+ q.shape[-1]" in evidence
    for command in ("python -m snippets transformers.attention", f"python -m qa prove {made_up.SCALING}"):
        assert command in evidence


def test_a_claim_that_fails_or_was_not_proved_says_so() -> None:
    evidence = copy.deepcopy(made_up.EVIDENCE)
    evidence["checks"][made_up.UNIT]["holds"] = False
    del evidence["checks"][made_up.ONE]
    found = section(render.render(page(evidence)), "Evidence")
    assert "**0 of 2 hold.**" in found
    assert "**Does not hold**" in found
    assert "**Not proved yet**" in found


def test_evidence_of_an_older_question_still_makes_a_page() -> None:
    drill = {**made_up.QUESTIONS[made_up.SCALING]["drills"][1], "vary": {"heads": [1, 2]}, "ask": "And {heads} heads?"}
    shows = {**made_up.QUESTIONS[made_up.SCALING]["shows"], "std": {"table": "snippets.transformers.attention:weights"}}
    text = render.render(page(drills=[drill], shows=shows))
    assert "And (heads) heads?" in section(text, "Practise")
    assert 'class="qa-missing">std' in text


def test_a_sentence_has_its_subscripts_and_keeps_its_code() -> None:
    said = page().prose("Divide by √d_k, not `d_k`; $d_k$ and head_dim stay, d_model too, and _this_ is emphasis.")
    assert said.startswith("Divide by √d<sub>k</sub>, not `d_k`; <span")
    assert said.endswith("</span> and head_dim stay, d<sub>model</sub> too, and _this_ is emphasis.")


@pytest.mark.parametrize("name", ["std", "variance", "sum", "spread", "widths"])
def test_what_was_not_computed_is_said_in_its_place(name: str) -> None:
    evidence = copy.deepcopy(made_up.EVIDENCE)
    del evidence["shown"][name]
    missing = f'class="qa-missing">{name}: not computed yet (python -m qa prove {made_up.SCALING})'
    assert missing in section(render.render(page(evidence)), "The whole answer")
    assert missing not in section(render.render(page()), "The whole answer")


def test_without_any_evidence_there_is_still_a_page() -> None:
    text = render.render(page({}))
    assert text.count("qa-missing") >= 5
    assert "**Not proved yet**" in text
    assert "not yet: `python -m qa prove" in section(text, "About this page")


def test_stale_evidence_is_a_badge() -> None:
    from dataclasses import replace

    old = page()
    fields = {name: getattr(old, name) for name in old.__dataclass_fields__ if name != "shown"}
    text = render.render(render.Page(**{**fields, "stale": ["checks a:b_c"]}))
    assert "The evidence of this page is not up to date" in text
    assert "checks a:b\\_c" in text
    assert "not up to date" not in render.render(replace(old, stale=[]))


def test_key_points_stand_in_the_order_of_their_weight(text: str) -> None:
    points = section(text, "What an interviewer listens for")
    assert re.findall(r"^- \*\*(\w+)\*\*", points, re.MULTILINE) == ["must", "should", "bonus"]


def test_misconceptions_say_wrong_right_and_why_to_believe_it(text: str) -> None:
    found = section(text, "What costs candidates the offer")
    assert found.index("makes the weights sum to one") < found.index("The softmax does that")
    assert "a published answer gets this wrong" in found
    assert "checked by [`weights_sum_to_one`]" in found
    assert "[Ashish Vaswani et al., 2017](../sources.md#vaswani2017attention)" in found


def test_drills_keep_their_answers_folded(text: str) -> None:
    drills = section(text, "Practise")
    assert "logits for heads of 64?" in drills
    shown = re.sub(r"<details.*?</details>", "", drills, flags=re.DOTALL)
    folded = "".join(re.findall(r"<details.*?</details>", drills, re.DOTALL))
    assert "**8** = the root of" in folded
    assert "**8** = the root of" not in shown
    assert "| 1024 | 32 |" in folded
    assert "More keys add logits" in folded
    assert "More keys add logits" not in shown
    assert "1. A longer context\n2. A wider head" in shown
    assert "logits = q @ k" not in drills, "the body is for the reader to write"
    assert "def attention(q: Tensor" in folded


def test_follow_ups_link_or_answer(text: str) -> None:
    found = section(text, "What comes next in the room")
    assert "[What does self-attention compute?](../transformers/self-attention.md)" in found
    assert '<summary markdown="span">What changes under muP?</summary>' in found


def test_the_end_says_what_it_all_rests_on(text: str) -> None:
    about = section(text, "About this page")
    assert "1 of 5, nearly always asked" in about
    assert "attention-significance" in about
    assert "Asked in most published question lists" in about
    assert "2026-11-21, with Python 3.11.7, PyTorch 2.13.0, SymPy 1.14.0" in about
    assert "for a senior engineer" in about


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (True, "yes"),
        (12345, "12,345"),
        (0.5, "0.5"),
        (-1234.567, "−1,235"),
        (0.0, "0"),
        (1.5e-9, "1.50 × 10<sup>−9</sup>"),
        (-2e7, "−2.00 × 10<sup>7</sup>"),
        ("a_b", "a&#95;b"),
    ],
)
def test_numbers_are_short_enough_to_read(figure: Any, text: str) -> None:
    assert render.number(figure) == text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("√d_k and x_t", "√d<sub>k</sub> and x<sub>t</sub>"),
        ("p_data", "p<sub>data</sub>"),
        ("head_dim, is_causal", r"head\_dim, is\_causal"),
        ("q_proj_weight", r"q\_proj\_weight"),
        ("f_name(x)", r"f\_name(x)"),
    ],
)
def test_subscripts_are_set_and_names_left(text: str, html: str) -> None:
    assert render.typeset(text) == html


def test_text_means_itself_in_markdown() -> None:
    import html

    import markdown  # type: ignore[import-untyped]

    text = "a *b* _c_ `d` [e](f) <g> # h | i ~ {j} \\k 1 < 2 & 3"
    for safe in (render.plain, render.attribute):
        shown = markdown.markdown(f"**x** {safe(text)}").removeprefix("<p><strong>x</strong> ").removesuffix("</p>")
        assert "<" not in shown
        assert html.unescape(shown) == text


def test_versions_and_dates_are_put_together() -> None:
    parts = [{"made": {"on": "2026-11-20", "torch": "2.12.0"}}, {"made": {"on": "2026-11-21", "torch": "2.13.0"}}, {}]
    assert render.made(parts) == "2026-11-20 to 2026-11-21, with PyTorch 2.12.0 and 2.13.0"
    assert render.made([{}]) == ""


def test_a_long_fence_holds_code_with_fences() -> None:
    code = 'def f() -> str:\n    """```"""\n'
    found = source.find("snippets.transformers.attention:attention")
    from dataclasses import replace

    assert "\n````python\n" in render.code_block(replace(found, code=code))
