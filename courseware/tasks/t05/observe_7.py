"""05.7: which of the six cases are named."""

from courseware.grading.observing import one_case as cases

__all__ = ["cases", "observe"]

_CASES = "abcdef"


def observe(answer, case, seen, moved=None):
    """`moved`: the letters whose frozen weights moved, as the exercise measured it."""
    seen.note("the measurement", moved)
    seen.require("the answer", answer, str)
    letters = set(answer.lower()) - set(" ,")
    seen.note("what is no case", letters - set(_CASES))
    seen.notes({f"case {letter}": letter in letters for letter in _CASES})
