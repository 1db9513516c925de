"""10.7: what a cosine of -0.4 means."""

from __future__ import annotations

from courseware.grading.choices import choices
from courseware.grading.facts import Tolerance, difference
from courseware.grading.judging import At

_FALLS = {"A": 0.6, "B": -0.2, "C": 1.0}
_ALONG_A = "Along a, the step is |a| from a itself and cosine · |b| from b. "
_NOT_MEANT = {
    "A": {
        "a": "b has a part against a: -0.4 times its length. That part is taken off.",
        "c": _ALONG_A + "With equal lengths 1 - 0.4 = 0.6 of the fall is left.",
        "d": _ALONG_A
        + "With equal lengths 1 - 0.4 = 0.6 of the fall is left. The tasks "
        "disturb each other, and both still learn.",
    },
    "B": {
        "a": "b has a part against a, and b is long.",
        "b": _ALONG_A + "Now 1 - 0.4 · 3 is below 0.",
        "c": _ALONG_A + "1 - 0.4 · 3 is not 0.",
    },
    "C": {
        "b": "At a cosine of 0 the gradients stand at right angles: b has no part along a, "
        "however long it is.",
        "c": "a itself is still in the step.",
        "d": "At a cosine of 0 b has no part against a, however long it is.",
    },
    "D": {
        "e": "One batch says little, and at the start gradients turn quickly. A conflict "
        "of gradients is a reason to look, not yet a loss of accuracy.",
        "g": "Missing labels are masked, and a task with few labels gains most from "
        "features that another task teaches.",
        "h": "Loss weights mend that, fixed or learnt: it is a matter of scale.",
    },
}


def _agrees(got, right):
    return got is None or difference(got, _FALLS, Tolerance(0.01)) is None


def _quoted(name, measured):
    shown = name in _FALLS and measured
    return f" Measured: {measured[name]:.0%} of the fall alone." if shown else ""


def _measured(name, text):
    """A hint, with what the exercise measured behind it."""
    return lambda it: text + _quoted(name, it.more.get("measured"))


TASK = choices(
    title="What a cosine of -0.4 means",
    points=1,
    hints=(
        "For a small step the loss falls by the rate times a · (step direction): here "
        "a · (a + b). Alone it is a · a.",
        "a · b = cosine · |a| · |b|. Put in the lengths: with |a| = 1 the fall is "
        "1 + cosine · |b|.",
        "A: 1 - 0.4. B: 1 - 1.2. C: 1 + 0. For D: what would you measure in the end, "
        "gradients or accuracy?",
    ),
    right={"A": "b", "B": "d", "C": "a", "D": "f"},
    why={
        name: {letter: _measured(name, text) for letter, text in wrong.items()}
        for name, wrong in _NOT_MEANT.items()
    },
    what="question",
    agree={"the measurement": _agrees},
    mistakes={
        "measurement": At(
            "the measurement",
            "`measured` is not what the cell above measures: run that cell as it was "
            "handed out.",
        )
    },
)
