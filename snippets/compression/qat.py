r"""Quantisation-aware training: train float shadow weights through their rounding, then keep the integers.

    forward with rounded weights, backward straight through the rounding, update the float weights, repeat; convert once

Source: Jacob et al. 2018 (arXiv:1712.05877), section 3; Nagel et al. 2021 (arXiv:2106.08295), section 4.
Variant: weight-only, symmetric, a scale for each output channel, taken anew from the weights at each step; it starts
from a trained network, not from scratch.
Not handled: activations, learnt scales, freezing of batch norm, teachers (distillation during QAT).

On paper: a weight of 0.3 on the grid (-1, 0, 1) acts as 0. Its gradient, taken at 0, says "more": with steps of 0.1
nothing seems to happen twice, and at the third it is 0.6 and acts as 1. Without the estimator the gradient stays 0.
"""

from functools import partial

import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn import functional

from snippets.compression.digits import Layers, accuracy, digits, forward, majority, new_layers, train, trained_layers
from snippets.compression.granularity import dequantize_groups, quantize_groups, rounded
from snippets.evidence import Evidence, trained


def quantized(x: Tensor, w: Tensor, b: Tensor, *, bits: int) -> Tensor:
    """A layer as it is deployed: rounded weights, a scale for each output channel.

    x: (tokens, in)   w: (out, in)   b: (out,)   Returns (tokens, out).
    """
    return functional.linear(x, rounded(w, w.shape[-1], bits=bits), b)


def fake_quantized(x: Tensor, w: Tensor, b: Tensor, *, bits: int) -> Tensor:
    """The same values, with a gradient that passes straight through the rounding to the float weights.

    x: (tokens, in)   w: (out, in)   b: (out,)   Returns (tokens, out).
    """
    through = w + (rounded(w.detach(), w.shape[-1], bits=bits) - w).detach()
    return functional.linear(x, through, b)


def aware(layers: Layers, *, bits: int, steps: int = 500) -> Layers:
    """Prepare and train: return float shadow weights that are good once they are rounded."""
    return train(layers, steps=steps, rate=1e-3, linear=partial(fake_quantized, bits=bits))


def convert(layers: Layers, *, bits: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Throw the shadow weights away: integers (out, in), scales (out, 1) and biases are what is shipped."""
    return [(*quantize_groups(w, w.shape[-1], bits=bits), b) for w, b in layers]


def run_converted(shipped: list[tuple[Tensor, Tensor, Tensor]], x: Tensor) -> Tensor:
    """Logits from integers and scales alone.  x: (images, in)   Returns (images, classes)."""
    layers = [(dequantize_groups(q, scale, q.shape), b) for q, scale, b in shipped]
    return forward(layers, x)


@trained
def qat_beats_ptq_at_two_bits() -> Evidence:
    """Post-training quantisation to 2 bits ruins a network; quantisation-aware training brings most of it back.

    Both start from the same weights and end in the same format. The majority class is the best trivial predictor. QAT
    gets twenty points more than rounding, and stays within five of the float network.
    """
    layers = trained_layers()
    full, ptq = accuracy(layers), accuracy(layers, partial(quantized, bits=2))
    qat = accuracy(aware(layers, bits=2), partial(quantized, bits=2))
    return Evidence(
        holds=qat > ptq + 0.2 and qat > full - 0.05 and qat > 5 * majority(),
        measured={"float": full, "PTQ": ptq, "QAT": qat, "always the most frequent digit": majority()},
        rel=None,
    )


@trained
def eight_bits_need_no_qat() -> Evidence:
    """At 8 bits post-training quantisation changes at most one answer in a hundred: there is nothing to train for."""
    layers, x = trained_layers(), digits().test_x
    eight, two = (
        (forward(layers, x, partial(quantized, bits=b)).argmax(-1) != forward(layers, x).argmax(-1)) for b in (8, 2)
    )
    changed, at_two = eight.double().mean().item(), two.double().mean().item()
    return Evidence(
        holds=changed <= 0.01 and at_two > 0.2 and accuracy(layers) > 0.9,
        measured={"answers changed at 8 bits": changed, "at 2 bits": at_two},
        rel=None,
    )


@trained
def without_the_estimator_nothing_moves() -> Evidence:
    """Train through plain rounding: the weights stay where they are to the last bit; through the estimator they move.

    That is why integers cannot be fine-tuned after conversion: there is no gradient that would reach them.
    """
    start = new_layers()

    def plainly(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        steps = (w / w.detach().abs().amax(-1, keepdim=True)).round()
        return functional.linear(x, steps * w.detach().abs().amax(-1, keepdim=True), b)

    frozen = train(start, steps=50, linear=plainly)
    moving = train(start, steps=50, linear=partial(fake_quantized, bits=2))
    moved = {
        name: max((w - old).abs().max().item() for (w, _), (old, _) in zip(after, start, strict=True))
        for name, after in (("plain", frozen), ("through", moving))
    }
    return Evidence(
        holds=moved["plain"] == 0 and moved["through"] > 0.01,
        measured={"largest change through round": moved["plain"], "through the estimator": moved["through"]},
        rel=None,
    )


@trained
def conversion_changes_nothing() -> Evidence:
    """After QAT one converts: integers give the logits that training saw, and the float shadow weights do worse.

    A second quantisation with another granularity, one scale for the tensor, would undo what was learnt.
    """
    layers, x = aware(trained_layers(), bits=2), digits().test_x
    seen = forward(layers, x, partial(quantized, bits=2))
    same = (run_converted(convert(layers, bits=2), x) - seen).abs().max().item() < 1e-9
    scores = {
        "as trained": accuracy(layers, partial(quantized, bits=2)),
        "shadow weights": accuracy(layers),
        "quantised again, by tensor": accuracy(
            layers, lambda x, w, b: functional.linear(x, rounded(w, w.numel(), bits=2), b)
        ),
    }
    return Evidence(
        holds=same
        and scores["as trained"] > max(scores["shadow weights"], scores["quantised again, by tensor"]) + 0.05,
        measured={"same logits": same, **scores},
        rel=None,
    )


def by_bits() -> list[dict[str, object]]:
    """Accuracy in per cent on 500 held-out digits: rounded after training, and trained through the rounding."""
    layers = trained_layers()
    rows: list[dict[str, object]] = [{"weights": "float", "PTQ, %": round(100 * accuracy(layers), 1), "QAT, %": ""}]
    for bits in (8, 4, 3, 2):
        deployed = partial(quantized, bits=bits)
        ptq, qat = accuracy(layers, deployed), accuracy(aware(layers, bits=bits), deployed)
        rows.append({"weights": f"{bits} bits", "PTQ, %": round(100 * ptq, 1), "QAT, %": round(100 * qat, 1)})
    return rows


def draw_by_bits(axes: Axes) -> None:
    """Accuracy against bits for PTQ and QAT, from one trained network."""
    torch.manual_seed(0)
    layers, bits = trained_layers(), [2, 3, 4, 8]
    ptq = [accuracy(layers, partial(quantized, bits=b)) for b in bits]
    qat = [accuracy(aware(layers, bits=b), partial(quantized, bits=b)) for b in bits]
    axes.plot(bits, qat, marker="o", label="QAT")
    axes.plot(bits, ptq, marker="s", label="PTQ")
    axes.axhline(majority(), color="C2", linestyle=":", label="most frequent digit")
    axes.set(xlabel="bits of a weight", ylabel="accuracy, held out", ylim=(0, 1.02))
    axes.set_xticks(bits)
    axes.legend(frameon=False, loc="center right")
