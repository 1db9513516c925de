"""What a claim is: a text, a bar, how one seed is measured, what the figures depend on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

Rows = dict[str, float]  # "net/data/quantity" -> value


@dataclass(frozen=True)
class Protocol:
    """A claim, its bar, how a seed is measured, and what its keys are made of.

    `code` lists the modules, besides that of `measure`, whose change makes the figures
    stale; `weights` the files in `data/weights` that do, or is "" for a claim that uses
    neither bundled weights nor bundled pictures. `recheck` are keyword arguments that
    cut `measure` down to a slice that takes seconds, which tests measure again.
    """

    id: str
    text: str
    bar: str
    measure: Callable[..., Rows]
    keys: tuple[str, ...]
    holds: Callable[[dict[str, list[float]]], bool]
    code: tuple[ModuleType, ...] = ()
    weights: str = "test_*.safetensors"
    gate: bool = False
    recheck: dict = field(default_factory=dict)

    @property
    def modules(self) -> tuple[ModuleType, ...]:
        """All modules whose code the figures depend on."""
        return (sys.modules[self.measure.__module__], *self.code)


def mean(values: list[float]) -> float:
    """Return the arithmetic mean."""
    return sum(values) / len(values)
