r"""Keep a critic's slope near one by a penalty on its gradient; or its weights in a box, which is worse.

Source: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3 and algorithm 1, for the penalty; Arjovsky et al. 2017
    (arXiv:1701.07875), algorithm 1, for clipping; Mescheder et al. 2018 (arXiv:1801.04406), equation 9, for R1.
Variant: two-sided WGAN-GP, (norm - 1)^2, at points between a real and a fake sample, one random mix for each pair;
    R1 is zero-centred and on real samples. The weights in front (10 in the paper, gamma/2 for R1) are the caller's.
Not handled: one-sided and zero-centred penalties between the sides, spectral normalisation.

Worked example: the critic f(x) = 3a + 4b has slope (3, 4) everywhere, norm 5: penalty (5 - 1)^2 = 16, R1 25, whatever
    the samples. Clipped to 0.01 its slope is (0.01, 0.01), norm 0.0141; two such layers of one unit give 0.0001 or so.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from snippets.evidence import Evidence

Critic = Callable[[Tensor], Tensor]


def input_slopes(critic: Critic, points: Tensor) -> Tensor:
    """Gradient of each point's score in that point, itself differentiable, so that a loss of it trains the critic.

    critic: (batch, ...) to (batch,) or (batch, 1), each score from its own point alone (so no batch norm)
    points: (batch, ...).   Returns (batch, features).
    """
    points = points.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    flat: Tensor = torch.flatten(slopes, 1)
    return flat


def between(real: Tensor, fake: Tensor) -> Tensor:
    """Draw a point on the line between each real sample and its fake: one mix a pair, not one a batch or a pixel.

    real, fake: (batch, ...).   Returns (batch, ...). Gulrajani et al. 2017, section 4.
    """
    mix = torch.rand(len(real), *[1] * (real.ndim - 1), dtype=real.dtype).to(real.device)
    return mix * real + (1 - mix) * fake


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """WGAN-GP: mean squared distance of the slope's norm from one, between real and fake samples.

    real, fake: (batch, ...).   Returns a scalar. Gulrajani et al. 2017, equation 3, without its factor of 10.
    """
    norms: Tensor = torch.linalg.vector_norm(input_slopes(critic, between(real, fake)), dim=1)
    return (norms - 1).square().mean()


def gradient_penalty_spec(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """The same for one pair at a time, at mixes that are given.

    real, fake: (batch, features)   mix: (batch,).   Returns a scalar.
    """
    terms = []
    for x, y, m in zip(real, fake, mix, strict=True):
        point = (m * x + (1 - m) * y).detach().requires_grad_()
        (slope,) = torch.autograd.grad(critic(point.unsqueeze(0)).sum(), point, create_graph=True)
        terms.append((slope.square().sum().sqrt() - 1) ** 2)
    return torch.stack(terms).mean()


def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    """R1: mean squared slope on real samples. It lets the critic be flat where the generator has arrived.

    real: (batch, ...).   Returns a scalar. Mescheder et al. 2018, equation 9, without its factor of gamma/2.
    """
    return input_slopes(critic, real).square().sum(1).mean()


def clip_weights(critic: nn.Module, limit: float) -> None:
    """Clamp every weight into [-limit, limit], in place, after each step of the critic.

    The first Lipschitz constraint: Arjovsky et al. 2017, algorithm 1, with limit 0.01.
    """
    with torch.no_grad():
        for weight in critic.parameters():
            weight.clamp_(-limit, limit)


def clipped_slope(layers: int, limit: float, width: int = 16) -> float:
    """Largest slope of a ReLU critic with one input whose weights all sit at the upper end of their box.

    limit ** layers times width ** (layers - 1): a power of the depth, which no one limit can keep near one.
    """
    sizes = [1, *[width] * (layers - 1), 1]
    parts: list[nn.Module] = []
    for a, b in pairwise(sizes):
        parts += [nn.Linear(a, b, bias=False, dtype=torch.float64), nn.ReLU()]
    critic = nn.Sequential(*parts[:-1])
    for weight in critic.parameters():
        nn.init.constant_(weight, 1e3)
    clip_weights(critic, limit)
    return float(input_slopes(critic, torch.ones(1, 1, dtype=torch.float64)).detach().abs())


def linear_penalty(a: float, b: float) -> float:
    """WGAN-GP of the critic f(x) = a x_1 + b x_2, without the factor of 10: (norm of (a, b) - 1)^2."""
    weight = torch.tensor([a, b], dtype=torch.float64)
    real, fake = torch.zeros(3, 2, dtype=torch.float64), torch.ones(3, 2, dtype=torch.float64)
    return gradient_penalty(lambda x: x @ weight, real, fake).item()


def clipping_table() -> list[dict[str, str]]:
    """Largest slope of a clipped ReLU critic with 16 units a layer, by depth and limit."""
    limits = (0.01, 0.0625, 0.1)
    return [
        {"layers": str(layers)} | {f"limit {limit:g}": f"{clipped_slope(layers, limit):.1e}" for limit in limits}
        for layers in (2, 4, 8, 12)
    ]


def linear_critic_is_known() -> Evidence:
    """A linear critic has the same slope everywhere, so the penalty is (|w| - 1)^2 exactly, and R1 is |w|^2.

    Both above and below one: the WGAN-GP penalty is two-sided, and a flat critic costs 1.
    """
    real, fake = torch.randn(2, 9, 3, dtype=torch.float64)
    direction = nn.functional.normalize(torch.randn(3, dtype=torch.float64), dim=0)
    off = 0.0
    for norm in (0.0, 0.4, 1.0, 5.0):

        def critic(x: Tensor, norm: float = norm) -> Tensor:
            return x @ (norm * direction)

        off = max(off, abs(gradient_penalty(critic, real, fake).item() - (norm - 1) ** 2))
        off = max(off, abs(r1_penalty(critic, real).item() - norm**2))
    return Evidence(holds=off < 1e-9, measured={"within 1e-9 of the closed form": off < 1e-9})


def points_lie_between_their_pair() -> Evidence:
    """Where the critic is evaluated: on the segment of each pair, the mixes spread over (0, 1), all alike in a pair.

    1000 pairs in four dimensions. The mix is read back from each coordinate; a mix for the whole batch would have no
    spread, a mix for each coordinate would differ within a pair, noise around the real sample would leave the segment.
    """
    real, fake = torch.randn(2, 1000, 4, dtype=torch.float64)
    mix = (between(real, fake) - fake) / (real - fake)
    within = (mix.amax(1) - mix.amin(1)).max().item()
    low, high, spread = mix.min().item(), mix.max().item(), mix.mean(1).std().item()
    return Evidence(
        holds=within < 1e-6 and low > -1e-6 and high < 1 + 1e-6 and abs(spread - 12**-0.5) < 0.03,
        measured={"same mix in all coordinates": within < 1e-6, "standard deviation of the mix": spread},
    )


def penalty_trains_the_slope() -> Evidence:
    """Nothing but the penalty, 150 Adam steps on a small critic: slopes come from about 0.1 to one.

    That takes a gradient through the gradient. The best trivial critic, a constant, has slope 0 and penalty 1.
    """
    critic = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.02)
    before = input_slopes(critic, torch.randn(200, 2)).norm(dim=1).mean().item()
    for _ in range(150):
        loss = gradient_penalty(critic, torch.randn(32, 2), torch.randn(32, 2) + 1)
        optimizer.zero_grad()
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    off = (input_slopes(critic, torch.randn(200, 2) + 0.5).norm(dim=1) - 1).abs().mean().item()
    return Evidence(
        holds=off < 0.1 and abs(before - 1) > 0.3,
        measured={"mean slope before": before, "mean distance from one after": off},
        rel=None,
    )


def batch_norm_mixes_samples() -> Evidence:
    """Slopes by one backward pass against each sample's own Jacobian, without and with batch normalisation.

    The sum of the scores is differentiated, which is right only when a score depends on its own sample. With batch
    norm the others' scores move too, and the slopes are off by a good part of their size. So: layer norm or none.
    """
    points = torch.randn(8, 3, dtype=torch.float64)
    off = []
    for norm in (nn.Identity(), nn.BatchNorm1d(5, dtype=torch.float64)):
        critic = nn.Sequential(
            nn.Linear(3, 5, dtype=torch.float64), norm, nn.Tanh(), nn.Linear(5, 1, dtype=torch.float64)
        )
        rows = [torch.autograd.functional.jacobian(critic, points)[k, 0, k] for k in range(len(points))]  # type: ignore[no-untyped-call]
        own = torch.stack(rows)
        off.append(((input_slopes(critic, points) - own).norm() / own.norm()).item())
    return Evidence(
        holds=off[0] < 1e-9 and off[1] > 0.05,
        measured={"exact without batch norm": off[0] < 1e-9, "relative error with batch norm": off[1]},
        rel=None,
    )


def clipping_bounds_a_power_of_the_depth() -> Evidence:
    """Slopes of clipped critics of 2, 4 and 8 layers when the limit is ten times larger: 10^2, 10^4 and 10^8 times.

    So at 0.01 the slope of a deep critic vanishes, and at a limit above one over the width it explodes.
    """
    ratios = []
    for layers in (2, 4, 8):
        small = clipped_slope(layers, 0.01)
        ratios.append(clipped_slope(layers, 0.1) / small / 10**layers if small > 0 else 0.0)
    deep = clipped_slope(8, 0.01)
    return Evidence(
        holds=max(abs(r - 1) for r in ratios) < 1e-6 and deep < 1e-6,
        measured={"slope of eight layers clipped at 0.01": deep, "of two layers": clipped_slope(2, 0.01)},
    )


def draw_clipped_slope(axes: Axes) -> None:
    """Largest slope of a clipped critic against its depth, for three limits, on a logarithmic axis."""
    depths = list(range(1, 13))
    for n, limit in enumerate((0.01, 0.0625, 0.2)):
        slopes = [clipped_slope(layers, limit) for layers in depths]
        axes.semilogy(depths, slopes, "o-", color=f"C{n}", label=f"clipped at {limit:g}")
    axes.axhline(1, color="C3", linestyle="--", label="wanted")
    axes.set(xlabel="layers of the critic", ylabel="largest slope")
    axes.legend(fontsize="small", loc="lower left")
