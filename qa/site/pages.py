"""Every page but those of the questions: topics, snippets, bibliography, tags, and the lists of the home page."""

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qa import model, source
from qa.site.mathml import Formula, in_prose
from qa.site.render import (
    PRIORITY,
    anchor,
    citation,
    front_matter,
    made,
    number,
    plain,
    prose,
    rejected_line,
    sentence,
    shortened,
    typeset,
)

LIKELY = 8
"""How many questions the home page lists."""

LABELS = ("Source", "Variant", "Not handled", "Worked example", "On paper")
_ROLE = re.compile(r":math:`([^`]+)`")


@dataclass(frozen=True)
class Entry:
    """What a list says of a question."""

    id: str
    question: model.Question

    @property
    def topic(self) -> str:
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Use:
    """A question that stands on a function: which function, what it says of it, and what the evidence says."""

    id: str
    ref: str
    says: str
    found: Mapping[str, Any]
    rejected: Sequence[str]


def entry_line(entry: Entry, uri: str, *, topic: str = "") -> str:
    """Return a question in a list: its link, and what is said of it in one sentence."""
    q = entry.question
    teaser = typeset(shortened(q.short, 170))
    where = f"{plain(topic)} · " if topic else ""
    return f'- [{typeset(q.question)}]({uri})\n    <span class="qa-teaser">{where}{q.level} · {teaser}</span>'


def by_priority(entries: Sequence[Entry], up: str, topics: Mapping[str, model.Topic] | None = None) -> str:
    """Return lists of questions, a heading a priority; `entries` are in order already."""
    parts = []
    for priority, words in PRIORITY.items():
        lines = [
            entry_line(e, f"{up}{e.id}.md", topic=topics[e.topic].title if topics else "")
            for e in entries
            if e.question.priority == priority
        ]
        if lines:
            parts.append(f"## {words.capitalize()}\n\n" + _wrapped("qa-list", "\n".join(lines)))
    return "\n\n".join(parts)


def topic_page(topic: model.Topic, entries: Sequence[Entry]) -> str:
    """Return a topic's page: its questions in the order of priority."""
    meta = front_matter(
        title=topic.title,
        description=shortened(f"{topic.blurb} {_many(len(entries), 'interview question')}, with tested answers."),
    )
    return (
        f"{meta}\n\n# {plain(topic.title)}\n\n{plain(topic.blurb)}\n{{: .qa-lead }}\n\n{by_priority(entries, '../')}\n"
    )


def questions_page(entries: Sequence[Entry], topics: Mapping[str, model.Topic]) -> str:
    """Return the page of all questions."""
    meta = front_matter(
        title="All questions",
        description="Every question of the bank, the most likely first.",
        search={"exclude": True},
    )
    lead = f"{_many(len(entries), 'question')}, the most likely first."
    return f"{meta}\n\n# All questions\n\n{lead}\n{{: .qa-lead }}\n\n{by_priority(entries, '', topics)}\n"


def tags_page(entries: Sequence[Entry]) -> str:
    """Return the page of tags, each with its questions; tags that differ in their capitals alone are one."""
    tags: dict[str, list[Entry]] = {}
    words: dict[str, str] = {}
    for entry in entries:
        for tag in entry.question.tags:
            words.setdefault(anchor(tag), tag)
            tags.setdefault(anchor(tag), []).append(entry)
    meta = front_matter(
        title="Tags", description="Questions by what they touch.", search={"exclude": True}, hide=["toc"]
    )
    index = " ".join(f"[{plain(words[tag])} ({len(tags[tag])})](#{tag}){{ .qa-tag }}" for tag in sorted(tags))
    sections = "\n\n".join(
        f"## {plain(words[tag])} {{ #{tag} }}\n\n"
        + "\n".join(f"- [{typeset(e.question.question)}]({e.id}.md)" for e in tags[tag])
        for tag in sorted(tags)
    )
    return f"{meta}\n\n# Tags\n\n{index}\n{{: .qa-chips }}\n\n{sections}\n"


def sources_page(references: Mapping[str, model.Reference], entries: Sequence[Entry]) -> str:
    """Return the bibliography, each source with the questions that rest on it."""
    users: dict[str, list[Entry]] = {}
    for e in entries:
        keys = [
            *e.question.sources,
            *e.question.basis.sources,
            *(k for m in e.question.misconceptions for k in m.sources),
        ]
        for key in dict.fromkeys(keys):
            users.setdefault(key, []).append(e)
    meta = front_matter(title="Sources", description="The papers and documents that the answers rest on.")
    items = []
    for key, reference in sorted(references.items(), key=lambda item: (item[1].authors.lower(), item[1].year)):
        used = ", ".join(f"[{typeset(e.question.question)}]({e.id}.md)" for e in users.get(key, []))
        items.append(
            f'<div class="qa-reference" id="{anchor(key)}" markdown>\n\n{citation(reference)}'
            + (f"\n\n{used}\n{{: .qa-from }}" if used else "")
            + "\n\n</div>"
        )
    return f"{meta}\n\n# Sources\n\n" + "\n\n".join(items) + "\n"


# ------------------------------------------------------------------------------------------------------- snippets


def snippets_page(modules: Sequence[str], topics: Mapping[str, model.Topic]) -> str:
    """Return the list of snippets by topic."""
    meta = front_matter(
        title="Snippets", description="The tested code that every answer is made from, one idea a file."
    )
    parts = [
        f"{meta}\n\n# Snippets",
        "One idea a file, in plain PyTorch and SymPy: what an answer says, a snippet computes. "
        "`python -m snippets <topic>.<idea>` runs one and prints what it shows.\n{: .qa-lead }",
    ]
    by_topic: dict[str, list[str]] = {}
    for module in modules:
        by_topic.setdefault(module.split(".")[1], []).append(module)
    for topic in sorted(by_topic, key=lambda t: (topics[t].order if t in topics else 99, t)):
        lines = [
            f"- [`{m.split('.', 1)[1]}`]({'/'.join(m.split('.')[1:])}.md): {plain(_sentence(source.module(m).doc))}"
            for m in by_topic[topic]
        ]
        parts.append(
            f"## {plain(topics[topic].title if topic in topics else topic.capitalize())}\n\n" + "\n".join(lines)
        )
    return "\n\n".join(parts) + "\n"


def snippet_page(name: str, uses: Sequence[Use], titles: Mapping[str, str], math: Mapping[Formula, str]) -> str:
    """Return a snippet's page: what it is, the questions that use it, and its code, function by function."""
    module = source.module(name)
    short = name.removeprefix("snippets.")
    meta = front_matter(title=short, description=shortened(_sentence(module.doc)), search={"boost": 0.5})
    users = sorted({use.id for use in uses if use.id in titles}, key=lambda id: titles[id])
    parts = [f"{meta}\n\n# `{short}`", docstring(module.doc, math)]
    if users:
        parts.append(
            "Used by: "
            + " · ".join(f"[{typeset(titles[id])}](../../{id}.md)" for id in users)
            + "\n{: .qa-needs data-search-exclude=x }"
        )
    parts.append(
        f'<div class="qa-run" data-search-exclude markdown>\n\n```bash\npython -m snippets {short}\n```\n\n</div>'
    )
    parts += _code(module, uses, titles, math)
    return "\n\n".join(parts) + "\n"


def snippet_formulas(name: str) -> Iterator[Formula]:
    """Yield every formula of a snippet's docstring."""
    yield from in_prose(_ROLE.sub(r"$\1$", source.module(name).doc))


def docstring(text: str, math: Mapping[Formula, str]) -> str:
    """Return a module's docstring as Markdown: paragraphs, labelled ones as a list, what is indented as it stands."""
    parts: list[str] = []
    labelled: list[str] = []
    for paragraph in [*re.split(r"\n\s*\n", text), ""]:
        lines = paragraph.splitlines()
        starts = [i for i, line in enumerate(lines) if line.partition(":")[0] in LABELS]
        if starts and starts[0] == 0:
            for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
                label, _, rest = " ".join(line.strip() for line in lines[start:end]).partition(":")
                labelled.append(f"{label}\n:   {_text(rest, math)}")
            continue
        if labelled:
            parts.append(_wrapped("qa-about", "\n\n".join(labelled)))
            labelled = []
        if lines and all(line.startswith("    ") for line in lines):
            code = textwrap.dedent(paragraph)
            parts.append(f"```{'pycon' if code.startswith('>>>') else 'text'}\n{code}\n```")
        elif lines:
            parts.append(_text(" ".join(lines), math))
    return "\n\n".join(parts)


def _text(text: str, math: Mapping[Formula, str]) -> str:
    """A docstring is not Markdown: only `code` and formulas mean something in it."""
    text = _ROLE.sub(r"$\1$", text.strip())
    pieces = re.split(r"(``.+?``|`[^`]+`|\$[^\s$](?:[^$]*[^\s$])?\$(?!\d))", text)
    return "".join(prose(piece, math) if i % 2 else plain(f"x{piece}x")[1:-1] for i, piece in enumerate(pieces))


def _code(
    module: source.Module, uses: Sequence[Use], titles: Mapping[str, str], math: Mapping[Formula, str]
) -> Iterator[str]:
    """Yield the file piece by piece; a public function has a heading, what stands between keeps its place."""
    lines = module.text.splitlines()
    body = module.tree.body[1:] if module.doc else module.tree.body
    pending: list[str] = []
    end = body[0].lineno - 1 if body else 0

    for node in body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        piece = "\n".join(lines[end : node.end_lineno])
        end = node.end_lineno or first
        if isinstance(node, source.Definition) and not node.name.startswith("_"):
            if pending:
                yield _block("\n".join(pending))
                pending = []
            yield f"## `{node.name}` {{ #{node.name} }}" + _kind(node)
            yield _block(piece)
            yield from _experiments(node.name, uses, titles, math)
        else:
            pending.append(piece)
    if pending:
        yield _block("\n".join(pending))


def _block(code: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", code)), default=0))
    return (
        f'<div class="qa-code" data-search-exclude markdown>\n\n{fence}python\n{code.strip(chr(10))}\n{fence}\n\n</div>'
    )


def _kind(node: source.Definition) -> str:
    returns = ast.unparse(node.returns) if not isinstance(node, ast.ClassDef) and node.returns else ""
    kind = (
        "an experiment" if returns == "Evidence"
        else "a derivation" if node.name.startswith("derive_")
        else "a figure" if node.name.startswith("draw_")
        else ""
    )  # fmt: skip
    return f"\n\n{kind}\n{{: .qa-kind }}" if kind else ""


def _experiments(
    name: str, uses: Sequence[Use], titles: Mapping[str, str], math: Mapping[Formula, str]
) -> Iterator[str]:
    for use in uses:
        if use.ref != name or not use.says or use.id not in titles:
            continue
        measured = ", ".join(f"{plain(key)} {number(value)}" for key, value in use.found.get("measured", {}).items())
        state = "Holds" if use.found.get("holds") else "Does not hold" if use.found else "Not proved yet"
        when = made([use.found])
        lines = [f"**{state}:** {sentence(use.says, math)}" + (f" Measured: {measured}." if measured else "")]
        if use.rejected:
            lines.append(rejected_line(use.rejected, math))
        lines.append(
            f"[{typeset(titles[use.id])}](../../{use.id}.md)" + (f" · {when}" if when else "") + "\n{: .qa-from }"
        )
        yield '<div class="qa-use" markdown>\n\n' + "\n\n".join(lines) + "\n\n</div>"


def _sentence(doc: str) -> str:
    first = " ".join(doc.split("\n\n")[0].split())
    return _ROLE.sub(r"\1", first)


def _wrapped(css: str, body: str) -> str:
    return f'<div class="{css}" markdown>\n\n{body}\n\n</div>'


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


# ----------------------------------------------------------------------------------------------------- home page


def home_lists(
    entries: Sequence[Entry],
    topics: Mapping[str, model.Topic],
    labs: Sequence[tuple[str, str]],
    counts: Mapping[str, int],
    specimen: Use | None,
    math: Mapping[Formula, str],
) -> dict[str, str]:
    """Return what stands in the place of each `<!-- qa: name -->` of the pages written by hand."""
    cards = []
    for name, topic in topics.items():
        if many := sum(e.topic == name for e in entries):
            cards.append(
                f'- [{plain(topic.title)}]({name}/index.md) <span class="qa-count">{many}</span>\n'
                f'    <span class="qa-teaser">{plain(topic.blurb)}</span>'
            )
    numbers = [
        (counts[key], word)
        for key, word in (
            ("questions", "questions"),
            ("claims", "claims with an experiment"),
            ("mistakes", "wrong versions rejected"),
            ("snippets", "tested snippets"),
        )
    ]
    return {
        "likely": _wrapped(
            "qa-list", "\n".join(entry_line(e, f"{e.id}.md", topic=topics[e.topic].title) for e in entries[:LIKELY])
        ),
        "topics": _wrapped("qa-list qa-topics", "\n".join(cards)),
        "specimen": _specimen(specimen, {e.id: e.question.question for e in entries}, math),
        "numbers": " ".join(f"<span><b>{n:,}</b> {word}</span>" for n, word in numbers),
        "labs": "\n".join(f"- [{plain(title)}]({uri})" for uri, title in labs),
    }


def _specimen(use: Use | None, titles: Mapping[str, str], math: Mapping[Formula, str]) -> str:
    """One claim of a likely question, with what was measured and what was rejected: what all this is, at a glance."""
    if use is None:
        return ""
    name, figure = next(iter(use.found["measured"].items()))
    return _wrapped(
        "qa-specimen",
        f"[{typeset(titles[use.id])}]({use.id}.md)\n{{: .qa-specimen-question }}\n\n"
        f"**Claim**{{ .qa-label }} {sentence(use.says, math)}\n\n"
        f"**Measured**{{ .qa-label }} {plain(name)}: **{number(figure)}**\n{{: .qa-specimen-holds }}\n\n"
        f"**Rejected**{{ .qa-label }} {sentence(use.rejected[0], math)}\n{{: .qa-specimen-rejects }}",
    )


def fill(text: str, lists: Mapping[str, str]) -> str:
    """Put the lists into a page written by hand."""
    return re.sub(r"<!-- qa: (\w+) -->", lambda match: lists[match[1]], text)
