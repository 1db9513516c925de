"""05.4: gradual unfreezing, with curves."""

from __future__ import annotations

from functools import partial

import torch

from courseware.grading.facts import Tolerance, difference
from courseware.grading.judging import At, Raises, Task, When, any_of
from courseware.tasks.t05 import judge_4_picture as picture
from courseware.tasks.t05 import judge_4_runs as runs

_MOVES = "what moves in each epoch"
_STATISTICS = "whose BatchNorm statistics move in each epoch"
_AWAKE, _END = "what is awake in each epoch", "the weights in the end"
_HISTORY, _CALLED = "the history", "what the legend calls the curves"
_LOOSE = Tolerance(1e-3, 0)  # a history may be rounded


def _run(fact, *wrong):
    """A test: at this fact a wrong run shows the same. (Elsewhere none is made.)"""
    return lambda it: it.fact == fact and any_of(*wrong)(it)


def _surplus(fact):
    """A test: in an epoch there is a stage more than there should be."""
    return lambda it: (
        it.fact == fact and any(a - b for a, b in zip(it.got, it.right, strict=True))
    )


def _never(it, fact):
    """What should move in some epoch, and is not in any by another fact."""
    return frozenset().union(*it.right).difference(*it.seen(fact))


TASK = Task(
    title="Gradual unfreezing, with curves",
    points=3,
    hints=(
        "`fit` takes `callbacks=[UnfreezeSchedule(schedule)]` and returns the history. "
        "Which parameters must the optimiser know so that a stage can move once it wakes?",
        "Hand all of `model.parameters()` to one optimiser at the start. Draw both columns "
        'of accuracy over `history["epoch"]`, and `ax.axvline(epoch)` for each entry with '
        "`1 < epoch <= epochs`.",
        "`optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)`; `history "
        "= fit(model, train, val, optimizer=optimizer, epochs=epochs, "
        "callbacks=[UnfreezeSchedule(schedule)])`; `_, ax = plt.subplots()`; `ax.plot(…, "
        'label="train")`; `ax.set(title=…, xlabel=…, ylabel=…)`; `ax.legend()`',
    ),
    solution=runs.solution,
    tolerance=Tolerance(1e-5, 0),  # rounding moves these weights by 1e-7
    agree={
        _AWAKE: lambda got, right: True,  # what moves counts; this tells why
        _HISTORY: lambda got, right: difference(got, right, _LOOSE) is None,
        _CALLED: lambda got, right: all(right[name] <= got[name] for name in right),
    },
    mistakes={
        "lacking": Raises(
            "the optimizer lacks",
            "The optimiser must know every stage from the start: give it all of "
            "`model.parameters()`. Frozen ones get no gradient and stay.",
        ),
        "callback": Raises(
            "the callback",
            "fit wants a plan: `callbacks=[UnfreezeSchedule(schedule)]`.",
        ),
        "epoch-zero": Raises("at least 1, got 0", "Epochs count from 1."),
        "no-column": Raises(
            "KeyError: '",
            "The history's columns are epoch, train_accuracy, val_accuracy and more: "
            "`print(history.columns)`.",
        ),
        "no-entry": Raises(
            "KeyError", "Not every epoch has an entry: `schedule.get(epoch, [])`."
        ),
        "pair": At("how many things come back", "Return two: `history, ax`."),
        "two-passes": When(
            lambda it: it.fact == "passes over `train`" and it.got == 2 * it.right,
            "There are two passes over `train` in each epoch: one is to learn from, and "
            "what is measured is measured on `val`.",
        ),
        "epochs": At(
            "passes over `train`",
            "Train for `epochs` epochs in all, one pass over `train` in each.",
        ),
        "loaders": When(
            _run(_MOVES, *runs.SWAPPED),
            "The loaders are swapped: the model learns from `val`. First `train`, then "
            "`val`.",
        ),
        "copy": When(
            lambda it: it.fact == _MOVES and not any(it.got),
            "The model that was given never moves. Train it itself, no copy of it.",
        ),
        "too-early": When(
            _surplus(_MOVES),
            "A stage moves before the epoch in which it wakes. Hand the schedule to fit: "
            "`callbacks=[UnfreezeSchedule(schedule)]`.",
        ),
        "stood-still": When(
            lambda it: it.fact == _MOVES and _never(it, _AWAKE),
            "A stage never wakes. The whole schedule counts, and the run's own epochs: a "
            "`fit` of one epoch each begins at epoch 1 every time, unless it goes on with "
            "`history=`.",
        ),
        "not-in-optimiser": When(
            lambda it: it.fact == _MOVES and _never(it, _MOVES),
            "A stage wakes and never moves: the optimiser does not know its parameters. "
            "Give it all of `model.parameters()` from the start; frozen ones get no "
            "gradient and stay.",
        ),
        "late": At(
            _MOVES,
            "A stage learns in the epoch of its entry already, and goes on to the end. "
            "Epochs count from 1.",
        ),
        "batchnorm": When(
            _surplus(_STATISTICS),
            "The statistics of a frozen stage moved. UnfreezeSchedule holds them still; by "
            "hand, put frozen BatchNorm into eval mode after `train()`.",
        ),
        "held": At(
            _STATISTICS,
            "A stage learns with its BatchNorm in eval mode: what learns is in train mode.",
        ),
        "restarted": When(
            _run(_END, *runs.RESTARTED),
            "A new optimiser, at each step of the schedule or in each epoch, forgets the "
            "momentum. Make one for the whole run.",
        ),
        "no-momentum": When(
            _run(_END, partial(runs.solution, kind=torch.optim.SGD)),
            "The momentum is missing: `momentum=0.9`.",
        ),
        "adam": When(
            _run(_END, *runs.ADAMS),
            "That is Adam: `torch.optim.SGD` with momentum 0.9 is asked for.",
        ),
        "other-training": At(
            _END,
            "One run with `torch.optim.SGD`, the rate `lr` for all and to the end, "
            "momentum 0.9, and nothing else: no weight decay, no scheduler.",
        ),
        **picture.MISTAKES,
        "mutated": "The schedule is not as it was: read it, and change no entry.",
    },
)
