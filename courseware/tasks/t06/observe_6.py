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


def _holds(found):
    try:
        high, low = found[0.1], found[0.001]
        worse = high["accuracy"] < low["accuracy"]
        return worse and high["move"] > 0.05 > low["move"]
    except (TypeError, KeyError, IndexError):
        return False
