r"""What DPO gives up with the reward model: its loss sees differences of log-ratios within its pairs, and nothing else.

Source: Xu et al., Is DPO Superior to PPO, 2024 (arXiv:2404.10719), theorem 4.1, for responses outside the data; Azar
et al., 2023 (arXiv:2310.12036), for unanimous pairs and IPO; Razin et al., 2024 (arXiv:2410.08847), for displacement.
Variant: policies over three or four responses, trained by full-batch gradient descent, so that everything is exact.
Not handled: on-policy or iterated DPO, which samples new pairs from the policy and so sees where its mass has gone.

On paper: two responses, one always chosen. The loss log(1 + exp(-m)) falls for every margin m, so no beta stops it;
if one rater in four disagrees it is least at m = log 3. IPO's (m / beta - 1 / (2 beta))^2 is least at m = 1/2.
"""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.alignment.bradley_terry import preferences
from snippets.alignment.dpo import dpo_loss, expected_dpo_loss, implicit_reward
from snippets.alignment.kl_regularised_optimum import divergence, objective, optimum
from snippets.evidence import Evidence


def ipo_loss(
    policy_chosen: Tensor, policy_rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, *, beta: float
) -> Tensor:
    """Squared distance of the log-ratio margin from 1 / (2 beta), a target that is finite even where raters agree.

    All (...), log-probabilities of whole responses.   Returns (...). Azar et al., section 5, with beta for their tau.
    """
    gap = (policy_chosen - ref_chosen) - (policy_rejected - ref_rejected)
    return (gap - 1 / (2 * beta)).square()


def descend(loss: Callable[[Tensor], Tensor], start: Tensor, steps: int, rate: float) -> Tensor:
    """Plain gradient descent.   loss: of a tensor shaped like start, to a scalar.   Returns the last point."""
    at = start
    for _ in range(steps):
        slope: Tensor = torch.func.grad(loss)(at)
        at = at - rate * slope
    return at


def margin_after(steps: int, agreement: float, beta: float, *, loss: str = "dpo") -> float:
    """Margin of implicit rewards between two responses that start equal, after steps of training.

    agreement: share of the raters who choose the first.   loss: "dpo" or "ipo".
    """
    pair_loss = {"dpo": dpo_loss, "ipo": ipo_loss}[loss]
    log_ref = torch.full((2,), 0.5, dtype=torch.float64).log()

    def expected(logits: Tensor) -> Tensor:
        p, q = logits.log_softmax(-1), log_ref
        for_first = pair_loss(p[0], p[1], q[0], q[1], beta=beta)
        return agreement * for_first + (1 - agreement) * pair_loss(p[1], p[0], q[1], q[0], beta=beta)

    found = descend(expected, log_ref, steps, 0.1 if loss == "ipo" else 1 / beta**2)
    reward = implicit_reward(found.log_softmax(-1), log_ref, beta)
    return (reward[0] - reward[1]).item()


def unanimous_pairs_have_no_optimum() -> Evidence:
    """Three raters in four: the margin settles at log 3. All of them: it grows by log 2 with each doubling of training.

    The margin is beta times a log-ratio, so the rejected response goes to zero at any beta: the leash has come off.
    IPO on the same pairs stops at a margin of 1/2.
    """
    split = margin_after(400, 0.75, 0.5)
    doubled = [margin_after(400, 1.0, beta) - margin_after(200, 1.0, beta) for beta in (0.1, 0.5)]
    grows = min(doubled)
    stops = margin_after(200, 1.0, 0.5, loss="ipo")
    return Evidence(
        holds=abs(split - 1.0986) < 1e-3 and grows > 0.6 and max(doubled) < 0.8 and abs(stops - 0.5) < 1e-3,
        measured={"margin at 3 in 4": split, "growth from doubling at 4 in 4": grows, "margin of IPO": stops},
    )


def unseen_responses_are_free() -> Evidence:
    """Give 0.9 of the mass to a fourth response that no pair mentions: the DPO loss stays the same to rounding.

    The objective of RLHF sees it at once: here, with a reward of -2 for that response, it falls by more than 1, because
    RL samples from its own policy. The response is as rare in the reference as 1 in 1000.
    """
    beta, log_ref = 0.5, torch.tensor([0.5, 0.3, 0.199, 0.001], dtype=torch.float64).log()
    reward = torch.cat([torch.randn(3, dtype=torch.float64), torch.tensor([-2.0]).double()])
    wins = preferences(reward)
    wins[3, :] = wins[:, 3] = 0
    best = optimum(log_ref, reward, beta)
    kept = best[:3] - best[:3].logsumexp(-1) + torch.tensor(0.1).double().log()
    strange = torch.cat([kept, torch.tensor([0.9]).double().log()])
    losses = [expected_dpo_loss(p, log_ref, wins, beta).item() for p in (best, strange)]
    lost = (objective(best, log_ref, reward, beta) - objective(strange, log_ref, reward, beta)).item()
    moved = divergence(strange, log_ref).item()
    return Evidence(
        holds=abs(losses[0] - losses[1]) < 1e-12 and losses[0] > 1e-3 and lost > 1 and moved > 3,
        measured={"loss unmoved": abs(losses[0] - losses[1]) < 1e-12, "lost objective": lost, "KL, nats": moved},
    )


FEATURES = (1.0, 0.0, 3.0)
"""Of the chosen, the rejected and a third response: whatever the chosen one has, the third has more of."""


def displaced(steps: int, *, sft_weight: float = 0.0, beta: float = 0.5) -> Tensor:
    """Probabilities of chosen, rejected and third response after DPO on the one pair; logits are theta times a feature.

    sft_weight: weight of -log pi(chosen), added to the loss.   Returns (3,).
    """
    feature = torch.tensor(FEATURES, dtype=torch.float64)
    log_ref = torch.full((3,), 1 / 3, dtype=torch.float64).log()

    def loss(theta: Tensor) -> Tensor:
        p = (theta * feature).log_softmax(-1)
        return dpo_loss(p[0], p[1], log_ref[0], log_ref[1], beta=beta) - sft_weight * p[0]

    theta = descend(loss, torch.zeros((), dtype=torch.float64), steps, 0.2)
    return (theta * feature).softmax(-1)


def chosen_can_fall() -> Evidence:
    """Train on one pair: its margin rises, and the *chosen* response falls from 0.33 to below 0.2.

    The rejected one falls faster, which is all that the loss asks for; the mass goes to a third response that shares
    the feature. With -log pi(chosen) added, weight 1, the chosen one does not fall.
    """
    after, held = displaced(40), displaced(40, sft_weight=1.0)
    margin = (after[0] / after[1]).log().item()
    return Evidence(
        holds=margin > 0.5 and after[0].item() < 0.2 and after[2].item() > 0.7 and held[0].item() > 0.33,
        measured={
            "chosen, from 1/3": after[0].item(),
            "third, from 1/3": after[2].item(),
            "chosen with the SFT term": held[0].item(),
        },
    )


def draw_displacement(axes: Axes) -> None:
    """Probabilities of the three responses over 40 steps of DPO on one pair."""
    steps = list(range(0, 41, 4))
    curves = torch.stack([displaced(s) for s in steps])
    for i, name in enumerate(("chosen", "rejected", "in no pair")):
        axes.plot(steps, curves[:, i].tolist(), color=f"C{i}", label=name)
    axes.set(xlabel="steps of DPO on one pair", ylabel="probability", ylim=(0, 1))
    axes.legend()
