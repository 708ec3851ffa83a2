r"""Structured pruning: take whole neurons out, so that the matrices shrink; zeros in a dense matrix save nothing.

    keep rows of W1 and b1, and the same columns of W2:   W2[:, keep] relu(W1[keep] x + b1[keep])

Sources: Li et al., Pruning Filters for Efficient ConvNets, 2017 (arXiv:1608.08710), section 3, for filters;
Muralidharan et al. 2024 (arXiv:2407.14679) for widths and layers of language models.
Variant: a neuron's score is the norm of its incoming weights times that of its outgoing ones; one shot.
Not handled: attention heads, whole layers, residual streams (every matrix that touches them has to shrink alike),
recovery by distillation.

On paper: W1 has the rows (1, 0), (0, 0), b1 = 0, W2 = (3, 5). The second neuron always gives relu(0) = 0, so without it
the answer is the same: W1 = (1, 0) and W2 = (3) are left, three weights of six.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from snippets.compression.pruning import keep_largest
from snippets.evidence import Evidence


def neuron_scores(w1: Tensor, w2: Tensor) -> Tensor:
    """How much can pass through each neuron.  w1: (hidden, in)   w2: (out, hidden)   Returns (hidden,)."""
    return w1.square().sum(dim=1).sqrt() * w2.square().sum(dim=0).sqrt()


def remove_neurons(w1: Tensor, b1: Tensor, w2: Tensor, *, sparsity: float) -> tuple[Tensor, Tensor, Tensor]:
    """Structured (filter, channel) pruning: rows of one matrix go, and with them the columns of the next.

    w1: (hidden, in)   b1: (hidden,)   w2: (out, hidden)   Returns the three with fewer hidden neurons.
    """
    keep = keep_largest(neuron_scores(w1, w2), sparsity).bool()
    return w1[keep], b1[keep], w2[:, keep]


def block(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor) -> Tensor:
    """Two layers with a ReLU between.  x: (tokens, in)   Returns (tokens, out)."""
    return (x @ w1.mT + b1).relu() @ w2.mT


def seconds(run: Callable[[], object], *, repeats: int = 15) -> float:
    """Least seconds of several runs: what else the machine does can only add to them."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def nbytes(*tensors: Tensor) -> int:
    """Bytes that tensors take in memory."""
    return sum(t.numel() * t.element_size() for t in tensors)


def dead_neurons_leave_no_trace() -> Evidence:
    """Structured pruning (filters, channels) of neurons that never fire: same answers, from two thirds of the bytes."""
    x, w1, b1, w2 = (torch.randn(*size).double() for size in ((11, 7), (30, 7), (30,), (5, 30)))
    dead = torch.randperm(30)[:10]
    w1[dead], b1[dead] = 0.0, 0.0
    smaller = remove_neurons(w1, b1, w2, sparsity=1 / 3)
    same = (block(x, *smaller) - block(x, w1, b1, w2)).abs().max().item() < 1e-12
    left = nbytes(*smaller) / nbytes(w1, b1, w2)
    return Evidence(
        holds=same and abs(left - 2 / 3) < 1e-9,
        measured={"same answers, within 1e-12": same, "share of bytes left": left},
    )


def zeros_save_neither_bytes_nor_time() -> Evidence:
    """A layer with 90 % of zeros takes the bytes and the time of the dense one; one with 90 % fewer neurons does not.

    Unstructured sparsity needs a format and a kernel of its own. Bounds are wide, as timings on a shared machine are.
    """
    x, w1, b1, w2 = torch.randn(256, 1024), torch.randn(1024, 1024), torch.zeros(1024), torch.randn(1024, 1024)
    zeros = [keep_largest(w.abs(), 0.9) * w for w in (w1, w2)]
    small = remove_neurons(w1, b1, w2, sparsity=0.9)
    ways = {"dense": (w1, b1, w2), "zeros": (zeros[0], b1, zeros[1]), "removed": small}
    for tensors in ways.values():
        block(x, *tensors)
    took = {name: seconds(lambda t=tensors: block(x, *t)) for name, tensors in ways.items()}  # type: ignore[misc]
    weigh = {name: nbytes(*tensors) for name, tensors in ways.items()}
    return Evidence(
        holds=weigh["zeros"] == weigh["dense"] > 9 * weigh["removed"]
        and 0.4 < took["zeros"] / took["dense"] < 2.5
        and took["removed"] < 0.6 * took["dense"],
        measured={
            "time with 90 % zeros, over dense": took["zeros"] / took["dense"],
            "time with 90 % of neurons removed": took["removed"] / took["dense"],
            "bytes with neurons removed": weigh["removed"] / weigh["dense"],
        },
        rel=None,
    )
