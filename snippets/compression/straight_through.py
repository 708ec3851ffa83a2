r"""The straight-through estimator: round in the forward pass, and let the gradient pass as if nothing had been rounded.

    forward   y = s clamp(round(x / s))        backward   dy/dx := 1 within the range, 0 beyond it

Sources: Bengio et al. 2013 (arXiv:1308.3432), which credits Hinton's lectures; for quantisation-aware training Jacob
et al. 2018 (arXiv:1712.05877), section 3.
Variant: symmetric, a fixed scale; zero gradient where the value saturates, as torch's fake quantisation has it.
Not handled: learning the scale (LSQ), stochastic rounding.

On paper: s = 0.5, 2 bits (integers -2 to 1). x = 0.3 becomes 0.5 (round(0.6) = 1) and passes the gradient; x = 0.9
becomes round(1.8) = 2, clamped to 1, so 0.5, and passes none. The true derivative is 0 at both.
"""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.compression.affine import integers
from snippets.evidence import Evidence


def rounded_plainly(x: Tensor, scale: float, *, bits: int = 8) -> Tensor:
    """Round to the grid and clamp, as autograd sees it: a staircase, whose derivative is zero."""
    lowest, highest = integers(bits)
    return (x / scale).round().clamp(lowest, highest) * scale


def straight_through(x: Tensor, scale: float, *, bits: int = 8) -> Tensor:
    """Return what `rounded_plainly` returns, with a gradient of one where x did not saturate.

    x: any shape. Returns the same shape.
    """
    lowest, highest = integers(bits)
    steps = (x / scale).round()
    passes = (steps >= lowest) & (steps <= highest)
    carrier = torch.where(passes, x, x.detach())
    return carrier + (rounded_plainly(x, scale, bits=bits) - x).detach()


def slope(function_of_x: Tensor, x: Tensor) -> Tensor:
    """Gradient of the sum of an answer by x: for functions of one entry each, its derivative at every entry."""
    return torch.autograd.grad(function_of_x.sum(), x, allow_unused=True, materialize_grads=True)[0]


def rounding_has_no_gradient() -> Evidence:
    """Autograd through round gives zero everywhere: integer weights cannot be trained or fine-tuned by gradients.

    The straight-through estimator gives one within the range and zero beyond it, and the same forward values.
    """
    x = (torch.rand(1001).double() * 6 - 3).requires_grad_()
    plain, through = rounded_plainly(x, 0.25, bits=4), straight_through(x, 0.25, bits=4)
    none = slope(plain, x).abs().max().item()
    ours = slope(through, x)
    steps = (x / 0.25).round()
    inside = (steps >= -8) & (steps <= 7)
    right = bool((ours == inside).all()) and 0 < inside.double().mean().item() < 1
    same = (plain - through).abs().max().item() < 1e-12
    return Evidence(
        holds=none == 0 and right and same,
        measured={"largest gradient of round": none, "one inside, zero outside": right, "same values": same},
    )


def one_is_the_slope_of_the_staircase() -> Evidence:
    """Why a gradient of one: over many steps the staircase rises as fast as x does; only its derivative is zero.

    The mean slope between distant points of the range is 1, to the half steps at its ends; the estimator has that mean.
    """
    x = (torch.rand(2000).double() * 20 - 10).requires_grad_()
    y = straight_through(x, 0.1)
    far = torch.tensor([-10.0, 10.0]).double()
    rise = rounded_plainly(far, 0.1).diff().item() / 20
    mean = slope(y, x).mean().item()
    return Evidence(
        holds=abs(rise - 1) < 0.01 and mean == 1,
        measured={"mean slope of the staircase": rise, "of the estimator": mean},
    )


def draw_gradients(axes: Axes) -> None:
    """Forward staircase at 3 bits, and the slope that the estimator claims: one within the range, zero outside."""
    x = torch.linspace(-3.5, 3.0, 1301).double().requires_grad_()
    y = straight_through(x, 0.6, bits=3)
    slopes = slope(y, x)
    axes.plot(x.detach(), y.detach(), label="forward: rounded")
    axes.plot(x.detach(), slopes, linestyle="--", label="backward: slope used")
    axes.set(xlabel="x", ylabel="value, slope")
    axes.legend(frameon=False, loc="upper left")
