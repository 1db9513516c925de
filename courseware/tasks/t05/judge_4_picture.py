"""What may be wrong with a run's history and picture: a part of the table of 05.4."""

from __future__ import annotations

from courseware.grading.judging import At, When

_STAND, _MARKS = "where the curves stand", "the vertical lines"
_HISTORY, _CALLED = "the history", "what the legend calls the curves"


def marked(test):
    """Make a test of where vertical lines stand, and should stand."""
    return lambda it: it.fact == _MARKS and test(it.got, it.right)


def _is_type(name, kind):
    return lambda it: it.fact == f"type of {name}" and it.difference.got == kind


MISTAKES = {
    "swapped": When(
        _is_type(_HISTORY, "Axes"), "The history comes first: `return history, ax`."
    ),
    "pyplot": When(
        _is_type("the picture", "module"),
        "Return the Axes, `ax` or `plt.gca()`, not `plt`.",
    ),
    "figure": When(
        lambda it: it.fact.startswith("type of the") and "Fig" in it.difference.got,
        "`plt.subplots()` gives a Figure and the Axes in it: `return history, ax`, and no "
        "Figure.",
    ),
    "columns": At(
        "the columns",
        "Return the history as fit returns it, `epoch` a column of it; fit measures "
        "val_accuracy where it is given `val`.",
    ),
    "rows": At("the rows of the history", "One row for each epoch of the whole run."),
    "epoch-numbers": When(
        lambda it: it.fact == _HISTORY and it.got["epoch"] != it.right["epoch"],
        "The history's epochs count from 1, as fit counts them.",
    ),
    "history": At(
        _HISTORY,
        "Return the history that fit gave, with accuracy as a share from 0 to 1.",
    ),
    "curves": At(
        "the curves that are drawn",
        "Draw train_accuracy and val_accuracy of the history as lines, all epochs of "
        "them, both on the Axes that you return.",
    ),
    "x-from-zero": When(
        lambda it: it.fact == _STAND and any(xs[:1] == [0.0] for xs in it.got.values()),
        "The curve begins at 0, but epochs count from 1: "
        '`ax.plot(history["epoch"], ...)`.',
    ),
    "x": At(_STAND, "The epochs belong on the x axis."),
    "labels-swapped": When(
        lambda it: it.fact == _CALLED and it.got["train"] == {"val"},
        "A curve has the name of the other: the one called train shows train_accuracy.",
    ),
    "legend": At(
        _CALLED,
        'Say which line is which: `label="train"` and `label="val"`, then `ax.legend()`.',
    ),
    "no-marks": When(
        marked(lambda got, right: not got),
        "Mark where a stage wakes by a vertical line: `ax.axvline(epoch)`.",
    ),
    "marks-shifted": When(
        marked(lambda got, right: got == {epoch - 1 for epoch in right}),
        "The marks stand an epoch too far left. Epochs count from 1 here, on the axis too.",
    ),
    "marks-start": When(
        marked(lambda got, right: 1.0 in got),
        "The run begins in epoch 1: no line for it.",
    ),
    "marks-beyond": When(
        lambda it: it.fact == _MARKS and max(it.got, default=0) > it.case.epochs,
        "There is a mark for an entry that the run does not reach, out to the right of "
        "the curves: leave out what lies beyond `epochs`.",
    ),
    "marks-missing": When(
        marked(lambda got, right: got < right),
        "A mark is missing: each epoch in which a stage wakes has one, but for epoch 1. "
        "The last epoch may be one of them.",
    ),
    "marks": At(
        _MARKS,
        "A vertical line at each epoch in which a stage wakes after the first, and nowhere "
        "else.",
    ),
    "title": At(
        "the picture has a title", "Give the picture a title: `ax.set_title(...)`."
    ),
    "axis-labels": At(
        "the axes with a label",
        'Say what the axes show: `ax.set_xlabel("epoch")`, `ax.set_ylabel("accuracy")`.',
    ),
}
