r"""Over-optimisation: a learned reward is right where it was fitted; press harder and true reward rises, then falls.

Source: Gao et al., Scaling Laws for Reward Model Overoptimization, 2023 (arXiv:2210.10760), figure 1, for the shape;
Stiennon et al., 2020 (arXiv:2009.01325), figure 5, for the same against human preference.
Variant: 81 responses, four words each of fact, flattery and filler, enumerated; the reward model is linear in the
counts and fitted on infinitely many comparisons of the reference's own samples, so its only fault is its shape.
Not handled: noise in the comparisons, reward models that are neural networks, length bias, ensembles.

On paper: a little flattery pleases, more annoys: true reward 1.2 k - 0.5 k^2 + 0.2 facts. From none to one it gains
0.7, from one to two it loses 0.3. The reference rarely flatters twice, so a straight line through what raters saw
points up, and its maximum is four times flattery: 4.8 - 8 = -3.2.
"""

from functools import cache
from itertools import pairwise, product

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.alignment.bradley_terry import expected_loss, preferences
from snippets.alignment.kl_regularised_optimum import divergence, optimum
from snippets.evidence import Evidence

FACT, FLATTERY, FILLER = range(3)
SHARES = (0.35, 0.15, 0.5)
"""How often the reference writes each kind of word."""

BETAS = (10.0, 3.0, 1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.03)


@cache
def counts() -> Tensor:
    """Facts and flattery in each of the 81 responses of four words.   Returns (81, 2)."""
    words = torch.tensor(list(product(range(3), repeat=4)))
    return torch.stack([(words == FACT).sum(-1), (words == FLATTERY).sum(-1)], -1).double()


def reference() -> Tensor:
    """Log-probabilities of the responses under the reference, which draws each word by itself.   Returns (81,)."""
    facts, flattery = counts().T
    fact, flatter, fill = torch.tensor(SHARES, dtype=torch.float64).log()
    log_probability: Tensor = facts * fact + flattery * flatter + (4 - facts - flattery) * fill
    return log_probability


def true_reward() -> Tensor:
    """What the raters want: facts, and flattery in moderation.   Returns (81,)."""
    facts, flattery = counts().T
    reward: Tensor = 0.2 * facts + 1.2 * flattery - 0.5 * flattery.square()
    return reward


def features(*, curved: bool = False) -> Tensor:
    """What the reward model sees: the two counts, and with `curved` the square of flattery.   Returns (81, 2 or 3)."""
    seen = counts()
    return torch.cat([seen, seen[:, 1:].square()], -1) if curved else seen


def reward_model(log_sampler: Tensor, *, curved: bool = False, steps: int = 15) -> Tensor:
    """The reward, linear in the features, of the least Bradley-Terry loss over pairs drawn from a sampler.

    log_sampler: (81,).   Returns (81,), its mean under the reference zero. Newton's method; the loss is convex.
    """
    seen, sampler = features(curved=curved), log_sampler.exp()
    wins = sampler[:, None] * sampler[None, :] * preferences(true_reward())
    weight = torch.zeros(seen.shape[1], dtype=torch.float64)

    def loss(w: Tensor) -> Tensor:
        return expected_loss(seen @ w, wins)

    for _ in range(steps):
        slope: Tensor = torch.func.grad(loss)(weight)
        bend: Tensor = torch.func.jacrev(torch.func.grad(loss))(weight)
        weight = weight - torch.linalg.pinv(bend, rtol=1e-10) @ slope
    learned = seen @ weight
    return learned - reference().exp() @ learned


def mean_under(log_policy: Tensor, reward: Tensor) -> float:
    """Expected reward of a policy, exactly."""
    return (log_policy.exp() @ reward).item()


@cache
def sweep(curved: bool = False) -> tuple[tuple[float, float, float], ...]:
    """For each beta of `BETAS`: KL to the reference, learned and true reward of the optimal policy."""
    log_ref, truth = reference(), true_reward()
    learned = reward_model(log_ref, curved=curved)
    policies = [optimum(log_ref, learned, beta) for beta in BETAS]
    return tuple((divergence(p, log_ref).item(), mean_under(p, learned), mean_under(p, truth)) for p in policies)


def true_reward_rises_then_falls() -> Evidence:
    """Optimise a reward model ever harder: its score never stops rising, true reward peaks and ends below the start.

    The policies are exact optima, the comparisons infinitely many: neither training nor noise is to blame. The peak is
    at least 0.1 above the reference, the end at least 1 below.
    """
    start = mean_under(reference(), true_reward())
    learned, truth = [row[1] for row in sweep()], [row[2] for row in sweep()]
    rises = all(a < b for a, b in pairwise(learned))
    peak, end = max(truth) - start, truth[-1] - start
    return Evidence(
        holds=rises and peak > 0.1 and end < -1,
        measured={"learned reward rises all the way": rises, "true gain at the peak": peak, "at the end": end},
    )


def right_shape_does_not_fall() -> Evidence:
    """The control: a reward function that can bend finds the truth from the same pairs, and true reward only rises.

    So it is the misspecified reward function that is gamed, not the optimiser that is at fault.
    """
    truth = [row[2] for row in sweep(curved=True)]
    rises = all(a < b for a, b in pairwise(truth))
    start = mean_under(reference(), true_reward())
    return Evidence(
        holds=rises and truth[-1] > start + 0.5, measured={"rises": rises, "gain at the end": truth[-1] - start}
    )


def another_round_repairs_it(beta: float = 0.05) -> Evidence:
    """Compare samples of the tuned policy as well, refit, tune again from the reference with the same beta.

    The second reward model has seen too much flattery and marks it down: true reward ends at least 0.5 higher.
    """
    log_ref, truth = reference(), true_reward()
    first = optimum(log_ref, reward_model(log_ref), beta)
    mixed = (0.5 * log_ref.exp() + 0.5 * first.exp()).log()
    second = optimum(log_ref, reward_model(mixed), beta)
    before, after = mean_under(first, truth), mean_under(second, truth)
    return Evidence(holds=after > before + 0.5, measured={"true reward, round one": before, "round two": after})


def table() -> list[dict[str, str | float]]:
    """The sweep, a few values of beta: KL in nats, learned and true reward, relative to the reference."""
    start = mean_under(reference(), true_reward())
    rows = zip(BETAS, sweep(), strict=True)
    return [
        {"β": f"{beta:g}", "KL, nats": kl, "learned reward": learned, "true reward": truth - start}
        for beta, (kl, learned, truth) in rows
        if beta in (10.0, 1.0, 0.5, 0.3, 0.15, 0.05)
    ]


def draw_sweep(axes: Axes) -> None:
    """Learned and true reward against the KL to the reference."""
    start = mean_under(reference(), true_reward())
    kl = [row[0] for row in sweep()]
    axes.plot(kl, [row[1] for row in sweep()], marker="o", color="C0", label="learned reward")
    axes.plot(kl, [row[2] - start for row in sweep()], marker="s", color="C1", label="true reward")
    axes.set(xlabel="KL to the reference, nats", ylabel="gain over the reference")
    axes.legend()
