"""The built site: strict, complete, and asking nobody for anything."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from mkdocs.exceptions import Abort

from qa import proof
from qa.loading import Loaded
from tests.qa.site import made_up
from tests.qa.site.conftest import build_site


class Page(HTMLParser):
    """What a built page refers to, and the places in it that can be referred to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        if named.get("id"):
            self.ids.append(str(named["id"]))
        if tag == "a" and named.get("href") is not None:
            self.links.append(str(named["href"]))
        if tag == "link" and named.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loads.append(str(named["href"]))
        if tag in ("script", "img", "iframe", "source", "object", "embed") and named.get("src"):
            self.loads.append(str(named["src"]))

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.tags if name == tag)


@pytest.fixture(scope="session")
def crawled(built: Path) -> dict[str, Page]:
    """Every page of the built site, by its place."""
    return {path.relative_to(built).as_posix(): Page(path) for path in sorted(built.rglob("*.html"))}


QUESTION = "transformers/attention-scaling/index.html"


def test_every_page_is_there(crawled: dict[str, Page]) -> None:
    for id in made_up.bank(4).questions:
        assert f"{id}/index.html" in crawled
    for page in ("index.html", "transformers/index.html", "snippets/transformers/attention/index.html"):
        assert page in crawled
    assert {
        "questions/index.html",
        "tags/index.html",
        "sources/index.html",
        "labs/made_up/index.html",
    } <= crawled.keys()


def test_every_link_leads_somewhere(built: Path, crawled: dict[str, Page]) -> None:
    """Raw HTML and notebooks too, which MkDocs does not check; and no link names its host or the top of it."""
    checked = 0
    for where, page in crawled.items():
        if where == "404.html":  # it is shown in the place of pages at any depth, so it cannot be relative
            continue
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme:
                assert link not in page.loads, f"{where} loads {link}"
                continue
            assert not link.startswith("/"), f"{where} links to {link}, which works from no other prefix"
            target = (built / where).parent / unquote(parts.path) if parts.path else built / where
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{where} links to {link}"
            key = target.resolve().relative_to(built.resolve()).as_posix()
            if parts.fragment and key in crawled:
                assert unquote(parts.fragment) in crawled[key].ids, f"{where} links to {link}"
            checked += 1
    assert checked > 500


def test_style_sheets_load_nothing_from_elsewhere(built: Path) -> None:
    for sheet in built.rglob("*.css"):
        for address in re.findall(r"url\(([^)]+)\)", sheet.read_text("utf-8")):
            assert not re.match(r"['\"]?(https?:)?//", address), f"{sheet.name} loads {address}"
    ours = (built / "assets/answers.css").read_text("utf-8")
    assert (built / "assets" / re.findall(r'url\("(fonts/[^"]+)"\)', ours)[0]).is_file()


def test_every_page_has_a_description_of_its_own(crawled: dict[str, Page]) -> None:
    found = {
        where: [str(m["content"]) for m in page.named("meta") if m.get("name") == "description"]
        for where, page in crawled.items()
        if where != "404.html"
    }
    assert {where for where, texts in found.items() if len(texts) != 1 or len(texts[0]) < 20} == set()
    assert len({texts[0] for where, texts in found.items() if where.count("/") > 1}) > len(found) / 2


def test_ids_are_unique(crawled: dict[str, Page]) -> None:
    for where, page in crawled.items():
        assert sorted(page.ids) == sorted(set(page.ids)), where


def test_question_pages_have_their_place(built: Path) -> None:
    """They stand outside the navigation, and yet have a topic above them and neighbours beside them."""
    order = [made_up.SCALING, made_up.SELF, f"{made_up.SCALING}-2", f"{made_up.SCALING}-3"]
    for before, id, after in zip([None, *order], order, [*order[1:], None], strict=False):
        page = (built / id / "index.html").read_text("utf-8")
        path = page[page.index('class="md-path"') : page.index("md-content__inner")]
        assert "../" in path
        assert "Transformers" in path
        previous = f'rel="prev" href="../{before.partition("/")[2]}/"' if before else 'rel="prev" href="../"'
        assert previous in page
        assert (f'rel="next" href="../{after.partition("/")[2]}/"' if after else 'rel="next"') in page or not after
    assert 'rel="next"' not in (built / order[-1] / "index.html").read_text("utf-8")


def test_formulas_and_figures_stand_in_the_page(built: Path, crawled: dict[str, Page]) -> None:
    html = (built / QUESTION).read_text("utf-8")
    article = html[html.index("<article") : html.index("</article>")]
    assert article.count("<math") > 15
    assert "<msqrt>" in article
    assert "$d_k" not in article
    assert "klzzwxh" not in article, "a placeholder of Markdown was left behind"
    assert "markdown=" not in article
    assert "$0.15 to $0.60" in article
    assert [f["aria-label"] for f in crawled[QUESTION].named("svg") if f.get("role") == "img"] == [
        'Largest weight, with & without "scale".'
    ]
    assert len([t for t in crawled[QUESTION].named("table") if t.get("class") == "qa-table"]) == 3


def test_a_lab_shows_its_output_without_scripts_from_elsewhere(built: Path) -> None:
    html = (built / "labs/made_up/index.html").read_text("utf-8")
    assert "forty-two" in html
    assert html.count("<math") == 2
    assert "<mfrac>" in html
    assert not re.search(r"mathjax|require\.js|cdnjs|jsdelivr|unpkg", html, re.IGNORECASE)
    assert len(html) < 60_000, "the half megabyte of styles is left out"


def test_other_wordings_are_found(built: Path) -> None:
    docs = json.loads((built / "search/search_index.json").read_text("utf-8"))["docs"]
    (found,) = {
        d["location"]
        for d in docs
        if "What happens to attention without the scaling factor" in d["text"] and "scaling/" in d["location"]
    }
    assert found == "transformers/attention-scaling/"
    assert not [d for d in docs if "def attention" in d["text"]], "code is left out of the search"
    assert not [d for d in docs if "width of a head</text>" in d["text"] or "width of a head width" in d["text"]]


def test_names_that_the_theme_leaves_out(crawled: dict[str, Page]) -> None:
    page = crawled[QUESTION]
    assert [d["aria-label"] for _, d in page.tags if d.get("role") == "dialog"] == ["Search"]
    for where in (QUESTION, "transformers/index.html", "index.html"):
        labels = [str(n["aria-label"]) for n in crawled[where].named("nav") if n.get("aria-label")]
        assert sorted(labels) == sorted(set(labels)), where


def test_stale_evidence_stops_a_strict_build(
    in_place: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proof, "stale", lambda id, question: ["shown std"] if id == made_up.SCALING else [])
    with pytest.raises(Abort, match="1 warnings"):
        build_site(tmp_path / "site")
    (said,) = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert f"python -m qa prove {made_up.SCALING}" in said
    assert "shown std" in said


def test_a_link_to_nowhere_stops_a_strict_build(in_place: Loaded, tmp_path: Path) -> None:
    in_place.questions[made_up.SELF] = made_up.question(made_up.SELF, answer="See [this](nowhere.md). {{ attention }}")
    with pytest.raises(Abort):
        build_site(tmp_path / "site")


def test_a_formula_that_is_none_is_named(in_place: Loaded, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    in_place.questions[made_up.SELF] = made_up.question(made_up.SELF, answer=r"See $\notacommand{x}$. {{ attention }}")
    with pytest.raises(Abort):
        build_site(tmp_path / "site")
    assert r"pandoc cannot turn into MathML: \notacommand{x}" in caplog.text


def test_formulas_are_converted_in_one_call(in_place: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pypandoc

    calls: list[str] = []

    def convert(text: str, *rest: Any, **named: Any) -> str:
        calls.append(text)
        return str(original(text, *rest, **named))

    original = pypandoc.convert_text
    monkeypatch.setattr(pypandoc, "convert_text", convert)
    for id in in_place.questions:  # formulas that no other test has shown to the plugin
        answer = rf"$x_{{{len(id)}}} + {tmp_path.name[-1]}$ and $y_{{{len(id)}}} + 5$. {{{{ attention }}}}"
        in_place.questions[id] = made_up.question(made_up.SELF, answer=answer)
    build_site(tmp_path / "site")
    assert len(calls) == 1
    assert calls[0].count("$y_") == len({len(id) for id in in_place.questions})
