"""03.5: a letter, and the count that it may be held against."""

from __future__ import annotations

from courseware.grading.observing import observe_letter
from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]


def observe(answer, case, seen, grown=None):
    """`grown`: MB more than frozen, part by part, as the exercise counted them."""
    if grown is not None:
        seen.note("the count of the cell above", grown)
    observe_letter(answer, case, seen)
