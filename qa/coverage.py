"""How much of what has to be covered is covered: by topic and in all."""

from collections import Counter

from qa import model, proof
from qa.loading import Loaded, inventory

COLUMNS = (
    "questions", "claims", "rejecting", "mistakes", "code", "number", "choice", "asked", "of", "concepts", "of "
)  # fmt: skip
"""rejecting: claims that rejected a mistake. asked, of: inventory questions answered, and how many there are."""


def count(bank: Loaded) -> dict[str, Counter[str]]:
    """Count by topic; an inventory id counts under the topic that the inventory gives it."""
    found = {topic: Counter[str]() for topic in model.TOPICS}
    known = inventory()
    answered: set[str] = set()
    covered: set[str] = set()
    for id, question in bank.questions.items():
        row = found[id.partition("/")[0]]
        row["questions"] += 1
        row["claims"] += len(question.claims)
        row["rejecting"] += sum(
            bool(proof.rejected(id, question, proof.call(c.check, c.with_))) for c in question.claims
        )
        row["mistakes"] += len(question.mistakes)
        for drill in question.drills:
            row[{model.CodeDrill: "code", model.NumberDrill: "number", model.ChoiceDrill: "choice"}[type(drill)]] += 1
        answered |= set(question.basis.ids)
        covered |= set(question.covers)
    for each, entry in known["questions"].items():
        found[entry["topic"]]["asked"] += each in answered
        found[entry["topic"]]["of"] += 1
    for each, entry in known["concepts"].items():
        found[entry["topic"]]["concepts"] += each in covered
        found[entry["topic"]]["of "] += 1
    return found


def report(bank: Loaded) -> str:
    """Return the table, with a line that adds it all up."""
    found = count(bank)
    total = sum(found.values(), Counter[str]())
    lines = [f"{'topic':15}" + "".join(f"{column:>10}" for column in COLUMNS)]
    for topic, row in [*found.items(), ("all", total)]:
        lines.append(f"{topic:15}" + "".join(f"{row[column] or '·':>10}" for column in COLUMNS))
    return "\n".join(lines)
