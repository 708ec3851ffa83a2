r"""The optimum of RLHF in closed form: the reference, tilted by the exponential of the reward over beta.

    J(pi) = E_pi[r] - beta KL(pi || ref)  is largest at  pi*(y) = ref(y) exp(r(y) / beta) / Z,  where it is beta log Z

Source: Rafailov et al., DPO, 2023, equations 3 and 4 and appendix A.1; Korbak et al., 2022 (arXiv:2205.11275), who
read pi* as a Bayesian posterior with the reference as prior.
Variant: one prompt and a list of responses, so that everything is enumerated; nats; the KL is over whole responses.
Not handled: prompts (one such problem each), discounting, a policy class too small to hold pi*.

On paper: two responses, ref (1/2, 1/2), rewards (log 9, 0). At beta = 1, pi* = (9, 1)/10 and J = log 5 = 1.609. At
beta = 2 the tilt is exp(log(9) / 2) = 3, so pi* = (3, 1)/4. At beta = 0 all of it goes to the first response.
"""

from itertools import pairwise

import sympy
import torch
from sympy import Indexed, IndexedBase, Sum, Symbol, exp, log
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof


def optimum(log_ref: Tensor, reward: Tensor, beta: float) -> Tensor:
    """Log-probabilities of the best policy under the KL penalty.

    log_ref, reward: (..., responses)   beta: > 0.   Returns (..., responses). Rafailov et al., equation 4.
    """
    return (log_ref + reward / beta).log_softmax(-1)


def objective(log_policy: Tensor, log_ref: Tensor, reward: Tensor, beta: float) -> Tensor:
    """What RLHF maximises: expected reward less beta times the KL to the reference, in nats.

    All (..., responses).   Returns (...). Rafailov et al., equation 3.
    """
    return (log_policy.exp() * (reward - beta * (log_policy - log_ref))).sum(-1)


def divergence(log_a: Tensor, log_b: Tensor) -> Tensor:
    """KL(a || b) in nats.   Both (..., responses).   Returns (...)."""
    return (log_a.exp() * (log_a - log_b)).sum(-1)


def entropy(log_policy: Tensor) -> float:
    """Entropy in nats; a probability of zero adds nothing.   log_policy: (responses,)."""
    return float(torch.special.entr(log_policy.exp()).sum())


def ascend(log_ref: Tensor, reward: Tensor, beta: float, steps: int = 4000, rate: float = 1.0) -> Tensor:
    """Log-probabilities that exact policy-gradient ascent reaches from the reference: no sampling, no closed form.

    log_ref, reward: (responses,).   Returns (responses,). The gradient in the logits is pi (A - E[A]), with the
    reward after its KL penalty for A.
    """
    logits = log_ref.clone()
    for _ in range(steps):
        log_policy = logits.log_softmax(-1)
        net = reward - beta * (log_policy - log_ref)
        policy = log_policy.exp()
        logits = logits + rate * policy * (net - (policy * net).sum())
    return logits.log_softmax(-1)


def problem(responses: int = 8) -> tuple[Tensor, Tensor]:
    """A random reference (log-probabilities) and random rewards, float64."""
    logits, reward = torch.randn(2, responses, dtype=torch.float64)
    return logits.log_softmax(-1), reward


def shortfall_is_a_divergence() -> Evidence:
    """Any policy falls short of the optimum by beta KL(policy || pi*): 200 random policies, to rounding, none above.

    That is why the closed form is a yardstick: how far training has come is read off without knowing the way.
    """
    log_ref, reward = problem()
    worst, least = 0.0, float("inf")
    for beta in (0.1, 1.0, 3.0):
        best = optimum(log_ref, reward, beta)
        policies = torch.randn(200, 8, dtype=torch.float64).log_softmax(-1)
        gap = objective(best, log_ref, reward, beta) - objective(policies, log_ref, reward, beta)
        worst = max(worst, (gap - beta * divergence(policies, best)).abs().max().item())
        least = min(least, gap.min().item())
    return Evidence(
        holds=worst < 1e-10 and least > 0, measured={"equal to 1e-10": worst < 1e-10, "least shortfall": least}
    )


def ascent_reaches_the_closed_form() -> Evidence:
    """Gradient ascent from the reference ends at ref exp(r / beta) / Z: five responses, KL below 1e-3 nats.

    At the start the KL is above 0.2, so that there was a way to go. Rewards are spread evenly over two nats and
    shuffled; the reference is not uniform, so that leaving it out is seen.
    """
    log_ref = torch.tensor([0.4, 0.1, 0.2, 0.1, 0.2], dtype=torch.float64).log()
    reward = torch.linspace(-1, 1, 5, dtype=torch.float64)[torch.randperm(5)]
    best = optimum(log_ref, reward, 0.5)
    before = divergence(log_ref, best).item()
    after = divergence(ascend(log_ref, reward, 0.5), best).item()
    return Evidence(holds=before > 0.2 and after < 1e-3, measured={"KL below 1e-3 at the end": after < 1e-3})


def without_the_penalty_variety_dies() -> Evidence:
    """RL fine-tuning brings no exploration of its own: five equal arms, rewards 0 to 1, beta = 0 against beta = 0.2.

    Without the penalty ascent leaves less than 0.05 of log 5 = 1.609 nats, one response. With it the entropy is that
    of softmax(r / beta), to 1e-3: variety survives through the KL alone.
    """
    log_ref = torch.full((5,), 0.2, dtype=torch.float64).log()
    reward = torch.linspace(0, 1, 5, dtype=torch.float64)
    bare, held = entropy(ascend(log_ref, reward, 0.0)), entropy(ascend(log_ref, reward, 0.2))
    closed = entropy((reward / 0.2).log_softmax(-1))
    return Evidence(
        holds=bare < 0.05 and abs(held - closed) < 1e-3,
        measured={"before": entropy(log_ref), "entropy at beta 0": bare, "entropy at beta 0.2": held},
    )


def beta_sets_the_distance() -> Evidence:
    """From a large to a small beta the optimum walks from the reference to the best response, KL rising all the way.

    At beta = 1000 it is the reference to 1e-3 nats, at 0.001 the best response alone has 0.999. The rewards are spread
    evenly and shuffled, so that the best stands clear of the next.
    """
    log_ref, _ = problem()
    reward = torch.linspace(0, 2, 8, dtype=torch.float64)[torch.randperm(8)]
    kl = [divergence(optimum(log_ref, reward, b), log_ref).item() for b in (1000.0, 3.0, 1.0, 0.3, 0.1, 0.001)]
    top = optimum(log_ref, reward, 0.001).exp()[reward.argmax()].item()
    rises = all(a < b for a, b in pairwise(kl))
    return Evidence(holds=rises and kl[0] < 1e-3 and top > 0.999, measured={"KL at beta 1": kl[2], "rises": rises})


def derive_optimum() -> Steps:
    r"""J(pi) is beta log Z less beta KL(pi || pi*), term by term; so pi* is its maximum, without calculus.

    The sums over pi_y are of a distribution, and sum to one where they stand alone: that turns the first term of the
    second step into beta log Z. Z is whatever makes pi* sum to one.
    """
    n = Symbol("n", integer=True, positive=True)
    y = Symbol("y", integer=True)
    beta, z = sympy.symbols("beta Z", positive=True)
    policy, ref, r = IndexedBase("pi", positive=True), IndexedBase("rho", positive=True), IndexedBase("r", real=True)
    best: Indexed = ref[y] * exp(r[y] / beta) / z
    everything = (y, 1, n)
    return {
        "reward of pi*, read backwards": step(beta * log(best / ref[y]) + beta * log(z), r[y]),
        "objective": step(
            Sum(policy[y] * (r[y] - beta * log(policy[y] / ref[y])), everything),
            beta * log(z) * Sum(policy[y], everything) - beta * Sum(policy[y] * log(policy[y] / best), everything),
        ),
    }


@proof
def derivation_holds() -> Evidence:
    """Every step of `derive_optimum`, by algebra and at random points."""
    steps = derive_optimum()
    good = {name: proved(equality) for name, equality in steps.items()}
    return Evidence(holds=len(good) == 2 and all(good.values()), measured=good)


def tilt(gap: float, beta: float) -> float:
    """By what factor the optimum raises the odds of a response whose reward is higher by `gap`."""
    two = torch.tensor([gap, 0.0], dtype=torch.float64)
    log_odds = optimum(torch.zeros(2, dtype=torch.float64), two, beta)
    return (log_odds[0] - log_odds[1]).exp().item()
