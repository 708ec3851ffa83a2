r"""A softmax whose logits are large picks few keys and passes no gradient to the rest: why attention scales its logits.

    dp_i / dz_j = p_i (delta_ij - p_j),   the Jacobian  diag(p) - p p^T

Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.1 (small gradients); the Jacobian is textbook.
Variant: logits of independent unit-variance queries and keys, as at initialisation; "keys in use" is exp(entropy).
Not handled: what training does to the logits afterwards (see logit_control).

On paper: two keys whose logits are 4 apart get p = (0.982, 0.018), and the Jacobian's entries are 0.982 * 0.018 = 0.018
instead of 0.25 at equal logits: fourteen times less gradient.
"""

import math

import sympy
import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof
from snippets.transformers.attention import attention, weights


def softmax_jacobian(p: Tensor) -> Tensor:
    """Derivative of the softmax's outputs by its logits, at the outputs p: diag(p) - p p^T.

    p: (..., keys)   Returns (..., keys, keys).
    """
    return torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)


def jacobian_norm(p: Tensor) -> Tensor:
    """Frobenius norm of diag(p) - p p^T without building it: sum p^2 - 2 sum p^3 + (sum p^2)^2, and its root.

    p: (..., keys)   Returns (...).
    """
    squares = p.square().sum(-1)
    return (squares - 2 * p.pow(3).sum(-1) + squares.square()).clamp(min=0).sqrt()


def keys_in_use(p: Tensor) -> Tensor:
    """Perplexity of the weights, exp(entropy): n when n keys share evenly, 1 when one key has it all.

    p: (..., keys)   Returns (...).
    """
    return torch.exp(torch.special.entr(p).sum(dim=-1))


def derive_jacobian() -> Steps:
    """Derivatives of a softmax over three logits, and what is left of them when two keys are x apart."""
    z1, z2, z3, x = sympy.symbols("z_1 z_2 z_3 x", real=True)
    total = sympy.exp(z1) + sympy.exp(z2) + sympy.exp(z3)
    p1, p2 = sympy.exp(z1) / total, sympy.exp(z2) / total
    sigmoid = 1 / (1 + sympy.exp(-x))
    return {
        "A weight by its own logit": step(sympy.Derivative(p1, z1), p1 * (1 - p1)),
        "A weight by another's logit": step(sympy.Derivative(p1, z2), -p1 * p2),
        "Two keys, x apart: the slope falls like exp(-x)": step(
            sympy.Derivative(sigmoid, x), sympy.exp(-x) / (1 + sympy.exp(-x)) ** 2
        ),
    }


@proof
def jacobian_is_proved() -> Evidence:
    """Every step of the derivation is proved, and at three logits it gives the numbers of softmax_jacobian."""
    steps = list(derive_jacobian().values())
    results = [proved(equality) for equality in steps]
    at = dict(zip(sympy.symbols("z_1 z_2 z_3", real=True), (0.3, -0.2, 0.9), strict=True))
    row = softmax_jacobian(torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64).softmax(-1))[0]
    off = max(abs(float(each.rhs.subs(at)) - x) for each, x in zip(steps[:2], row[:2].tolist(), strict=True))
    return Evidence(holds=all(results) and off < 1e-12, measured={"steps proved": sum(results)})


def jacobian_matches_autograd(keys: int = 7) -> Evidence:
    """diag(p) - p p^T equals what automatic differentiation finds for a softmax, to rounding in float64."""
    logits = torch.randn(keys).double().requires_grad_()
    p = logits.softmax(-1)
    expected = torch.stack([torch.autograd.grad(p[i], logits, retain_graph=True)[0] for i in range(keys)])
    off = (softmax_jacobian(p.detach()) - expected).abs().max().item()
    return Evidence(holds=off < 1e-12, measured={"largest difference is below 1e-12": off < 1e-12})


def weights_collapse_without_scale(d_k: int = 512, keys: int = 64) -> Evidence:
    """How many of 64 keys a query uses: with the scale and, by queries sqrt(d_k) times as long, without it.

    Unit-variance logits spread the softmax over about n exp(-1/2) of n keys, 39 of 64. Without the scale the two best
    keys are several units apart, and about one key is left.
    """
    q, k = torch.randn(256, d_k).double(), torch.randn(keys, d_k).double()
    scaled = keys_in_use(weights(q, k)).mean().item()
    bare = keys_in_use(weights(q * math.sqrt(d_k), k)).mean().item()
    share = scaled / keys
    return Evidence(
        holds=0.5 < share < 0.75 and 0.9 < bare < 2,
        measured={"keys in use with the scale": scaled, "keys in use without": bare},
    )


def losing_keys_get_no_gradient(d_k: int = 128, keys: int = 1024) -> Evidence:
    """Gradient that attention passes to a key: without the scale (by longer queries) at least eight orders smaller.

    The median over 16 queries and all keys counts: a key's gradient is proportional to its weight, so that a key that
    lost gets next to none. The softmax's Jacobian as a whole (its norm, the median over 512 queries) is larger without
    the scale, as the few keys that still compete get more.
    """
    q, k, v = torch.randn(512, 1, d_k).double(), torch.randn(keys, d_k).double(), torch.randn(keys, 8).double()
    sizes, norms = [], []
    for x in (q, q * math.sqrt(d_k)):
        own = k.expand(16, keys, d_k).clone().requires_grad_()
        answer = attention(x[:16], own, v)
        gradient = torch.autograd.grad(answer.sum(), own, allow_unused=True)[0] if answer.requires_grad else None
        size = torch.zeros(()) if gradient is None else gradient.norm(dim=-1).median()
        sizes.append(size.clamp(min=1e-300).log10().item())
        norms.append(jacobian_norm(weights(x[:, 0], k)).median().clamp(min=1e-300).item())
    fall = sizes[0] - sizes[1]
    return Evidence(
        holds=sizes[0] > -6 and fall > 8 and norms[1] > norms[0],
        measured={"orders of magnitude lost": fall, "norm of the Jacobian, unscaled over scaled": norms[1] / norms[0]},
    )


def scale_keeps_the_ranking() -> Evidence:
    """Order of a query's keys by weight, at its own length and at a fifth: a scale is a temperature and no choice."""
    q, k = torch.randn(64, 16).double(), torch.randn(9, 16).double()
    ranks, cooler = weights(q, k).argsort(-1), weights(q / 5, k).argsort(-1)
    by_match = (q @ k.mT).argsort(-1)
    return Evidence(
        holds=torch.equal(ranks, by_match) and torch.equal(cooler, by_match),
        measured={"share of places that agree": ranks.eq(cooler).double().mean().item()},
    )


def measure(d_k: int, keys: int = 1024, scaled: bool = True) -> tuple[float, float]:
    """Mean number of keys in use, and median norm of the softmax's Jacobian, for 256 random queries (fixed seed)."""
    generator = torch.Generator().manual_seed(d_k)
    q, k = (torch.randn(n, d_k, generator=generator, dtype=torch.float64) for n in (256, keys))
    p = weights(q if scaled else q * math.sqrt(d_k), k)
    return keys_in_use(p).mean().item(), jacobian_norm(p).median().item()


def by_width(keys: int = 1024) -> list[dict[str, str]]:
    """Table: what happens to the logits and the weights when heads get wider and nothing is scaled."""
    rows = []
    for d_k in (16, 64, 128, 256, 512):
        bare, scaled = (measure(d_k, keys, scaled=scaled)[0] for scaled in (False, True))
        rows.append(
            {
                "d_k": f"{d_k}",
                "Standard deviation of q·k": f"{math.sqrt(d_k):.1f}",
                f"Keys in use of {keys}, unscaled": f"{bare:.1f}",
                "with 1/√d_k": f"{scaled:.0f}",
            }
        )
    return rows


def draw_keys_in_use(axes: Axes) -> None:
    """Keys in use against the width of the head, with the scale and without, over 64 keys."""
    widths = [2**n for n in range(1, 11)]
    for scaled, label in ((True, "divided by √d_k"), (False, "undivided")):
        axes.plot(widths, [measure(d, 64, scaled)[0] for d in widths], marker="o", label=label)
    axes.set(xscale="log", xlabel="width of the head, d_k", ylabel="keys in use, of 64", ylim=(0, 64))
    axes.set_xticks([2, 8, 32, 128, 512], labels=["2", "8", "32", "128", "512"])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="center right")
