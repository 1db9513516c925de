"""What a claim is: a text, a bar, how one seed is measured, what the figures depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import inf

from course_utils.metrics import Interval

Rows = dict[str, float]  # "net/data/quantity" -> value
VERDICTS = ("established", "open", "contradicted")


@dataclass(frozen=True)
class Bar:
    """What a claim says of the rows whose key matches a pattern.

    Their value lies above `low` and below `high`; where both are given, neither outside
    of the two.

    >>> from course_utils.metrics import mean_interval
    >>> from courseware.claims.protocol import Bar
    >>> bar = Bar("*/gain", low=0)
    >>> [bar.verdict(mean_interval(v)) for v in ([1, 2, 3], [-3, 1, 3], [-3, -2, -2])]
    ['established', 'open', 'contradicted']
    """

    rows: str
    low: float = -inf
    high: float = inf

    def verdict(self, found: Interval) -> str:
        """Return "established", "open" or "contradicted": the interval alone decides."""
        if self._holds(found.low) and self._holds(found.high):
            return "established"
        misses = found.high < self.low or found.low > self.high
        return "contradicted" if misses else "open"

    def _holds(self, value: float) -> bool:
        if self.low > -inf and self.high < inf:
            return self.low <= value <= self.high
        return self.low < value < self.high


@dataclass(frozen=True)
class Protocol:
    """A claim, its bar in words and figures, how a seed is measured, its keys' parts.

    A row belongs to the first of `bars` that its key matches; rows that match none are
    told beside, without a verdict. Rows that match `gate` must be met on average, or the
    tests fail.

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
    bars: tuple[Bar, ...]
    weights: str = "test_*.safetensors"
    gate: str = ""
    recheck: dict = field(default_factory=dict)
    looseness: float = 1.0
    chance: tuple[str, ...] = ()
    costly: bool = False

    def bar_of(self, key: str) -> Bar | None:
        """The bar that a row has to meet; None where the claim says nothing of it."""
        return next((b for b in self.bars if fnmatchcase(key, b.rows)), None)
