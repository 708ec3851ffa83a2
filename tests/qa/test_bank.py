"""The compiled bank: made once, made again when it has to be, harmed by nobody."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from qa import bank, source, yamlfile


def compiled(cache: Path) -> Path:
    (path,) = cache.glob("bank-*.sqlite")
    return path


@pytest.fixture
def cache(bank_folder: Path, tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_entries_come_in_order_and_questions_come_whole(bank_folder: Path) -> None:
    opened = bank.open_bank(bank_folder)
    entries = opened.entries()
    assert [(e.priority, e.rank, e.id) for e in entries] == sorted((e.priority, e.rank, e.id) for e in entries)
    entry = opened.entry("mine/scale")
    assert (entry.topic, entry.priority, entry.tags, entry.rank) == ("mine", 2, ("attention",), 1000)
    assert opened.question("mine/scale") == bank.load(bank.QUESTIONS, bank_folder).questions["mine/scale"]
    assert opened.entry("scale") == entry, "a slug that only one question has will do"
    assert opened.source_path("mine/scale") == bank_folder / "mine" / "scale.yaml"


def test_an_unknown_question_names_those_that_are_close(bank_folder: Path) -> None:
    opened = bank.open_bank(bank_folder)
    with pytest.raises(bank.UnknownQuestion, match="did you mean mine/scale"):
        opened.question("mine/scael")


def test_nothing_is_compiled_again_without_need(bank_folder: Path, cache: Path) -> None:
    bank.open_bank(bank_folder)
    before = compiled(cache).stat()
    bank.open_bank(bank_folder)
    assert compiled(cache).stat().st_ino == before.st_ino
    assert before.st_mode & 0o222 == 0, "the compiled file is read-only"


def test_a_changed_file_is_noticed_and_only_it_is_read(
    bank_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.open_bank(bank_folder)
    path = bank_folder / "mine" / "scale.yaml"
    path.write_text(path.read_text().replace("Why divide", "Why on earth divide"))
    read: list[Path] = []
    original = yamlfile.read

    def noted(path: Path) -> Any:
        read.append(path)
        return original(path)

    monkeypatch.setattr(yamlfile, "read", noted)
    assert bank.open_bank(bank_folder).entry("mine/scale").question == "Why on earth divide by the root?"
    assert [p for p in read if p.name not in ("sources.yaml", "_topic.yaml")] == [path]


def test_a_question_that_is_deleted_is_gone_and_missed_by_those_that_name_it(bank_folder: Path) -> None:
    other = bank_folder / "mine" / "other.yaml"
    scale = bank_folder / "mine" / "scale.yaml"
    other.write_text(scale.read_text() + "needs: [mine/scale]\n")
    bank.open_bank(bank_folder)
    scale.unlink()
    with pytest.raises(bank.BankError, match=r"other\.yaml:\d+: there is no question mine/scale"):
        bank.open_bank(bank_folder)


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 500])
def test_a_damaged_file_is_made_again(bank_folder: Path, cache: Path, damage: bytes) -> None:
    bank.open_bank(bank_folder)
    path = compiled(cache)
    path.chmod(0o644)
    path.write_bytes(damage)
    assert bank.open_bank(bank_folder).entry("mine/scale").priority == 2


def test_damage_in_the_middle_is_noticed_when_it_is_read(bank_folder: Path, cache: Path) -> None:
    bank.open_bank(bank_folder)
    path = compiled(cache)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'in_order'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    data[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(bytes(data))
    assert bank.open_bank(bank_folder).entry("mine/scale").priority == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    bank_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUIZ_CACHE", str(tmp_path / "file" / "below"))
    assert bank.open_bank(bank_folder).entry("mine/scale").priority == 2


def test_two_that_compile_at_once_do_not_hurt_each_other(bank_folder: Path, cache: Path) -> None:
    code = (
        "import sys, pathlib; from qa import bank; print(bank.open_bank(pathlib.Path(sys.argv[1])).entry('scale').id)"
    )
    command = [sys.executable, "-c", code, str(bank_folder)]
    found: list[str] = []

    def one() -> None:
        done = subprocess.run(command, cwd=source.ROOT, capture_output=True, text=True, check=False)
        found.append(done.stdout.strip() or done.stderr)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["mine/scale"] * 4
    assert [p.suffix for p in cache.iterdir()] == [".sqlite"], "no temporary file is left"


def test_opening_a_compiled_bank_loads_no_yaml_no_pydantic_no_torch(bank_folder: Path) -> None:
    bank.open_bank()
    code = (
        "import sys; from qa import bank; bank.open_bank().entries();"
        "print([m for m in ('yaml', 'pydantic', 'torch', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source.ROOT, capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_typing_error_in_a_slug_alone_finds_the_question(bank_folder: Path) -> None:
    with pytest.raises(bank.UnknownQuestion, match="did you mean mine/scale"):
        bank.open_bank(bank_folder).entry("scael")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
def test_the_cache_lies_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from platformdirs import user_cache_path

    monkeypatch.delenv("QUIZ_CACHE", raising=False)
    for place in ("", "relative", str(tmp_path)):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        assert next(bank.cache_folders()) == user_cache_path("executable-answers")
