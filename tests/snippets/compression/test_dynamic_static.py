"""Weight-only, dynamic and static layers: by hand, against torch's fake quantisation and torchao, and as properties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from snippets.compression.dynamic_static import (
    a_token_does_not_depend_on_its_neighbours,
    calibrate,
    dynamic,
    dynamic_rounds_the_activations,
    int8_keeps_the_accuracy,
    static,
    static_saturates_where_dynamic_follows,
    weight_only,
)


def test_by_hand() -> None:
    """The worked example: dynamic -2.984, static and saturated -0.992."""
    x, w, b = torch.tensor([[2.0, -4.0]]).double(), torch.tensor([[0.5, 1.0]]).double(), torch.zeros(1).double()
    assert dynamic(x, w, b).item() == pytest.approx(-12033 * 4 / 127**2)
    scale = calibrate([torch.tensor([[2.0, -1.0]]).double()])
    assert static(x, w, b, scale=scale).item() == pytest.approx(2 / 127**2 * (127 * 64 - 127 * 127))
    assert weight_only(x, w, b).item() == pytest.approx(2 * 64 / 127 - 4)


def test_torch_fake_quantisation_agrees() -> None:
    x, w, b = torch.randn(7, 53), torch.randn(11, 53), torch.randn(11)
    rows = torch.zeros(11, dtype=torch.int32)
    w_back = torch.fake_quantize_per_channel_affine(w, w.abs().amax(1) / 127, rows, 0, -127, 127)
    tokens = torch.zeros(7, dtype=torch.int32)
    x_back = torch.fake_quantize_per_channel_affine(x, x.abs().amax(1) / 127, tokens, 0, -127, 127)
    torch.testing.assert_close(weight_only(x, w, b), functional.linear(x, w_back, b), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(dynamic(x, w, b), functional.linear(x_back, w_back, b), atol=1e-4, rtol=1e-4)


@pytest.mark.oracle_heavy
@pytest.mark.filterwarnings("ignore")
def test_torchao_agrees() -> None:
    """The classes that the answer names exist, and two of them compute what our layers compute."""
    ao = pytest.importorskip("torchao.quantization")
    x, layer = torch.randn(7, 64), torch.nn.Linear(64, 32)
    w, b = layer.weight.detach().clone(), layer.bias.detach().clone()
    ours = {"Int8WeightOnlyConfig": weight_only, "Int8DynamicActivationInt8WeightConfig": dynamic}
    for name, function in ours.items():
        model = torch.nn.Sequential(torch.nn.Linear(64, 32))
        model[0].load_state_dict({"weight": w, "bias": b})
        ao.quantize_(model, getattr(ao, name)())
        torch.testing.assert_close(model(x).detach(), function(x, w, b), atol=0.02, rtol=0.02)
    assert ao.Int8StaticActivationInt8WeightConfig
    assert ao.Int4WeightOnlyConfig
    assert ao.Float8DynamicActivationFloat8WeightConfig


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 6), st.floats(0.01, 100))
def test_a_token_scaled_scales_its_answer(tokens: int, wide: int, out: int, size: float) -> None:
    x, w = torch.randn(tokens, wide).double(), torch.randn(out, wide).double()
    b = torch.zeros(out).double()
    torch.testing.assert_close(dynamic(x * size, w, b), dynamic(x, w, b) * size, atol=1e-9, rtol=1e-6)


def test_static_on_its_calibration_data_is_close() -> None:
    x, w, b = torch.randn(32, 64).double(), torch.randn(16, 64).double(), torch.randn(16).double()
    want = functional.linear(x, w, b)
    assert (static(x, w, b, scale=calibrate([x[:16], x[16:]])) - want).norm() < 0.02 * want.norm()


def test_all_zeros_give_the_bias() -> None:
    b = torch.randn(3)
    assert dynamic(torch.zeros(2, 5), torch.randn(3, 5), b).tolist() == [b.tolist()] * 2


def test_checks_hold() -> None:
    checks = (dynamic_rounds_the_activations, static_saturates_where_dynamic_follows)
    for check in (*checks, a_token_does_not_depend_on_its_neighbours):
        assert check().holds, check.__name__


@pytest.mark.slow
def test_trained_check_holds() -> None:
    assert int8_keeps_the_accuracy().holds
