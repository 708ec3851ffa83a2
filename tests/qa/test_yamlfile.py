"""What may stand in a YAML file of the bank, and how what may not is answered: with a line, never with a traceback."""

import string
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import yamlfile
from qa.yamlfile import YamlError, parse, read

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join('*' + a for _ in range(9))}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_data_and_the_line_of_every_key() -> None:
    data, lines = parse("question: Why?\npriority: 1\nclaims:\n  - says: yes indeed\n    check: a\n  - says: no\n")
    assert data == {
        "question": "Why?",
        "priority": 1,
        "claims": [{"says": "yes indeed", "check": "a"}, {"says": False}],
    }
    assert lines[("priority",)] == 2
    assert lines[("claims", 0)] == 4
    assert lines[("claims", 0, "check")] == 5
    assert lines[("claims", 1, "says")] == 6


def test_a_date_is_a_date() -> None:
    assert parse("reviewed: 2026-11-21")[0] == {"reviewed": date(2026, 11, 21)}


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "not YAML"),
        ("a: 1\n\ta: 2\n", 2, "not YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "twice"),
        ("a: &x 1\nb: *x\n", 1, "aliases"),
        (BOMB, 1, "aliases"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "tags"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("[" * 5000, 1, "nested"),
        ("a: 2026-13-45\n", 1, "cannot be read"),
        ("a: 1\n1: b\n", 2, "quote it"),
        ("? [a, b]\n: c\n", 1, "key"),
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("a: \x07\n", 1, "not YAML"),
    ],
)
def test_what_is_refused_is_refused_with_its_line(text: str, line: int, word: str) -> None:
    with pytest.raises(YamlError, match=word) as caught:
        parse(text)
    assert caught.value.line == line


def test_a_bomb_costs_nothing() -> None:
    began = time.process_time()
    with pytest.raises(YamlError):
        parse(BOMB)
    assert time.process_time() - began < 0.5


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: caf\u00e9\n".encode("latin-1"))
    with pytest.raises(YamlError, match="0xe9 is not UTF-8") as caught:
        read(path)
    assert caught.value.line == 2


def test_a_file_too_large_is_not_even_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"\xff" * (yamlfile.MAX_BYTES + 1))
    with pytest.raises(YamlError, match="at most"):
        read(path)


@given(st.text(alphabet=string.printable, max_size=80))
def test_whatever_the_text_there_is_data_or_a_yaml_error(text: str) -> None:
    try:
        line = parse(text)[1][()]
    except YamlError as error:
        line = error.line
    assert 1 <= line <= text.count("\n") + text.count("\r") + 2
