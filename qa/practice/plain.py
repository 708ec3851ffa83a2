"""Markdown as plain lines: for pipes and for screen readers. No drawing, no colour, nothing wider than asked."""

import textwrap
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from qa.practice.show import wrapped_code


def lines(text: str, width: int = 80) -> Iterator[str]:
    """Yield the lines of a Markdown text. A table becomes a line a row: "heading: cell; heading: cell"."""
    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))
    yield from _blocks(tree.children, width)


def _blocks(nodes: Sequence[SyntaxTreeNode], width: int, *, tight: bool = False) -> Iterator[str]:
    for n, node in enumerate(nodes):
        if n and not tight:
            yield ""
        yield from _block(node, max(8, width))


def _block(node: SyntaxTreeNode, width: int) -> Iterator[str]:
    match node.type:
        case "heading":
            yield from _wrapped("#" * int(node.tag[1]) + " " + _inline(node), width)
        case "paragraph":
            for line in _inline(node).split("\n"):
                yield from _wrapped(line, width)
        case "fence" | "code_block":
            for line in node.content.rstrip("\n").split("\n"):
                yield from ("    " + part if part else "" for part in wrapped_code(line, width - 4))
        case "bullet_list" | "ordered_list":
            first = int(node.attrs.get("start", 1))
            tight = all(c.hidden for item in node.children for c in item.children if c.type == "paragraph")
            for n, item in enumerate(node.children):
                if n and not tight:
                    yield ""
                mark = "- " if node.type == "bullet_list" else f"{first + n}. "
                inside = _blocks(item.children, width - len(mark), tight=tight)
                yield from (
                    (mark if not m else " " * len(mark)) + line if line or not m else ""
                    for m, line in enumerate(inside)
                )
        case "blockquote":
            yield from (f"> {line}".rstrip() for line in _blocks(node.children, width - 2))
        case "table":
            yield from _table(node, width)
        case "hr":
            yield ""
        case _:
            yield from _wrapped(node.content, width)


def _table(node: SyntaxTreeNode, width: int) -> Iterator[str]:
    headings = [_inline(cell) for cell in node.children[0].children[0].children]
    for row in (row for part in node.children[1:] for row in part.children):
        cells = zip(headings, (_inline(cell) for cell in row.children), strict=True)
        said = "; ".join(f"{heading}: {cell}" if heading else cell for heading, cell in cells if cell)
        yield from _wrapped(f"- {said}", width, "  ")


def _inline(node: SyntaxTreeNode) -> str:
    """Return the text of a block: no marks of emphasis or code; a link's address stands after its words."""
    said = []
    for child in node.children:
        match child.type:
            case "text" | "code_inline":
                said.append(child.content)
            case "softbreak":
                said.append(" ")
            case "hardbreak":
                said.append("\n")
            case "link":
                words, address = _inline(child), str(child.attrs.get("href", ""))
                said.append(words if words == address or address.startswith("#") else f"{words} ({address})")
            case "image":
                said.append(f"[figure: {child.content}]")
            case _:
                said.append(_inline(child) if child.children else child.content)
    return "".join(said)


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) or [""]
