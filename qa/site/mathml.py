r"""Every formula of the site to MathML, in one call of pandoc.

A formula is `$...$` (inline) or `$$...$$` (on a line of its own) in prose, or the LaTeX that a derivation emits. As
pandoc has it, a dollar opens a formula when no space follows it, and closes one when no space precedes it and no digit
follows; so "$0.15 to $0.60" is money. `\$` is a dollar. Code is left alone.

pandoc is right about everything but the space on either side of a function's name, which `_space_names` mends.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_PROSE = re.compile(
    r"""(?P<fence>^[ ]*(?P<ticks>`{3,}|~{3,}).*?^[ ]*(?P=ticks)[ ]*$)
    |   (?P<code>(?<!`)(?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`))
    |   \\\$
    |   \$\$(?P<display>.+?)\$\$
    |   (?<!\$)\$(?=[^\s$])(?P<inline>(?:[^$\\\n`]|\\.|\n(?!\s*\n))+?)(?<!\s)\$(?![\d$])""",
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_APPLY = "\N{FUNCTION APPLICATION}"
_THIN = "0.167em"
_MARKDOWN = {ord(c): f"&#{ord(c)};" for c in "*_`[]{}|\\<>&"}


@dataclass(frozen=True)
class Formula:
    """LaTeX, and whether it stands on a line of its own."""

    latex: str
    display: bool = False


class BadFormula(ValueError):
    """LaTeX that pandoc does not understand; the message shows it, with pandoc's complaint."""


def in_prose(text: str) -> list[Formula]:
    """Return the formulas of a piece of Markdown, in order."""
    found: list[Formula] = []
    replace_in_prose(text, lambda formula: found.append(formula) or "")  # type: ignore[func-returns-value]
    return found


def replace_in_prose(text: str, replacement: Callable[[Formula], str]) -> str:
    """Put `replacement(formula)` in the place of every formula; code, and money, stay as they are."""

    def one(match: re.Match[str]) -> str:
        if (display := match["display"]) is not None:
            return replacement(Formula(display.strip(), display=True))
        if (inline := match["inline"]) is not None:
            return replacement(Formula(inline))
        return match[0]

    return _PROSE.sub(one, text) if "$" in text else text


def convert(formulas: Iterable[Formula]) -> Mapping[Formula, str]:
    """Return the MathML of each formula. Raises BadFormula, naming all that pandoc does not understand."""
    unique = list(dict.fromkeys(formulas))
    if not unique:
        return {}
    import pypandoc

    body = "\n\n".join(f"$${f.latex}$$" if f.display else f"${f.latex}$" for f in _flat(unique))
    html = pypandoc.convert_text(body, "html", "markdown", extra_args=["--mathml", "--wrap=none", "--quiet"])
    paragraphs = [line for line in html.splitlines() if line.strip()]
    bad = [f.latex for f, line in zip(unique, paragraphs, strict=False) if not line.startswith("<p><math")]
    if bad or len(paragraphs) != len(unique):
        raise BadFormula(
            "pandoc cannot turn into MathML: " + "; ".join(bad or ["one of " + "; ".join(map(repr, unique))])
        )
    return {
        f: _mended(line.removeprefix("<p>").removesuffix("</p>")) for f, line in zip(unique, paragraphs, strict=True)
    }


def characters(mathml: Iterable[str]) -> set[str]:
    """Return every character that the formulas show, for the font."""
    return {c for each in mathml for text in ElementTree.fromstring(each).itertext() for c in text}


def _flat(formulas: Iterable[Formula]) -> Iterable[Formula]:
    for formula in formulas:
        yield Formula(" ".join(formula.latex.split()), formula.display)


def _mended(markup: str) -> str:
    """Drop what a browser does not need, add the missing space, and make the rest safe inside Markdown."""
    math = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", markup, count=1))
    if (semantics := math.find("semantics")) is not None:
        math[:] = [child for child in semantics if child.tag != "annotation"]
    if math.attrib.pop("display", "inline") == "block":
        math.set("display", "block")
    _space_names(math)
    _calm_brackets(math)
    return _serialised(math)


def _space_names(row: ElementTree.Element) -> None:
    r"""Put a thin space between a function's name and an ordinary neighbour, as TeX does: \log p, 2 \log p."""
    for child in row:
        _space_names(child)
    if row.tag not in ("mrow", "math", "mtd", "msqrt", "mstyle"):
        return
    children: list[ElementTree.Element] = []
    for child in row:
        before = children[-1] if children else None
        if before is not None and (
            (_is_name(before) and not _opens(child) and not _is_operator(child))
            or (_is_name(child) and not (before.tag == "mo" and _opens(before)) and not _is_operator(before))
        ):
            children.append(ElementTree.Element("mspace", width=_THIN))
        children.append(child)
    row[:] = children


def _calm_brackets(row: ElementTree.Element) -> None:
    r"""Let brackets around what is no higher than a line be plain: SymPy writes q{\left(x \right)}, and means q(x)."""
    for child in row:
        _calm_brackets(child)
    if len(row) > 1 and row[0].get("stretchy") == row[-1].get("stretchy") == "true" and all(map(_is_low, row[1:-1])):
        row[0].set("stretchy", "false")
        row[-1].set("stretchy", "false")


def _is_low(element: ElementTree.Element) -> bool:
    if element.tag in ("msub", "msup", "msubsup"):
        return all(child.tag in ("mi", "mn") for child in element)
    if element.tag == "mrow":
        return all(map(_is_low, element))
    return element.tag in ("mi", "mn", "mtext", "mspace") or (element.tag == "mo" and (element.text or "") not in "∑∏∫")


def _is_name(element: ElementTree.Element) -> bool:
    if element.tag in ("msub", "msup", "msubsup", "munder", "mover", "munderover") and len(element):
        return _is_name(element[0])
    return element.tag == "mrow" and len(element) == 2 and element[1].text == _APPLY


def _opens(element: ElementTree.Element) -> bool:
    """Whether the element is an opening bracket, or a row that begins with one."""
    if element.tag == "mrow" and len(element):
        return _opens(element[0])
    return element.tag == "mo" and (element.get("form") == "prefix" or (element.text or "") in "([{")


def _is_operator(element: ElementTree.Element) -> bool:
    """Whether the element brings its own space: an operator or a space, but not a closing bracket."""
    sign = element.tag == "mi" and element.text in ("−", "+", "±")
    return sign or element.tag == "mspace" or (element.tag == "mo" and element.get("form") != "postfix")


def _serialised(element: ElementTree.Element) -> str:
    attributes = "".join(f' {name}="{value.translate(_MARKDOWN)}"' for name, value in element.attrib.items())
    inside = (element.text or "").translate(_MARKDOWN) + "".join(_serialised(child) for child in element)
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>"
