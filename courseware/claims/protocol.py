"""What a claim is: a text, a bar, how one seed is measured, what the figures depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Rows = dict[str, float]  # "net/data/quantity" -> value


@dataclass(frozen=True)
class Protocol:
    """A claim, its bar, how a seed is measured, and what its keys are made of.

    The figures are stale when code that `measure` reaches has changed (`dependencies`
    finds out which), or a file in `data/weights` that matches `weights`, which is "" for
    a claim that uses neither bundled weights nor bundled pictures. `recheck` are keyword
    arguments that cut `measure` down to a slice that takes seconds, which tests measure
    again. `looseness` multiplies what a seed measured again may differ by: above 1 where
    whole nets are trained, for rounding differs between machines, and a hundred steps
    enlarge it. `chance` names quantities that end by chance, such as a run at a rate far
    too high: that it is bad is sure, how bad is not. `costly` claims, which train nets, are
    measured again by the slow tests only.
    """

    id: str
    text: str
    bar: str
    measure: Callable[..., Rows]
    keys: tuple[str, ...]
    holds: Callable[[dict[str, list[float]]], bool]
    weights: str = "test_*.safetensors"
    gate: bool = False
    recheck: dict = field(default_factory=dict)
    looseness: float = 1.0
    chance: tuple[str, ...] = ()
    costly: bool = False


def mean(values: list[float]) -> float:
    """Return the arithmetic mean."""
    return sum(values) / len(values)
