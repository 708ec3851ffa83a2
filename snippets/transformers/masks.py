r"""Masks say who may look where: the past only (causal), the near past (sliding window), no padding.

Sources: Vaswani et al., 2017, section 3.2.3 (illegal connections are set to minus infinity before the softmax);
Beltagy et al., Longformer, 2020, and Jiang et al., Mistral 7B, 2023 (sliding window).
Variant: True where a query may look, as in torch; the queries are the last ones of the keys, so that the mask also fits
a decoding step with a cache (torch's is_causal aligns the first ones); a window counts the token itself.
Not handled: packed documents, prefixes that see each other, attention sinks.

On paper: three tokens, causal: rows 100, 110, 111. With a window of two: 100, 110, 011. Two layers of windows of two
reach two tokens back, L layers L (w - 1).
"""

import torch
from torch import Tensor

from snippets.evidence import Evidence
from snippets.transformers.attention import attention


def causal(queries: int, keys: int, *, device: torch.device | None = None) -> Tensor:
    """Let each query see its own key and all before it. Returns (queries, keys), True where it may look."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(diagonal=keys - queries)


def sliding_window(queries: int, keys: int, *, window: int, device: torch.device | None = None) -> Tensor:
    """Let each query see its own key and the window - 1 before it. Returns (queries, keys).

    Raises ValueError for a window below 1, which would leave rows without a key.
    """
    if window < 1:
        raise ValueError(f"window is {window}; a query has to see at least its own key, so give 1 or more")
    return causal(queries, keys, device=device).triu(diagonal=keys - queries - window + 1)


def padding(lengths: Tensor, keys: int) -> Tensor:
    """Hide what is beyond each sequence's length. lengths: (batch,)   Returns (batch, 1, keys)."""
    return (torch.arange(keys, device=lengths.device) < lengths[:, None])[:, None, :]


def reach(layers: int, window: int) -> int:
    """How many tokens back information can come from through a stack of sliding windows."""
    return layers * (window - 1)


def future_tokens_change_nothing(tokens: int = 12, width: int = 8) -> Evidence:
    """Masked (causal) self-attention: replace everything after a place, and the answers up to it stay, to rounding.

    Without the mask the same replacement moves them by far more.
    """
    x, cut = torch.randn(tokens, width).double(), tokens // 2
    y = torch.cat([x[:cut], torch.randn(tokens - cut, width).double()])
    mask = causal(tokens, tokens)
    with_mask = (attention(x, x, x, mask=mask) - attention(y, y, y, mask=mask))[:cut]
    masked = with_mask.nan_to_num(nan=1.0).abs().max().item()
    bare = (attention(x, x, x) - attention(y, y, y))[:cut].abs().max().item()
    return Evidence(
        holds=masked < 1e-12 and bare > 0.01,
        measured={"change with the mask is below 1e-12": masked < 1e-12, "change without": bare},
    )


def one_pass_equals_step_by_step(tokens: int = 13, width: int = 8) -> Evidence:
    """Parallel processing of the sequence against a query at a time over a growing cache: the same rows, to rounding.

    That is why training computes all positions at once, and why decoding may keep keys and values and compute one row.
    """
    q, k, v = (torch.randn(tokens, width).double() for _ in range(3))
    whole = attention(q, k, v, mask=causal(tokens, tokens))
    steps = torch.cat([attention(q[t : t + 1], k[: t + 1], v[: t + 1]) for t in range(tokens)])
    one_row = attention(q[-1:], k, v, mask=causal(1, tokens))
    gaps = [(whole - steps), (whole[-1:] - one_row)]
    off = max(gap.nan_to_num(nan=1.0).abs().max().item() for gap in gaps)
    differ = whole.nan_to_num().std(dim=0).mean().item()
    return Evidence(
        holds=off < 1e-12 and differ > 1e-3,
        measured={"largest difference is below 1e-12": off < 1e-12},
    )


def windows_reach_further_with_depth(layers: int = 3, window: int = 4, tokens: int = 16) -> Evidence:
    """The furthest input that the last token depends on through layers of windows, by gradients: it is `reach`."""
    x = torch.randn(tokens, 5).double().requires_grad_()
    h: Tensor = x
    for _ in range(layers):
        h = attention(h, h, h, mask=sliding_window(tokens, tokens, window=window))
    gradient = torch.autograd.grad(h[-1].sum(), x)[0] if h.requires_grad else torch.zeros_like(x)
    seen = gradient.nan_to_num().abs().sum(-1) > 0
    furthest = int(tokens - 1 - seen.double().argmax().item()) if bool(seen.any()) else 0
    return Evidence(
        holds=furthest == reach(layers, window),
        measured={"furthest token that matters": furthest, "computed": reach(layers, window)},
    )


def padding_changes_nothing() -> Evidence:
    """A short sequence in a padded batch gives the same answers as alone, whatever stands in the padding."""
    x, lengths = torch.randn(2, 9, 4).double(), torch.tensor([9, 5])
    x[1, 5:] = 100.0
    batch = attention(x, x, x, mask=padding(lengths, 9))[1, :5]
    alone = attention(x[1, :5], x[1, :5], x[1, :5])
    off = (batch - alone).nan_to_num(nan=1.0).abs().max().item()
    return Evidence(
        holds=off < 1e-12 and alone.abs().max().item() > 0.01,
        measured={"largest difference is below 1e-12": off < 1e-12},
    )
