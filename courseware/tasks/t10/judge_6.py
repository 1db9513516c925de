"""10.6: one model with two heads, or two models?"""

from __future__ import annotations

import math

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Task, When, Wrong

_BODY, _HEADS = 11_689_512.0 - 513_000, 513 * 5 + 513 * 6
_ONE, _TWO = _BODY + _HEADS, 2 * _BODY + _HEADS
_COUNTED = {"one": _ONE, "two": _TWO}


def _number(it):
    """The number that fails, if it is one."""
    return it.difference.got if it.path and it.key == "value" else math.nan


def _is_one_of(*ways):
    """A test: the number that fails is one that a way to count gives, (one, two)."""
    return lambda it: _number(it) in [way[it.path == "['two']"] for way in ways]


TASK = Task(
    title="One model with two heads, or two models?",
    points=2,
    kind="value",
    hints=(
        "How many parameters does the old head have? A Linear layer has a weight for each "
        "pair of feature and class, and a bias for each class.",
        "The backbone has 11,689,512 - 513 · 1,000 parameters. A new head has 513 for each "
        "of its classes.",
        "`one` = backbone + 513 · (5 + 6); `two` = 2 · backbone + 513 · (5 + 6).",
    ),
    solution=_COUNTED,
    tolerance=Tolerance(0, 0),
    agree={"the count": lambda got, right: got is None or got == _COUNTED},
    mistakes={
        "measurement": At(
            "the count",
            "`counted` is not what the cell above counts: run that cell as it was handed "
            "out.",
        ),
        "names": When(
            lambda it: it.key == "keys", 'Give two numbers: `{"one": …, "two": …}`.'
        ),
        "mixed-up": Wrong(
            {"one": _TWO, "two": _ONE},
            "It is the other way round: two models have two backbones.",
        ),
        "old-head": When(
            _is_one_of(
                (_ONE + 513_000, _TWO + 2 * 513_000), (_ONE + 513_000, _TWO + 513_000)
            ),
            "The old head is still in it: take its 513,000 parameters off first, once for "
            "each backbone.",
        ),
        "no-heads": When(
            _is_one_of((_BODY, 2 * _BODY)),
            "These are the backbones alone: the new heads are missing.",
        ),
        "one-head": When(
            _is_one_of(
                (_BODY + 513 * 5, 2 * _BODY + 513 * 5),
                (_BODY + 513 * 6, 2 * _BODY + 513 * 6),
            ),
            "One of the new heads is missing: there are two tasks.",
        ),
        "bias": When(
            _is_one_of(
                (_BODY + 512 * 11, 2 * _BODY + 512 * 11),
                (_ONE + 1000, _TWO + 2000),
                (_BODY + 1000 + 512 * 11, 2 * (_BODY + 1000) + 512 * 11),
            ),
            "A Linear layer has a bias for each class: 513 parameters a class, in the old "
            "head as in the new ones.",
        ),
        "twice": When(
            _is_one_of((_TWO, 2 * _ONE)),
            'In "one" the backbone is there once, that is the point of sharing; in "two" '
            "each model has one head only.",
        ),
        "shared": When(
            _is_one_of((None, _ONE)),
            'In "two" nothing is shared: each model has a backbone of its own.',
        ),
        "pairs": When(
            _is_one_of((_BODY + 513 * 30, 2 * _BODY + 513 * 30)),
            "The heads stand side by side: 5 + 6 classes, and not 5 · 6.",
        ),
        "millions": When(
            lambda it: 11 <= _number(it) <= 23, "Count single parameters, not millions."
        ),
        "rounded": When(
            lambda it: (
                _number(it) % 1000 == 0
                and math.isclose(_number(it), it.difference.expected, rel_tol=0.02)
            ),
            "Give the exact number, to the last parameter.",
        ),
        "value": lambda it: (
            f"Counted: {it.difference.expected:,.0f}. " * ("counted" in it.more)
            + "Backbone(s) without the old head, and one new head for each task."
        ),
        "none": 'A number is still None: `{"one": …, "two": …}`.',
        "type": 'Two numbers, without quotes: `{"one": …, "two": …}`.',
    },
)
