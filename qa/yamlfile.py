"""Read one YAML file of the bank: plain data only, with the line of every key, and an error that names its line."""

from datetime import date
from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

Lines = dict[tuple[str | int, ...], int]
"""The line, from 1, of every key and list item, by the path that leads to it; the file itself is ()."""


class YamlError(ValueError):
    """What is wrong with the file, at which line, and what was expected."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read(path: Path) -> tuple[Any, Lines]:
    """Return the data of a file, and the lines of its keys.

    Refused with a YamlError: a file over 256 KiB, not UTF-8, empty, with several documents, with anchors and aliases
    (a few lines of which can stand for gigabytes), with tags, nested more than 12 deep, or with a key twice.
    """
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise YamlError(1, f"the file has {len(data):,} bytes; a question has at most {MAX_BYTES:,}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError(line, f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8") from None
    return parse(text)


def parse(text: str) -> tuple[Any, Lines]:
    """As `read`, for text."""
    try:
        _refuse_what_expands(text)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise YamlError(1, f"not YAML: {error}") from None
    if node is None:
        raise YamlError(1, "the file is empty")
    lines: Lines = {(): node.start_mark.line + 1}
    return _build(node, (), lines), lines


def _refuse_what_expands(text: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, Loader=LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlError(line, "anchors (&) and aliases (*) are not allowed; quote a text that begins with & or *")
        if tag := getattr(event, "tag", None):
            raise YamlError(line, f"tags are not allowed: {tag}; quote a text that begins with !")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlError(line, f"nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise YamlError(line, "a second document (---) begins here; a file holds one")


def _build(node: yaml.Node, path: tuple[str | int, ...], lines: Lines) -> Any:
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            key = _scalar(key_node)
            if not isinstance(key, str):
                raise YamlError(line, f"the key {key_node.value!r} is no text; quote it")
            if key in mapping:
                raise YamlError(line, f"the key {key!r} stands here twice")
            lines[*path, key] = line
            mapping[key] = _build(value, (*path, key), lines)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            items.append(_build(item, (*path, index), lines))
        return items
    return _scalar(node)


def _scalar(node: yaml.Node) -> str | int | float | bool | date | None:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise YamlError(line, "a key has to be text")
    try:
        value = yaml.constructor.SafeConstructor().construct_object(node)
    except (ValueError, yaml.YAMLError) as error:
        raise YamlError(line, f"{node.value!r} cannot be read: {error}; quote it if it is text") from None
    assert value is None or isinstance(value, (str, int, float, bool, date))
    return value
