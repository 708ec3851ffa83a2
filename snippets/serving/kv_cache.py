r"""What a decoder keeps of every token that it has read: the KV cache, in bytes.

    bytes = 2 (K and V) * layers * KV heads * head_dim * tokens * sequences * bytes per element

Source: Pope et al. 2022 (arXiv:2211.05102) for the accounting; DeepSeek-V2 (arXiv:2405.04434), section 2.1, for MLA.
Variant: the cache alone, unpadded, every layer a full one unless a window is given; 1 GiB is 2**30 bytes.
Not handled: the weights, activations, the waste of the allocator, scale factors of a quantised cache.

Worked example: GPT-3 has 96 layers of 96 heads of 128. At two bytes that is 2 * 96 * 96 * 128 * 2 = 4 718 592 bytes a
token, and 9.66e9 bytes = 9 GiB for its 2048 tokens, for one sequence.
"""

from dataclasses import dataclass

from snippets.evidence import Evidence

GIB = 2**30


@dataclass(frozen=True)
class Shape:
    """What of a published model decides the size of its cache.

    latent:  elements that a token leaves in each layer where keys and values are not stored themselves (MLA).
    window:  tokens that a layer with sliding-window attention keeps; `windowed` is the number of such layers.
    """

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    latent: int = 0
    windowed: int = 0
    window: int = 0

    @property
    def variant(self) -> str:
        """Multi-head, grouped-query, multi-query or multi-head latent attention."""
        if self.latent:
            return "MLA"
        return "MHA" if self.kv_heads == self.heads else "MQA" if self.kv_heads == 1 else "GQA"


MODELS = {
    "GPT-3 175B": Shape(96, 96, 96, 128),  # arXiv:2005.14165, table 2.1
    "Llama 2 7B": Shape(32, 32, 32, 128),  # arXiv:2307.09288
    "Llama 3.1 8B": Shape(32, 32, 8, 128),  # arXiv:2407.21783, table 3
    "Llama 3.1 70B": Shape(80, 64, 8, 128),
    "Llama 3.1 405B": Shape(126, 128, 8, 128),
    "Qwen3 235B-A22B": Shape(94, 64, 4, 128),  # arXiv:2505.09388
    "Gemma 3 27B": Shape(
        62, 32, 16, 128, windowed=52, window=1024
    ),  # arXiv:2503.19786: five local layers to one global
    "Falcon 7B": Shape(32, 71, 1, 64),  # arXiv:2311.16867
    "DeepSeek-V3": Shape(
        61, 128, 128, 128, latent=512 + 64
    ),  # arXiv:2412.19437: latent and rotary key, one for all heads
}


def gib(
    layers: int, kv_heads: int, head_dim: int, tokens: int, *, sequences: int = 1, bytes_per_element: float = 2
) -> float:
    """GiB of keys and values, all layers alike; 2 bytes an element is bf16, 1 is FP8."""
    return 2 * layers * kv_heads * head_dim * tokens * sequences * bytes_per_element / GIB


def gib_latent(layers: int, latent: int, tokens: int, *, sequences: int = 1, bytes_per_element: float = 2) -> float:
    """GiB of a cache that keeps one vector of `latent` elements a token and layer for both keys and values (MLA)."""
    return layers * latent * tokens * sequences * bytes_per_element / GIB


def gib_of(model: str, tokens: int, *, sequences: int = 1) -> float:
    """GiB in bf16 of a model in `MODELS`; layers with a window hold no more than their window."""
    shape = MODELS[model]
    if shape.latent:
        return gib_latent(shape.layers, shape.latent, tokens, sequences=sequences)
    whole = gib(shape.layers - shape.windowed, shape.kv_heads, shape.head_dim, tokens, sequences=sequences)
    local = gib(shape.windowed, shape.kv_heads, shape.head_dim, min(tokens, shape.window), sequences=sequences)
    return whole + local


def kib_per_token(model: str) -> float:
    """KiB that one more token costs in bf16, while no window is full."""
    return gib_of(model, 1) * 2**20


def flops_per_byte(heads: int, kv_heads: int, *, bytes_per_element: float = 2) -> float:
    """FLOPs of attention for each byte of cache that a decoding step reads.

    An element of K or V is read once and used by heads / kv_heads queries, two FLOPs (multiply, add) each. To keep a
    GPU busy takes what `balance` says: hundreds.
    """
    return 2 * heads / kv_heads / bytes_per_element


def flops_per_byte_latent(heads: int, latent: int, rotary: int, *, bytes_per_element: float = 2) -> float:
    """The same for MLA with its up-projections folded into the queries: all heads read the one latent vector.

    latent: elements used as key and as value; rotary: elements used as key only.
    """
    return 2 * heads * (2 * latent + rotary) / ((latent + rotary) * bytes_per_element)


def balance(teraflops: float = 989, terabytes_per_second: float = 3.35) -> float:
    """FLOPs that a GPU can do while it reads one byte; by default an H100 SXM, dense bf16 against its HBM3."""
    return teraflops / terabytes_per_second


def requests_that_fit(free_gib: float, layers: int, kv_heads: int, head_dim: int, tokens: int) -> int:
    """How many sequences of `tokens` tokens have room for their bf16 cache in what the weights leave free."""
    return int(free_gib // gib(layers, kv_heads, head_dim, tokens))


def score_evaluations(tokens: int, *, cached: bool) -> int:
    """Dot products of a query with a key, per head and layer, to generate `tokens` tokens from nothing.

    With a cache step t makes t of them; without one it runs the whole prefix again, unmasked, and makes t * t.
    """
    return sum(t if cached else t * t for t in range(1, tokens + 1))


def models_table(tokens: int = 131072) -> list[dict[str, object]]:
    """Published models: the variant of attention, heads, and the cache of one token and of one long sequence."""
    return [
        {
            "model": name,
            "attention": shape.variant + (" + window" if shape.windowed else ""),
            "layers": shape.layers,
            "query heads": shape.heads,
            "KV heads": "shared latent" if shape.latent else shape.kv_heads,
            "KiB per token": round(kib_per_token(name), 1),
            f"GiB at {tokens // 1024}k": round(gib_of(name, tokens), 1),
        }
        for name, shape in MODELS.items()
    ]


def sharing_table(tokens: int = 131072) -> list[dict[str, object]]:
    """One shape (Llama 3.1 70B: 80 layers, 64 query heads of 128), with ever fewer heads of keys and values."""
    shape = MODELS["Llama 3.1 70B"]
    rows: list[dict[str, object]] = [
        {
            "attention": label,
            "KV heads": str(kv_heads),
            "KiB per token": round(gib(shape.layers, kv_heads, shape.head_dim, 1) * 2**20),
            f"GiB at {tokens // 1024}k": round(gib(shape.layers, kv_heads, shape.head_dim, tokens), 1),
            "FLOPs per byte read": round(flops_per_byte(shape.heads, kv_heads)),
        }
        for label, kv_heads in (("MHA", shape.heads), ("GQA, as published", shape.kv_heads), ("MQA", 1))
    ]
    latent = {
        "attention": "MLA, 512 + 64",
        "KV heads": "shared latent",
        "KiB per token": round(gib_latent(shape.layers, 512 + 64, 1) * 2**20),
        f"GiB at {tokens // 1024}k": round(gib_latent(shape.layers, 512 + 64, tokens), 1),
        "FLOPs per byte read": round(flops_per_byte_latent(shape.heads, 512, 64)),
    }
    return [*rows, latent]


def cache_follows_kv_heads() -> Evidence:
    """Count the elements of a cache one by one, and compare with the formula.

    Three layers, five KV heads, head_dim 7, eleven tokens, two sequences: all different primes, so that no factor can
    be missing or doubled unnoticed.
    """
    counted = 0
    for _layer in range(3):
        for _head in range(5):
            for _token in range(11):
                for _sequence in range(2):
                    key, value = [0.0] * 7, [0.0] * 7
                    counted += len(key) + len(value)
    ours = gib(3, 5, 7, 11, sequences=2, bytes_per_element=2) * GIB
    return Evidence(
        holds=abs(ours - 2 * counted) < 1e-6, measured={"bytes by the formula": ours, "bytes counted": 2 * counted}
    )


def cache_saves_recomputation(tokens: int = 64) -> Evidence:
    """Run through both ways of generating, counting each dot product; then hold the formula against the counts.

    Without a cache every step repeats the whole prefix, so the work grows with the cube of the length, not its square:
    n^2 / 2 against n^3 / 3. The terms of lower order are below 1/40 at 64 tokens; 5 % leaves room for them.
    """
    counts = {True: 0, False: 0}
    for length in range(1, tokens + 1):
        for _query in range(length):
            counts[False] += len(range(length))
        counts[True] += len(range(length))
    said = {cached: score_evaluations(tokens, cached=cached) for cached in (True, False)}
    return Evidence(
        holds=said == counts
        and abs(said[True] / (tokens**2 / 2) - 1) < 0.05
        and abs(said[False] / (tokens**3 / 3) - 1) < 0.05,
        measured={"with a cache": said[True], "without": said[False]},
    )
