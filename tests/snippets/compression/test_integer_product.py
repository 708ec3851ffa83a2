"""The integer product: by hand, against the product of real numbers, at the edge of its accumulator."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snippets.compression.integer_product import (
    accumulate,
    derive_product,
    integer_linear,
    integers_give_the_real_product,
    longest_sum,
    product_is_proved,
    sums_need_more_than_16_bits,
)
from snippets.derivation import proved, step


def test_by_hand() -> None:
    """The worked example: (1, 2) . (0.2, -0.4) = -0.6."""
    got = integer_linear(
        torch.tensor([[3, 5]]), torch.tensor(0.5), torch.tensor(1), torch.tensor([[2, -4]]), torch.tensor([0.1])
    )
    assert got.tolist() == [[pytest.approx(-0.6)]]


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 11), st.integers(-128, 127))
def test_product_of_what_the_integers_stand_for(tokens: int, wide: int, out: int, zero: int) -> None:
    q_x = torch.randint(-128, 128, (tokens, wide))
    q_w = torch.randint(-127, 128, (out, wide))
    s_x, s_w = torch.rand(()).double() + 0.1, torch.rand(out).double() + 0.1
    want = (s_x * (q_x - zero)) @ (s_w[:, None] * q_w).mT
    torch.testing.assert_close(integer_linear(q_x, s_x, torch.tensor(zero), q_w, s_w), want)


def test_int8_tensors_do_not_wrap_around() -> None:
    q = torch.full((1, 1000), 127, dtype=torch.int8)
    assert accumulate(q, q).item() == 1000 * 127**2


def test_longest_sum_by_hand() -> None:
    assert longest_sum(8, 16) == 2
    assert longest_sum(4, 16) == 32767 // 49


@pytest.mark.parametrize("name", list(derive_product()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_product()[name]
    assert not proved(step(equality.lhs, 2 * equality.rhs))


def test_checks_hold() -> None:
    for check in (product_is_proved, integers_give_the_real_product, sums_need_more_than_16_bits):
        assert check().holds, check.__name__
