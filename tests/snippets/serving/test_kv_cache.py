"""KV-cache arithmetic against figures worked out by hand and against published ones."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.serving.kv_cache import (
    GIB,
    MODELS,
    Shape,
    balance,
    flops_per_byte,
    flops_per_byte_latent,
    gib,
    gib_latent,
    gib_of,
    kib_per_token,
    models_table,
    requests_that_fit,
    score_evaluations,
    sharing_table,
)


def test_gpt3_by_hand() -> None:
    """2 x 96 x 96 x 128 x 2 bytes = 4 718 592 a token, times 2048 tokens = 9 GiB exactly."""
    assert gib(96, 96, 128, 1) * GIB == 4_718_592
    assert gib_of("GPT-3 175B", 2048) == 9


def test_llama_by_hand() -> None:
    """128 KiB a token for 8B, 320 KiB for 70B; with separate keys and values for its 64 heads it would be 320 GiB."""
    assert kib_per_token("Llama 3.1 8B") == 128
    assert kib_per_token("Llama 3.1 70B") == 320
    assert gib_of("Llama 3.1 70B", 131072) == 40
    assert gib(80, 64, 128, 131072) == 320


def test_latent_cache_as_published() -> None:
    """DeepSeek-V2 (arXiv:2405.04434), section 2.1.4: 9/2 d_h a layer, which equals GQA with 2.25 groups."""
    d_h, layers = 128, 60
    assert gib_latent(layers, 4 * d_h + d_h // 2, 1000) == pytest.approx(gib(layers, 1, d_h, 1000) * 2.25, rel=1e-12)


def test_a_window_stops_growing() -> None:
    """Gemma 3 27B: beyond 1024 tokens only the ten global layers of 62 grow."""
    assert gib_of("Gemma 3 27B", 1024) == gib(62, 16, 128, 1024)
    assert gib_of("Gemma 3 27B", 9216) - gib_of("Gemma 3 27B", 1024) == pytest.approx(gib(10, 16, 128, 8192), rel=1e-12)


@given(
    layers=st.integers(1, 200), kv=st.integers(1, 128), d=st.integers(1, 256), tokens=st.integers(1, 10**6),
    sequences=st.integers(1, 50), bytes_per_element=st.sampled_from([0.5, 1, 2, 4]),
)  # fmt: skip
def test_doubling_anything_doubles_the_cache(
    layers: int, kv: int, d: int, tokens: int, sequences: int, bytes_per_element: float
) -> None:
    def size(a: int, b: int, c: int, t: int, s: int, e: float) -> float:
        return gib(a, b, c, t, sequences=s, bytes_per_element=e)

    plain = [layers, kv, d, tokens, sequences, bytes_per_element]
    for i in range(len(plain)):
        doubled = [value * 2 if i == j else value for j, value in enumerate(plain)]
        assert size(*doubled) == pytest.approx(2 * size(*plain), rel=1e-12)  # type: ignore[arg-type]


@given(layers=st.integers(1, 90), kv=st.integers(1, 16), tokens=st.integers(1, 10**5), free=st.floats(0.1, 2000))
def test_requests_fit_and_one_more_would_not(layers: int, kv: int, tokens: int, free: float) -> None:
    each, many = gib(layers, kv, 128, tokens), requests_that_fit(free, layers, kv, 128, tokens)
    assert many * each <= free * (1 + 1e-9)
    assert (many + 1) * each >= free * (1 - 1e-9)


def test_variants_by_their_heads() -> None:
    assert Shape(1, 8, 8, 1).variant == "MHA"
    assert Shape(1, 8, 2, 1).variant == "GQA"
    assert Shape(1, 8, 1, 1).variant == "MQA"
    assert Shape(1, 8, 8, 1, latent=5).variant == "MLA"


def test_intensity_by_hand() -> None:
    """bf16: two FLOPs for two bytes with separate heads, eight times that for groups of 8; 989 / 3.35 on an H100."""
    assert flops_per_byte(64, 64) == 1
    assert flops_per_byte(64, 8) == 8
    assert flops_per_byte(64, 8, bytes_per_element=1) == 16
    assert flops_per_byte_latent(1, 1, 0) == 2  # one element, used as a key and as a value: four FLOPs for two bytes
    assert flops_per_byte_latent(128, 512, 64) == pytest.approx(128 * 1088 / 576)
    assert balance() == pytest.approx(295.2, abs=0.1)


def test_score_evaluations_against_the_closed_forms() -> None:
    """n (n + 1) / 2, and the sum of squares n (n + 1) (2 n + 1) / 6: 524 800 and 358 438 400 for 1024 tokens."""
    assert score_evaluations(1024, cached=True) == math.comb(1025, 2) == 524_800
    assert score_evaluations(1024, cached=False) == 1024 * 1025 * 2049 // 6 == 358_438_400
    assert score_evaluations(1, cached=False) == score_evaluations(1, cached=True) == 1


def test_tables_show_what_the_functions_say() -> None:
    rows = models_table(8192)
    assert [row["model"] for row in rows] == list(MODELS)
    assert [row["GiB at 8k"] for row in rows] == [round(gib_of(name, 8192), 1) for name in MODELS]
    assert [row["GiB at 128k"] for row in sharing_table()] == [320, 40, 5, 11.2]
