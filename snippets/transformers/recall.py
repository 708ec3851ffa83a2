r"""Looking up by content: attention finds one stored value among many, a state of fixed size blurs them.

    attention: sum_i softmax(q k_i) v_i        fixed state: (sum_i v_i k_i^T) q

Sources: Katharopoulos et al., Transformers are RNNs, 2020 (attention without a softmax is a recurrent state);
Schlag et al., Linear Transformers Are Secretly Fast Weight Programmers, 2021, section 4.1 (its capacity).
Variant: linear attention without a feature map, normaliser, gate or delta rule; random unit keys.
Not handled: learnt keys; gates and the delta rule (Mamba, Gated DeltaNet), which forget on purpose and so last longer.
No rule of writing beats the state of least squares, which `least_error` and its check are about.

On paper: keys (1, 0) and (0, 1), values 3 and 5: the state is (3, 5), and the query (1, 0) reads 3. A third pair of key
(1, 0) and value 7 makes the state (10, 5): the same query now reads 10, which was never stored.
"""

import math

import torch
from matplotlib.axes import Axes
from torch import Tensor

from snippets.evidence import Evidence
from snippets.transformers.attention import attention


def read_state(keys: Tensor, values: Tensor, queries: Tensor) -> Tensor:
    """Write all pairs into one matrix, then read it with each query: linear attention.

    keys: (pairs, d_k)   values: (pairs, d_v)   queries: (queries, d_k)   Returns (queries, d_v).
    """
    state = values.mT @ keys
    return queries @ state.mT


def interference(pairs: int, d_k: int) -> float:
    """Expected relative error of reading a fixed state: each of the other pairs leaks 1/sqrt(d_k) of its value."""
    return math.sqrt((pairs - 1) / d_k)


def least_error(pairs: int, d_k: int) -> float:
    """Error that no linear read of a d_k-wide state goes below, for random pairs: d_k of n directions can be fitted."""
    return math.sqrt(max(0.0, 1 - d_k / pairs))


def relative_errors(pairs: int, d_k: int, generator: torch.Generator | None = None) -> tuple[float, float]:
    """Store random pairs, ask for each, and compare: error of attention and of a fixed state; 1 is as bad as zeros."""
    keys = torch.randn(pairs, d_k, generator=generator, dtype=torch.float64)
    keys = keys / torch.linalg.vector_norm(keys, dim=-1, keepdim=True)
    values = torch.randn(pairs, 8, generator=generator, dtype=torch.float64)
    # A sharp query: its own key's logit is 40, the others' about 40 / sqrt(d_k) times a standard normal.
    looked_up = attention(40 * math.sqrt(d_k) * keys, keys, values)
    read = read_state(keys, values, keys)
    wrong, blurred = (((x - values).norm() / values.norm()).item() for x in (looked_up, read))
    return wrong, blurred


def attention_recalls_what_a_state_blurs(pairs: int = 256, d_k: int = 64) -> Evidence:
    """The attention mechanism as a soft dictionary of queries, keys and values: 256 pairs, each asked for, heads of 64.

    Attention returns them to 1 %. The state of 64 x d_v has an error of sqrt(255 / 64) = 2, worse than answering zero.
    """
    looked_up, read = relative_errors(pairs, d_k)
    expected = interference(pairs, d_k)
    return Evidence(
        holds=looked_up < 0.01 and abs(read / max(expected, 1e-9) - 1) < 0.2 and expected > 1,
        measured={"error of attention is below 1 %": looked_up < 0.01, "error of a fixed state": read},
    )


def even_the_best_state_blurs(pairs: int = 256, d_k: int = 64) -> Evidence:
    """Linear attention with the best state there is, by least squares over all pairs: sqrt(1 - 64/256) = 0.87 is left.

    So no rule of writing, the delta rule included, brings the values back. At 32 pairs a state of this size is exact.
    """
    keys, values = torch.randn(pairs, d_k).double(), torch.randn(pairs, 8).double()
    keys = keys / torch.linalg.vector_norm(keys, dim=-1, keepdim=True)

    def left(n: int) -> float:
        state = torch.linalg.lstsq(keys[:n], values[:n]).solution
        return float((keys[:n] @ state - values[:n]).norm() / values[:n].norm())

    full, few = left(pairs), left(d_k // 2)
    return Evidence(
        holds=abs(full - least_error(pairs, d_k)) < 0.05 and few < 1e-9 and least_error(d_k // 2, d_k) == 0,
        measured={"error of the best state": full, "error at half its width is below 1e-9": few < 1e-9},
    )


def draw_recall(axes: Axes) -> None:
    """Relative error of reading back one of n stored pairs, by attention and from a fixed state, heads of 64."""
    generator = torch.Generator().manual_seed(0)
    pairs = [2**n for n in range(1, 11)]
    errors = [relative_errors(n, 64, generator) for n in pairs]
    axes.plot(pairs, [e[0] for e in errors], marker="o", label="attention over a cache")
    axes.plot(pairs, [e[1] for e in errors], marker="s", label="state of fixed size")
    axes.set(xscale="log", xlabel="pairs stored", ylabel="relative error of a read")
    axes.set_xticks([2, 8, 64, 512], labels=["2", "8", "64", "512"])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="upper left")
