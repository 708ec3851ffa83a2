"""The pages that are no question's, and what is generated as a whole."""

import re
from pathlib import Path

import pytest

from qa import bank, source
from qa.loading import Loaded
from qa.site import generate, mathml, pages
from qa.site.mathml import Formula
from tests.qa.site import made_up


@pytest.fixture
def site(in_place: Loaded) -> generate.Site:
    return generate.generate(in_place)


def test_every_question_topic_and_snippet_has_a_page(site: generate.Site) -> None:
    snippets = {name.replace(".", "/") + ".md" for name in source.all_modules()}
    lists = {"questions.md", "tags.md", "sources.md", "snippets/index.md", "transformers/index.md"}
    assert site.pages.keys() == {f"{id}.md" for id in made_up.bank(4).questions} | snippets | lists


def test_a_topic_lists_its_questions_by_priority(site: generate.Site) -> None:
    page = site.pages["transformers/index.md"]
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [
        "Nearly always asked",
        "Often asked",
        "Sometimes asked",
        "Seldom asked",
    ]
    found = re.findall(r"\]\(\.\./(\S+)\.md\)", page)
    assert (
        found
        == site.order["transformers"]
        == [made_up.SCALING, made_up.SELF, f"{made_up.SCALING}-2", f"{made_up.SCALING}-3"]
    )


def test_a_topic_without_questions_is_left_out(site: generate.Site) -> None:
    assert "vaes" not in site.order
    assert "Variational" not in str(site.nav()) + site.lists["topics"]


def test_the_navigation_has_topics_and_no_questions(site: generate.Site) -> None:
    assert {"Questions": ["questions.md", {"Transformers": ["transformers/index.md"]}]} in site.nav()
    assert {"Labs": [{"A made-up lab": "labs/made_up.ipynb"}]} in site.nav()
    assert "attention-scaling" not in str(site.nav())


def test_a_snippet_says_who_uses_it_and_what_it_rejects(site: generate.Site) -> None:
    page = site.pages["snippets/transformers/attention.md"]
    assert "[Why is dot-product attention divided by √d<sub>k</sub>?](../../transformers/attention-scaling.md)" in page
    assert "```bash\npython -m snippets transformers.attention\n```" in page
    module = source.module("snippets.transformers.attention")
    assert re.findall(r"^## `(\w+)` \{", page, re.MULTILINE) == module.functions
    after = page[page.index("## `scale_keeps_unit_variance`") :]
    assert "standard deviation of the logits 1.003" in after[: after.index("## `", 5)]
    assert "instead of its root" in after[: after.index("## `", 5)]
    assert "an experiment" in after[:200]


def test_a_snippets_page_holds_its_whole_file(site: generate.Site) -> None:
    for name in source.all_modules():
        page = site.pages[name.replace(".", "/") + ".md"]
        blocks = re.findall(r"^(`{3,})python\n(.*?)\n\1$", page, re.MULTILINE | re.DOTALL)
        code = [line for _, block in blocks for line in block.splitlines() if line.strip()]
        module = source.module(name)
        end_of_doc = module.tree.body[0].end_lineno if module.doc else 0
        assert code == [line for line in module.text.splitlines()[end_of_doc:] if line.strip()], name


DOC = """One idea_x.

    f(x) = 2

Source: A, :math:`W^Q`.
Variant: b,
    `c_d` too.

    >>> 1 + 1
    2

Last."""


def test_docstrings_show_labels_and_code() -> None:
    math = {Formula("W^Q"): "<math></math>"}
    assert pages.docstring(DOC, math).split("\n\n") == [
        "One idea\\_x.",
        "```text\nf(x) = 2\n```",
        '<div class="qa-about" markdown>',
        'Source\n:   A, <span class="qa-math"><math></math></span>.',
        "Variant\n:   b, `c_d` too.",
        "</div>",
        "```pycon\n>>> 1 + 1\n2\n```",
        "Last.",
    ]


def test_tags_and_sources_list_their_questions(site: generate.Site) -> None:
    tags, sources = site.pages["tags.md"], site.pages["sources.md"]
    assert re.findall(r"^## (\w+) \{ #\w+ \}", tags, re.MULTILINE) == ["attention", "initialisation", "softmax"]
    assert tags.count("](transformers/self-attention.md)") == 1
    assert "https://arxiv.org/abs/1706.03762" in sources
    assert sources.count("](transformers/") == 4


def test_the_home_page_lists_what_is_likely_and_a_claim(site: generate.Site) -> None:
    home = site.by_hand((generate.DOCS / "index.md").read_text("utf-8"))
    assert "<!-- qa:" not in home
    assert home.index("transformers/attention-scaling.md") < home.index("transformers/self-attention.md")
    assert "standard deviation of the logits: **1.003**" in home
    assert "<b>4</b> questions" in home
    assert "<b>7</b> claims" in home


def test_an_unknown_list_is_an_error(site: generate.Site) -> None:
    with pytest.raises(KeyError, match="likly"):
        site.by_hand("<!-- qa: likly -->")


def test_formulas_that_are_known_are_not_converted_again(in_place: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    again = "<math><mi>again</mi></math>"
    known = generate.generate(in_place).math
    monkeypatch.setattr(mathml, "convert", lambda formulas: dict.fromkeys(formulas, again))
    assert again not in generate.generate(in_place, dict(known)).math.values()
    assert again in generate.generate(in_place, {}).math.values()


def test_export_writes_every_page(site: generate.Site, tmp_path: Path) -> None:
    generate.export(site, tmp_path)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")}
    assert written == site.pages.keys() | {page.name for page in generate.DOCS.glob("*.md")}
    assert (tmp_path / "transformers/attention-scaling.md").read_text("utf-8") == site.pages[
        "transformers/attention-scaling.md"
    ]
    assert "<!-- qa:" not in (tmp_path / "index.md").read_text("utf-8")
    assert (tmp_path / "assets/fonts/stix-two-math.woff2").read_bytes()[:4] == b"wOF2"


def test_our_own_bank_makes_every_page() -> None:
    loaded = bank.load()
    site = generate.generate(loaded)
    assert {f"{id}.md" for id in loaded.questions} <= site.pages.keys()
    for id, question in loaded.questions.items():
        page = site.pages[f"{id}.md"]
        assert not re.search(r"\{\{ \w+ \}\}", re.sub(r"`{3,}.*?`{3,}", "", page, flags=re.DOTALL)), id
        assert page.count('class="qa-claim') == len(question.claims)
        if id not in site.stale:
            assert "qa-missing" not in page, id
