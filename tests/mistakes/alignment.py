"""Wrong versions of the alignment snippets that a replaced word cannot make."""

from torch import Tensor


def sft_on_chosen(
    policy_chosen: Tensor, policy_rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, *, beta: float
) -> Tensor:
    """Fine-tune on the chosen responses and call it preference optimisation: the rejected ones teach nothing."""
    return -beta * policy_chosen + 0 * (policy_rejected + ref_chosen + ref_rejected)


def hinge(
    policy_chosen: Tensor, policy_rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor, *, beta: float
) -> Tensor:
    """The loss of SLiC under the name of DPO: it stops at a margin of one."""
    margin = beta * ((policy_chosen - ref_chosen) - (policy_rejected - ref_rejected))
    return (1 - margin).clamp(min=0)
