"""A question as one Markdown text for the terminal: what code makes is put in, mathematics becomes Unicode."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qa import source
from qa.bank import Bank, UnknownQuestion
from qa.model import PLACEHOLDER, Code, Figure, Formula, Question, Reference, Shown, Table, Value
from qa.practice.maths import linear

CODE = re.compile(r"(^ *(?:```|~~~).*?^ *(?:```|~~~)[^\n]*$|`+[^`\n]*`+)", re.DOTALL | re.MULTILINE)
DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
INLINE = re.compile(r"(?<![\\$])\$(?=\S)([^$]+?)(?<=\S)(?<!\\)\$(?!\d)")
ALONE = re.compile(r"^( *)\{\{\s*([A-Za-z_][\w-]*)\s*\}\}[ \t]*$", re.MULTILINE)


def answer(question: Question, evidence: Mapping[str, Any], *, width: int = 80, plain: bool = False) -> str:
    """Return the whole answer. plain: formulas in one line wherever they have one, as a screen reader wants them."""
    shown = evidence.get("shown", {})

    def block(match: re.Match[str]) -> str:
        indent, name = match.groups()
        thing = question.shows[name]
        if isinstance(thing, Value):
            return match.group()
        lines = _block(thing, shown.get(name, {}), width - len(indent) - (4 if plain else 2), plain).splitlines()
        return "\n".join(indent + line if line else line for line in ["", *lines, ""])

    def inline(match: re.Match[str]) -> str:
        return _inline(question.shows[match[1]], shown.get(match[1], {}), match[1])

    return PLACEHOLDER.sub(inline, ALONE.sub(block, prose(question.answer)))


def prose(text: str) -> str:
    """Turn the mathematics of a Markdown text into Unicode, code left alone."""
    parts = CODE.split(text)
    for n in range(0, len(parts), 2):
        part = DISPLAYED.sub(lambda m: f"\n\n{escaped(unicode(m[1]))}\n\n", parts[n])
        parts[n] = INLINE.sub(lambda m: escaped(unicode(m[1])), part)
    return "".join(parts)


def unicode(latex: str) -> str:
    """Return LaTeX as a line of Unicode, as it is where it has none."""
    return linear(latex.strip()) or latex.strip()


def escaped(text: str) -> str:
    """Keep Markdown from reading signs into a text."""
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", text)


def details(question: Question, evidence: Mapping[str, Any], bank: Bank) -> str:
    """Return what stands around the answer: what is checked, what goes wrong, what comes next, sources."""
    parts = [_section("Checked by running it", _claims(question, evidence))]
    wrong = [f"Wrong: {prose(m.wrong)}  \n  Right: {prose(m.right)}" for m in question.misconceptions]
    parts.append(_section("What candidates get wrong", wrong))
    parts.append(_section("What comes next", _follow_ups(question, bank)))
    parts.append(_section("Sources", [citation(bank.references().get(key), key) for key in question.sources]))
    return "\n\n".join(part for part in parts if part)


def key_points(question: Question, ticked: Iterable[int] = (), letters: str = "") -> Iterator[str]:
    """Yield the key points as plain lines: "a [x] must: …"."""
    ticks = set(ticked)
    for n, point in enumerate(question.key_points):
        letter = f"{letters[n]} " if n < len(letters) else ""
        yield f"{letter}[{'x' if n in ticks else ' '}] {point.weight}: {plain_text(point.text)}"


def plain_text(text: str) -> str:
    """Return a sentence of a question without Markdown: mathematics as Unicode, no marks of emphasis or code."""
    parts = CODE.split(text)
    for n in range(0, len(parts), 2):
        part = INLINE.sub(lambda m: unicode(m[1]), parts[n])
        parts[n] = re.sub(r"(\*\*|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w))", "", part) if part.count("*") % 2 == 0 else part
    return "".join(p.strip("`") if n % 2 else p for n, p in enumerate(parts))


def checked(evidence: Mapping[str, Any], call: str) -> str:
    """Say in words what the evidence has for a check."""
    found = evidence.get("checks", {}).get(call)
    if not found:
        return "not run yet"
    figures = ", ".join(f"{name}: {figure(value)}" for name, value in found.get("measured", {}).items())
    return ("holds" if found["holds"] else "DOES NOT HOLD") + (f"; {figures}" if figures else "")


def figure(value: Any) -> str:
    """Return a measured figure as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def citation(reference: Reference | None, key: str) -> str:
    """Return a source in one line."""
    if reference is None:
        return key
    where = f", {reference.venue}" if reference.venue else ""
    link = f" {reference.link}" if reference.link else ""
    return f"{escaped(reference.authors)} ({reference.year}). {escaped(reference.title)}{escaped(where)}.{link}"


def _section(title: str, items: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {item}" for item in items) if items else ""


def _claims(question: Question, evidence: Mapping[str, Any]) -> list[str]:
    from qa.proof import call

    return [f"{prose(c.says)} ({escaped(checked(evidence, call(c.check, c.with_)))})" for c in question.claims]


def _follow_ups(question: Question, bank: Bank) -> list[str]:
    lines = []
    for follow_up in question.follow_ups:
        if follow_up.question:
            try:
                asked = bank.entry(follow_up.question).question
            except UnknownQuestion:
                asked = "a question that this bank does not have"
            lines.append(f"{prose(asked)} (`quiz show {follow_up.question}`)")
        else:
            lines.append(f"{prose(follow_up.ask or '')}  \n  {prose(follow_up.answer or '')}")
    return lines


def _inline(thing: Shown, found: Mapping[str, Any], name: str) -> str:
    match thing:
        case Code():
            return f"`{thing.code.partition(':')[2]}`"
        case Figure():
            return escaped(f"[figure: {thing.alt}]")
        case Value() if "text" in found:
            return escaped(found["text"])
        case Formula() if found.get("steps"):
            return escaped(unicode(found["steps"][0]["latex"]))
    return escaped(f"[{name}: not computed yet]")


def _block(thing: Shown, found: Mapping[str, Any], width: int, plain: bool) -> str:
    match thing:
        case Code():
            return _code(thing.code, width)
        case Figure():
            return escaped(f"[figure: {thing.alt}]")
        case Formula() if found.get("steps"):
            return "\n\n".join(_step(step, width, plain, len(found["steps"]) > 1) for step in found["steps"])
        case Table() if found.get("rows"):
            return _table(found["rows"])
    return escaped(f"[not computed yet: {_ref(thing)}]")


def _ref(thing: Shown) -> str:
    return next(
        str(getattr(thing, form)) for form in ("code", "value", "formula", "figure", "table") if hasattr(thing, form)
    )


def _code(ref: str, width: int) -> str:
    try:
        found = source.find(ref)
    except source.NotFoundInSource as error:
        return escaped(f"[{error}]")
    lines = "\n".join(part for line in found.code.rstrip().splitlines() for part in wrapped_code(line, width))
    return f"{found.path}, line {found.line}:\n\n````python\n{lines}\n````".replace(
        "_", "\\_", found.path.as_posix().count("_")
    )


def wrapped_code(line: str, width: int) -> Iterator[str]:
    """Break a line of code that is too wide, at a space where there is one; the rest is indented further."""
    indent = " " * (len(line) - len(line.lstrip()) + 8) if len(line.lstrip()) > 0 else ""
    while len(line) > width:
        at = line.rfind(" ", len(indent) + 1, width + 1)
        if at <= 0:
            at = width
        yield line[:at].rstrip()
        line = indent[: width // 2] + line[at:].lstrip()
    yield line


def _step(step: Mapping[str, str], width: int, plain: bool, named: bool) -> str:
    title = f"{escaped(step['name'].replace('_', ' '))}:\n\n" if named and step.get("name") else ""
    line, pretty = linear(step["latex"]), step["text"].rstrip().splitlines()
    fits = max(map(columns, pretty), default=0) <= width
    if line and (plain or not fits):
        return title + escaped(line)
    if not fits:
        return title + f"````latex\n{step['latex']}\n````"
    return title + "````text\n" + "\n".join(pretty) + "\n````"


def columns(text: str) -> int:
    """Return how many columns of a terminal a line takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _table(rows: list[dict[str, str]]) -> str:
    headings = list(rows[0])
    numeric = [
        all(re.fullmatch(r"[-−+]?[\d.,]+([eE][-+]?\d+)?\s?%?", row[h].strip()) for row in rows) for h in headings
    ]
    lines = [headings, ["---:" if right else "---" for right in numeric]]
    lines += [[escaped(row[h]) for h in headings] for row in rows]
    lines[0] = [escaped(h) for h in headings]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
