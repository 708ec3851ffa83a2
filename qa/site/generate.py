"""From the bank and its evidence to every file of the site: Markdown pages, and the font that their formulas need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa import model, proof, source
from qa.loading import Loaded
from qa.site import font, labs, mathml, pages, render
from qa.site.mathml import Formula

DOCS = source.ROOT / "docs"


@dataclass(frozen=True)
class Site:
    """What was generated.

    pages:  Markdown by its place below the site's top, such as "transformers/attention-scaling.md".
    files:  other files by place.
    stale:  what is wrong with the evidence, by question or lab.
    lists:  what stands for `<!-- qa: name -->` on pages written by hand.
    order:  ids of questions by topic, in the order of priority; a topic without a question is left out.
    """

    pages: dict[str, str]
    files: dict[str, bytes]
    stale: dict[str, list[str]]
    lists: dict[str, str]
    order: dict[str, list[str]]
    titles: dict[str, str]
    labs: list[tuple[str, str]]
    math: dict[Formula, str]

    def by_hand(self, text: str) -> str:
        """Put lists and formulas into a page written by hand."""
        return render.prose(pages.fill(text, self.lists), self.math)

    def nav(self) -> list[Any]:
        """Return MkDocs' navigation: topics, but no questions, which would cost quadratic time."""
        topics = [{self.titles[name]: [f"{name}/index.md"]} for name in self.order]
        labs = [{title: uri} for uri, title in self.labs]
        return [
            {"Home": "index.md"},
            {"Questions": ["questions.md", *topics]},
            {"Snippets": ["snippets/index.md"]},
            *([{"Labs": labs}] if labs else []),
            {"Tags": "tags.md"},
            {"Sources": "sources.md"},
            *sorted(page.name for page in DOCS.glob("*.md") if page.name != "index.md"),
        ]


def generate(loaded: Loaded, math: dict[Formula, str] | None = None) -> Site:
    """Make every page. `math` keeps formulas that were converted before, for `mkdocs serve`.

    Raises mathml.BadFormula, and source.NotFoundInSource where a question names what is not there.
    """
    math = {} if math is None else math
    ids = loaded.order()
    notebooks = sorted((proof.EVIDENCE / "labs").glob("*.ipynb"))
    evidence = {id: proof.evidence(id) for id in ids}
    modules = source.all_modules()
    _convert(loaded, evidence, modules, notebooks, math)

    titles = {id: loaded.questions[id].question for id in ids}
    stale = {id: found for id in ids if (found := proof.stale(id, loaded.questions[id]))}
    entries = [pages.Entry(id, loaded.questions[id]) for id in ids]
    order = {name: mine for name in loaded.topics if (mine := [id for id in ids if id.partition("/")[0] == name])}
    made: dict[str, str] = {}
    for id in ids:
        made[f"{id}.md"] = render.render(
            render.Page(
                id=id,
                question=loaded.questions[id],
                evidence=evidence[id],
                stale=stale.get(id, []),
                figures=_figures(id, evidence[id]),
                titles=titles,
                references=loaded.references,
                math=math,
                code=source.find,
                call=proof.call,
            )
        )
    for name in order:
        made[f"{name}/index.md"] = pages.topic_page(loaded.topics[name], [e for e in entries if e.topic == name])
    uses = _uses(loaded, evidence)
    for module in modules:
        made["/".join(module.split(".")) + ".md"] = pages.snippet_page(module, uses.get(module, []), titles, math)
    made["snippets/index.md"] = pages.snippets_page(modules, loaded.topics)
    made["questions.md"] = pages.questions_page(entries, loaded.topics)
    made["tags.md"] = pages.tags_page(entries)
    made["sources.md"] = pages.sources_page(loaded.references, entries)

    titled = [(f"labs/{path.name}", labs.title(path)) for path in notebooks]
    stale |= {f"labs/{task.name}": [f"labs {task.name}"] for task in proof.lab_tasks() if proof.is_stale(task)}
    return Site(
        pages=made,
        files={font.URI: font.subset(mathml.characters(math.values()))},
        stale=stale,
        lists=pages.home_lists(
            entries, loaded.topics, titled, _counts(loaded, evidence, modules), _specimen(ids, uses), math
        ),
        order=order,
        titles={name: topic.title for name, topic in loaded.topics.items()},
        labs=titled,
        math=math,
    )


def export(site: Site, folder: Path) -> None:
    """Write the site's Markdown, the pages written by hand among it, as files for any generator that reads Markdown."""
    for page in DOCS.rglob("*.md"):
        _write(folder / page.relative_to(DOCS), site.by_hand(page.read_text("utf-8")).encode())
    for uri, text in site.pages.items():
        _write(folder / uri, text.encode())
    for uri, content in site.files.items():
        _write(folder / uri, content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _convert(
    loaded: Loaded,
    evidence: Mapping[str, Mapping[str, Any]],
    modules: list[str],
    notebooks: list[Path],
    math: dict[Formula, str],
) -> None:
    """Convert, in one call, every formula that is not known yet."""

    def needed() -> Iterator[Formula]:
        for id, question in loaded.questions.items():
            yield from render.formulas(question, evidence[id])
        for module in modules:
            yield from pages.snippet_formulas(module)
        for notebook in notebooks:
            yield from labs.formulas(labs.read(notebook))
        for page in DOCS.rglob("*.md"):
            yield from mathml.in_prose(page.read_text("utf-8"))

    math.update(mathml.convert(f for f in needed() if f not in math))


def _figures(id: str, evidence: Mapping[str, Any]) -> dict[str, str]:
    folder = proof.path_of(id).parent
    files = {shown["file"] for shown in evidence.get("shown", {}).values() if "file" in shown}
    return {file: (folder / file).read_text("utf-8") for file in files if (folder / file).is_file()}


def _uses(loaded: Loaded, evidence: Mapping[str, Mapping[str, Any]]) -> dict[str, list[pages.Use]]:
    """Return, by module, what the questions say of its functions; `says` is empty where they only show it."""
    uses: dict[str, list[pages.Use]] = {}

    def use(ref: str, id: str, says: str = "", call: str = "") -> None:
        module, _, name = ref.partition(":")
        found = evidence[id].get("checks", {}).get(call, {})
        rejected = render.rejects(evidence[id], call) if call else []
        uses.setdefault(module, []).append(pages.Use(id, name.partition(".")[0], says, found, rejected))

    for id in loaded.order():
        question = loaded.questions[id]
        for claim in question.claims:
            use(claim.check, id, claim.says, proof.call(claim.check, claim.with_))
        for misconception in question.misconceptions:
            if misconception.check:
                use(misconception.check, id)
        for shown in question.shows.values():
            use(next(ref for kind in KINDS if (ref := getattr(shown, kind, None))), id)
        for drill in question.drills:
            if not isinstance(drill, model.ChoiceDrill):
                use(drill.number if isinstance(drill, model.NumberDrill) else drill.code, id)
    return uses


def _specimen(ids: list[str], uses: Mapping[str, list[pages.Use]]) -> pages.Use | None:
    """Return a claim of the likeliest question: one that holds, measured a fraction, and rejected a mistake."""

    def tells(use: pages.Use) -> bool:
        first = next(iter(use.found.get("measured", {}).values()), None)
        return (
            bool(use.says and use.rejected and use.found["holds"]) and isinstance(first, float) and 0.01 < first < 1e4
        )

    shown = [use for mine in uses.values() for use in mine if tells(use)]
    return min(shown, key=lambda use: ids.index(use.id), default=None)


KINDS = ("code", "value", "formula", "figure", "table")


def _counts(loaded: Loaded, evidence: Mapping[str, Mapping[str, Any]], modules: list[str]) -> dict[str, int]:
    rejected = sum(
        verdict == "rejects"
        for found in evidence.values()
        for row in found.get("mistakes", {}).values()
        for verdict in row["verdicts"].values()
    )
    claims = sum(len(question.claims) for question in loaded.questions.values())
    return {"questions": len(loaded.questions), "claims": claims, "mistakes": rejected, "snippets": len(modules)}
