"""What the loader lets pass and an author has to mend: no claim, a claim that has rejected nothing, stale evidence."""

from collections.abc import Iterator

from qa import model, proof, source
from qa.bank import Problem
from qa.loading import Loaded, shown_path

CONCEPTS_A_CHECK = 3


def lint(bank: Loaded) -> tuple[list[Problem], list[Problem]]:
    """Return errors and warnings of the whole bank."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for id in bank.order():
        errors += lacking(id, bank)
        errors += unproved(id, bank)
        warnings += style(id, bank)
    errors += [Problem(shown_path(p), 0, "belongs to no question; delete it") for p in proof.orphans(bank.questions)]
    used = {key for q in bank.questions.values() for key in cited(q)}
    unused = sorted(set(bank.references) - used)
    warnings += [Problem(shown_path(source.ROOT / "qa/sources.yaml"), 0, f"{key} is cited nowhere") for key in unused]
    for name in source.all_modules():
        errors += undocumented(name)
    return errors, warnings


def at(id: str, bank: Loaded, key: str, message: str) -> Problem:
    return Problem(shown_path(bank.paths[id]), bank.lines[id].get((key,), 1), message)


def lacking(id: str, bank: Loaded) -> Iterator[Problem]:
    """Every question shows tested code, carries a claim, names its sources and what its priority rests on."""
    question = bank.questions[id]
    if id.partition("/")[0] not in bank.topics:
        yield at(id, bank, "question", "its topic has no _topic.yaml")
    if not question.shows:
        yield at(id, bank, "question", "shows no tested snippet; give it one under `shows`")
    if not question.claims:
        yield at(id, bank, "question", "carries no claim; say something that a check can refute")
    if not question.sources:
        yield at(id, bank, "question", "names no source")
    if not question.basis.ids and not question.basis.sources and not question.basis.note:
        yield at(id, bank, "question", "does not say what its priority rests on: `basis`")


def unproved(id: str, bank: Loaded) -> Iterator[Problem]:
    """Evidence is there and fresh, and every claim has rejected a listed mistake."""
    question = bank.questions[id]
    for what in proof.stale(id, question):
        yield at(id, bank, "question", f"evidence is stale or missing: {what}; run python -m qa prove {id}")
    for n, claim in enumerate(question.claims):
        if not proof.rejected(id, question, proof.call(claim.check, claim.with_)):
            line = bank.lines[id].get(("claims", n), 1)
            yield Problem(shown_path(bank.paths[id]), line, f"the claim has rejected no mistake: {claim.check}")


def style(id: str, bank: Loaded) -> Iterator[Problem]:
    """What is worth a second look."""
    question = bank.questions[id]
    words = len(model.PLACEHOLDER.sub("", question.answer).split())
    low, high = model.ANSWER_WORDS
    if not low <= words <= high:
        yield at(id, bank, "answer", f"the answer has {words} words; {low} to {high} is what a reader wants")
    checks = {proof.call(c.check, c.with_) for c in question.claims}
    if len(question.covers) > CONCEPTS_A_CHECK * len(checks):
        yield at(
            id, bank, "covers", f"{len(question.covers)} concepts, {len(checks)} checks: at most 3 concepts a check"
        )


def cited(question: model.Question) -> Iterator[str]:
    """Yield every source that a question cites."""
    yield from question.sources
    yield from question.basis.sources
    for misconception in question.misconceptions:
        yield from misconception.sources


def undocumented(name: str) -> Iterator[Problem]:
    """A snippet says its idea; what is public in it has a docstring."""
    module = source.module(name)
    if not module.doc:
        yield Problem(module.path, 1, "begins with no docstring that says the idea")
    for function in module.functions:
        found = source.find(f"{name}:{function}")
        if not found.doc:
            yield Problem(found.path, found.line, f"{function} has no docstring")
