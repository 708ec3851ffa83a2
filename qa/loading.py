"""From YAML files to checked questions: every fault of every file in one run, each with its file and line."""

import ast
import difflib
import hashlib
import json
import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from qa import model, source, yamlfile
from qa.bank import QUESTIONS, SOURCES, BankError, Problem

INVENTORY = Path(__file__).parent / "inventory.json"
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Loaded:
    """A bank in memory: what stands in its files, and where each of its keys stands."""

    questions: dict[str, model.Question] = field(default_factory=dict)
    topics: dict[str, model.Topic] = field(default_factory=dict)
    references: dict[str, model.Reference] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    lines: dict[str, yamlfile.Lines] = field(default_factory=dict)
    """Of the questions that were read from YAML this time."""

    def rank(self, id: str) -> int:
        """Return the best rank that the inventory gives to what this question answers; 1000 for none."""
        known = inventory()["questions"]
        return min((known[i]["rank"] for i in self.questions[id].basis.ids if i in known), default=1000)

    def hash(self, id: str) -> str:
        """Hash what a learner learns, so that they can be told when it has changed."""
        question = self.questions[id]
        learnt = [question.question, question.short, question.answer, [k.text for k in question.key_points]]
        return hashlib.sha256(json.dumps(learnt).encode()).hexdigest()[:16]

    def order(self) -> list[str]:
        """Return all ids in the order of priority, then rank, then id."""
        return sorted(self.questions, key=lambda id: (self.questions[id].priority, self.rank(id), id))


@lru_cache(maxsize=1)
def inventory() -> dict[str, Any]:
    """Return what the bank has to cover: ids of questions (with rank and topic), of concepts, of errata."""
    return dict(json.loads(INVENTORY.read_text("utf-8")))


def shown_path(path: Path) -> Path:
    """Return a path as people type it: relative to the checkout where it lies inside."""
    return path.relative_to(source.ROOT) if path.is_relative_to(source.ROOT) else path


def load(*folders: Path, unchanged: dict[Path, str] | None = None) -> Loaded:
    """Read the bank, or the folders given, from YAML. Raises BankError with every problem of every file.

    unchanged: for files that need not be read again, the question as JSON; of these only the ids that they refer to
    are looked at again.
    """
    loaded, problems = read(*folders, unchanged=unchanged)
    if problems:
        raise BankError(problems)
    return loaded


def read(*folders: Path, unchanged: dict[Path, str] | None = None) -> tuple[Loaded, list[Problem]]:
    """As `load`, but hand back what could be read, and every problem of every file."""
    loaded = Loaded()
    problems: list[Problem] = []
    for folder in folders or (QUESTIONS,):
        sources = SOURCES if folder == QUESTIONS else folder / "sources.yaml"
        if sources.is_file():
            problems += read_sources(sources, loaded)
        problems += read_folder(folder, loaded, unchanged or {})
    for id in loaded.questions:
        if id in loaded.lines:
            problems += dangling(id, loaded)
        elif any(dangling_ids(id, loaded)):
            _, loaded.lines[id], _ = read_file(model.Question, loaded.paths[id])
            problems += dangling_ids(id, loaded)
    loaded.topics = dict(sorted(loaded.topics.items(), key=lambda item: (item[1].order, item[0])))
    return loaded, sorted(problems)


def read_sources(path: Path, into: Loaded) -> Iterator[Problem]:
    """Read a bibliography."""
    try:
        data, lines = yamlfile.read(path)
    except yamlfile.YamlError as error:
        yield Problem(shown_path(path), error.line, str(error))
        return
    if not isinstance(data, dict):
        yield Problem(shown_path(path), 1, "expected a mapping: one key a source")
        return
    for key, value in data.items():
        where = {p[1:]: line for p, line in lines.items() if p[:1] == (key,)}
        entry, problems = validated(model.Reference, value, path, where)
        yield from problems
        if entry:
            if key in into.references:
                yield Problem(shown_path(path), where[()], f"the source {key} is known already")
            into.references[key] = entry


def read_folder(folder: Path, into: Loaded, unchanged: dict[Path, str]) -> Iterator[Problem]:
    """Read every question and topic under a folder; what is read well goes into the bank."""
    if not folder.is_dir():
        yield Problem(shown_path(folder), 0, "is no folder; a bank is a folder with <topic>/<slug>.yaml in it")
        return
    for path in sorted(folder.rglob("*")):
        name = shown_path(path)
        if path.is_dir() or path.name.startswith(".") or path == folder / "sources.yaml":
            continue
        if path.suffix != ".yaml":
            yield Problem(name, 0, "is not read; a question is a file <topic>/<slug>.yaml")
        elif path.parent.parent != folder:
            yield Problem(name, 0, f"lies in the wrong place; a question is {name.parent.name}/<topic>/<slug>.yaml")
        elif path.name == "_topic.yaml":
            topic, _, problems = read_file(model.Topic, path)
            yield from problems
            if topic:
                into.topics[path.parent.name] = topic
        else:
            yield from read_question(path, folder, into, unchanged.get(path))


def read_question(path: Path, folder: Path, into: Loaded, known: str | None = None) -> Iterator[Problem]:
    """Read one question; its id is its topic and its file name. `known` is the question as JSON, if it is known."""
    topic, slug = path.parent.name, path.stem
    name = shown_path(path)
    if folder == QUESTIONS and topic not in model.TOPICS:
        yield Problem(name, 0, f"{topic} is no topic; the topics are {', '.join(model.TOPICS)}")
        return
    if not SLUG.fullmatch(slug) or not re.fullmatch("[a-z]+", topic):
        yield Problem(name, 0, "a file name is lower-case words joined by hyphens, a topic one lower-case word")
        return
    id = f"{topic}/{slug}"
    if id in into.questions:
        yield Problem(name, 0, f"the id {id} is taken by {shown_path(into.paths[id])}")
        return
    if known is not None:
        into.questions[id], into.paths[id] = model.Question.model_validate_json(known), path
        return
    question, lines, problems = read_file(model.Question, path)
    yield from problems
    if question:
        into.questions[id], into.paths[id], into.lines[id] = question, path, lines


def read_file(kind: type[Model], path: Path) -> tuple[Model | None, yamlfile.Lines, list[Problem]]:
    """Read a file that holds one thing of a kind."""
    try:
        data, lines = yamlfile.read(path)
    except yamlfile.YamlError as error:
        return None, {}, [Problem(shown_path(path), error.line, str(error))]
    except OSError as error:
        return None, {}, [Problem(shown_path(path), 0, f"cannot be read: {error.strerror}")]
    thing, problems = validated(kind, data, path, lines)
    return thing, lines, problems


def validated(kind: type[Model], data: Any, path: Path, lines: yamlfile.Lines) -> tuple[Model | None, list[Problem]]:
    """Check data against the model; pydantic's errors become lines and words of ours."""
    try:
        return kind.model_validate(data), []
    except ValidationError as error:
        problems = []
        for fault in error.errors(include_url=False):
            at = known_path(fault["loc"], lines)
            message = in_words(dict(fault), kind)
            prefix = ".".join(map(str, at)) + ": " if at else ""
            problems.append(Problem(shown_path(path), lines.get(at, 1), prefix + message))
        return None, problems


def known_path(loc: Iterable[str | int], lines: yamlfile.Lines) -> tuple[str | int, ...]:
    """Follow pydantic's location as far as the file has lines for it; it names union members, which no file does."""
    at: tuple[str | int, ...] = ()
    for part in loc:
        if (*at, part) in lines:
            at = (*at, part)
    return at


def in_words(fault: dict[str, Any], kind: type[BaseModel]) -> str:
    """Say what was expected."""
    key = str(fault["loc"][-1]) if fault["loc"] else ""
    if fault["type"] == "missing":
        return f"`{key}` is missing"
    if fault["type"] == "extra_forbidden":
        known = sorted(all_keys(kind))
        close = difflib.get_close_matches(key, known, 1)
        return f"`{key}` is no key here" + (f"; did you mean `{close[0]}`?" if close else "")
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = repr(fault["input"])
    if fault["type"] == "string_pattern_mismatch":
        pattern = fault["ctx"]["pattern"]
        form = {
            model.Id.__metadata__[0].pattern: 'an id such as "transformers/attention-scaling"',  # type: ignore[attr-defined]
            model.Ref.__metadata__[0].pattern: 'a reference such as "snippets.transformers.attention:attention"',  # type: ignore[attr-defined]
            model.Slug.__metadata__[0].pattern: 'lower-case words joined by hyphens, such as "self-attention"',  # type: ignore[attr-defined]
        }.get(pattern, f"text of the form {pattern}")
        message = f"expected {form}"
    elif fault["type"] in ("value_error", "form"):
        return message
    return f"{message}, not {given if len(given) < 60 else given[:57] + '…'}"


@cache
def all_keys(kind: type[BaseModel]) -> frozenset[str]:
    """Return every key that the model, or a part of it, knows."""
    schema = json.dumps(kind.model_json_schema(by_alias=True))
    return frozenset(re.findall(r'"(\w+)": \{"', schema)) - {"properties"}


def problem_at(id: str, bank: Loaded, at: tuple[str | int, ...], message: str) -> Problem:
    """Return a problem of a question, with the line of the key, or of the nearest one around it."""
    lines = bank.lines.get(id, {(): 1})
    line = next(lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines)
    return Problem(shown_path(bank.paths[id]), line, message)


def dangling_ids(id: str, bank: Loaded) -> Iterator[Problem]:
    """Find the questions that a question refers to and that are not there."""
    question = bank.questions[id]
    others = [(("needs", n), other) for n, other in enumerate(question.needs)]
    others += [(("follow_ups", n), f.question) for n, f in enumerate(question.follow_ups) if f.question]
    for at, other in others:
        if other not in bank.questions:
            yield problem_at(id, bank, at, f"there is no question {other}" + did_you_mean(other, bank.questions))
        elif other == id:
            yield problem_at(id, bank, at, "a question cannot refer to itself")


def dangling(id: str, bank: Loaded) -> Iterator[Problem]:
    """Find what a question refers to and what is not there, or not so."""
    question, lines, path = bank.questions[id], bank.lines[id], bank.paths[id]

    def problem(at: tuple[str | int, ...], message: str) -> Problem:
        return problem_at(id, bank, at, message)

    def check_key(at: tuple[str | int, ...], key: str, known: Iterable[str], what: str) -> Iterator[Problem]:
        if key not in known:
            yield problem(at, f"{what} {key}" + did_you_mean(key, known))

    yield from dangling_ids(id, bank)
    known = inventory()
    for n, concept in enumerate(question.covers):
        yield from check_key(("covers", n), concept, known["concepts"], "the inventory has no concept")
    for each in question.basis.ids:
        yield from check_key(("basis", "inventory"), each, known["questions"], "the inventory has no question")
    for n, key in enumerate(question.basis.sources):
        yield from check_key(("basis", "sources", n), key, bank.references, "sources.yaml has no source")
    for n, key in enumerate(question.sources):
        yield from check_key(("sources", n), key, bank.references, "sources.yaml has no source")
    for n, misconception in enumerate(question.misconceptions):
        at = ("misconceptions", n)
        if misconception.erratum:
            yield from check_key((*at, "erratum"), misconception.erratum, known["errata"], "there is no erratum")
        for m, key in enumerate(misconception.sources):
            yield from check_key((*at, "sources", m), key, bank.references, "sources.yaml has no source")
        if misconception.check:
            yield from (problem((*at, "check"), text) for text in wrong_call(misconception.check, {}))
    placeholders = model.PLACEHOLDER.findall(question.answer)
    for name in dict.fromkeys(placeholders):
        if name not in question.shows:
            line = line_of(question.answer, lines.get(("answer",), 1), name)
            there = ", ".join(question.shows) or "nothing"
            yield Problem(shown_path(path), line, f"answer: {{{{ {name} }}}} is not under `shows`, which has {there}")
    for name, shown in question.shows.items():
        if name not in placeholders:
            yield problem(("shows", name), f"{name} is shown nowhere; put {{{{ {name} }}}} into the answer")
        yield from (problem(("shows", name), text) for text in wrong_shown(shown))
    for n, claim in enumerate(question.claims):
        yield from (problem(("claims", n), text) for text in wrong_call(claim.check, claim.with_))
    seen: set[str] = set()
    for n, mistake in enumerate(question.mistakes):
        if mistake.says in seen:
            yield problem(("mistakes", n), "another mistake says the same; evidence knows mistakes by what they say")
        seen.add(mistake.says)
        yield from (problem(("mistakes", n, *at), text) for at, text in wrong_mistake(mistake))
    for n, drill in enumerate(question.drills):
        yield from (problem(("drills", n), text) for text in wrong_drill(drill))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?", or nothing where no known word is close."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def line_of(text: str, key_line: int, name: str) -> int:
    """Return the line of `{{ name }}` in a block of text whose key stands at key_line."""
    found = re.search(r"\{\{\s*" + re.escape(name) + r"\s*\}\}", text)
    return key_line + 1 + (text.count("\n", 0, found.start()) if found else 0)


def wrong_call(ref: str, with_: dict[str, Any]) -> Iterator[str]:
    """Say why a function cannot be called with these arguments, if it cannot."""
    try:
        found = source.find(ref)
    except source.NotFoundInSource as error:
        yield str(error)
        return
    for name in with_:
        if name not in found.arguments:
            yield f"{found.name} takes no {name}; it takes {', '.join(found.arguments) or 'nothing'}"
    if missing := [name for name in found.required if name not in with_]:
        yield f"{found.name} needs {', '.join(missing)}; say so under `with`, or give a default"


def wrong_shown(shown: Any) -> Iterator[str]:
    """Say what is wrong with a thing that code makes."""
    match shown:
        case model.Code():
            try:
                source.find(shown.code)
            except source.NotFoundInSource as error:
                yield str(error)
        case model.Value():
            yield from wrong_call(shown.value, shown.with_)
            try:
                format(1.0 if not shown.format.endswith(("d", "x", "b")) else 1, shown.format)
            except ValueError as error:
                if not shown.format.endswith("s"):
                    yield f"{shown.format!r} is no format: {error}"
        case model.Table():
            yield from wrong_call(shown.table, shown.with_)
        case model.Formula():
            yield from wrong_call(shown.formula, {})
        case model.Figure():
            try:
                found = source.find(shown.figure)
            except source.NotFoundInSource as error:
                yield str(error)
                return
            if [a for a in found.required if a not in shown.with_] != found.arguments[:1] or not found.arguments:
                yield f"{found.name} has to take the axes first, and nothing else that must be given"


def wrong_mistake(mistake: model.Mistake) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Say why a mistake cannot be put in: the path of the fault within it, and words."""
    try:
        found = source.find(mistake.in_)
    except source.NotFoundInSource as error:
        yield ("in",), str(error)
        return
    code = found.code
    for n, replacement in enumerate(mistake.replace):
        if (times := code.count(replacement.this)) != 1:
            yield (
                ("replace", n),
                f"{replacement.this!r} stands {times} times in {found.name} ({found.path}, line {found.line}); "
                "it has to stand there exactly once",
            )
            return
        code = code.replace(replacement.this, replacement.by)
    if mistake.replace:
        try:
            changed = ast.dump(ast.parse(code)) != ast.dump(ast.parse(found.code))
        except SyntaxError as error:
            yield ("replace", len(mistake.replace) - 1), f"what is left of {found.name} does not parse: {error.msg}"
            return
        if not changed:
            yield ("replace",), f"leaves {found.name} as it was"
    if mistake.by_function:
        module_name = mistake.by_function.partition(":")[0]
        in_checkout = source.module_path("tests.mistakes") or (source.ROOT / "tests").is_dir()
        if module_name.startswith("tests.") and not in_checkout:
            return  # an installed bank comes without the tests
        try:
            source.find(mistake.by_function)
        except source.NotFoundInSource as error:
            yield ("by_function",), str(error)


def wrong_drill(drill: Any) -> Iterator[str]:
    """Say what is wrong with a drill."""
    match drill:
        case model.CodeDrill():
            try:
                source.find(drill.code)
            except source.NotFoundInSource as error:
                yield str(error)
        case model.NumberDrill():
            yield from wrong_call(drill.number, drill.vary)
            try:
                asked = {name for _, name, _, _ in string.Formatter().parse(drill.ask) if name is not None}
            except ValueError as error:
                yield f"ask: {error}"
                return
            if unknown := asked - set(drill.vary):
                yield f"ask: {', '.join(sorted(unknown))} is not under `vary`"
            if unsaid := {name for name, values in drill.vary.items() if len(values) > 1} - asked:
                yield f"ask: does not say {', '.join(sorted(unsaid))}, which varies"
