r"""Multi-head attention: several small attentions side by side instead of one wide one.

Each head projects the tokens down to d_head = d_model / heads dimensions, attends there, and hands back a slice; the
slices are laid side by side and mixed by one output matrix.

Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.2; :math:`W^Q, W^K, W^V, W^O` are `weights.q, .k, .v, .out`.
Variant: no biases; every head has its own keys and values (for shared ones see grouped_query.py); tokens are rows, so a
    projection is `x @ w`, the transpose of what `nn.Linear` stores.
Not handled: dropout, positions, caching.

Worked example: two tokens, d_model = 2, two heads of one dimension, all projections the identity, no output mixing.
    x = [[1, 0], [0, 1]]. Head 0 sees the first column [1, 0]: token 0 has logits [1, 0], so weights [0.731, 0.269] and
    output 0.731; token 1 has logits [0, 0] and output 0.5. Head 1 sees the second column and does the mirror image:
    [[0.731, 0.5], [0.5, 0.731]]. One head of two dimensions scales by sqrt(2) and looks at both columns at once, so it
    uses weights [0.670, 0.330] for everything: [[0.670, 0.330], [0.330, 0.670]].
"""

import math
from typing import NamedTuple

import sympy
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from snippets.derivation import Steps, step
from snippets.evidence import Evidence, trained
from snippets.transformers.attention import attention


class Weights(NamedTuple):
    """The projections of one attention layer.

    q: (d_model, heads * d_head)   k, v: (d_source, kv_heads * d_head)   out: (heads * d_head, d_model)
    """

    q: Tensor
    k: Tensor
    v: Tensor
    out: Tensor


def random_weights(d_model: int, *, heads: int, kv_heads: int | None = None, d_source: int | None = None) -> Weights:
    """Draw the projections of a layer, scaled so that unit-variance inputs give unit-variance outputs.

    kv_heads: heads that have keys and values of their own; all of them, unless some are shared.
    d_source: width of what the keys and values are made from; d_model, unless it comes from elsewhere.
    Raises ValueError when the heads do not divide the width.
    """
    if d_model % heads:
        raise ValueError(f"d_model = {d_model} cannot be cut into {heads} heads: choose a divisor")
    d_head, d_source = d_model // heads, d_source or d_model
    shared = (kv_heads or heads) * d_head

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, dtype=torch.float64) / math.sqrt(rows)

    return Weights(
        matrix(d_model, heads * d_head),
        matrix(d_source, shared),
        matrix(d_source, shared),
        matrix(heads * d_head, d_model),
    )


def multi_head(x: Tensor, source: Tensor, weights: Weights, *, heads: int, mask: Tensor | None = None) -> Tensor:
    """Attend with several heads at once: from `x`, to `source`.

    x: (..., queries, d_model)   source: (..., keys, d_source); x itself for self-attention
    mask: broadcast to (..., heads, queries, keys), True where a query may look.
    Returns (..., queries, d_model). Vaswani et al. 2017, section 3.2.2.
    """

    def split(tokens: Tensor) -> Tensor:
        return torch.unflatten(tokens, -1, (heads, -1)).transpose(-2, -3)  # (..., heads, tokens, d_head)

    q, k, v = split(x @ weights.q), split(source @ weights.k), split(source @ weights.v)
    mixed = attention(q, k, v, mask=mask)
    return mixed.transpose(-2, -3).flatten(-2) @ weights.out


def multi_head_spec(x: Tensor, source: Tensor, weights: Weights, *, heads: int) -> Tensor:
    """The same for one sequence, one head and one query at a time.

    x: (queries, d_model)   source: (keys, d_source)   Returns (queries, d_model).
    """
    d_head = weights.q.shape[1] // heads
    rows = []
    for token in x:
        slices = []
        for head in range(heads):
            mine = slice(head * d_head, (head + 1) * d_head)
            q = token @ weights.q[:, mine]
            logits = torch.stack([q @ (other @ weights.k[:, mine]) for other in source]) / d_head**0.5
            slices.append(
                sum(w * (other @ weights.v[:, mine]) for w, other in zip(logits.softmax(0), source, strict=True))
            )
        rows.append(torch.cat(slices) @ weights.out)
    return torch.stack(rows)


def derive_one_head_floor() -> Steps:
    r"""How much of two independent signals one head can report: half.

    A head whose weights do not depend on the content hands over :math:`z = \alpha a + \beta b`. The best linear guess
    of a from z multiplies it by :math:`w = \alpha / (\alpha^2 + \beta^2)`; what is left over of a and of b sums to one
    unit of variance out of two, whatever the weights.
    """
    alpha, beta = sympy.symbols("alpha beta", positive=True)
    w_a, w_b = alpha / (alpha**2 + beta**2), beta / (alpha**2 + beta**2)
    left_of_a, left_of_b = beta**2 / (alpha**2 + beta**2), alpha**2 / (alpha**2 + beta**2)
    return {
        "what is left of a": step((1 - w_a * alpha) ** 2 + (w_a * beta) ** 2, left_of_a),
        "what is left of b": step((w_b * alpha) ** 2 + (1 - w_b * beta) ** 2, left_of_b),
        "share of the two that is lost": step((left_of_a + left_of_b) / 2, sympy.Rational(1, 2)),
    }


def heads_cost_nothing(d_model: int = 64, tokens: int = 24) -> Evidence:
    """Parameters and matrix-multiplication FLOPs of 1, 2, 4, 8 and 16 heads: all the same.

    Expected are 4 d^2 parameters; per token pair every head costs 4 d_head FLOPs, and heads x d_head is d_model.
    """
    parameters, flops = set(), set()
    for heads in (1, 2, 4, 8, 16):
        weights = random_weights(d_model, heads=heads)
        x = torch.randn(tokens, d_model, dtype=torch.float64)
        with FlopCounterMode(display=False) as counter:
            multi_head(x, x, weights, heads=heads)
        parameters.add(sum(matrix.numel() for matrix in weights))
        flops.add(counter.get_total_flops())
    expected = 8 * tokens * d_model**2 + 4 * tokens**2 * d_model
    return Evidence(
        holds=parameters == {4 * d_model**2} and flops == {expected},
        measured={"parameters": max(parameters), "FLOPs": max(flops)},
    )


def heads_add_up(d_model: int = 30, heads: int = 5) -> Evidence:
    """A layer of five heads against the sum of five layers of one head, each with its slice of the weights.

    Concatenating and multiplying by W^O is adding: W^O has one block of rows a head. It comes out so only when the
    heads do not mix before that, and when each scales by the width that it has. Float noise is 1e-15.
    """
    weights, d_head = random_weights(d_model, heads=heads), d_model // heads
    x, source = torch.randn(7, d_model, dtype=torch.float64), torch.randn(11, d_model, dtype=torch.float64)
    whole, parts = multi_head(x, source, weights, heads=heads), torch.zeros_like(x)
    for mine in torch.split(torch.arange(d_model), d_head):
        alone = Weights(weights.q[:, mine], weights.k[:, mine], weights.v[:, mine], weights.out[mine])
        parts = parts + multi_head(x, source, alone, heads=1)
    difference = (whole - parts).abs().max().item()
    return Evidence(
        holds=difference < 1e-12 and whole.abs().max().item() > 1e-3,
        measured={"largest difference": difference},
        rel=None,
    )


def heads_look_apart(d_model: int = 24, heads: int = 4) -> Evidence:
    """Change the queries of one head and see which output columns move, with W^O as the identity.

    Only that head's own columns may; a split that forgets the transpose lets the change leak through the whole row.
    """
    weights = random_weights(d_model, heads=heads)._replace(out=torch.eye(d_model, dtype=torch.float64))
    x = torch.randn(7, d_model, dtype=torch.float64)
    noise = torch.zeros(d_model, d_model, dtype=torch.float64)
    noise[:, : d_model // heads] = torch.randn(d_model, d_model // heads)
    changed = weights._replace(q=weights.q + noise)
    moved = (multi_head(x, x, changed, heads=heads) - multi_head(x, x, weights, heads=heads)).abs().amax(0)
    columns = int((moved > 1e-12).sum())
    return Evidence(
        holds=columns == d_model // heads and bool((moved[: d_model // heads] > 1e-12).all()),
        measured={"columns that move": columns, "columns of one head": d_model // heads},
    )


def both_neighbours(heads: int, *, tokens: int = 7, content: int = 5, steps: int = 400) -> list[float]:
    """Train one attention layer to report the content of both neighbours, left then right, and nothing else.

    The input of a token is its content, standard normal, and its place, one-hot; d_model is 12 whatever the number of
    heads. Returns the loss of each step: the share of the variance that is not explained. Answering zero gives 1.
    """
    weights = [matrix.requires_grad_() for matrix in random_weights(content + tokens, heads=heads)]
    optimizer = torch.optim.Adam(weights, lr=0.03)
    place = torch.eye(tokens, dtype=torch.float64).expand(64, -1, -1)
    losses = []
    for _ in range(steps):
        what = torch.randn(64, tokens, content, dtype=torch.float64)
        x = torch.cat([what, place], dim=-1)
        wanted = torch.cat([what.roll(1, dims=1), what.roll(-1, dims=1)], dim=-1)
        loss = (multi_head(x, x, Weights(*weights), heads=heads)[..., : 2 * content] - wanted).square().mean()
        optimizer.zero_grad()
        if loss.requires_grad:  # a stand-in that ignores the weights has nothing to train
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        losses.append(loss.item())
    return losses


@trained
def two_patterns_need_two_heads() -> Evidence:
    """One head of width 12 against two of width 6, with the same parameters, on a task with two patterns.

    One distribution over the tokens cannot keep two tokens apart: `derive_one_head_floor` puts its error at 0.5. Two
    heads have no such floor; 0.01 leaves room for 400 steps of training. The best constant answer has error 1.
    """
    one, two = (sum(both_neighbours(heads)[-20:]) / 20 for heads in (1, 2))
    return Evidence(
        holds=0.4 < one < 0.6 and two < 0.01,
        measured={"error of one head": one, "error of two heads": two},
        rel=None,
    )


def draw_both_neighbours(axes: Axes) -> None:
    """Error in training of one and of two heads on the task that wants two patterns."""
    for heads, colour in ((1, "C0"), (2, "C1")):
        label = "one head of 12" if heads == 1 else "two heads of 6"
        axes.plot(both_neighbours(heads), color=colour, label=label)
    axes.axhline(0.5, color="C2", linestyle="--", label="floor for one head")
    axes.set(xlabel="training step", ylabel="variance not explained", ylim=(0, 1.2))
    axes.legend()
