"""Several wrong solutions that one hint fits."""

from __future__ import annotations

from collections.abc import Callable


def any_of(*solutions: Callable) -> Callable:
    """A test for `When`: one of these shows the same."""
    return lambda it: any(map(it.shows_the_same, solutions))
