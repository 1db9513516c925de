"""The numbers of an input: how they vary with the seed, and how they are told."""

from __future__ import annotations

from typing import Any

from courseware.grading.observing import Case


def numbered_case(
    seed: int, what: str, numbers: dict[str, float], **needed: Any
) -> Case:
    """Make a case of named numbers; what is no whole number is stretched with the seed."""
    factor = 1 + seed % 5 / 10
    found = {k: n * factor if type(n) is float else n for k, n in numbers.items()}
    given = ", ".join([what, *(f"{name} = {n:g}" for name, n in found.items())])
    return Case(given, numbers=tuple(found.values()), **needed)
