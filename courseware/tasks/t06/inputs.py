"""The numbers of the inputs: how they vary with the seed, and how they are told."""

from __future__ import annotations

from typing import Any


def scaled(seed: int, *numbers: float) -> list[float]:
    """Stretch the numbers of a case by a factor that depends on the seed; 1 for seed 0."""
    return [number * (1 + seed % 5 / 10) for number in numbers]


def told(what: str, **numbers: Any) -> str:
    """Tell a case: what it is, and its numbers by name."""
    return ", ".join([what, *(f"{name} = {n:g}" for name, n in numbers.items())])
