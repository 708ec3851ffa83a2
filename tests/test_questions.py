"""Is the knowledge base true? Every claim, value, formula, figure, table, drill and mistake is run anew."""

import pytest

from qa import bank, proof
from qa.loading import Loaded

BANK: Loaded = bank.load()


@pytest.mark.parametrize("id", BANK.order())
def test_what_the_question_says_holds_and_agrees_with_its_evidence(id: str) -> None:
    question = BANK.questions[id]
    assert proof.stale(id, question) == [], f"run python -m qa prove {id} and commit what it writes"
    tasks = proof.tasks(id, question)
    faults = []
    for outcome in proof.run(tasks, jobs=1):
        name = outcome.task.name
        if outcome.state != "done":
            faults.append(f"{name}: {outcome.state}: {outcome.what}")
        elif not outcome.what.get("holds", True):
            faults.append(f"{name} does not hold: {outcome.what['measured']}")
        elif difference := proof.agree(proof.entry(outcome.task), outcome.what):
            faults.append(f"{name} differs from its evidence: {difference}")
    assert faults == []


@pytest.mark.parametrize("id", BANK.order())
def test_every_claim_rejects_a_mistake_that_it_is_known_to_reject(id: str) -> None:
    question = BANK.questions[id]
    chosen = []
    for claim in question.claims:
        name = proof.call(claim.check, claim.with_)
        known = proof.rejected(id, question, name)
        assert known, f"{name} has rejected no mistake, so it proves nothing; run python -m qa prove --mistakes {id}"
        rows = proof.mistake_tasks(id, question, [name])
        chosen.append(next(t for t in rows if t.mistake is not None and t.mistake.says == known[0]))
    verdicts = {
        (o.task.name, o.task.mistake.says if o.task.mistake else ""): o.verdict for o in proof.run(chosen, jobs=1)
    }
    assert set(verdicts.values()) == {"rejects"}, verdicts


def test_nothing_in_the_evidence_belongs_to_nobody() -> None:
    assert proof.orphans(BANK.questions) == []


def test_a_check_that_is_wrong_would_be_noticed_here() -> None:
    """The first test can fail: with a mistake in its place, the same task says no."""
    id = BANK.order()[0]
    question = BANK.questions[id]
    name = proof.call(question.claims[0].check, question.claims[0].with_)
    known = proof.rejected(id, question, name)[0]
    (task,) = [t for t in proof.mistake_tasks(id, question, [name]) if t.mistake and t.mistake.says == known]
    (outcome,) = proof.run([task], jobs=1)
    assert (outcome.state, outcome.what["holds"]) == ("done", False)
