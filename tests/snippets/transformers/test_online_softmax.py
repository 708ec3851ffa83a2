"""Online softmax by hand, against PyTorch's fused attention and a loop in Python, and the edges where kernels break."""

import math
import warnings
from functools import partial

import pytest
import sympy
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snippets.derivation import proved, step
from snippets.transformers.attention import attention
from snippets.transformers.online_softmax import (
    derive_backward,
    derive_rescaling,
    largest_tensors,
    matrix_gib,
    memory_table,
    merge,
    online_attention,
    state_mib,
)

assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-12)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("block", [1, 2, 3, 50])
def test_three_keys_by_hand(block: int) -> None:
    """Logits 1, 3, 2, values 10, 20, 30: (10 e^-2 + 20 + 30 e^-1) / (e^-2 + 1 + e^-1) = 32.390 / 1.5032 = 21.547."""
    q, k = torch.tensor([[1.0]]), torch.tensor([[1.0], [3.0], [2.0]])
    v = torch.tensor([[10.0], [20.0], [30.0]])
    torch.testing.assert_close(online_attention(q, k, v, block=block), torch.tensor([[21.547]]), rtol=0, atol=1e-3)


def one_by_one(logits: list[float], values: list[float]) -> float:
    """Milakov and Gimelshein's loop in plain Python, with the exact sums of math.fsum: a second opinion."""
    top = max(logits)
    odds = [math.exp(x - top) for x in logits]
    return math.fsum(w * v for w, v in zip(odds, values, strict=True)) / math.fsum(odds)


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.floats(-50, 50), st.floats(-5, 5)), min_size=1, max_size=12),
    block=st.integers(1, 13),
)
def test_agrees_with_a_loop(pairs: list[tuple[float, float]], block: int) -> None:
    logits, values = map(list, zip(*pairs, strict=True))
    k, v = (torch.tensor(column, dtype=torch.float64).unsqueeze(1) for column in (logits, values))
    ours = online_attention(torch.ones(1, 1, dtype=torch.float64), k, v, block=block).item()
    assert ours == pytest.approx(one_by_one(logits, values), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(queries=st.integers(1, 7), keys=st.integers(1, 17), d=st.integers(1, 5), block=st.integers(1, 19))
def test_agrees_with_torch(queries: int, keys: int, d: int, block: int) -> None:
    q, k, v = randn(2, queries, d), randn(2, keys, d), randn(2, keys, d + 1)
    theirs = F.scaled_dot_product_attention(q, k, v)
    assert_close(online_attention(q, k, v, block=block), theirs)


@pytest.mark.parametrize("block", [1, 4, 5, 23])
def test_agrees_with_torch_under_a_causal_mask(block: int) -> None:
    """23 tokens: blocks that do not divide them, and whole blocks that the first queries may not see."""
    q, k, v = randn(3, 23, 5), randn(3, 23, 5), randn(3, 23, 7)
    causal = torch.ones(23, 23, dtype=torch.bool).tril()
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert_close(online_attention(q, k, v, block=block, mask=causal), theirs)


def test_what_the_answer_tells_you_to_call_is_there() -> None:
    """Uncompiled, FlexAttention computes plainly and says so by a warning; here only its result matters."""
    from torch.nn.attention.flex_attention import flex_attention

    q, k, v = randn(1, 2, 16, 8), randn(1, 2, 16, 8), randn(1, 2, 16, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = flex_attention(q, k, v)
    assert isinstance(theirs, Tensor)
    assert_close(online_attention(q, k, v, block=5), theirs)


def test_blocks_that_are_hidden_at_the_start_leave_no_trace() -> None:
    """The running maximum is still -inf after them, and -inf minus -inf would poison the row."""
    q, k, v = randn(1, 3), randn(9, 3), randn(9, 2)
    mask = torch.tensor([[False] * 6 + [True] * 3])
    assert_close(online_attention(q, k, v, block=2, mask=mask), attention(q, k[6:], v[6:]))


def test_a_row_that_may_see_nothing_is_nan_as_in_attention() -> None:
    q, k, v = randn(1, 3), randn(4, 3), randn(4, 2)
    nothing = torch.zeros(1, 4, dtype=torch.bool)
    assert online_attention(q, k, v, block=3, mask=nothing).isnan().all()
    assert attention(q, k, v, mask=nothing).isnan().all()


def test_gradients_pass_through_the_loop() -> None:
    inputs = tuple(t.requires_grad_() for t in (randn(2, 3), randn(5, 3), randn(5, 2)))
    assert torch.autograd.gradcheck(lambda q, k, v: online_attention(q, k, v, block=2), inputs)


@settings(max_examples=25, deadline=None)
@given(keys=st.integers(2, 15), data=st.data())
def test_merging_agrees_with_one_softmax_wherever_the_cut_is(keys: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, keys - 1))
    logits, v = 5 * randn(3, keys), randn(keys, 2)
    parts = []
    for part in (slice(0, cut), slice(cut, keys)):
        m = logits[:, part].amax(-1, keepdim=True)
        p = (logits[:, part] - m).exp()
        parts += [m, p.sum(-1, keepdim=True), p @ v[part]]
    m, l, o = merge(*parts)
    assert_close(o / l, logits.softmax(-1) @ v)
    assert_close(m + l.log(), logits.logsumexp(-1, keepdim=True))


def test_plain_attention_makes_the_matrix_and_this_one_a_tile() -> None:
    """300 tokens of width 16 in blocks of 32: 90 000 elements against 9 600. A prime number of tokens works, too."""
    assert largest_tensors(300) == (90_000, 9_600)
    assert largest_tensors(211, block=7) == (211 * 211, 211 * 16)


def test_the_rescaling_is_proved_for_any_reference_points() -> None:
    steps = derive_rescaling()
    assert all(proved(equality) for equality in steps.values())
    sum_of = steps["sum of exponentials"]
    m, M = sympy.symbols("m M", real=True)
    assert {m, M} <= sum_of.lhs.free_symbols
    assert not proved(step(sum_of.lhs, sum_of.rhs.subs(M, m)))


def test_the_backward_pass_is_proved() -> None:
    steps = derive_backward()
    assert all(proved(equality) for equality in steps.values())
    gradient = steps["gradient of the first logit"]
    assert not proved(step(gradient.lhs, -gradient.rhs))


def test_the_proved_gradient_is_what_autograd_finds() -> None:
    """p (v - o) for one query over three keys, with p made again from the log of the sum of exponentials."""
    logits, v = randn(3).requires_grad_(), randn(3)
    o = (logits.softmax(0) * v).sum()
    (found,) = torch.autograd.grad(o, logits)
    assert_close((logits - logits.logsumexp(0)).exp() * (v - o), found)


def test_memory_by_hand() -> None:
    """2^17 tokens: 2^34 weights of two bytes are 32 GiB a head. m, l and 128 of o in fp32 are 520 bytes a query."""
    assert matrix_gib(131072) == 32
    assert matrix_gib(1024, heads=16, bytes_per_element=4) == 1 / 16
    assert state_mib(131072) == 65
    assert [row["ratio"] for row in memory_table()] == [8, 32, 126, 504]
