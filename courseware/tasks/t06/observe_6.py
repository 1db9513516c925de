"""06.6: a letter, and whether the measurement is that of the cells above."""

from __future__ import annotations

from courseware.grading.facts import describe
from courseware.grading.observing import observe_letter
from courseware.grading.observing import one_case as cases

MEASURED = "the measurement is that of the cells above"

__all__ = ["MEASURED", "cases", "observe"]


def observe(answer, case, seen, measured=None):
    """`measured`: for each rate, a weight's first move and the accuracy that follows."""
    if measured is not None:
        seen.note(MEASURED, _holds(describe(measured)))
    observe_letter(answer, case, seen)


def _holds(measured):
    try:
        high, low = measured[0.1], measured[0.001]
        moves = high["move"] > 0.05 > low["move"]
        return moves and high["accuracy"] < low["accuracy"]
    except (TypeError, KeyError, IndexError):
        return False
