"""A question as Markdown: one pure function, `render`, and what other pages share with it.

Links between pages are Markdown links to .md files, which MkDocs checks and makes relative; raw HTML holds none.
"""

import ast
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qa import model
from qa.site.mathml import Formula, in_prose, replace_in_prose
from qa.source import Source

PRIORITY = {1: "nearly always asked", 2: "often asked", 3: "sometimes asked", 4: "seldom asked", 5: "rarely asked"}
LEVEL = {
    "engineer": "for an engineer",
    "senior": "for a senior engineer",
    "architect": "for an architect",
}
WEIGHT = {"must": "Must be said", "should": "Should be said", "bonus": "Bonus"}
TRIED_ON_ALL = {"zeros": "zeros from", "first argument": "the first argument handed back by"}
"""Mistakes that are tried on every function without being listed, as the evidence names them and as we do."""

_MEANT = re.compile(r"([\\`*_{}\[\]#])")
_HEADING = re.compile(r"^(#{1,5} )", re.MULTILINE)
"""A heading inside an answer stands one level below that of the answer; answers hold no code of their own."""

_ENTITIES = {ord(c): f"&#{ord(c)};" for c in "*_`[]{}|\\"}
_SUBSCRIPT = re.compile(r"(?<![\w.])([^\W\d_])\\_(\w{1,5})(?![\w\\(])")
_LOWERED = re.compile(r"(?<![\w./-])([^\W\d_])_(\w{1,5})(?![\w(])")
CASES = 12
"""How many lines of a drill's table a page shows at most."""


@dataclass(frozen=True)
class Page:
    """Everything that the page of a question is made from.

    id, question:      the question.
    evidence:          what proving found, as qa.proof.evidence gives it; {} when nothing was proved yet.
    stale:             what of it is stale or missing, in words.
    figures:           SVG text by file name.
    titles:            every question of the bank, by id; references: the bibliography, by key.
    math:              MathML of every formula that `formulas` names.
    code:              looks a reference up in the source.
    call:              names a check with its arguments, as the evidence does.
    """

    id: str
    question: model.Question
    evidence: Mapping[str, Any]
    stale: list[str]
    figures: Mapping[str, str]
    titles: Mapping[str, str]
    references: Mapping[str, model.Reference]
    math: Mapping[Formula, str]
    code: Callable[[str], Source]
    call: Callable[[str, dict[str, Any]], str]
    shown: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", self.evidence.get("shown", {}))

    def prose(self, text: str) -> str:
        return sentence(text, self.math)


def render(page: Page) -> str:
    """Return the Markdown of a question's page, front matter included."""
    q = page.question
    parts = [
        front_matter(
            title=q.question,
            description=shortened(q.short),
            search={"boost": {1: 2, 2: 1.6, 3: 1.3, 4: 1.1, 5: 1}[q.priority]},
        ),
        f"# {typeset(q.question)}",
        _chips(page),
        _asked_as(q),
        _badge(page),
        f'<div class="qa-short" markdown>\n\n**In 30 seconds**{{ .qa-label }}\n\n{typeset(q.short)}\n\n</div>',
        _answer(page),
        _claims(page),
        _misconceptions(page),
        _key_points(page),
        _follow_ups(page),
        _drills(page),
        _sources(page),
        _about(page),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def formulas(question: model.Question, evidence: Mapping[str, Any]) -> Iterator[Formula]:
    """Yield every formula that the question's page will show: what `render` wants to find in `Page.math`."""
    for text in _texts(question.model_dump(exclude={"shows", "mistakes"})):
        yield from in_prose(_numbers_in_formulas(text, question, evidence))
    for mistake in question.mistakes:
        yield from in_prose(mistake.says)
    for row in evidence.get("mistakes", {}).values():
        for says in row["verdicts"]:
            yield from in_prose(says)
    for name, shown in question.shows.items():
        if isinstance(shown, model.Formula):
            for step in _steps(shown, evidence.get("shown", {}).get(name, {})):
                yield from (Formula(step["latex"], display) for display in (True, False))


def sentence(text: str, math: Mapping[Formula, str]) -> str:
    """A sentence or two of Markdown with its formulas as MathML, and x_t as it is meant."""
    parts = re.split(r"(`[^`]*`|\$[^$]*\$)", text)
    return prose("".join(p if n % 2 else _LOWERED.sub(r"\1<sub>\2</sub>", p) for n, p in enumerate(parts)), math)


def prose(text: str, math: Mapping[Formula, str]) -> str:
    """Markdown with its formulas as MathML; the span keeps Markdown from taking a formula for a block."""
    return replace_in_prose(text, lambda formula: f'<span class="qa-math">{math[formula]}</span>')


def plain(text: str) -> str:
    """Text that Markdown shows as it stands."""
    return html.escape(_MEANT.sub(r"\\\1", " ".join(text.split())), quote=False).replace("|", "&#124;")


def typeset(text: str) -> str:
    """Plain text of ours with d_k, x_t and p_data set as they are meant: a letter and what stands below it."""
    return _SUBSCRIPT.sub(r"\1<sub>\2</sub>", plain(text))


def attribute(text: str) -> str:
    """Text for raw HTML, its attributes too, in which Markdown finds nothing to do."""
    return html.escape(" ".join(text.split())).translate(_ENTITIES)


def shortened(text: str, most: int = 155) -> str:
    """Return the first sentences, or words, of a text: what a search engine shows."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    sentences = text[:most].rfind(". ")
    return text[: sentences + 1] if sentences > most // 2 else text[:most].rsplit(" ", 1)[0] + " …"


def front_matter(**meta: Any) -> str:
    """Return YAML front matter; JSON is YAML, and quotes whatever needs it."""
    return "---\n" + "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in meta.items()) + "---"


def anchor(text: str) -> str:
    """Return a tag or a key as an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def snippet_uri(ref: str) -> str:
    """Return where the function of a reference stands on its snippet's page, from the top of the site."""
    module, _, qualified = ref.partition(":")
    page = "/".join(module.split(".")) + ".md"
    return f"{page}#{qualified.partition('.')[0]}" if qualified else page


def snippet_link(ref: str, text: str = "") -> str:
    """Return a link, from a page one folder deep, to a function of a snippet."""
    name = ref.partition(":")[2] or ref
    return f"[`{text or name}`](../{snippet_uri(ref)})"


def code_block(source: Source, note: str = "") -> str:
    """Return a function's code, and below it where it stands; left out of the search."""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", source.code)), default=0))
    link = f"[`{source.path.as_posix()}`, line {source.line}](../{snippet_uri(source.ref)})"
    return (
        f'<div class="qa-code" data-search-exclude markdown>\n\n{fence}python\n{source.code.rstrip()}\n{fence}\n\n'
        f"{link}{' · ' + note if note else ''}\n{{: .qa-from }}\n\n</div>"
    )


def details(summary: str, body: str, kind: str = "") -> str:
    """Return something that opens on a click; `summary` is Markdown of one line."""
    css = f"qa-details {kind}".strip()
    return f'<details class="{css}" markdown>\n<summary markdown="span">{summary}</summary>\n\n{body}\n\n</details>'


def number(value: Any) -> str:
    """Return a measured figure, short enough to read."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
            mantissa, _, exponent = f"{value:.2e}".partition("e")
            return f"{mantissa} × 10<sup>{int(exponent)}</sup>".replace("-", "−")
        return f"{value:,.4g}".replace("-", "−")
    return attribute(str(value))


def made(parts: Iterable[Mapping[str, Any]]) -> str:
    """Say when evidence was made, and on what: its dates, and the versions that they name."""
    all_made = [part["made"] for part in parts if part.get("made")]
    if not all_made:
        return ""
    dates = sorted({m["on"] for m in all_made})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    names = {"python": "Python", "torch": "PyTorch", "sympy": "SymPy", "matplotlib": "Matplotlib"}
    tools = []
    for key, name in names.items():
        if versions := sorted({str(m[key]) for m in all_made if m.get(key)}):
            tools.append(f"{name} {' and '.join(versions)}")
    return f"{when}, with {', '.join(tools)}" if tools else when


# ---------------------------------------------------------------------------------------------- the top of the page


def _chips(page: Page) -> str:
    q = page.question
    chips = [f"{q.level}{{ .qa-chip .qa-level }}", f"{PRIORITY[q.priority]}{{ .qa-chip .qa-priority-{q.priority} }}"]
    line = " ".join(f"**{chip.replace('{', '**{', 1)}" for chip in chips)
    tags = " ".join(f"[{plain(tag)}](../tags.md#{anchor(tag)}){{ .qa-tag }}" for tag in q.tags)
    needs = ", ".join(_question_link(page, id) for id in q.needs)
    return f"{line} {tags}\n{{: .qa-chips }}" + (
        f"\n\nKnow first: {needs}\n{{: .qa-needs data-search-exclude=x }}" if needs else ""
    )


def _asked_as(q: model.Question) -> str:
    if not q.asked_as:
        return ""
    return "Also asked as: " + " · ".join(f"“{typeset(other)}”" for other in q.asked_as) + "\n{: .qa-asked }"


def _badge(page: Page) -> str:
    if not page.stale:
        return ""
    listed = details(
        f"{len(page.stale)} part{'s' if len(page.stale) != 1 else ''} stale or missing",
        "\n".join(f"- {plain(each)}" for each in page.stale),
    )
    return (
        '<div class="qa-stale" role="note" data-search-exclude markdown>\n\n'
        "**The evidence of this page is not up to date.** "
        f"Make it again: `python -m qa prove {page.id}`\n\n{listed}\n\n</div>"
    )


def _question_link(page: Page, id: str) -> str:
    return f"[{typeset(page.titles[id])}](../{id}.md)" if id in page.titles else f"`{id}`"


# ------------------------------------------------------------------------------------------------------- the answer


def _answer(page: Page) -> str:
    text = prose(_numbers_in_formulas(page.question.answer, page.question, page.evidence), page.math)

    def inline(match: re.Match[str]) -> str:
        return _inline(page, match[1]) if match[1] in page.question.shows else match[0]

    lines = []
    for line in _HEADING.sub(r"#\1", text).splitlines():
        alone = model.PLACEHOLDER.fullmatch(line.strip())
        if alone and alone[1] in page.question.shows:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + each if each else each for each in _block(page, alone[1]).splitlines()]
        else:
            lines.append(model.PLACEHOLDER.sub(inline, line))
    return "## The whole answer\n\n" + "\n".join(lines).strip()


def _block(page: Page, name: str) -> str:
    """A shown thing on lines of its own."""
    shown = page.question.shows[name]
    proved = page.shown.get(name, {})
    match shown:
        case model.Code():
            return code_block(page.code(shown.code), "tested")
        case model.Formula():
            return _derivation(page, shown, proved) if proved.get("steps") else _missing(page, name)
        case model.Figure():
            svg = page.figures.get(proved.get("file", ""))
            return _figure(page, name, shown, svg) if svg else _missing(page, name)
        case model.Table():
            return _table(page, shown, proved["rows"]) if proved.get("rows") else _missing(page, name)
        case model.Value():
            return _inline(page, name)


def _inline(page: Page, name: str) -> str:
    """A shown thing inside a sentence."""
    shown = page.question.shows[name]
    proved = page.shown.get(name, {})
    match shown:
        case model.Value():
            if "text" not in proved:
                return _missing(page, name)
            title = "computed by " + attribute(page.call(shown.value, shown.with_).partition(":")[2])
            return f'[{plain(str(proved["text"]))}](../{snippet_uri(shown.value)}){{ .qa-value title="{title}" }}'
        case model.Formula():
            steps = _steps(shown, proved)
            if len(steps) != 1:
                return _missing(page, name)
            return f'<span class="qa-math">{page.math[Formula(steps[0]["latex"])]}</span>'
        case model.Code():
            return snippet_link(shown.code)
        case _:
            return _missing(page, name)


def _missing(page: Page, name: str) -> str:
    return f'<strong class="qa-missing">{attribute(name)}: not computed yet (python -m qa prove {page.id})</strong>'


def _steps(shown: model.Formula, proved: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return [step for step in proved.get("steps", []) if shown.step in (None, step["name"])]


def _derivation(page: Page, shown: model.Formula, proved: Mapping[str, Any]) -> str:
    steps = _steps(shown, proved)
    items = "".join(
        f'<li><span class="qa-step">{attribute(step["name"])}</span>'
        f'<div class="qa-scroll">{page.math[Formula(step["latex"], display=True)]}</div></li>'
        for step in steps
    )
    form = "ol" if len(steps) > 1 else "ul"
    what = f"{len(steps)} steps, each proved" if len(steps) > 1 else "Proved"
    return (
        f'<{form} class="qa-derivation">{items}</{form}>\n\n'
        f"{what} with SymPy by {snippet_link(shown.formula)}\n{{: .qa-from }}"
    )


def _figure(page: Page, name: str, shown: model.Figure, svg: str) -> str:
    return (
        f'<figure class="qa-figure" data-search-exclude>{inline_svg(svg, name, shown.alt)}</figure>\n\n'
        f"{typeset(shown.alt.rstrip('.'))} · drawn by {snippet_link(shown.figure)}\n{{: .qa-from .qa-caption }}"
    )


def inline_svg(svg: str, name: str, alt: str) -> str:
    """Return an SVG to stand inside a page: its ids its own, its size the page's, its name for those who hear it."""
    svg = re.sub(
        r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", svg, flags=re.DOTALL
    )
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    head, bracket, rest = svg.partition(">")
    width = re.search(r'\bwidth="([\d.]+)', head)
    head = re.sub(r'\s(width|height|role|aria-label|version|xmlns:\w+|xmlns)="[^"]*"', "", head)
    size = f' style="max-width:{float(width[1]) * 4 / 3:.0f}px"' if width else ""
    head += f' role="img" aria-label="{attribute(alt)}"{size}'
    rest = re.sub(r"\s*\n\s*", "\n", rest.replace("xlink:href", "href"))
    return f"{head}{bracket}{rest}"


def _table(page: Page, shown: model.Table, rows: list[Mapping[str, Any]]) -> str:
    return (
        f"{markdown_table(rows)}\n\nComputed by {snippet_link(shown.table)}{_arguments(shown.with_)}\n{{: .qa-from }}"
    )


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table; columns of numbers stand to the right."""
    headings = list(rows[0])
    cells = [[str(row.get(heading, "")) for heading in headings] for row in rows]
    numeric = [sum(bool(re.match(r"[-−+~≈$<>≤≥]?\s?[\d.]", row[i])) for row in cells) for i in range(len(headings))]
    to_the_right = [many > len(cells) / 2 for many in numeric]
    lines = [
        "| " + " | ".join(map(plain, headings)) + " |",
        "|" + "|".join(" ---: " if right else " --- " for right in to_the_right) + "|",
        *("| " + " | ".join(map(plain, row)) + " |" for row in cells),
    ]
    return "\n".join(lines)


def _arguments(with_: Mapping[str, Any]) -> str:
    return " with " + ", ".join(f"`{key} = {value!r}`" for key, value in with_.items()) if with_ else ""


def _numbers_in_formulas(text: str, question: model.Question, evidence: Mapping[str, Any]) -> str:
    """Put computed values into formulas and code, where no link can stand."""
    shown = evidence.get("shown", {})

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not isinstance(question.shows.get(name), model.Value):
            return match[0]
        return str(shown.get(name, {}).get("text", f"{name}?"))

    text = replace_in_prose(
        text,
        lambda f: ("$${}$$" if f.display else "${}$").format(model.PLACEHOLDER.sub(value, f.latex)),
    )
    return re.sub(r"`[^`\n]*`", lambda match: model.PLACEHOLDER.sub(value, match[0]), text)


def _texts(dumped: Any) -> Iterator[str]:
    if isinstance(dumped, str):
        yield dumped
    elif isinstance(dumped, dict):
        for each in dumped.values():
            yield from _texts(each)
    elif isinstance(dumped, list | tuple):
        for each in dumped:
            yield from _texts(each)


# ----------------------------------------------------------------------------------------------------- the evidence


def _claims(page: Page) -> str:
    q = page.question
    found = page.evidence.get("checks", {})
    calls = [page.call(claim.check, claim.with_) for claim in q.claims]
    holds = sum(bool(found.get(call, {}).get("holds")) for call in calls)
    lines = [
        "## Evidence",
        f"**{holds} of {len(calls)} hold.** Each statement comes with the experiment that could have refuted it; an "
        "experiment counts only when it has failed a wrong version of the code.",
    ]
    for claim, call in zip(q.claims, calls, strict=True):
        lines.append(_claim(page, claim.says, claim.check, call, found.get(call)))
    if q.mistakes:
        lines.append(_mistakes(page, calls))
    lines.append(_run(page))
    return "\n\n".join(lines)


def _claim(page: Page, says: str, check: str, call: str, found: Mapping[str, Any] | None) -> str:
    state = "unproved" if found is None else "holds" if found["holds"] else "fails"
    word = {"holds": "Holds", "fails": "Does not hold", "unproved": "Not proved yet"}[state]
    rows = "".join(
        f"<div><dt>{attribute(name)}</dt><dd>{number(value).replace(chr(92), '')}</dd></div>"
        for name, value in (found or {}).get("measured", {}).items()
    )
    parts = [
        f'<div class="qa-claim qa-{state}" markdown>',
        f"**{word}**{{ .qa-verdict }} {page.prose(says)}",
        f'<dl class="qa-measured">{rows}</dl>' if rows else "",
        rejected_line(rejects(page.evidence, call), page.math),
        details(f"The experiment: `{call.partition(':')[2]}`", code_block(page.code(check))),
        "</div>",
    ]
    return "\n\n".join(part for part in parts if part)


def rejects(evidence: Mapping[str, Any], call: str) -> list[str]:
    """Return what a check has rejected, in words: the listed mistakes, then those that are tried on every function."""
    verdicts = evidence.get("mistakes", {}).get(call, {}).get("verdicts", {})
    rejected = [name for name, verdict in verdicts.items() if verdict == "rejects"]
    listed = [name.rstrip(".") for name in rejected if name.partition(": ")[0] not in TRIED_ON_ALL]
    unlisted = [
        f"{words} {', '.join(f'`{name}`' for name in functions)}"
        for kind, words in TRIED_ON_ALL.items()
        if (
            functions := [
                name.partition(": ")[2].partition(":")[2] for name in rejected if name.startswith(f"{kind}: ")
            ]
        )
    ]
    return listed + unlisted


def rejected_line(rejected: Iterable[str], math: Mapping[Formula, str]) -> str:
    """Return what was rejected as a paragraph, each with its cross."""
    crossed = " ".join(f'<span class="qa-cross">{sentence(each, math)}</span>' for each in rejected)
    return f"Rejects {crossed}\n{{: .qa-rejects }}" if crossed else ""


def _mistakes(page: Page, calls: list[str]) -> str:
    """The wrong versions, each with its change."""
    verdicts = [page.evidence.get("mistakes", {}).get(call, {}).get("verdicts", {}) for call in calls]
    items = []
    for mistake in page.question.mistakes:
        by = [f"{n}" for n, verdict in enumerate(verdicts, 1) if verdict.get(mistake.says) == "rejects"]
        caught = f"rejected by {len(by)} of {len(calls)} experiments" if any(verdicts) else "not tried yet"
        change = "\n".join(
            "\n".join(f"- {line}" for line in each.this.strip("\n").splitlines())
            + "\n"
            + "\n".join(f"+ {line}" for line in each.by.strip("\n").splitlines())
            for each in mistake.replace
        )
        shown = (
            f"```diff\n{change}\n```" if change else f"`{(mistake.by_function or '').partition(':')[2]}` in its place."
        )
        items.append(f"**{page.prose(mistake.says)}** In {snippet_link(mistake.in_)}; {caught}.\n\n{shown}")
    body = "<div data-search-exclude markdown>\n\n" + "\n\n".join(items) + "\n\n</div>"
    many = len(items)
    return details(
        f"{many} wrong version{'s' if many != 1 else ''} that people write, tried on these experiments", body
    )


def _run(page: Page) -> str:
    modules = sorted(
        {check.partition(":")[0].removeprefix("snippets.") for check in (c.check for c in page.question.claims)}
    )
    commands = [
        *(f"python -m snippets {module}" for module in modules),
        f"python -m qa prove {page.id}",
        f"quiz prove {page.id}",
    ]
    width = max(map(len, commands)) + 2
    says = ["what the snippet shows"] * len(modules) + [
        "make the evidence of this page again",
        "run its experiments, and see",
    ]
    body = "\n".join(f"{command:<{width}}# {what}" for command, what in zip(commands, says, strict=True))
    return f'<div class="qa-run" data-search-exclude markdown>\n\nRun it yourself:\n\n```bash\n{body}\n```\n\n</div>'


# --------------------------------------------------------------------------------------- what follows the answer


def _misconceptions(page: Page) -> str:
    if not page.question.misconceptions:
        return ""
    found = page.evidence.get("checks", {})
    parts = ["## What costs candidates the offer"]
    for each in page.question.misconceptions:
        notes = []
        if each.erratum:
            notes.append("a published answer gets this wrong")
        if each.check:
            call = page.call(each.check, {})
            state = "checked" if found.get(call, {}).get("holds") else "not proved yet:"
            notes.append(f"{state} by {snippet_link(each.check)}")
        notes += [_cite(page, key) for key in each.sources]
        parts.append(
            '<div class="qa-misconception" markdown>\n\n'
            f"**Wrong**{{ .qa-wrong }} {page.prose(each.wrong)}\n\n**Right**{{ .qa-right }} {page.prose(each.right)}"
            + (f"\n\n{' · '.join(notes)}\n{{: .qa-from }}" if notes else "")
            + "\n\n</div>"
        )
    return "\n\n".join(parts)


def _key_points(page: Page) -> str:
    items = [
        f'- **{weight}**{{ .qa-weight .qa-{weight} title="{WEIGHT[weight]}" }} {page.prose(point.text)}'
        for weight in WEIGHT
        for point in page.question.key_points
        if point.weight == weight
    ]
    listed = "\n".join(items)
    return f'## What an interviewer listens for\n\n<div class="qa-points" markdown>\n\n{listed}\n\n</div>'


def _follow_ups(page: Page) -> str:
    if not page.question.follow_ups:
        return ""
    links = [f"- {_question_link(page, f.question)}" for f in page.question.follow_ups if f.question]
    asked = [details(page.prose(f.ask), page.prose(f.answer or "")) for f in page.question.follow_ups if f.ask]
    return "\n\n".join(["## What comes next in the room", *asked, "\n".join(links)]).rstrip()


def _drills(page: Page) -> str:
    drills = page.question.drills
    if not drills:
        return ""
    parts = ["## Practise"]
    if written := [drill.code for drill in drills if isinstance(drill, model.CodeDrill)]:
        parts.append(_code_drills(page, written))
    parts += [_number_drill(page, drill) for drill in drills if isinstance(drill, model.NumberDrill)]
    parts += [_choice(page, drill) for drill in drills if isinstance(drill, model.ChoiceDrill)]
    return "\n\n".join(parts)


def _choice(page: Page, drill: model.ChoiceDrill) -> str:
    # in the order of their text: the author tends to write the right one first
    options = sorted(drill.options, key=lambda o: o.right or o.wrong or "")
    asked = "\n".join(f"{n}. {page.prose(o.right or o.wrong or '')}" for n, o in enumerate(options, 1))
    answers = "\n".join(
        f"{n}. **{'Right' if o.right else 'Wrong'}**{{ .qa-{'right' if o.right else 'wrong'} }} {page.prose(o.why)}"
        for n, o in enumerate(options, 1)
    )
    return _drill(page.prose(drill.choice), asked, answers)


def _number_drill(page: Page, drill: model.NumberDrill) -> str:
    table = page.evidence.get("drills", {}).get(drill.number, {}).get("table", [])
    if not table:
        return _drill(page.prose(drill.ask.format_map(_Blank())), "", _missing(page, drill.number.partition(":")[2]))
    first = table[0]
    varied = [key for key, values in drill.vary.items() if len(values) > 1]
    rows = [
        {**{key: row["with"].get(key, "?") for key in varied}, "answer": number(row["answer"])} for row in table[:CASES]
    ]
    more = f"\n\n{len(table) - CASES} more in the quiz." if len(table) > CASES else ""
    answer = f"**{number(first['answer'])}** = {page.prose(drill.working)}, within {drill.tolerance:.0%}"
    others = f"\n\n{markdown_table(rows)}{more}" if len(table) > 1 and varied else ""
    computed = f"\n\nComputed by {snippet_link(drill.number)}\n{{: .qa-from }}"
    return _drill(page.prose(drill.ask.format_map(_Blank(first["with"]))), "", answer + others + computed)


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"({key})"


def _code_drills(page: Page, refs: list[str]) -> str:
    """What there is to write oneself, with what is given: signature and docstring."""
    parts = [
        "Write it yourself, from the signature and what it promises. Put your version in the place of the one in the "
        "snippet and run that: its experiments say whether yours is right."
    ]
    for ref in refs:
        source = page.code(ref)
        command = f"python -m snippets {source.module.removeprefix('snippets.')}"
        given = f"```python\n{stub(source)}\n```\n\n```bash\n{command}\n```"
        body = f"{given}\n\nThe answer: {snippet_link(ref)}\n{{: .qa-from }}"
        parts.append(details(f"`{source.name}`", f"<div data-search-exclude markdown>\n\n{body}\n\n</div>"))
    joined = "\n\n".join(parts)
    return f'<div class="qa-drill" markdown>\n\n{joined}\n\n</div>'


def stub(source: Source) -> str:
    """Return a function without its body: what somebody is given who is to write it."""
    first = source.node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    last = (first.end_lineno or first.lineno) if documented else first.lineno - 1
    lines = source.code.splitlines()[: last - source.line + 1]
    return "\n".join([*lines, "    ..."])


def _drill(asked: str, options: str, answer: str) -> str:
    body = f"{asked}\n\n{options}" if options else asked
    return f'<div class="qa-drill" markdown>\n\n{body}\n\n{details("Answer", answer)}\n\n</div>'


# ------------------------------------------------------------------------------------------------------- the end


def _cite(page: Page, key: str) -> str:
    reference = page.references.get(key)
    if reference is None:
        return f"`{key}`"
    return f"[{plain(_first_author(reference))}, {reference.year}](../sources.md#{anchor(key)})"


def _first_author(reference: model.Reference) -> str:
    authors = [a.strip() for a in reference.authors.split(",")]
    return authors[0] if len(authors) == 1 else f"{authors[0]} et al."


def citation(reference: model.Reference) -> str:
    """Return a source as a line of Markdown, linked to where it is published."""
    title = f"[{plain(reference.title)}]({reference.link})" if reference.link else f"*{plain(reference.title)}*"
    authors = [a.strip() for a in reference.authors.split(",")]
    who = reference.authors if len(authors) <= 4 else f"{', '.join(authors[:3])} and {len(authors) - 3} others"
    tail = f", {plain(reference.venue)}" if reference.venue else ""
    return f"{plain(who)} ({reference.year}). {title}{tail}." + (f" {plain(reference.note)}" if reference.note else "")


def _sources(page: Page) -> str:
    items = [
        f"- {citation(page.references[key])}" if key in page.references else f"- `{key}`"
        for key in page.question.sources
    ]
    return "## Sources\n\n" + "\n".join(items)


def _about(page: Page) -> str:
    q = page.question
    basis = []
    if q.basis.ids:
        basis.append(
            "its place in the inventory of questions that the bank was planned from ("
            + ", ".join(f"`{i}`" for i in q.basis.ids)
            + ")"
        )
    if q.basis.sources:
        basis.append(", ".join(_cite(page, key) for key in q.basis.sources))
    if q.basis.note:
        basis.append(plain(q.basis.note))
    evidence = [
        part for kind in ("checks", "shown", "drills", "mistakes") for part in page.evidence.get(kind, {}).values()
    ]
    when = made(evidence)
    rows = [
        ("Level", LEVEL[q.level]),
        (
            "Priority",
            f"{q.priority} of 5, {PRIORITY[q.priority]}" + (f"; it rests on {'; '.join(basis)}" if basis else ""),
        ),
        ("Facts looked up", q.reviewed.isoformat()),
        (
            "Evidence made",
            f"{when}. Again: `python -m qa prove {page.id}`" if when else f"not yet: `python -m qa prove {page.id}`",
        ),
        ("Question", f"`{page.id}`"),
    ]
    body = "\n\n".join(f"{name}\n:   {value}" for name, value in rows)
    return f'## About this page\n\n<div class="qa-about" data-search-exclude markdown>\n\n{body}\n\n</div>'
