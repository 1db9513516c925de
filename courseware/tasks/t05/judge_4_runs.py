"""Runs in which stages wake: the right one, and the usual wrong ones."""

from __future__ import annotations

from functools import partial

import torch

from course_utils.layer_groups import UnfreezeSchedule
from course_utils.training import fit

SGD = partial(torch.optim.SGD, momentum=0.9)


def solution(model, train, val, schedule, epochs, lr, kind=SGD, anew=lambda *_: False):
    """Train and draw; another `kind` of optimiser, or a new one, makes it a wrong one."""
    history, plan = None, UnfreezeSchedule(schedule)
    optimizer = kind(model.parameters(), lr=lr)
    for epoch in range(1, epochs + 1):
        if anew(epoch, schedule):  # as in a new optimiser
            optimizer.state.clear()
        run = {"optimizer": optimizer, "callbacks": [plan], "history": history}
        history = fit(model, train, val, epochs=epoch, **run)
    both = ["train_accuracy", "val_accuracy"]
    ax = history.plot(x="epoch", y=both, title="Gradual unfreezing", ylabel="accuracy")
    ax.vlines([epoch for epoch in schedule if 1 < epoch <= epochs], 0, 1)
    return history, ax


ADAMS = [partial(solution, kind=kind) for kind in (torch.optim.Adam, torch.optim.AdamW)]
RESTARTED = [
    partial(solution, anew=lambda epoch, schedule: epoch in schedule),
    partial(solution, anew=lambda *_: True),
]
SWAPPED = [lambda model, train, val, *how: solution(model, val, train, *how)]
