"""Memory of preference training: by hand, its ratios, and the bytes counted in PyTorch."""

import pytest
import torch

from snippets.alignment.training_memory import MODELS, sixteen_bytes_are_counted, table, weights_gib


def test_by_hand() -> None:
    """8e9 parameters: DPO 144e9 bytes, PPO twice that, GRPO 20 bytes a parameter."""
    assert weights_gib("DPO", 8) == pytest.approx(144e9 / 2**30, rel=1e-12)
    assert weights_gib("PPO", 8) == pytest.approx(288e9 / 2**30, rel=1e-12)
    assert weights_gib("GRPO", 1) == pytest.approx(20e9 / 2**30, rel=1e-12)


@pytest.mark.parametrize("method", MODELS)
def test_proportional(method: str) -> None:
    assert weights_gib(method, 14) == pytest.approx(2 * weights_gib(method, 7), rel=1e-12)


def test_table_has_every_method() -> None:
    assert [row["method"] for row in table(1)] == list(MODELS)


def test_counted() -> None:
    torch.manual_seed(7)
    assert sixteen_bytes_are_counted().holds is True
