"""Small words of cards and tables: points, counts, what was tried."""

from __future__ import annotations

_NUMBERS = "no one two three four five six seven eight nine ten".split()


def points(count: float) -> str:
    """Say points: "1 point", "1.8 points"."""
    return "1 point" if count == 1 else f"{count:g} points"


def wrong_tries(count: int) -> str:
    """Say wrong tries: "one wrong try", "11 wrong tries"."""
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} wrong {'try' if count == 1 else 'tries'}"
