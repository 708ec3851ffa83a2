"""What a check may hand back; whatever has no plain verdict or no finite figure is refused."""

import math

import pytest
import torch

from snippets.evidence import SECONDS, SEEDS, Evidence, kind, proof, trained


def test_figures_keep_their_names_and_order() -> None:
    evidence = Evidence(holds=True, measured={"nats": 0.5, "steps": 3, "exact": True, "device": "cpu"})
    assert list(evidence.measured) == ["nats", "steps", "exact", "device"]
    assert evidence.rel == 1e-3


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_refused(figure: float) -> None:
    with pytest.raises(ValueError, match="measured 'loss' is"):
        Evidence(holds=True, measured={"loss": figure})


@pytest.mark.parametrize("figure", [None, torch.tensor(1.0), [1.0]])
def test_a_figure_of_another_type_is_refused(figure: object) -> None:
    with pytest.raises(TypeError, match="measured 'loss' is a"):
        Evidence(holds=True, measured={"loss": figure})  # type: ignore[dict-item]


@pytest.mark.parametrize("holds", [1, None, torch.tensor(True)])
def test_a_verdict_is_a_plain_bool(holds: object) -> None:
    with pytest.raises(TypeError, match="not a bool"):
        Evidence(holds=holds)  # type: ignore[arg-type]


def test_the_kind_of_a_check_is_read_from_its_decorator_or_its_name() -> None:
    @trained
    def learns() -> Evidence:
        return Evidence(holds=True)

    @proof
    def is_proved() -> Evidence:
        return Evidence(holds=True)

    def measures() -> Evidence:
        return Evidence(holds=True)

    def derive_it() -> dict[str, object]:
        return {}

    assert [kind(f) for f in (learns, is_proved, measures, derive_it)] == ["trained", "proof", "fast", "proof"]
    assert learns().holds


def test_every_kind_has_its_limits() -> None:
    assert SECONDS.keys() == SEEDS.keys() == {"fast", "proof", "trained"}
