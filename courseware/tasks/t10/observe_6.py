"""10.6: two numbers, and what the exercise counted."""

from courseware.grading.observing import observe_value
from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]


def observe(answer, case, seen, counted=None):
    """Note both; `counted` is what the exercise counted."""
    seen.note("the count", counted)
    observe_value(answer, case, seen)
