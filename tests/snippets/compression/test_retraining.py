"""Pruning and retraining: shares by hand, zeros stay zeros, and the trained checks."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from snippets.compression.digits import digits, forward, new_layers
from snippets.compression.retraining import (
    draw_accuracy_by_sparsity,
    layer_masks,
    many_rounds_are_no_free_lunch,
    masked,
    prune_and_retrain,
    retraining_recovers_what_pruning_breaks,
    share_of_zeros,
)


@pytest.mark.parametrize("rounds", [1, 3])
def test_zeros_stay_zeros_and_their_share_is_right(rounds: int) -> None:
    layers = prune_and_retrain(new_layers((64, 10, 10)), 0.9, rounds=rounds, steps=6)
    assert share_of_zeros(layers) == pytest.approx(0.9, abs=0.005)


def test_masking_by_hand() -> None:
    layers = [(torch.tensor([[3.0, -1.0], [0.5, 2.0]]), torch.ones(2))]
    ((w, b),) = masked(layers, layer_masks(layers, 0.5))
    assert w.tolist() == [[3, 0], [0, 2]]
    assert b.tolist() == [1, 1]


def test_retraining_moves_the_weights_that_stay() -> None:
    start = new_layers((64, 10, 10))
    after = prune_and_retrain(start, 0.5, steps=3)
    stays = layer_masks(start, 0.5)[0].bool()
    assert (after[0][0] - start[0][0])[stays].abs().max() > 1e-4
    assert forward(after, digits().test_x).std(dim=0).min() > 0


@pytest.mark.slow
def test_checks_hold() -> None:
    assert retraining_recovers_what_pruning_breaks().holds
    assert many_rounds_are_no_free_lunch().holds


@pytest.mark.slow
def test_figure_has_retraining_above() -> None:
    axes = Figure().add_subplot()
    draw_accuracy_by_sparsity(axes)
    retrained, alone = (np.asarray(line.get_ydata(), dtype=float) for line in axes.lines[:2])
    assert (retrained > alone - 0.03).all()
