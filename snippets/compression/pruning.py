r"""Which weights to remove: the smallest, those whose product with the input is smallest, or two of every four.

    magnitude   |w_ij|          Wanda   |w_ij| * ||x_j||, compared within a row          2:4   two of four stay

Sources: LeCun et al., Optimal Brain Damage, 1989 (why size alone is no saliency); Sun et al., Wanda, 2024
(arXiv:2306.11695), equation 1; Mishra et al. 2021 (arXiv:2104.08378) for 2:4.
Variant: one shot, layer by layer, without a weight update; ties go to the earlier weight.
Not handled: second order (SparseGPT corrects the weights that stay), gradients, a threshold for the whole network.

On paper: w = (1, 2) and inputs of norm 10 and 1. Magnitude removes the 1 and changes the output by 10; Wanda scores
10 and 2, removes the 2 and changes it by 2.
"""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.evidence import Evidence


def keep_largest(score: Tensor, sparsity: float) -> Tensor:
    """Mask that removes the given share of lowest scores of the whole tensor: 1 stays, 0 goes.

    score: any shape. Returns the same shape and type.
    """
    remove = round(sparsity * score.numel())
    mask = torch.ones_like(score).flatten()
    mask[score.flatten().argsort(stable=True)[:remove]] = 0
    return mask.reshape(score.shape)


def magnitude_mask(w: Tensor, sparsity: float) -> Tensor:
    """Magnitude pruning: the smallest weights of the matrix go.  w: (out, in)   Returns (out, in)."""
    return keep_largest(w.abs(), sparsity)


def wanda_mask(w: Tensor, x: Tensor, sparsity: float) -> Tensor:
    """Pruning by weights and activations: what contributes least to each output goes.

    w: (out, in)   x: (tokens, in) of calibration   Returns (out, in), the same share removed from every row.
    """
    score = w.abs() * x.norm(dim=0)
    return torch.stack([keep_largest(row, sparsity) for row in score])


def two_of_four_mask(score: Tensor) -> Tensor:
    """Of every four neighbours in a row the two with the higher score stay: the pattern that sparse tensor cores take.

    score: (out, in), in a multiple of 4. Returns (out, in). Raises ValueError otherwise.
    """
    if score.shape[-1] % 4:
        raise ValueError(f"rows of {score.shape[-1]} do not split into fours: pad them")
    fours = score.reshape(-1, 4)
    mask = torch.zeros_like(fours).scatter(1, fours.topk(2, dim=1).indices, 1.0)
    return mask.reshape(score.shape)


def output_error(w: Tensor, mask: Tensor, x: Tensor) -> float:
    """Relative error of the layer's outputs once the masked weights are gone."""
    return float((x @ (w * mask).mT - x @ w.mT).norm() / (x @ w.mT).norm())


def uneven_inputs(generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Inputs of 256 channels with sizes from 0.01 to 100, and weights that are all alike: x (256, in), w (64, in)."""
    sizes = torch.logspace(-2, 2, 256).double()
    sizes = sizes[torch.randperm(256, generator=generator)]
    return torch.randn(256, 256, generator=generator).double() * sizes, torch.randn(
        64, 256, generator=generator
    ).double()


def small_weights_can_matter() -> Evidence:
    """Magnitude pruning of half a layer whose inputs differ in size: its error is over twice that of Wanda's score.

    A weight contributes its product with its input. With inputs all alike the two would agree.
    """
    x, w = uneven_inputs()
    by_size, by_product = output_error(w, magnitude_mask(w, 0.5), x), output_error(w, wanda_mask(w, x, 0.5), x)
    return Evidence(
        holds=by_size > 2 * by_product and by_product < 0.3,
        measured={"error by magnitude": by_size, "error by weight times input": by_product},
    )


def masks_have_the_sparsity_asked_for() -> Evidence:
    """Every mask removes its share exactly: of the matrix, of each row, of each four; the lowest scores go first."""
    x, w = torch.randn(7, 20).double(), torch.randn(9, 20).double()
    whole, rows, fours = magnitude_mask(w, 0.3), wanda_mask(w, x, 0.3), two_of_four_mask(w.abs())
    shares = (
        int(whole.sum()) == round(0.7 * 180)
        and bool((rows.sum(-1) == 14).all())
        and bool((fours.reshape(-1, 4).sum(-1) == 2).all())
    )
    gone, kept = w.abs()[whole == 0].max(), w.abs()[whole == 1].min()
    score = (w.abs() * x.norm(dim=0)).reshape(-1, 4)
    best = two_of_four_mask(score).mul(score).sum(-1)
    ordered = bool(gone <= kept) and bool((best >= score.sort(dim=-1).values[:, 2:].sum(-1) - 1e-12).all())
    return Evidence(holds=shares and ordered, measured={"shares right": shares, "lowest scores went": ordered})


def a_pattern_costs_quality() -> Evidence:
    """Half the weights removed freely, or two of every four: the pattern removes larger ones and errs more."""
    x, w = torch.randn(512, 256).double(), torch.randn(64, 256).double()
    free, pattern = output_error(w, magnitude_mask(w, 0.5), x), output_error(w, two_of_four_mask(w.abs()), x)
    return Evidence(
        holds=1.15 * free < pattern < 0.5 and free < 0.4,
        measured={"error, unstructured": free, "error, two of four": pattern},
    )


def draw_error_by_sparsity(axes: Axes) -> None:
    """Error of a layer with uneven inputs against the share of weights removed, by the two scores."""
    x, w = uneven_inputs(torch.Generator().manual_seed(0))
    shares = [n / 20 for n in range(20)]
    axes.plot(shares, [output_error(w, magnitude_mask(w, s), x) for s in shares], marker="s", label="|w|")
    axes.plot(shares, [output_error(w, wanda_mask(w, x, s), x) for s in shares], marker="o", label="|w| × input")
    axes.set(xlabel="share of weights removed", ylabel="relative error of the output")
    axes.legend(frameon=False, loc="upper left")
