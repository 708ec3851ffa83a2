r"""What pruning costs a trained network, and what retraining brings back: at once, or a little at a time.

    one shot   remove a share, train the rest            iterative   (remove a little, train the rest), again and again

Sources: Han et al., Learning both Weights and Connections, 2015 (arXiv:1506.02626), section 3, the classical loop;
Frantar and Alistarh, SparseGPT, 2023 (arXiv:2301.00774), for why language models are pruned in one shot.
Variant: magnitude within each layer, the same share of every layer; the weights that stay go on from where they are.
Not handled: rewinding (lottery tickets), a schedule of rates, one threshold for the network.

On paper: to keep a tenth in three rounds each keeps the cube root of it, 46.4 %: 46.4, 21.5 and 10 %.
"""

from matplotlib.axes import Axes
from torch import Tensor

from snippets.compression.digits import Layers, accuracy, majority, train, trained_layers
from snippets.compression.pruning import magnitude_mask
from snippets.evidence import Evidence, trained


def layer_masks(layers: Layers, sparsity: float) -> list[Tensor]:
    """Magnitude masks, the same share of each layer's weights; what is 0 already goes first."""
    return [magnitude_mask(w, sparsity) for w, _ in layers]


def masked(layers: Layers, masks: list[Tensor]) -> Layers:
    """Set the weights to 0 where the masks say so."""
    return [(w * mask, b) for (w, b), mask in zip(layers, masks, strict=True)]


def prune_and_retrain(layers: Layers, sparsity: float, *, rounds: int = 1, steps: int = 500) -> Layers:
    """Iterative pruning with fine-tuning in so many rounds of equal shares; one round is one shot.

    steps: of training, over all rounds, after each removal.
    """
    for done in range(1, rounds + 1):
        masks = layer_masks(layers, 1 - (1 - sparsity) ** (done / rounds))
        layers = train(masked(layers, masks), steps=steps // rounds, rate=1e-3, masks=masks)
    return layers


def share_of_zeros(layers: Layers) -> float:
    """Share of the weights, biases not counted, that are 0."""
    return sum(int((w == 0).sum()) for w, _ in layers) / sum(w.numel() for w, _ in layers)


@trained
def retraining_recovers_what_pruning_breaks() -> Evidence:
    """Magnitude pruning (the weights' simplest pruning) of 80 % of a trained network breaks it; retraining mends it.

    Retrained, it is within five points of the dense network, and its zeros are still zeros. The majority class is the
    best trivial predictor.
    """
    layers = trained_layers()
    full, broken = accuracy(layers), accuracy(masked(layers, layer_masks(layers, 0.8)))
    mended = prune_and_retrain(layers, 0.8)
    zeros, after = share_of_zeros(mended), accuracy(mended)
    return Evidence(
        holds=broken < full - 0.1 and after > full - 0.05 and after > 5 * majority() and abs(zeros - 0.8) < 0.002,
        measured={"dense": full, "pruned": broken, "retrained": after, "share of zeros": zeros},
        rel=None,
    )


@trained
def many_rounds_are_no_free_lunch() -> Evidence:
    """Iterative pruning to 90 % in five rounds, against one shot, with the same number of training steps in all.

    Here one shot does at least as well, because all its steps are taken at the final sparsity: rounds pay only where
    training is not what is scarce. Both beat pruning without retraining by far.
    """
    layers = trained_layers()
    none = accuracy(masked(layers, layer_masks(layers, 0.9)))
    once, rounds = (accuracy(prune_and_retrain(layers, 0.9, rounds=n)) for n in (1, 5))
    return Evidence(
        holds=once > rounds - 0.02 and min(once, rounds) > none + 0.15 and once > 5 * majority(),
        measured={"without retraining": none, "one shot, 500 steps": once, "five rounds of 100": rounds},
        rel=None,
    )


def draw_accuracy_by_sparsity(axes: Axes) -> None:
    """Accuracy against the share of weights removed: left alone, and retrained."""
    layers, shares = trained_layers(), [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95]
    axes.plot(shares, [accuracy(prune_and_retrain(layers, s)) for s in shares], marker="o", label="retrained")
    axes.plot(
        shares, [accuracy(masked(layers, layer_masks(layers, s))) for s in shares], marker="s", label="left alone"
    )
    axes.axhline(majority(), color="C2", linestyle=":", label="most frequent digit")
    axes.set(xlabel="share of weights removed", ylabel="accuracy, held out", ylim=(0, 1.02))
    axes.legend(frameon=False, loc="center left")
