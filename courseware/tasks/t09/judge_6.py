"""09.6: only the teacher, and a teacher who sees badly."""

from __future__ import annotations

from courseware.grading.choices import choices
from courseware.grading.judging import At
from courseware.tasks.t09.judge_shares import told

LABELS = " Measured: other labels change nothing of the gradient."
ACCURACY = " Measured: {0[own]:.0%} right when normalised, {0[raw]:.0%} when not."


def _are_facts(got, right):
    if type(got) is not dict:
        return got is None
    labels, own, raw = (got.get(name) for name in ("labels", "own", "raw"))
    floats = {type(labels), type(own), type(raw)} == {float}
    return floats and labels < 1e-6 and own > raw


TASK = choices(
    title="Only the teacher, and a teacher who sees badly",
    points=1,
    hints=(
        "A: put alpha = 1 into the formula. What is left of the labels? B: what tells a "
        "net that its input is not normalised?",
        "A: (1 - alpha) is 0. B: BatchNorm in eval mode applies stored numbers, those of "
        "normalised pictures.",
        "A: no label is used at all. B: nothing fails, only the answers get worse.",
    ),
    right={"A": "b", "B": "d"},
    agree={"the measurement": _are_facts},
    mistakes={
        "measurement": At(
            "the measurement",
            "`measured` is not what the cells above measure: run them as they were handed "
            "out, after your answer.",
        ),
    },
    why={
        "A": {
            "a": "That would be alpha = 0. alpha is the teacher's share.",
            "c": told(
                "With alpha = 1 the labels have the weight 0, and nothing compares the "
                "teacher's answers with them.",
                LABELS,
            ),
            "d": "T² keeps the *length* of the gradient about the same. How soft the "
            "targets are still depends on T.",
        },
        "B": {
            "a": told(
                "Shape and dtype fit, so nothing refuses: a net takes any numbers.",
                ACCURACY,
            ),
            "b": told(
                "In eval mode BatchNorm uses the statistics of its training, which fit "
                "normalised pictures only.",
                ACCURACY,
            ),
            "c": told(
                "The same crop for both is right, but each net needs its own "
                "normalisation: to the teacher these are other pictures.",
                ACCURACY,
            ),
        },
    },
)
