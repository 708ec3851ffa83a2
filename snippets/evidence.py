"""What a check hands back, and how a check says that it needs more than the usual two seconds."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Check = TypeVar("Check", bound=Callable[..., Any])

SECONDS = {"fast": 2.0, "proof": 15.0, "trained": 15.0}
"""Core-seconds that a check of each kind may take on an ordinary machine."""

SEEDS = {"fast": 20, "proof": 1, "trained": 3}
"""Seeds that a check of each kind has to hold for."""


@dataclass(frozen=True)
class Evidence:
    """The outcome of one experiment that could have come out otherwise.

    holds:     whether the claim stood, a plain bool.
    measured:  what was measured, by a name that says what it is (with its unit); finite numbers, booleans or text.
    rel:       relative tolerance within which another machine has to measure the same; None asks only for `holds`.

    Raises TypeError for a `holds` that is no bool, ValueError for a figure that is not finite: a check whose
    numbers broke has shown nothing, neither for the claim nor against it.
    """

    holds: bool
    measured: Mapping[str, float | int | bool | str] = field(default_factory=dict)
    rel: float | None = 1e-3

    def __post_init__(self) -> None:
        if not isinstance(self.holds, bool):
            raise TypeError(f"holds is a {type(self.holds).__name__}, not a bool: compare plain numbers, use .item()")
        for name, figure in self.measured.items():
            if not isinstance(figure, (bool, int, float, str)):
                raise TypeError(f"measured {name!r} is a {type(figure).__name__}: use .item() or float()")
            if isinstance(figure, float) and not math.isfinite(figure):
                raise ValueError(f"measured {name!r} is {figure}")


def trained(check: Check) -> Check:
    """Mark a check that trains something: 15 core-seconds, 3 seeds, and only `holds` has to agree elsewhere."""
    check.kind = "trained"  # type: ignore[attr-defined]
    return check


def proof(check: Check) -> Check:
    """Mark a check that proves something with SymPy: 15 core-seconds, and no seed matters."""
    check.kind = "proof"  # type: ignore[attr-defined]
    return check


def kind(function: Callable[..., Any]) -> str:
    """Return "fast", "proof" or "trained"; a `derive_*` function is a proof by its name."""
    default = "proof" if getattr(function, "__name__", "").startswith("derive_") else "fast"
    return str(getattr(function, "kind", default))
