"""05.4: what moves in a run, the history, and what is drawn of it."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from torch.utils.data import DataLoader

from courseware.grading.observing import Case
from courseware.tasks.t05.figures import numbers, told, undisturbed
from courseware.tasks.t05.runs import (
    Watched,
    moved,
    norms_moved,
    pictures,
    small,
    weights_of,
)

_RUNS = (  # schedule, epochs, lr
    ({1: ["fc"], 2: ["stage2"], 4: ["stage1"]}, 5, 0.05),
    ({3: ["stage2", "stage1"], 1: ["fc"], 6: ["stem"], 9: ["stem"]}, 6, 0.1),
    ({1: ["fc"], 3: ["stage2"], 8: ["stage1"]}, 4, 0.1),
)
_COLUMNS = ("epoch", "train_accuracy", "val_accuracy")


def cases(seed):
    for number, (schedule, epochs, lr) in enumerate(_RUNS):
        how = schedule, epochs, round(lr * (1 + seed / 10), 4)
        given = "schedule {}, epochs = {}, lr = {}".format(*how)
        yield Case(given, how=how, epochs=epochs, seed=3 * seed + number)


@undisturbed()
def observe(train_gradually, case, seen):
    model = small(case.seed)
    train = Watched(model, case.seed)
    val = DataLoader(pictures(21, 100 + case.seed), batch_size=12)
    got = seen.call(train_gradually, model, train, val, *case.how)
    seen.require("what your function returns", got, (tuple, list))
    seen.note("how many things come back", len(got))
    history, ax = (*got, None, None)[:2]
    seen.require("the history", history, pd.DataFrame)
    seen.notes(_run(train, weights_of(model)))
    seen.note("the columns", {name for name in _COLUMNS if name in history.columns})
    seen.note("the rows of the history", len(history))
    found = seen.call(lambda: {name: numbers(history[name]) for name in _COLUMNS})
    seen.note("the history", found)
    seen.require("the picture", ax, Axes)
    seen.notes(told(ax, found))


def _run(train, end):
    """What moved from pass to pass, by the weights that a loader saw."""
    epochs = list(pairwise([*train.states, end]))
    return {
        "passes over `train`": len(train.states),
        "what is awake in each epoch": train.awake,
        "what moves in each epoch": [moved(*e) for e in epochs],
        "whose BatchNorm statistics move in each epoch": [
            norms_moved(*e) for e in epochs
        ],
        "the weights in the end": end,
    }
