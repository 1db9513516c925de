"""02.5: a letter."""

from courseware.grading.observing import observe_letter as observe
from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]
