"""The counts that `python -m qa coverage` prints are those of the bank."""

from pathlib import Path

from qa import bank, coverage, model


def test_counts_by_topic_and_in_all() -> None:
    loaded = bank.load()
    lines = coverage.report(loaded).splitlines()
    assert len(lines) == 1 + len(model.TOPICS) + 1
    total = lines[-1].split()
    assert total[:3] == ["all", str(len(loaded.questions)), str(sum(len(q.claims) for q in loaded.questions.values()))]
    assert total[-4:] == [
        str(len({i for q in loaded.questions.values() for i in q.basis.ids})),
        "55",
        str(len({c for q in loaded.questions.values() for c in q.covers})),
        "439",
    ]


def test_what_is_covered_twice_counts_once(bank_folder: Path) -> None:
    scale = (bank_folder / "mine" / "scale.yaml").read_text()
    home = bank_folder / "transformers"
    home.mkdir()
    covering = scale.replace("tags:", "covers: [softmax]\ntags:").replace(
        "{note: made up for a test}", "{inventory: rlhf}"
    )
    for name in ("one", "two"):
        (home / f"{name}.yaml").write_text(covering)
    (bank_folder / "mine" / "scale.yaml").unlink()
    found = coverage.count(bank.load(bank_folder))
    assert (found["transformers"]["questions"], found["transformers"]["claims"]) == (2, 2)
    assert found["transformers"]["concepts"] == 1
    assert (found["alignment"]["asked"], found["transformers"]["asked"]) == (1, 0)
    assert found["transformers"]["rejecting"] == 0, "nothing is proved in a bank without evidence"
