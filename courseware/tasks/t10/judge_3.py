"""10.3: losses where labels are missing."""

from __future__ import annotations

import operator
from functools import partial
from math import isfinite, isnan

from torch.nn import functional as F

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t10.judge_3_rows import ROWS
from courseware.tasks.t10.losses import mean_of, solution

_EMPTY = "the losses without a label"

TASK = Task(
    title="Losses where labels are missing",
    points=3,
    hints=(
        "For each task by itself: which rows count? And by how many do you divide?",
        "`known = truth != -1`; cross_entropy over `logits[task][known]` and "
        "`truth[known]`. What is the mean over no rows at all?",
        'The sum over the known rows, `reduction="sum"`, divided by '
        "`known.sum().clamp(min=1)`: 0 / 1 is 0, and still has a graph.",
    ),
    solution=solution,
    agree={_EMPTY: operator.eq},
    mistakes={
        "ignore-index": When(
            lambda it: (
                "-1 is out of bounds" in it.error or "must be non-negative" in it.error
            ),
            "-1 is no class. Take the pictures that have a label for this task before the "
            "loss (`known = truth != -1`), or tell cross_entropy `ignore_index=-1`.",
        ),
        "one-truth": Raises(
            "Boolean value",
            "`labels[task]` holds the labels of all pictures, and `== -1` a truth for each "
            "of them: no `if` of it, but a mask, `logits[task][labels[task] != -1]`.",
        ),
        "tasks": At(
            "the tasks",
            "A loss for each task, also for one with gaps, and for one without any label, "
            "whose loss is 0; and nothing beside them.",
        ),
        "no-tensor": When(
            lambda it: it.fact.startswith("type of the loss"),
            "Each loss is a tensor of shape (), with its graph: no float and no .item(), "
            "and no None where no label is there, but a tensor that is 0.",
        ),
        "shape": At(
            "the shape of the loss",
            "One number a task, of shape (): the mean over its labelled pictures.",
        ),
        "log-of-zero": When(
            lambda it: (
                it.fact == "the losses"
                and ("apart" in it.given or not all(map(isfinite, it.got.values())))
            ),
            "A probability has become 0 and its logarithm is lost (a small number added "
            "to it changes the loss), or exp() of a large logit is infinite. Hand the "
            "logits to cross_entropy as they are, or take log_softmax.",
        ),
        **ROWS,
        "last-class": Wrong(
            partial(solution, rule=lambda x, y: F.cross_entropy(x, y % x.shape[1])),
            "-1 was taken as an index, and index -1 is the last class. Such pictures must "
            "not count for this task.",
        ),
        "first-class": Wrong(
            partial(solution, rule=lambda x, y: F.cross_entropy(x, y.clamp(min=0))),
            "A missing label was taken as class 0. Such pictures must not count for this "
            "task.",
        ),
        "class-zero": Wrong(
            partial(solution, rule=lambda x, y: mean_of(x, y, y > 0)),
            "0 is a class, whose pictures count too: only -1 is missing.",
        ),
        "guess": Wrong(
            partial(
                solution,
                rule=lambda x, y: F.cross_entropy(x, y.where(y != -1, x.argmax(1))),
            ),
            "What the net guesses is no label. Leave pictures without a label out.",
        ),
        "zeroed": Wrong(
            partial(
                solution,
                rule=lambda x, y: F.cross_entropy(
                    x * (y != -1)[:, None], y.clamp(min=0)
                ),
            ),
            "Logits of 0 are a prediction too: all classes alike, which costs log(C) a "
            "picture. Leave the rows out instead.",
        ),
        "softmax": Wrong(
            partial(solution, rule=lambda x, y: mean_of(x.softmax(1), y, y != -1)),
            "cross_entropy takes logits and does the softmax itself.",
        ),
        "no-softmax": Wrong(
            partial(
                solution,
                rule=lambda x, y: -x[y != -1, y[y != -1]].sum() / (y != -1).sum(),
            ),
            "nll_loss expects log-probabilities, and gets logits: take cross_entropy.",
        ),
        "sign": Wrong(
            partial(solution, rule=lambda x, y: -mean_of(x, y, y != -1)),
            "The sign is turned: cross-entropy is at least 0.",
        ),
        "order": Wrong(
            lambda x, y: solution(dict(zip(y, x.values(), strict=True)), y),
            "The two dicts may have different orders: take `logits[task]`, no zip.",
        ),
        "value": "The mean cross-entropy over the pictures whose label is not -1, for each "
        "task by itself.",
        "nan": When(
            lambda it: it.fact == _EMPTY and any(map(isnan, it.got.values())),
            "The mean over no pictures is 0 / 0, which is NaN, and a NaN loss spoils every "
            "weight in one step. Where no label is there, the loss is 0.",
        ),
        "not-zero": At(
            _EMPTY, "No picture has a label for this task, so its loss is exactly 0."
        ),
        "no-graph": At(
            "tasks whose loss gives its logits a gradient",
            "No gradient flows from a loss to the logits: .item(), .detach(), "
            "torch.tensor(…) and no_grad() cut it off.",
        ),
        "gradient": At(
            "the gradients of the logits",
            "Only the rows of labelled pictures get a gradient, and nothing is NaN.",
        ),
    },
)
