"""Quantisation-aware training: by hand, its gradient, its conversion, and torchao's prepare and convert."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch.nn import functional

from snippets.compression.digits import accuracy, digits, forward, majority, new_layers, train
from snippets.compression.qat import (
    by_bits,
    conversion_changes_nothing,
    convert,
    draw_by_bits,
    eight_bits_need_no_qat,
    fake_quantized,
    qat_beats_ptq_at_two_bits,
    quantized,
    run_converted,
    without_the_estimator_nothing_moves,
)


def test_by_hand() -> None:
    """A row of (1, 0.3) at 2 bits acts as (1, 0)."""
    x, w, b = torch.tensor([[2.0, 5.0]]), torch.tensor([[1.0, 0.3]]), torch.tensor([0.25])
    assert quantized(x, w, b, bits=2).item() == pytest.approx(2.25)
    assert fake_quantized(x, w, b, bits=2).item() == pytest.approx(2.25)


def test_gradient_is_that_of_a_float_layer_at_the_rounded_weights() -> None:
    x, b = torch.randn(3, 5).double(), torch.zeros(4).double()
    w = torch.randn(4, 5).double().requires_grad_()
    ours = torch.autograd.grad(fake_quantized(x, w, b, bits=3).square().sum(), w)[0]
    at = (fake_quantized(torch.eye(5).double(), w.detach(), b, bits=3).mT).requires_grad_()
    theirs = torch.autograd.grad(functional.linear(x, at, b).square().sum(), at)[0]
    torch.testing.assert_close(ours, theirs)


def test_conversion_gives_the_deployed_logits() -> None:
    layers, x = new_layers((64, 7, 10)), digits().test_x[:11]
    torch.testing.assert_close(
        run_converted(convert(layers, bits=3), x), forward(layers, x, partial(quantized, bits=3))
    )
    assert all(q.dtype == torch.int32 and q.abs().max() <= 3 for q, _, _ in convert(layers, bits=3))


@pytest.mark.oracle_heavy
@pytest.mark.filterwarnings("ignore")
def test_torchao_prepares_and_converts() -> None:
    """QATConfig, as the answer names it: gradients reach the float weights, and conversion keeps the outputs."""
    ao, qat = pytest.importorskip("torchao.quantization"), pytest.importorskip("torchao.quantization.qat")
    layer, x = torch.nn.Linear(64, 32, bias=False), torch.randn(5, 64)
    model: Any = torch.nn.Sequential(layer)
    base = ao.Int8DynamicActivationIntxWeightConfig(
        weight_dtype=getattr(torch, "int4"),  # noqa: B009
        weight_granularity=ao.PerGroup(32),
    )
    ao.quantize_(model, qat.QATConfig(base, step="prepare"))
    trained = model(x)
    trained.sum().backward()
    assert model[0].weight.grad.abs().sum() > 0
    ao.quantize_(model, qat.QATConfig(base, step="convert"))
    torch.testing.assert_close(model(x), trained)


def test_majority_is_about_a_tenth() -> None:
    assert 0.05 < majority() < 0.15


def test_training_makes_the_output_depend_on_the_input() -> None:
    layers = train(new_layers(), steps=60)
    logits = forward(layers, digits().test_x)
    assert logits.std(dim=0).min() > 0.1
    assert accuracy(layers) > 3 * majority()


@pytest.mark.slow
def test_checks_hold() -> None:
    checks = (qat_beats_ptq_at_two_bits, eight_bits_need_no_qat, without_the_estimator_nothing_moves)
    for check in (*checks, conversion_changes_nothing):
        assert check().holds, check.__name__


@pytest.mark.slow
def test_table_and_figure() -> None:
    rows = by_bits()
    assert float(str(rows[-1]["QAT, %"])) > float(str(rows[-1]["PTQ, %"])) + 20
    axes = Figure().add_subplot()
    draw_by_bits(axes)
    qat, ptq = (np.asarray(line.get_ydata(), dtype=float) for line in axes.lines[:2])
    assert qat[0] > ptq[0] + 0.2
