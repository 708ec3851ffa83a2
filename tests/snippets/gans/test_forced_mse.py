"""A squared error forced on a generator: by hand, against torch, by its derivation, and trained."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from snippets.derivation import proved, step
from snippets.gans import forced_mse as module
from snippets.gans.forced_mse import derive_minimiser, expected_error, squared_error


def test_the_worked_example() -> None:
    assert [expected_error(0), expected_error(2)] == [4, 8]
    sides = torch.tensor([-2.0, 2.0])
    samples, data = torch.cartesian_prod(sides, sides).unbind(1)
    assert squared_error(samples[:, None], data[:, None]).item() == 8


@pytest.mark.parametrize("shape", [(1, 1), (5, 2), (3, 7)])
def test_torch_agrees(shape: tuple[int, int]) -> None:
    samples, data = torch.randn(2, *shape).double()
    torch.testing.assert_close(squared_error(samples, data), F.mse_loss(samples, data) * shape[1])


@given(st.floats(-5, 5), st.floats(0, 1))
def test_nothing_beats_the_mean(g: float, share: float) -> None:
    mean = 4 * share - 2
    assert expected_error(g, share) >= expected_error(mean, share) - 1e-9
    assert expected_error(g, share) == pytest.approx(16 * share * (1 - share) + (g - mean) ** 2)


def test_gradient_points_away_from_the_mean() -> None:
    samples = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    data = torch.randn(5, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(squared_error, (samples, data))


@pytest.mark.parametrize("name", list(derive_minimiser()))
def test_no_step_survives_a_wrong_right_hand_side(name: str) -> None:
    equality = derive_minimiser()[name]
    assert proved(equality)
    assert not proved(step(equality.lhs, equality.rhs + equality.rhs.free_symbols.pop()))


@pytest.mark.parametrize("seed", range(3))
def test_the_generator_collapses(seed: int) -> None:
    torch.manual_seed(seed)
    assert module.generator_collapses_to_the_mean().holds
