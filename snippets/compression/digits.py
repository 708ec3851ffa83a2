r"""A small network to compress: three linear layers that read handwritten digits of 8 x 8 pixels, trained in a second.

    x -> relu(W1 x + b1) -> relu(W2 h + b2) -> W3 h + b3

Source: the 1797 digits that come with scikit-learn, from the test part of the data of Alpaydin and Kaynak, 1998.
Variant: 1297 to train on, 500 held out, always the same; Adam in float64, so that other machines learn nearly the same.
Not handled: convolutions, validation, early stopping. It is a patient to operate on, not a good digit reader.

On paper: two layers with the identity for W and zeros for b turn (1, -2) into relu(1, -2) = (1, 0), and leave it so.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

Layers = list[tuple[Tensor, Tensor]]
"""Weights (out, in) and bias (out,) of each layer."""

Linear = Callable[[Tensor, Tensor, Tensor], Tensor]
"""What a layer does with its input, weights and bias; a quantised layer is another such function."""


class Digits(NamedTuple):
    """Images as rows of 64 numbers from 0 to 1, and what digit each shows."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


@cache
def digits() -> Digits:
    """Load the digits, in the one split that every experiment here uses."""
    images, labels = load_digits(return_X_y=True)
    x, y = torch.from_numpy(images).double() / 16, torch.from_numpy(labels)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, test = order[:1297], order[1297:]
    return Digits(x[train], y[train], x[test], y[test])


def new_layers(widths: tuple[int, ...] = (64, 64, 64, 10)) -> Layers:
    """Draw weights of variance 2 / in (He et al. 2015), from torch's global generator; biases are zero."""
    shapes = zip(widths[1:], widths[:-1], strict=True)
    return [(torch.randn(o, i).double() * (2 / i) ** 0.5, torch.zeros(o).double()) for o, i in shapes]


def forward(layers: Layers, x: Tensor, linear: Linear = functional.linear) -> Tensor:
    """Logits of the images; a ReLU follows each layer but the last.

    x: (images, in)   Returns (images, classes).
    """
    for weights, bias in layers[:-1]:
        x = linear(x, weights, bias).relu()
    return linear(x, *layers[-1])


def train(
    layers: Layers,
    *,
    steps: int = 500,
    rate: float = 3e-3,
    linear: Linear = functional.linear,
    masks: list[Tensor] | None = None,
) -> Layers:
    """Go on training from these layers, and return new ones.

    linear: stands for a layer in the forward pass (quantisation-aware training)
    masks: one for each layer, of its weights' shape; where it is 0 the weight stays 0 (retraining what was pruned).
    """
    data = digits()
    layers = [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in layers]
    optimiser = torch.optim.Adam([p for pair in layers for p in pair], lr=rate)
    for _ in range(steps):
        batch = torch.randint(len(data.train_x), (128,))
        loss = functional.cross_entropy(forward(layers, data.train_x[batch], linear), data.train_y[batch])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        for mask, (w, _b) in zip(masks or [], layers, strict=False):
            w.data *= mask
    return [(w.detach(), b.detach()) for w, b in layers]


def accuracy(layers: Layers, linear: Linear = functional.linear) -> float:
    """Share of the 500 held-out digits that are read correctly."""
    data = digits()
    return (forward(layers, data.test_x, linear).argmax(-1) == data.test_y).double().mean().item()


def majority() -> float:
    """Accuracy of the best trivial predictor: the most frequent digit of the training set, always."""
    data = digits()
    return (data.test_y == data.train_y.mode().values).double().mean().item()


@cache
def trained_layers() -> Layers:
    """The network that is compressed, trained once in a process, from its global seed."""
    return train(new_layers())
