"""A fault in a question is answered with its file, its line and what was expected; all faults in one run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qa import bank, loading, model

Spoil = Callable[[str, str], Path]


def problems(folder: Path) -> list[bank.Problem]:
    with pytest.raises(bank.BankError) as caught:
        bank.load(folder)
    return caught.value.problems


def test_a_good_question_loads(bank_folder: Path) -> None:
    question = bank.load(bank_folder).questions["mine/scale"]
    assert question.priority == 2
    assert question.key_points[0].weight == "must"
    assert question.shows["code"] == model.Code(code="snippets.transformers.attention:attention")


@pytest.mark.parametrize(
    ("this", "by", "line", "expected"),
    [
        ("priority: 2\n", "", 1, "`priority` is missing"),
        ("priority: 2", "priority: 6", 2, "less than or equal to 5"),
        ("priority: 2", "priority: high", 2, "valid integer"),
        ("priority: 2", "priorty: 2", 2, "did you mean `priority`?"),
        ("level: senior", "level: boss", 4, "'engineer', 'senior' or 'architect'"),
        ("tags: [attention]", "tags: []", 5, "at least 1 item"),
        ("reviewed: 2026-11-21", "reviewed: yesterday", 6, "valid date"),
        ("short: Because the variance grows.", "short: " + "word " * 91, 7, "91 words; 90"),
        ('{code: "snippets.transformers.attention:attention"}', "{kode: x}", 9, "needs one of the keys code, value"),
        ('{code: "snippets.transformers.attention:attention"}', '{code: "attention"}', 9, "a reference such as"),
        (
            '{code: "snippets.transformers.attention:attention"}',
            '{code: "snippets.transformers.nowhere:f"}',
            9,
            "no module snippets.transformers.nowhere",
        ),
        (
            '{code: "snippets.transformers.attention:attention"}',
            '{code: "snippets.transformers.attention:f"}',
            9,
            "defines no f",
        ),
        ("{{ code }}", "{{ kode }}", 13, "is not under `shows`, which has code"),
        ("  {{ code }}", "  Nothing.", 9, "is shown nowhere"),
        ('check: "snippets.transformers.attention:weights_sum_to_one"', "check: nothing", 16, "a reference such as"),
        ("attention:weights_sum_to_one", "attention:unscaled_std", 15, "needs d_k"),
        ("  - must: Variance d_k.", "  - must: A\n    should: B", 22, "one of must, should or bonus"),
        ("softmax(dim=-1)", "softmax(dim=-9)", 20, "stands 0 times in attention"),
        ("softmax(dim=-1)", "q", 20, "times in attention"),
        ("softmax(dim=-2)", "softmax(dim=-2", 20, "does not parse"),
        ("softmax(dim=-2)", "softmax(dim=-1)", 20, "leaves attention as it was"),
        (
            "basis: {note: made up for a test}",
            "basis: {inventory: attention-signifcance}",
            3,
            "did you mean attention-significance?",
        ),
        ("basis: {note: made up for a test}", "basis: {sources: [nobody2020]}", 3, "has no source nobody2020"),
        ("tags: [attention]", "tags: [attention]\ncovers: [self-attenton]", 6, "did you mean self-attention?"),
        ("tags: [attention]", "tags: [attention]\nneeds: [mine/other]", 6, "there is no question mine/other"),
        ("tags: [attention]", "tags: [attention]\nneeds: [mine/scale]", 6, "cannot refer to itself"),
        ("tags: [attention]", "tags: [attention]\nfollow_ups: [{ask: So?}]", 6, "`ask` together with `answer`"),
        (
            "tags: [attention]",
            "tags: [attention]\ndrills: [{choice: A?, options: [{right: a, why: b}]}]",
            6,
            "at least 2 items",
        ),
        (
            "tags: [attention]",
            'tags: [attention]\ndrills: [{number: "snippets.transformers.attention:unscaled_std", '
            "ask: d?, vary: {d_k: [1, 2]}, tolerance: 0.1, working: w}]",
            6,
            "does not say d_k, which varies",
        ),
    ],
)
def test_every_fault_has_its_line_and_says_what_was_expected(
    spoil: Spoil, this: str, by: str, line: int, expected: str
) -> None:
    found = problems(spoil(this, by))
    assert any(p.line == line and expected in p.message for p in found), "\n".join(map(str, found))
    assert {p.path.name for p in found} == {"scale.yaml"}


def test_all_faulty_files_are_named_in_one_run(bank_folder: Path) -> None:
    mine = bank_folder / "mine"
    (mine / "empty.yaml").write_text("")
    (mine / "latin.yaml").write_bytes(b"question: caf\xe9")
    (mine / "bomb.yaml").write_text("a: &a [1]\nb: [*a, *a]\n")
    (mine / "list.yaml").write_text("- 1\n")
    (mine / "Bad Name.yaml").write_text("a: 1\n")
    (mine / "note.yml").write_text("a: 1\n")
    (bank_folder / "loose.yaml").write_text("a: 1\n")
    found = {p.path.name: p.message for p in problems(bank_folder)}
    assert set(found) == {
        "empty.yaml",
        "latin.yaml",
        "bomb.yaml",
        "list.yaml",
        "Bad Name.yaml",
        "note.yml",
        "loose.yaml",
    }
    assert "empty" in found["empty.yaml"]
    assert "UTF-8" in found["latin.yaml"]
    assert "wrong place" in found["loose.yaml"]


def test_an_id_that_is_taken_is_an_error(bank_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "mine").mkdir(parents=True)
    (other / "mine" / "scale.yaml").write_text((bank_folder / "mine" / "scale.yaml").read_text())
    with pytest.raises(bank.BankError, match="the id mine/scale is taken by"):
        bank.load(bank_folder, other)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    assert "is no folder" in problems(tmp_path / "nowhere")[0].message


def test_the_bank_itself_loads_and_lists_in_order_of_priority() -> None:
    loaded = bank.load()
    order = [loaded.questions[id].priority for id in loaded.order()]
    assert order == sorted(order)
    assert loaded.questions.keys() == loaded.paths.keys()


def test_the_schema_knows_every_key_and_no_other() -> None:
    schema = model.json_schema()
    assert schema["additionalProperties"] is False
    assert schema["properties"].keys() == {f.alias or name for name, f in model.Question.model_fields.items()}


def test_the_hash_changes_with_what_is_learnt_and_with_nothing_else(spoil: Spoil) -> None:
    def hash_of(folder: Path) -> str:
        return bank.load(folder).hash("mine/scale")

    before = hash_of(spoil("priority: 2", "priority: 2"))
    assert hash_of(spoil("priority: 2", "priority: 3")) == before
    assert hash_of(spoil("Because the variance grows.", "Because it shrinks.")) != before
    assert hash_of(spoil("must: Variance d_k.", "must: Something else.")) != before


def test_the_inventory_has_what_the_bank_must_cover() -> None:
    known = loading.inventory()
    assert len(known["questions"]) == 55
    assert len(known["concepts"]) == 439
    assert len(known["errata"]) == 134
    assert {e["topic"] for part in ("questions", "concepts") for e in known[part].values()} <= set(model.TOPICS)
