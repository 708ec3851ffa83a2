r"""How much memory the weights of preference training take: how many models there are, and which of them are trained.

    bytes = 16 for each trained parameter + 2 for each frozen one

Source: Rajbhandari et al., ZeRO, 2020 (arXiv:1910.02054), section 3.1, for the 16; Ouyang et al., InstructGPT, 2022,
for the four models of PPO; Shao et al., DeepSeekMath, 2024, for GRPO, which drops the value model.
Variant: mixed precision with Adam: bf16 weights and gradients (2 + 2), an fp32 copy and two moments (4 + 4 + 4); every
model has the size of the policy; 1 GiB is 2**30 bytes.
Not handled: activations, the KV cache of generation, a second copy of the policy in the inference engine, sharding,
adapters (with LoRA the reference is the policy with its adapter switched off).

On paper: 8e9 parameters. DPO: 16 * 8e9 + 2 * 8e9 = 144e9 bytes = 134 GiB. PPO trains two and keeps two: twice that.
"""

from snippets.evidence import Evidence

GIB = 2**30

MODELS = {
    "PPO": (("policy", "value"), ("reference", "reward model")),
    "GRPO": (("policy",), ("reference", "reward model")),
    "GRPO, checked by a program": (("policy",), ("reference",)),
    "DPO": (("policy",), ("reference",)),
    "DPO, reference scored beforehand": (("policy",), ()),
}
"""For each method the models that are trained and those that only run forwards."""


def weights_gib(method: str, billions: float) -> float:
    """GiB of weights, gradients and optimiser states, before sharding.   billions: parameters of the policy, 1e9."""
    trained, frozen = MODELS[method]
    return (16 * len(trained) + 2 * len(frozen)) * billions * 1e9 / GIB


def table(billions: float = 8) -> list[dict[str, str | float]]:
    """Each method with its models and their memory."""
    return [
        {
            "method": method,
            "trained": ", ".join(trained),
            "frozen": ", ".join(frozen) or "none",
            "samples while training": "no" if method.startswith("DPO") else "yes",
            f"GiB at {billions:g}B": weights_gib(method, billions),
        }
        for method, (trained, frozen) in MODELS.items()
    ]


def sixteen_bytes_are_counted() -> Evidence:
    """Train a layer of 1000 x 1000 as mixed precision does, and count the bytes that PyTorch holds for it afterwards.

    bf16 weights and gradients, an fp32 copy and Adam's state: the calculator's GiB within 0.1% (Adam counts steps too).
    """
    import torch

    weight = torch.nn.Parameter(torch.randn(1000, 1000, dtype=torch.bfloat16))
    copy = torch.nn.Parameter(weight.detach().float())
    adam = torch.optim.Adam([copy])
    (torch.randn(4, 1000).bfloat16() @ weight).square().mean().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    copy.grad = weight.grad.float()
    adam.step()
    held = [weight, weight.grad, copy, *(part for state in adam.state.values() for part in state.values())]
    counted = sum(part.numel() * part.element_size() for part in held) / GIB
    expected = weights_gib("DPO, reference scored beforehand", 1e-3)
    return Evidence(
        holds=abs(counted - expected) < 1e-3 * counted, measured={"bytes a parameter": counted * GIB / weight.numel()}
    )
