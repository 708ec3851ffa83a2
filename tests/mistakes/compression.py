"""Wrong versions of the compression snippets that a replaced word cannot make."""

import torch
from torch import Tensor


def symmetric_parameters(x: Tensor, *, bits: int = 8) -> tuple[Tensor, Tensor]:
    """A grid around zero, whatever the data: after a ReLU half of the integers are never used."""
    scale = (x.abs().max() / (2 ** (bits - 1) - 1)).clamp(min=torch.finfo(x.dtype).tiny)
    return scale, torch.zeros_like(scale)


def weight_only_by_another_name(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Int8 weights with a scale for each output, and activations left in floats."""
    scale = w.abs().amax(dim=-1, keepdim=True) / 127
    return x @ ((w / scale).round() * scale).mT + b
