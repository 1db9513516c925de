"""10.7: four letters, and what the exercise measured."""

from courseware.grading.observing import observe_letters
from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]


def observe(answer, case, seen, measured=None):
    """Note both; `measured` is the share of the fall in A to C."""
    seen.note("the measurement", measured)
    observe_letters(answer, case, seen)
