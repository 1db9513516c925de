"""00.0: a shape, as a tuple or a list."""

from courseware.grading.observing import ANSWER
from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]


def observe(shape, case, seen):
    seen.note(ANSWER, tuple(shape) if type(shape) is list else shape)
