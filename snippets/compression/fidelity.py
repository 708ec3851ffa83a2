r"""Did compression keep the model? Compare it with the original, answer by answer; a mean hides the changes.

    KL to the original = mean over inputs of sum_i p_i (log p_i - log q_i)        flips = share of answers that changed

Source: Dutta et al., Accuracy is Not All You Need, 2024 (arXiv:2407.09141). A warning from Nikolic et al. 2026
(arXiv:2606.19558): near the original, KL says how much changed, not whether for the worse; keep the task metrics, too.
Variant: KL of the compressed from the original distribution, in nats, over all held-out inputs.
Not handled: sequences, where an early change alters everything after it; significance of a difference.

On paper: p = (3/4, 1/4) from the logits (log 3, 0), and q = (1/2, 1/2): 0.75 log 1.5 + 0.25 log 0.5 = 0.131 nats, and
no flip, if both choose the first.
"""

import math
from functools import partial

import torch
from torch import Tensor

from snippets.compression.digits import accuracy, digits, forward, trained_layers
from snippets.compression.qat import quantized
from snippets.evidence import Evidence, trained


def kl_to_original(original: Tensor, compressed: Tensor) -> float:
    """Mean nats by which the compressed model's distribution misses the original's.

    original, compressed: logits (inputs, classes).
    """
    log_p, log_q = original.log_softmax(-1), compressed.log_softmax(-1)
    return float((log_p.exp() * (log_p - log_q)).sum(-1).mean())


def flips(original: Tensor, compressed: Tensor) -> float:
    """Share of inputs whose answer changed.  original, compressed: logits (inputs, classes)."""
    return float((original.argmax(-1) != compressed.argmax(-1)).double().mean())


def balanced_flips() -> tuple[float, float, float]:
    """Accuracy before, accuracy after and flips of a made-up pair: as many answers mended as broken."""
    truth = torch.arange(100) % 4
    before, after = truth.clone(), truth.clone()
    before[:20] = (truth[:20] + 1) % 4
    after[10:30] = (truth[10:30] + 2) % 4
    one_hot = partial(torch.nn.functional.one_hot, num_classes=4)
    scores = [(answers == truth).double().mean().item() for answers in (before, after)]
    return scores[0], scores[1], flips(one_hot(before).double(), one_hot(after).double())


def accuracy_can_hide_flips() -> Evidence:
    """Ten answers broken and ten mended of a hundred: accuracy stays 80 %, though 30 answers differ.

    Ten more were wrong before and are wrong after, with another answer.
    """
    before, after, changed = balanced_flips()
    p, q = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64), torch.zeros(1, 2).double()
    by_hand = abs(kl_to_original(p, q) - (0.75 * math.log(1.5) + 0.25 * math.log(0.5))) < 1e-12
    return Evidence(
        holds=before == after == 0.8 and changed == 0.3 and by_hand,
        measured={"accuracy before": before, "accuracy after": after, "flips": changed, "KL as by hand": by_hand},
    )


@trained
def kl_sees_what_accuracy_does_not() -> Evidence:
    """A trained network at 8 and at 4 bits: accuracies within two points, KL to the original tens of times as large."""
    layers, x = trained_layers(), digits().test_x
    original = forward(layers, x)
    kl = {b: kl_to_original(original, forward(layers, x, partial(quantized, bits=b))) for b in (8, 4)}
    scores = {b: accuracy(layers, partial(quantized, bits=b)) for b in (8, 4)}
    return Evidence(
        holds=abs(scores[8] - scores[4]) < 0.02 and kl[4] > 20 * kl[8] > 0,
        measured={"accuracy at 8 bits": scores[8], "at 4": scores[4], "KL at 8 bits": kl[8], "KL at 4": kl[4]},
        rel=None,
    )
