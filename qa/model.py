"""What a question is. From these classes come the loader's errors, the JSON Schema for editors and every page."""

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

TOPICS = (
    "foundations", "transformers", "llms", "autoregressive", "gans", "vaes", "diffusion", "density", "adaptation",
    "alignment", "compression", "training", "serving", "data", "evaluation", "retrieval", "agents", "multimodal",
    "safety", "applications", "design", "practice",
)  # fmt: skip

SHORT_WORDS = 90
"""What can be said aloud in thirty seconds."""

ANSWER_WORDS = (250, 700)
"""How long a whole answer is; a lint warning, not an error."""

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")
"""`{{ name }}` in an answer stands for the thing of that name under `shows`."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Ref = Annotated[str, StringConstraints(pattern=r"^snippets(\.\w+)+:\w+(\.\w+)*$")]
MistakeRef = Annotated[str, StringConstraints(pattern=r"^(snippets|tests\.mistakes)(\.\w+)+:\w+(\.\w+)*$")]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


def _short_enough(text: str) -> str:
    if (words := len(text.split())) > SHORT_WORDS:
        raise ValueError(f"{words} words; {SHORT_WORDS} is what fits into 30 seconds")
    return text


Short = Annotated[Text, AfterValidator(_short_enough)]
Scalar = int | float | bool | str


def _by_key(*keys: str) -> Discriminator:
    """Tell the forms of a union apart by the key that only one of them has, so that an error speaks of that form."""

    def which(part: Any) -> str | None:
        has = part.__contains__ if isinstance(part, dict) else lambda key: hasattr(part, key)
        return next((key for key in keys if has(key)), None)

    return Discriminator(
        which, custom_error_type="form", custom_error_message=f"needs one of the keys {', '.join(keys)}"
    )


class Part(BaseModel):
    """A part of a question: read-only, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Code(Part):
    """The source of a tested function."""

    code: Ref


class Value(Part):
    """A number or a word that a function returns; with `measured`, one figure of the evidence that a check returns."""

    value: Ref
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="keyword arguments")
    measured: str | None = Field(None, description="which figure, where the function is a check")
    format: str = Field("", description='a Python format specification, such as ".1f" or ",d"')


class Formula(Part):
    """The steps that a `derive_*` function proves; with `step`, one of them."""

    formula: Ref
    step: str | None = None


class Figure(Part):
    """What a `draw_*` function draws on the axes that it is given."""

    figure: Ref
    alt: Text = Field(description="what is to be seen, for those who cannot see it")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class Table(Part):
    """A table computed by a function that returns a list of rows, each a mapping of heading to cell."""

    table: Ref
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    format: str = Field("", description="a Python format specification for every number")


Shown = Annotated[
    Annotated[Code, Tag("code")]
    | Annotated[Value, Tag("value")]
    | Annotated[Formula, Tag("formula")]
    | Annotated[Figure, Tag("figure")]
    | Annotated[Table, Tag("table")],
    _by_key("code", "value", "formula", "figure", "table"),
]


class Claim(Part):
    """A statement and the experiment that could have refuted it."""

    says: Text
    check: Ref
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class Replacement(Part):
    """Text that stands exactly once in the function, and what a candidate writes in its place."""

    this: Annotated[str, StringConstraints(min_length=1)]
    by: str


class Mistake(Part):
    """A wrong version that people write, by replacing text or by another function in its place."""

    in_: Ref = Field(alias="in")
    says: Text
    replace: list[Replacement] = Field(default_factory=list)
    by_function: MistakeRef | None = None

    @model_validator(mode="after")
    def one_way(self) -> Self:
        if bool(self.replace) == bool(self.by_function):
            raise ValueError("a mistake needs either `replace` or `by_function`, and not both")
        return self


class KeyPoint(Part):
    """What an interviewer listens for: exactly one of must, should, bonus."""

    must: Text | None = None
    should: Text | None = None
    bonus: Text | None = None

    @model_validator(mode="after")
    def one_weight(self) -> Self:
        if sum(text is not None for text in (self.must, self.should, self.bonus)) != 1:
            raise ValueError("a key point is one of must, should or bonus")
        return self

    @property
    def weight(self) -> Literal["must", "should", "bonus"]:
        return "must" if self.must is not None else "should" if self.should is not None else "bonus"

    @property
    def text(self) -> str:
        return self.must or self.should or self.bonus or ""


class Misconception(Part):
    """What candidates say that costs them the offer, and what is right; `sources` where the correction needs them."""

    wrong: Text
    right: Text
    check: Ref | None = None
    erratum: Slug | None = None
    sources: list[str] = Field(default_factory=list)


class FollowUp(Part):
    """What comes next in the room: a question of the bank (`question`), or one with its answer (`ask`, `answer`)."""

    question: Id | None = None
    ask: Text | None = None
    answer: Text | None = None

    @model_validator(mode="after")
    def one_form(self) -> Self:
        if (self.question is None) == (self.ask is None) or (self.ask is None) != (self.answer is None):
            raise ValueError("a follow-up is `question: <id>`, or `ask` together with `answer`")
        return self


class Option(Part):
    """An option of a choice drill: right or wrong, and why."""

    right: Text | None = None
    wrong: Text | None = None
    why: Text

    @model_validator(mode="after")
    def one_side(self) -> Self:
        if (self.right is None) == (self.wrong is None):
            raise ValueError("an option is either `right` or `wrong`")
        return self


class CodeDrill(Part):
    """Implement a function; graded by the checks of the question, diagnosed by its mistakes."""

    code: Ref


class NumberDrill(Part):
    """Work out a number; `prove` tabulates the answers over the grid of `vary`."""

    number: Ref
    ask: Text
    vary: dict[str, list[Scalar]]
    tolerance: float = Field(gt=0, lt=1, description="relative")
    working: Text


class ChoiceDrill(Part):
    """Choose the right options; every option says why."""

    choice: Text
    options: list[Option] = Field(min_length=2)

    @model_validator(mode="after")
    def some_right_some_wrong(self) -> Self:
        if not any(o.right for o in self.options) or not any(o.wrong for o in self.options):
            raise ValueError("a choice drill needs at least one right and one wrong option")
        return self


Drill = Annotated[
    Annotated[CodeDrill, Tag("code")] | Annotated[NumberDrill, Tag("number")] | Annotated[ChoiceDrill, Tag("choice")],
    _by_key("code", "number", "choice"),
]


class Basis(Part):
    """What a priority rests on."""

    inventory: Slug | list[Slug] | None = None
    sources: list[str] = Field(default_factory=list)
    note: Text | None = None

    @property
    def ids(self) -> list[str]:
        return [] if self.inventory is None else [self.inventory] if isinstance(self.inventory, str) else self.inventory


class Question(Part):
    """A question of the bank, one YAML file each: qa/questions/<topic>/<slug>.yaml."""

    question: Text
    asked_as: list[Text] = Field(default_factory=list, description="other wordings, for search")
    covers: list[Slug] = Field(default_factory=list, description="concepts of the inventory")
    priority: int = Field(ge=1, le=5, description="1 nearly always asked … 5 rarely")
    basis: Basis = Basis()
    level: Literal["engineer", "senior", "architect"]
    needs: list[Id] = Field(default_factory=list, description="questions to know before")
    tags: list[Text] = Field(min_length=1)
    reviewed: date = Field(description="when its facts were last looked up")
    short: Short = Field(description="what you would say aloud in 30 seconds: at most 90 words")
    shows: dict[str, Shown] = Field(
        default_factory=dict, description="everything in the answer that code makes, by name"
    )
    answer: Text = Field(description="Markdown; {{ name }} puts a shown thing in its place")
    claims: list[Claim] = Field(default_factory=list)
    mistakes: list[Mistake] = Field(default_factory=list, description="every claim must reject at least one of them")
    key_points: list[KeyPoint] = Field(min_length=1)
    misconceptions: list[Misconception] = Field(default_factory=list)
    follow_ups: list[FollowUp] = Field(default_factory=list)
    drills: list[Drill] = Field(default_factory=list)
    sources: list[str] = Field(default_factory=list)


class Topic(Part):
    """A topic: qa/questions/<topic>/_topic.yaml."""

    title: Text
    blurb: Text = Field(description="one line")
    order: int


class Reference(Part):
    """A source: an entry of qa/sources.yaml."""

    title: Text
    authors: Text
    year: int = Field(ge=1900, le=2100)
    venue: Text | None = None
    arxiv: Annotated[str, StringConstraints(pattern=r"^(\d{4}\.\d{4,5}|[a-z-]+/\d{7})$")] | None = None
    doi: Text | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    note: Text | None = None

    @property
    def link(self) -> str | None:
        if self.url:
            return self.url
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a question file, for the completion of editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Question.model_json_schema(by_alias=True)}
