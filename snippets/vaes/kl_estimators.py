r"""KL from samples: k1, k2 and k3 estimate KL(q || p) from draws of q, and as losses they pull three different ways.

With r = p(x) / q(x) and x drawn from q:   k1 = -log r,   k2 = (log r)^2 / 2,   k3 = r - 1 - log r.

Source: Schulman, Approximating KL Divergence, 2020; Liu et al., Rethinking KL Regularization in RLHF, 2025, for the
gradients; Shao et al., DeepSeekMath, 2024, equation 4, where k3 is the KL term of GRPO.
Variant: q is the policy that is trained and sampled, p the frozen reference; categorical, so that everything can be
enumerated; nats.
Not handled: sequences (sum over the tokens first), draws from an older policy (weight them).

On paper: q = (1/2, 1/2), p = (3/4, 1/4). k1 = log(2/3) = -0.405 and log 2 = 0.693, mean 0.144, which is KL(q || p).
k3 = 3/2 - 1 - 0.405 = 0.095 and 1/2 - 1 + 0.693 = 0.193, mean 0.144 as well, and neither is negative.
"""

import torch
from torch import Tensor

from snippets.evidence import Evidence
from snippets.vaes.kl_div_order import categorical


def k1(log_q: Tensor, log_p: Tensor) -> Tensor:
    """-log r at a draw from q: unbiased, of either sign.   Both (...), at the same draw.   Returns (...)."""
    return log_q - log_p


def k2(log_q: Tensor, log_p: Tensor) -> Tensor:
    """(log r)^2 / 2 at a draw from q: biased, never negative.   Both (...), at the same draw.   Returns (...)."""
    return 0.5 * (log_p - log_q).square()


def k3(log_q: Tensor, log_p: Tensor) -> Tensor:
    """r - 1 - log r at a draw from q: unbiased, never negative.   Both (...), at the same draw.   Returns (...)."""
    log_r = log_p - log_q
    return log_r.exp() - 1 - log_r


def estimate(estimator: str, log_q: Tensor, log_p: Tensor) -> Tensor:
    """The estimator of that name, k1, k2 or k3, at a draw from q."""
    return {"k1": k1, "k2": k2, "k3": k3}[estimator](log_q, log_p)


NAMES = ("k1", "k2", "k3")


def pair(closeness: float = 1.0) -> tuple[Tensor, Tensor]:
    """Random logits of a policy and a reference over 6 outcomes, float64; `closeness` scales their difference."""
    reference = torch.randn(6, dtype=torch.float64)
    return reference + closeness * torch.randn(6, dtype=torch.float64), reference


def gradient_as_loss(estimator: str, policy: Tensor, reference: Tensor) -> Tensor:
    """Expected gradient with respect to the policy's logits when the estimate at a sample is used as a loss.

    The draw itself is not differentiated, as in GRPO: E_q[grad k(x)] with the weight q held fixed.
    """

    def loss(logits: Tensor) -> Tensor:
        log_q = logits.log_softmax(-1)
        return (log_q.detach().exp() * estimate(estimator, log_q, reference.log_softmax(-1))).sum()

    gradient: Tensor = torch.func.grad(loss)(policy)
    return gradient


def gradient_of_divergence(policy: Tensor, reference: Tensor, *, swapped: bool = False) -> Tensor:
    """Gradient of KL(q || p), or swapped of KL(p || q), with respect to the policy's logits."""

    def loss(logits: Tensor) -> Tensor:
        log_q, log_p = logits.log_softmax(-1), reference.log_softmax(-1)
        return categorical(log_p, log_q) if swapped else categorical(log_q, log_p)

    gradient: Tensor = torch.func.grad(loss)(policy)
    return gradient


def moments(estimator: str, policy: Tensor, reference: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of an estimator under the policy, by enumeration."""
    log_q, log_p = policy.log_softmax(-1), reference.log_softmax(-1)
    values = estimate(estimator, log_q, log_p)
    mean = (log_q.exp() * values).sum()
    return mean.item(), (log_q.exp() * (values - mean).square()).sum().sqrt().item()


def k1_and_k3_are_unbiased() -> Evidence:
    """Expectation of each estimator by enumeration: k1 and k3 give KL(q || p) to rounding, k2 does not.

    r averages to one under q, so adding r - 1 changes no mean; it makes every single value positive.
    """
    policy, reference = pair()
    exact = categorical(policy.log_softmax(-1), reference.log_softmax(-1)).item()
    biases = {name: moments(name, policy, reference)[0] - exact for name in NAMES}
    least = k3(policy.log_softmax(-1), reference.log_softmax(-1)).min().item()
    return Evidence(
        holds=abs(biases["k1"]) < 1e-12 and abs(biases["k3"]) < 1e-12 and abs(biases["k2"]) > 1e-6 and least >= 0,
        measured={"KL, nats": exact, "bias of k2": biases["k2"]},
    )


def k3_is_steadier_close_to_the_reference() -> Evidence:
    """Policy and reference 0.1 apart in the logits: k3's standard deviation is below a fifth of k1's.

    Close together log r is small and of either sign, while k3 is about its square.
    """
    policy, reference = pair(0.1)
    spread = {name: moments(name, policy, reference)[1] for name in NAMES}
    ratio = spread["k3"] / max(spread["k1"], 1e-12)
    return Evidence(holds=0 < ratio < 0.2, measured={"deviation of k3 over that of k1": ratio})


def k3_as_a_loss_swaps_the_arguments() -> Evidence:
    """Exact expected gradients: k3 as a loss gives that of KL(p || q), k2 that of KL(q || p), k1 none at all.

    The gradient of an unbiased estimate is no estimate of the gradient, because the draws depend on the policy as well.
    """
    policy, reference = pair()
    reverse, forward = (
        gradient_of_divergence(policy, reference),
        gradient_of_divergence(policy, reference, swapped=True),
    )
    off = {
        "k1": gradient_as_loss("k1", policy, reference).abs().max().item(),
        "k2": (gradient_as_loss("k2", policy, reference) - reverse).abs().max().item(),
        "k3": (gradient_as_loss("k3", policy, reference) - forward).abs().max().item(),
    }
    apart = (reverse - forward).abs().max().item()
    return Evidence(
        holds=max(off.values()) < 1e-12 and apart > 1e-3, measured={"largest difference of the two gradients": apart}
    )


def estimators() -> list[dict[str, str | float]]:
    """Mean and spread of the three estimators, and what each minimises as a loss."""
    policy, reference = pair(0.5)
    says = {"k1": "nothing: expected gradient 0", "k2": "KL(q ‖ p)", "k3": "KL(p ‖ q)"}
    formula = {"k1": "−log r", "k2": "½ (log r)²", "k3": "r − 1 − log r"}
    exact = categorical(policy.log_softmax(-1), reference.log_softmax(-1)).item()
    rows: list[dict[str, str | float]] = []
    for name in NAMES:
        mean, std = moments(name, policy, reference)
        rows.append(
            {
                "estimator": f"{name} = {formula[name]}",
                "mean less KL(q ‖ p)": mean - exact if abs(mean - exact) > 1e-12 else 0.0,
                "standard deviation": std,
                "as a loss it minimises": says[name],
            }
        )
    return rows
