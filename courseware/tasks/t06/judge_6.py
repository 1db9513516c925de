"""06.6: what one step at 0.1 does."""

from __future__ import annotations

from courseware.grading.choices import choice
from courseware.grading.judging import At
from courseware.tasks.t06.observe_6 import MEASURED

MOVE = " Measured: {high[move]:.3f} for the median weight."
ACCURACY = (
    " Measured: {high[accuracy]:.0%} right, against {low[accuracy]:.0%} at 0.001."
)


def _with(measurement, text):
    """A hint that quotes what was measured, if anything was."""
    return lambda it: text + _told(measurement, **it.more)


def _told(measurement, measured=None):
    return (
        measurement.format(high=measured[0.1], low=measured[0.001]) if measured else ""
    )


TASK = choice(
    title="What one step at 0.1 does",
    points=1,
    hints=(
        "Adam divides a gradient by a running mean of its size. What is left of its size "
        "in the very first step?",
        "In the first step the quotient is +1 or -1 for every weight, however small its "
        "gradient is. Adam multiplies that by the rate.",
        "So each weight moves by about the rate. Compare 0.1 with the size of a weight, "
        "which the cell above prints.",
    ),
    right="d",
    why={
        "a": _with(
            MOVE,
            "A rate is no share of the weight: it knows nothing of the weight's size.",
        ),
        "b": _with(
            MOVE,
            "Gradients do reach the backbone, and Adam makes small ones as large as all "
            "others: it divides each by its own size.",
        ),
        "c": _with(
            MOVE,
            "The statistics follow what the layers give; but it is the weights that an "
            "optimiser moves, and by how much?",
        ),
        "e": _with(
            ACCURACY,
            "The strides are larger than the weights: after them little is left of the "
            "pretrained net, and 20 steps train no new one.",
        ),
    },
    mistakes={
        "measurement": At(
            MEASURED,
            "`measured` is not what the cells above measure: run them as they were handed "
            "out, after your answer.",
        )
    },
    agree={MEASURED: lambda got, right: got},
)
