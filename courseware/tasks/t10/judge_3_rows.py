"""Which rows count, and by how many is divided: a part of the table of 10.3."""

from __future__ import annotations

from functools import partial

from courseware.grading.judging import When, Wrong, any_of
from courseware.tasks.t10.losses import (
    by_all_labels,
    masked_alike,
    mean_of,
    solution,
    sum_of,
)


def _known_of(x, y, rows):
    return mean_of(x, y, rows & (y != -1))


ROWS = {
    "whole-batch": Wrong(
        partial(solution, rule=lambda x, y: sum_of(x, y, y != -1) / len(y)),
        "You divide by all pictures of the batch. A task with few labels would then "
        "learn slowly: divide by those that have a label for this task.",
    ),
    "summed": Wrong(
        partial(solution, rule=lambda x, y: sum_of(x, y, y != -1)),
        "That is the sum. Divide by the number of pictures that have a label for this "
        "task.",
    ),
    "one-more": Wrong(
        partial(
            solution, rule=lambda x, y: sum_of(x, y, y != -1) / ((y != -1).sum() + 1)
        ),
        "You divide by one more than there are labels, which makes every mean too small. "
        "Against a division by 0 helps `clamp(min=1)`.",
    ),
    "all-labels": Wrong(
        by_all_labels,
        "You divide by the labels of all tasks together. Count those of this task.",
    ),
    "complete-only": Wrong(
        partial(masked_alike, choose=lambda known: known.all(0)),
        "A picture whose label is missing for one task still has labels for others: "
        "mask each task by itself, do not drop whole pictures.",
    ),
    "first-mask": When(
        any_of(
            partial(masked_alike, choose=lambda known: known[0]),
            partial(masked_alike, choose=lambda known: known[0], rule=_known_of),
        ),
        "The pictures that have a label for the first task were taken for all tasks: each "
        "has a mask of its own, `labels[task] != -1`.",
    ),
    "gap": Wrong(
        partial(solution, rule=lambda x, y: mean_of(x, y, (y == y) & (y != -1).all())),
        "A task with a missing label was thrown away whole. Leave out the pictures "
        "without a label, and take the mean over the others.",
    ),
    "over-tasks": Wrong(
        lambda x, y: {t: loss / len(x) for t, loss in solution(x, y).items()},
        "Divide by the pictures of the task that have a label, and not by the number "
        "of tasks.",
    ),
}
