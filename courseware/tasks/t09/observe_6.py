"""09.6: letters, and what the cells measure."""

from __future__ import annotations

from courseware.grading.observing import observe_letters
from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]


def observe(what_holds, case, seen, measured=None):
    """`measured`: what other labels change, and the accuracy with and without norm."""
    seen.note("the measurement", measured)
    observe_letters(what_holds, case, seen)
