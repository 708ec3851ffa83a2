r"""REINFORCE: the gradient of an expected reward from samples alone, with a baseline that costs no bias.

    grad E_pi[R] = E_pi[(R - b) grad log pi(a)],   R = r - beta log(pi / ref)

Source: Williams, Simple Statistical Gradient-Following Algorithms, 1992, for the estimator; Ouyang et al.,
InstructGPT, 2022, equation 2, for the KL penalty inside the reward; Ahmadian et al., 2024 (arXiv:2402.14740).
Variant: a response is one action (a bandit), as in RLOO; the KL penalty is part of the reward and so not
differentiated; the baseline is a constant.
Not handled: rewards or values for each token, discounting, a learned value function, stale samples (see ppo_clip).

On paper: two actions, pi = (1/2, 1/2), rewards (1, 0), b = 0, beta = 0. The gradient in the first logit is 1/2 at a
draw of the first action and 0 at the second: mean 1/4. With b = 1/2 it is 1/4 at either: no variance is left.
"""

import torch
from torch import Tensor

from snippets.alignment.kl_regularised_optimum import objective, problem
from snippets.evidence import Evidence


def reinforce_loss(
    log_policy: Tensor, log_ref: Tensor, reward: Tensor, *, beta: float, baseline: float = 0.0
) -> Tensor:
    """What to minimise: its gradient at a sample is an unbiased estimate of minus the gradient of the objective.

    log_policy, log_ref, reward: (...), at responses that were drawn from the policy.   Returns (...).
    """
    net = reward - beta * (log_policy - log_ref)
    return -(net - baseline).detach() * log_policy


def gradient_at_each(logits: Tensor, log_ref: Tensor, reward: Tensor, beta: float, baseline: float) -> Tensor:
    """Estimate of the gradient (not of the loss) that each single response would give.   All (n,).   Returns (n, n)."""
    at_each: Tensor = torch.func.jacrev(
        lambda z: -reinforce_loss(z.log_softmax(-1), log_ref, reward, beta=beta, baseline=baseline)
    )(logits)
    return at_each


def moments(logits: Tensor, log_ref: Tensor, reward: Tensor, beta: float, baseline: float) -> tuple[Tensor, float]:
    """Mean of the estimate (n,), and its variance summed over the logits, by enumeration of all responses."""
    policy, at_each = logits.softmax(-1), gradient_at_each(logits, log_ref, reward, beta, baseline)
    mean = policy @ at_each
    return mean, (policy @ (at_each - mean).square()).sum().item()


def estimate_is_unbiased() -> Evidence:
    """REINFORCE, a policy gradient from samples: its mean over all responses is the gradient of E[r] - beta KL.

    The right-hand side is autograd through the whole expectation. Agreement to rounding, with and without a baseline.
    """
    log_ref, reward = problem()
    logits = torch.randn(8, dtype=torch.float64)
    exact = torch.func.grad(lambda z: objective(z.log_softmax(-1), log_ref, reward, 0.3))(logits)
    off = max((moments(logits, log_ref, reward, 0.3, b)[0] - exact).abs().max().item() for b in (0.0, 2.5))
    return Evidence(holds=off < 1e-12, measured={"off by less than 1e-12": off < 1e-12})


def baseline_takes_the_variance() -> Evidence:
    """Rewards between 9 and 11: the same mean gradient, less than a twentieth of the variance with E[R] as baseline.

    That is what the critic of PPO, the other samples of RLOO and the group mean of GRPO are for.
    """
    log_ref, _ = problem()
    logits, reward = log_ref, 9 + 2 * torch.rand(8, dtype=torch.float64)
    mean_reward = (logits.softmax(-1) @ reward).item()
    (with_none, wide), (with_mean, narrow) = (moments(logits, log_ref, reward, 0.1, b) for b in (0.0, mean_reward))
    same = (with_none - with_mean).abs().max().item()
    ratio = narrow / max(wide, 1e-12)
    return Evidence(holds=same < 1e-12 and 0 < ratio < 0.05, measured={"variance with over without": ratio})
