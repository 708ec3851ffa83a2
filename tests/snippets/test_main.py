"""`python -m snippets`: lists, runs, and says what is wrong with what it was asked."""

import pytest

from snippets.__main__ import ideas, main
from snippets.evidence import Evidence


def test_without_a_name_it_lists_every_idea(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.split() == ideas()
    assert "transformers.attention" in ideas()


def test_a_snippet_prints_its_idea_and_what_its_checks_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transformers.attention"]) == 0
    out = capsys.readouterr().out
    assert "holds  scale_keeps_unit_variance" in out
    assert "standard deviation of the logits: " in out
    assert "derive_variance" in out


def test_one_function_with_a_seed_is_repeatable(capsys: pytest.CaptureFixture[str]) -> None:
    outs = []
    for seed in ("1", "1", "2"):
        assert main(["snippets.transformers.attention:scale_keeps_unit_variance", "--seed", seed]) == 0
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1] != outs[2]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("transformers.atention", "There is no snippet transformers.atention"),
        ("transformers.attention:nothing", "has no function nothing"),
        ("transformers.attention:attention", "needs arguments"),
    ],
)
def test_what_it_cannot_do_it_says(asked: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([asked]) == 2
    assert answer in capsys.readouterr().err


def test_a_check_that_fails_is_an_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    from snippets.transformers import attention

    def no() -> Evidence:
        """No."""
        return Evidence(False, {"x": 1.0})

    monkeypatch.setattr(attention, "scale_keeps_unit_variance", no)
    assert main(["transformers.attention:scale_keeps_unit_variance"]) == 1
