r"""DPO: the closed-form optimum read backwards makes the policy its own reward model, so preferences train it directly.

    r(y) = beta log(pi(y) / ref(y)) + beta log Z,   loss = -log sigma(beta log(pi_c / ref_c) - beta log(pi_r / ref_r))

Source: Rafailov et al., DPO, 2023 (arXiv:2305.18290), equations 5 to 7; the gradient is in section 4.
Variant: sigmoid loss without label smoothing; log-probabilities of whole responses, summed over their tokens.
Not handled: prompts (Z differs from prompt to prompt and cancels within each), sampling, IPO, KTO, length correction.

On paper: beta = 0.1; the policy has doubled the chosen response and halved the rejected one. The margin is
0.1 (log 2 + log 2) = 0.139, the loss -log sigma(0.139) = 0.626. At the reference it was log 2 = 0.693.
"""

import math
from collections.abc import Callable

import sympy
import torch
import torch.nn.functional as F
from sympy import exp, log, symbols
from torch import Tensor

from snippets.alignment.bradley_terry import fit, preferences, reward_loss
from snippets.alignment.kl_regularised_optimum import divergence, optimum, problem
from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof


def implicit_reward(log_policy: Tensor, log_ref: Tensor, beta: float) -> Tensor:
    """The reward for which this policy is optimal, up to a constant for each prompt.

    log_policy, log_ref: (...), log-probabilities of responses.   Returns (...). Rafailov et al., equation 5.
    """
    return beta * (log_policy - log_ref)


def dpo_loss(
    policy_chosen: Tensor, policy_rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, *, beta: float
) -> Tensor:
    """Bradley-Terry loss of the implicit reward, one for each pair.

    All (...): log-probabilities of whole responses; those of the reference are constants.   Returns (...).
    Rafailov et al., equation 7.
    """
    margin = beta * ((policy_chosen - ref_chosen) - (policy_rejected - ref_rejected))
    return -F.logsigmoid(margin)


def expected_dpo_loss(logits: Tensor, log_ref: Tensor, wins: Tensor, beta: float) -> Tensor:
    """Loss of a softmax policy over all comparisons, weighted by `wins`: row preferred to column.

    logits, log_ref: (n,)   wins: (n, n).   Returns a scalar.
    """
    log_policy, wins = logits.log_softmax(-1), wins - wins.diagonal().diag()
    loss = dpo_loss(log_policy[:, None], log_policy[None, :], log_ref[:, None], log_ref[None, :], beta=beta)
    return (wins * loss).sum() / wins.sum()


def minimise(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """The minimum that L-BFGS finds from a start.   loss: of a tensor shaped like start, to a scalar."""
    at = start.clone().requires_grad_()
    search = torch.optim.LBFGS(
        [at], max_iter=500, tolerance_grad=1e-11, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        value = loss(at)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    search.step(closure)  # type: ignore[no-untyped-call]
    return at.detach()


def train(log_ref: Tensor, wins: Tensor, beta: float) -> Tensor:
    """Log-probabilities of the policy that DPO finds, from the reference.   log_ref: (n,)   wins: (n, n)."""
    return minimise(lambda logits: expected_dpo_loss(logits, log_ref, wins, beta), log_ref).log_softmax(-1)


def reaches_the_optimum_of_rlhf() -> Evidence:
    """Preferences of a known reward, all pairs in proportion: DPO ends at ref exp(r / beta) / Z, KL below 1e-7.

    It never saw the reward, and the reference was at least 0.05 nats away.
    """
    log_ref, reward = problem()
    best = optimum(log_ref, reward, 0.5)
    found = train(log_ref, preferences(reward), 0.5)
    before, after = divergence(log_ref, best).item(), divergence(found, best).item()
    return Evidence(holds=before > 0.05 and after < 1e-7, measured={"KL before": before, "KL below 1e-7": after < 1e-7})


def equals_two_stages_on_the_same_data() -> Evidence:
    """Noisy data, 40 votes a pair: DPO is a fitted reward followed by the closed form, error for error, to 1e-7 nats.

    Both miss the optimum of the true reward, by the same. Half a vote is added to each side, so no reward is infinite.
    """
    log_ref, reward = problem(6)
    chance = preferences(reward)
    votes = torch.binomial(torch.full_like(chance, 40.0), chance).triu(1)
    wins = votes + (40 - votes.mT).tril(-1) + 0.5
    two_stages, one_stage = optimum(log_ref, fit(wins), 0.5), train(log_ref, wins, 0.5)
    apart = divergence(one_stage, two_stages).item()
    missed = divergence(one_stage, optimum(log_ref, reward, 0.5)).item()
    return Evidence(
        holds=apart < 1e-7 and missed > 1e-5, measured={"apart by less than 1e-7": apart < 1e-7, "both miss by": missed}
    )


def normaliser_cancels() -> Evidence:
    """At pi* the DPO loss of every pair equals the Bradley-Terry loss under the reward itself: log Z has dropped out.

    Single implicit rewards are off by beta log Z, the same for all responses, and that is not zero.
    """
    log_ref, reward = problem()
    best = optimum(log_ref, reward, 0.3)
    loss = dpo_loss(best[:, None], best[None, :], log_ref[:, None], log_ref[None, :], beta=0.3)
    off = (loss - reward_loss(reward[:, None], reward[None, :])).abs().max().item()
    missing = reward - implicit_reward(best, log_ref, 0.3)
    log_z = 0.3 * (log_ref + reward / 0.3).logsumexp(-1).item()
    same = (missing - log_z).abs().max().item()
    return Evidence(holds=off < 1e-10 and same < 1e-10, measured={"beta log Z": log_z, "losses agree": off < 1e-10})


def wrongly_ordered_pairs_pull_most() -> Evidence:
    """Autograd against the gradient of the paper: beta sigma(-margin), up on the chosen and down on the rejected.

    So the weight is above beta / 2 exactly for the pairs that the implicit reward has the wrong way round, and a
    policy equal to the reference starts at log 2 with beta / 2 everywhere.
    """
    beta = 0.3
    policy, ref = 5 * torch.randn(2, 2, 100, dtype=torch.float64)
    slope = torch.func.grad(lambda p: dpo_loss(p[0], p[1], ref[0], ref[1], beta=beta).sum())(policy)
    margin = implicit_reward(policy, ref, beta)
    expected = beta * (margin[1] - margin[0]).sigmoid()
    off = max((slope[0] + expected).abs().max().item(), (slope[1] - expected).abs().max().item())
    start = dpo_loss(ref[0], ref[1], ref[0], ref[1], beta=beta)
    flat = (start - math.log(2)).abs().max().item()
    return Evidence(holds=off < 1e-12 and flat < 1e-12, measured={"gradient agrees to 1e-12": off < 1e-12})


def derive_loss() -> Steps:
    r"""From pi* = ref exp(r / beta) / Z: solve for r, put it into Bradley-Terry, and Z is gone."""
    beta, z, ref_c, ref_r = symbols("beta Z rho_c rho_r", positive=True)
    r_c, r_r = symbols("r_c r_r", real=True)
    policy_c, policy_r = ref_c * exp(r_c / beta) / z, ref_r * exp(r_r / beta) / z
    p_c, p_r = symbols("pi_c pi_r", positive=True)
    odds = beta * log(p_c / ref_c) - beta * log(p_r / ref_r)
    return {
        "reward of the chosen": step(beta * log(policy_c / ref_c) + beta * log(z), r_c),
        "Z cancels in the difference": step(beta * log(policy_c / ref_c) - beta * log(policy_r / ref_r), r_c - r_r),
        "loss": step(-log(1 / (1 + exp(-odds))), log(1 + (p_r / ref_r) ** beta * (p_c / ref_c) ** (-beta))),
        "gradient": step(sympy.diff(-log(1 / (1 + exp(-odds))), p_c), -beta / p_c / (1 + exp(odds))),
    }


@proof
def derivation_holds() -> Evidence:
    """Every step of `derive_loss`, by algebra and at random points."""
    good = {name: proved(equality) for name, equality in derive_loss().items()}
    return Evidence(holds=len(good) == 4 and all(good.values()), measured=good)


EXAMPLE = {"right and brief": 1.5, "right": 1.0, "hedged": 0.0, "wrong": -2.0}
"""Four responses to a prompt, with the rewards that the raters had in mind."""

REFERENCE = (0.1, 0.4, 0.3, 0.2)


def two_roads(beta: float = 0.5) -> list[dict[str, str | float]]:
    """The example: reference, the optimum of RLHF from the true reward, and what DPO makes of preferences alone."""
    log_ref = torch.tensor(REFERENCE, dtype=torch.float64).log()
    reward = torch.tensor(list(EXAMPLE.values()), dtype=torch.float64)
    best, found = optimum(log_ref, reward, beta).exp(), train(log_ref, preferences(reward), beta).exp()
    return [
        {
            "response": name,
            "reward": reward[i].item(),
            "reference": REFERENCE[i],
            "RLHF, closed form": best[i].item(),
            "DPO": found[i].item(),
        }
        for i, name in enumerate(EXAMPLE)
    ]


def loss_of_a_pair(chosen_factor: float, rejected_factor: float, beta: float) -> float:
    """DPO loss where the policy has multiplied the probabilities of the pair by these factors."""
    chosen, rejected = torch.tensor([chosen_factor, rejected_factor], dtype=torch.float64).log()
    zero = torch.zeros((), dtype=torch.float64)
    return dpo_loss(chosen, rejected, zero, zero, beta=beta).item()
