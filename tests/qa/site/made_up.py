"""A small made-up bank with every form of everything, and evidence to go with it, for the tests and the benchmark.

Its references point at functions that are there, whatever they do: links to them are checked.
"""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from qa import model
from qa.loading import Loaded

ATTENTION = "snippets.transformers.attention"
SCALING, SELF = "transformers/attention-scaling", "transformers/self-attention"
MADE = {"on": "2026-11-21", "python": "3.11.7", "torch": "2.13.0", "sympy": "1.14.0"}

SVG = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="345.6pt" height="237.6pt" viewBox="0 0 345.6 237.6">
 <defs>
  <style type="text/css">*{stroke-linejoin: round}</style>
  <path id="tick" d="M 0 0 L 0 3.5" style="stroke: currentColor"/>
 </defs>
 <g id="figure_1">
  <path d="M 40 20 L 40 200 L 330 200" style="fill: none; stroke: currentColor"/>
  <path d="M 40 190 C 90 80 150 40 330 30" style="fill: none; stroke: #2f7fd0" clip-path="url(#clip)"/>
  <use xlink:href="#tick" x="40" y="200"/>
  <text x="150" y="225" style="fill: currentColor; font-size: 12px">width of a head</text>
 </g>
 <defs><clipPath id="clip"><rect x="40" y="0" width="300" height="200"/></clipPath></defs>
</svg>
"""

QUESTIONS: dict[str, dict[str, Any]] = {
    SCALING: yaml.safe_load(r"""
question: Why is dot-product attention divided by √d_k?
asked_as: ["What happens to attention without the scaling factor?", "Why not divide by d_k?"]
priority: 1
basis: {inventory: attention-significance, note: Asked in most published question lists.}
level: senior
needs: [transformers/self-attention]
tags: [attention, softmax, initialisation]
reviewed: 2026-11-21
short: >-
  A dot product of d_k independent unit-variance terms has variance d_k, so logits grow with the width of the head and
  the softmax saturates. Dividing by √d_k keeps the variance at 1.
shows:
  attention: {code: "snippets.transformers.attention:attention"}
  spread:
    figure: "snippets.transformers.softmax_saturation:draw_keys_in_use"
    alt: Largest weight, with & without "scale".
  std: {value: "snippets.transformers.attention:unscaled_std", with: {d_k: 512}, format: ".1f"}
  variance: {formula: "snippets.transformers.attention:derive_variance"}
  sum: {formula: "snippets.transformers.attention:derive_variance", step: the sum of d_k terms}
  widths: {table: "snippets.transformers.attention:unscaled_std", with: {d_k: 64}}
answer: |
  Because the size of a dot product grows with the number of its terms.

  {{ attention }}

  At $d_k = 512$ the logits have a standard deviation of {{ std }}, or $\sqrt{d_k} = {{ std }}$.

  {{ variance }}

  - **Cost.** A price of $0.15 to $0.60 a million tokens does not notice it; `$x$` is code.
  - **When otherwise.** Under muP the factor is $1/d_k$; $\log p$ and {{ sum }} stand in a line.

  | Model | Scale |
  | --- | --- |
  | GPT-2 | $1/\sqrt{d_k}$ |
  | muP | $1/d_k$ |

  {{ spread }}

  {{ widths }}
claims:
  - says: With the scale the logits keep unit variance at every width $d_k$.
    check: "snippets.transformers.attention:scale_keeps_unit_variance"
  - says: Every query's weights sum to one, whatever the scale.
    check: "snippets.transformers.attention:weights_sum_to_one"
mistakes:
  - in: "snippets.transformers.attention:attention"
    says: Divided by $d_k$ instead of its root.
    replace: [{this: "math.sqrt(q.shape[-1])", by: "q.shape[-1]"}]
  - in: "snippets.transformers.attention:attention"
    says: Softmax over the queries instead of the keys.
    replace: [{this: "dim=-1", by: "dim=-2"}]
key_points:
  - should: A saturated softmax has a vanishing Jacobian.
  - must: The dot product has variance $d_k$.
  - bonus: Under muP the factor is $1/d_k$.
misconceptions:
  - wrong: The factor makes the weights sum to one.
    right: The softmax does that; the factor keeps it out of saturation.
    check: "snippets.transformers.attention:weights_sum_to_one"
    erratum: attention-any-distance
    sources: [vaswani2017attention]
follow_ups:
  - question: transformers/self-attention
  - {ask: "What changes under muP?", answer: The factor becomes $1/d_k$.}
drills:
  - code: "snippets.transformers.attention:attention"
  - number: "snippets.transformers.attention:unscaled_std"
    ask: What is the standard deviation of unscaled logits for heads of {d_k}?
    vary: {d_k: [64, 256, 1024]}
    tolerance: 0.05
    working: the root of $d_k$
  - choice: Which change raises the variance of the logits?
    options:
      - {right: A wider head without the scale, why: The variance is $d_k$.}
      - {wrong: A longer context, why: More keys add logits; each keeps its variance.}
sources: [vaswani2017attention]
"""),
    SELF: yaml.safe_load("""
question: What does self-attention compute?
priority: 2
basis: {}
level: engineer
tags: [attention]
reviewed: 2026-11-20
short: Every token takes an average of all tokens' values, weighted by how well its query matches their keys.
shows:
  attention: {code: "snippets.transformers.attention:attention"}
answer: |
  An average, weighted by likeness.

  {{ attention }}
claims:
  - {says: The weights sum to one., check: "snippets.transformers.attention:weights_sum_to_one"}
key_points: [{must: A weighted average.}]
sources: [vaswani2017attention]
"""),
}

REFERENCE = {
    "title": "Attention Is All You Need",
    "authors": "Ashish Vaswani, Noam Shazeer, Niki Parmar, Jakob Uszkoreit, Llion Jones",
    "year": 2017,
    "venue": "NeurIPS",
    "arxiv": "1706.03762",
}

STEPS = [
    {"name": "one term", "latex": r"\operatorname{Var}\left(q_{i} k_{i}\right) = 1", "text": "Var(qᵢkᵢ) = 1"},
    {
        "name": "the sum of d_k terms",
        "latex": r"\sum_{i=1}^{d_{k}} \operatorname{Var}\left(q_{i} k_{i}\right) = d_{k}",
        "text": "ΣVar = d_k",
    },
]

UNIT, ONE = f"{ATTENTION}:scale_keeps_unit_variance", f"{ATTENTION}:weights_sum_to_one"
ROOT, KEYS = "Divided by $d_k$ instead of its root.", "Softmax over the queries instead of the keys."

EVIDENCE: dict[str, Any] = {
    "checks": {
        UNIT: {"holds": True, "measured": {"standard deviation of the logits": 1.00312, "keys": 12345}, "rel": 1e-3},
        ONE: {"holds": True, "measured": {"largest difference": 4.4e-16, "sums to one": True}, "rel": None},
    },
    "shown": {
        "std": {"value": 22.627, "text": "22.6"},
        "variance": {"steps": STEPS},
        "sum": {"steps": STEPS[1:]},
        "spread": {"file": "attention-scaling.spread.svg"},
        "widths": {"rows": [{"width": "64", "kind": "small|narrow"}, {"width": "4,096", "kind": "wide"}]},
    },
    "drills": {
        f"{ATTENTION}:unscaled_std": {"table": [{"with": {"d_k": d}, "answer": d**0.5} for d in (64, 256, 1024)]},
    },
    "mistakes": {
        UNIT: {"verdicts": {ROOT: "rejects", KEYS: "passes", f"zeros: {ATTENTION}:attention": "rejects"}},
        ONE: {"verdicts": {ROOT: "passes", KEYS: "rejects", f"first argument: {ATTENTION}:attention": "crashes"}},
    },
}
for _section in EVIDENCE.values():
    for _entry in _section.values():
        _entry.update(key="0", made=MADE)

LAB = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        {
            "cell_type": "markdown",
            "id": "a",
            "metadata": {},
            "source": ["# A made-up lab\n", "\n", r"With $\sigma^2$."],
        },
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "execution_count": 1,
            "source": ["print(6 * 7)"],
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["forty-two\n"]},
                {
                    "output_type": "execute_result",
                    "execution_count": 1,
                    "metadata": {},
                    "data": {"text/latex": [r"$\displaystyle \frac{1}{2}$"], "text/plain": ["1/2"]},
                },
            ],
        },
    ],
}


def question(id: str = SCALING, **changed: Any) -> model.Question:
    """Return a question of this bank, changed."""
    return model.Question.model_validate(copy.deepcopy(QUESTIONS[id]) | changed)


def bank(many: int = 2) -> Loaded:
    """Return a bank of `many` questions in one topic: the two above, then copies of the first under other names."""
    questions = {SCALING: question(), SELF: question(SELF)}
    for n in range(2, many):
        words = f"Why is dot-product attention divided by √d_k, asked for the {n}th time?"
        questions[f"{SCALING}-{n}"] = question(question=words, priority=1 + n % 5)
    topics = {
        "transformers": model.Topic(title="Transformers", blurb="Attention, and what it costs.", order=2),
        "vaes": model.Topic(title="Variational autoencoders", blurb="Nothing yet.", order=6),
    }
    references = {"vaswani2017attention": model.Reference.model_validate(REFERENCE)}
    return Loaded(questions=questions, topics=topics, references=references)


def write_evidence(loaded: Loaded, folder: Path) -> None:
    """Write evidence for every question whose text is that of the first, and a lab."""
    for id in loaded.questions:
        if id != SELF:
            path = folder / f"{id}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(EVIDENCE), "utf-8")
    (folder / "transformers" / "attention-scaling.spread.svg").write_text(SVG, "utf-8")
    (folder / "labs").mkdir(exist_ok=True)
    (folder / "labs" / "made_up.ipynb").write_text(json.dumps(LAB), "utf-8")
