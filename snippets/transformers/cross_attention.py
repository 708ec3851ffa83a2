r"""Cross-attention: the queries come from one sequence, the keys and values from another.

The arithmetic is that of self-attention; what differs is where keys and values come from, and with that everything an
architect cares about: no causal mask over the source, a cache that is filled once, two sequences of different length.

Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3, "encoder-decoder attention"; before that, additive and
    in recurrent networks: Bahdanau et al. 2014 (arXiv:1409.0473).
Variant: multi-head, no biases; `merged_attention` is attention over both sequences under one softmax, as in a
    decoder-only model (the prompt is a prefix) and in T5Gemma 2 (arXiv:2512.14856).
Not handled: positions, norms and residuals around the layer, gates (Flamingo, arXiv:2204.14198).

Worked example: one query with logits 0 and 0 to two source tokens with values 10 and 20: the answer is 15. Add one
    token of the query's own sequence, also at logit 0, with value 30. Cross-attention still says 15. One softmax over
    all three gives every token a third and says 20: two thirds of the source's 15 and one third of its own 30.
"""

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from snippets.evidence import Evidence, trained
from snippets.transformers.attention import attention
from snippets.transformers.multi_head import Weights, multi_head, random_weights


def source_memory(source: Tensor, weights: Weights, *, heads: int) -> tuple[Tensor, Tensor]:
    """Project the source once, before the first token is generated: all that cross-attention ever needs of it.

    source: (..., keys, d_source)   Returns keys and values, both (..., heads, keys, d_head).
    """

    def split(tokens: Tensor) -> Tensor:
        return torch.unflatten(tokens, -1, (heads, -1)).transpose(-2, -3)

    return split(source @ weights.k), split(source @ weights.v)


def cross_attention(x: Tensor, memory: tuple[Tensor, Tensor], weights: Weights, *, heads: int) -> Tensor:
    """Let every token of `x` look at the whole source, and at nothing else.

    x: (..., queries, d_model)   memory: what `source_memory` returned. Returns (..., queries, d_model).
    """
    q = torch.unflatten(x @ weights.q, -1, (heads, -1)).transpose(-2, -3)
    return attention(q, *memory).transpose(-2, -3).flatten(-2) @ weights.out


def merged_attention(q: Tensor, theirs: tuple[Tensor, Tensor], own: tuple[Tensor, Tensor]) -> Tensor:
    """Put source and own sequence under one softmax. q: (queries, d); both pairs: keys (n, d) and values (n, d_v)."""
    return attention(q, torch.cat([theirs[0], own[0]]), torch.cat([theirs[1], own[1]]))


def extra_parameters(d_model: int, d_source: int | None = None, *, layers: int = 1) -> int:
    """Parameters that cross-attention adds to a decoder: four projections a layer, two of them from the source."""
    return layers * 2 * d_model * (d_model + (d_source or d_model))


def equals_multi_head() -> Evidence:
    """Cross-attention with a memory made beforehand against multi-head attention that is given both sequences.

    Five queries, nine source tokens, widths 12 and 20: one function serves self- and cross-attention.
    """
    weights = random_weights(12, heads=3, d_source=20)
    x, source = torch.randn(2, 5, 12, dtype=torch.float64), torch.randn(2, 9, 20, dtype=torch.float64)
    ours = cross_attention(x, source_memory(source, weights, heads=3), weights, heads=3)
    error = (ours - multi_head(x, source, weights, heads=3)).abs().max().item()
    return Evidence(
        holds=error < 1e-12 and ours.abs().max().item() > 1e-3, measured={"largest difference": error}, rel=None
    )


def reads_the_source_only() -> Evidence:
    """Move the last source token, then another token of the query's own sequence: does query 0 answer otherwise?

    The first has to matter, as much as any source token would: nothing is masked. The second must not.
    """
    weights = random_weights(12, heads=3)
    x, source = torch.randn(8, 12, dtype=torch.float64), torch.randn(8, 12, dtype=torch.float64)
    moved_source, moved_x = source.clone(), x.clone()
    moved_source[-1] += torch.randn(12, dtype=torch.float64)
    moved_x[-1] += torch.randn(12, dtype=torch.float64)
    answers = [
        cross_attention(ours, source_memory(theirs, weights, heads=3), weights, heads=3)[0]
        for ours, theirs in ((x, source), (x, moved_source), (moved_x, source))
    ]
    by_source, by_neighbour = ((answer - answers[0]).abs().max().item() for answer in answers[1:])
    return Evidence(
        holds=by_source > 1e-6 and by_neighbour == 0.0,
        measured={"change by the last source token": by_source, "change by another query": by_neighbour},
    )


def source_order_does_not_matter() -> Evidence:
    """Shuffle the source: every answer stays. Shuffle the queries: the answers are shuffled likewise.

    So whatever the order of the source means has to be in its vectors, which is why the encoder adds positions.
    """
    weights = random_weights(12, heads=3)
    x, source = torch.randn(5, 12, dtype=torch.float64), torch.randn(9, 12, dtype=torch.float64)
    memory = source_memory(source, weights, heads=3)
    shuffled = source_memory(source.flip(0), weights, heads=3)
    before = cross_attention(x, memory, weights, heads=3)
    source_moves = (cross_attention(x, shuffled, weights, heads=3) - before).abs().max().item()
    queries_move = (cross_attention(x.flip(0), memory, weights, heads=3) - before.flip(0)).abs().max().item()
    spread = before.std(dim=0).max().item()
    return Evidence(
        holds=source_moves < 1e-12 and queries_move < 1e-12 and spread > 1e-3,
        measured={"answers moved by the source": source_moves, "by the queries": queries_move},
        rel=None,
    )


def one_softmax_is_a_blend() -> Evidence:
    """Attention over prompt and answer together, against a blend of cross-attention and self-attention.

    The blend's share is the prompt's part of the sum of exponentials, between 0 and 1, set by the logits alone. So a
    decoder-only model reads its prompt by something like cross-attention that competes with self-attention and shares
    its projections.
    """
    q = torch.randn(4, 8, dtype=torch.float64)
    theirs = (torch.randn(9, 8, dtype=torch.float64), torch.randn(9, 8, dtype=torch.float64))
    own = (torch.randn(6, 8, dtype=torch.float64), torch.randn(6, 8, dtype=torch.float64))
    sums = [(q @ keys.mT / 8**0.5).logsumexp(-1, keepdim=True) for keys in (theirs[0], own[0])]
    share = torch.cat(sums, dim=-1).softmax(-1)
    blend = share[:, :1] * attention(q, *theirs) + share[:, 1:] * attention(q, *own)
    error = (merged_attention(q, theirs, own) - blend).abs().max().item()
    return Evidence(
        holds=error < 1e-12,
        measured={"largest difference": error, "share of the prompt": share[:, 0].mean().item()},
        rel=None,
    )


def source_is_projected_once(d_model: int = 32, source_tokens: int = 60, tokens: int = 20) -> Evidence:
    """FLOPs to generate 20 tokens over a source of 60: with a memory made once, and with one made at every step.

    A step then costs its own query and output projections and one look at the source, 4 d^2 + 4 x 60 x d, however many
    tokens have been generated; the memory costs 4 x 60 x d^2, once.
    """
    weights = random_weights(d_model, heads=4)
    x, source = torch.randn(tokens, d_model).double(), torch.randn(source_tokens, d_model).double()
    with FlopCounterMode(display=False) as once:
        memory = source_memory(source, weights, heads=4)
        for token in torch.split(x, 1):
            cross_attention(token, memory, weights, heads=4)
    with FlopCounterMode(display=False) as every_time:
        for token in torch.split(x, 1):
            multi_head(token, source, weights, heads=4)
    step = 4 * d_model**2 + 4 * source_tokens * d_model
    expected = tokens * step + 4 * source_tokens * d_model**2
    return Evidence(
        holds=once.get_total_flops() == expected and every_time.get_total_flops() > 5 * expected,
        measured={"FLOPs, projected once": once.get_total_flops(), "at every step": every_time.get_total_flops()},
    )


def copy_accuracy(*, reads: bool, tokens: int = 6, words: int = 8, steps: int = 150) -> float:
    """Train one layer to write its source backwards; return the share of right words on fresh sequences.

    A source token is its word and its place, both one-hot; a query is its place alone. With `reads` false the words are
    taken out of the source, which is what removing the layer does.
    """
    width = words + tokens
    weights = [matrix.requires_grad_() for matrix in random_weights(width, heads=1)]
    optimizer = torch.optim.Adam(weights, lr=0.03)
    place = torch.eye(tokens, dtype=torch.float64)

    def batch(size: int) -> tuple[Tensor, Tensor]:
        said = torch.randint(words, (size, tokens))
        seen = torch.nn.functional.one_hot(said, words).double() * reads
        source = torch.cat([seen, place.expand(size, -1, -1)], dim=-1)
        x = torch.cat([torch.zeros(tokens, words, dtype=torch.float64), place], dim=-1).expand(size, -1, -1)
        layer = Weights(*weights)
        return cross_attention(x, source_memory(source, layer, heads=1), layer, heads=1)[..., :words], said.flip(1)

    for _ in range(steps):
        scores, wanted = batch(64)
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        if loss.requires_grad:  # a stand-in that ignores the weights has nothing to train
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    scores, wanted = batch(256)
    return (scores.argmax(-1) == wanted).double().mean().item()


@trained
def copying_needs_cross_attention() -> Evidence:
    """Accuracy with and without the source's words: far above chance, and at chance.

    Chance is 1/8; over 1536 words its standard deviation is 0.008, so 0.05 is six of them.
    """
    sighted, blind = copy_accuracy(reads=True), copy_accuracy(reads=False)
    return Evidence(
        holds=sighted > 0.9 and abs(blind - 1 / 8) < 0.05,
        measured={"accuracy with the source": sighted, "accuracy without": blind},
        rel=None,
    )
