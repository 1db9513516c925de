"""Banks of answers: right ones that must pass, wrong ones that must fail as they should.

`tNN.py` holds answers written with the checks at hand: RIGHT[task] is a list, WRONG[task]
a list of (answer, key of the property that must fail). `blind_….py` hold answers written
from the text of the tasks alone, by someone who had not seen the checks: at least a third
of each bank.
"""

from __future__ import annotations

from typing import Any


class With:
    """An answer that is checked together with something else, such as a measurement."""

    def __init__(self, answer: Any, **more: Any):
        self.answer, self.more = answer, more
        told = ", ".join(f"{name}={value!r:.30}" for name, value in more.items())
        self.__name__ = f"{getattr(answer, '__name__', answer)} with {told}"
