"""`fit`: epochs with callbacks and a history."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from course_utils.arguments import Count, Limit, check_argument, checked
from course_utils.checkpoints import Checkpoint
from course_utils.runtime import show_progress
from course_utils.training.batches import check_model
from course_utils.training.callbacks import (
    EpochState,
    as_callbacks,
    check_monitors,
    columns,
    in_order,
    tell,
)
from course_utils.training.engine import Engine
from course_utils.training.epoch import DEAD, run_epoch
from course_utils.training.learning import (
    Scheduler,
    check_learns,
    check_optimizer,
    check_scheduler,
    group_rates,
    step_scheduler,
)
from course_utils.training.loaders import check_loader
from course_utils.training.outputs import Step, classification_step, soft_label_step
from course_utils.training.totals import Totals


@checked
def fit(
    model: nn.Module,
    train: Iterable,
    val: Iterable | None,
    *,
    optimizer: torch.optim.Optimizer,
    epochs: Count,
    scheduler: Scheduler | None = None,
    batch_scheduler: Scheduler | None = None,
    clip_norm: Limit | None = None,
    step: Step = classification_step,
    callbacks: Any = (),
    resume: str | os.PathLike | None = None,
    history: pd.DataFrame | None = None,
    engine: Engine | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Train for some epochs; return the history, one row an epoch.

    Columns: epoch, train_loss, train_accuracy, val_loss, val_accuracy (where `val` is
    given), lr (of the last group), with several groups lr_<group> of each, seconds,
    images_per_second; and train_accuracy_<task> and so on where the step has several
    tasks or parts. `scheduler` steps once an epoch (`ReduceLROnPlateau` with its loss or
    accuracy), `batch_scheduler` once an update; `clip_norm` bounds the gradients' norm.
    `engine` says how batches are computed: precision, accumulation, several processes.
    `resume` names a file that keeps the run and takes it up where it was: it stands for
    the callback `Checkpoint(resume, resume=True)`. `progress` shows bars; by default only
    at a terminal or in a live notebook. `history` of an earlier run (see `checkpoints`)
    is continued up to `epochs` in all. The model is left in eval mode.

    A callback has any of `on_fit_start(state)`, told once, which may return "stop" or the
    history of an earlier run, `on_epoch_start(state)`, `on_epoch_end(state)`, which stops
    the run by returning "stop", and `on_fit_end(state)`, told once however the run ends,
    by an error too. `state` is an `EpochState`.

    Ctrl-C and errors are passed on, with the history of the whole epochs as their
    attribute `history` (in a notebook: `sys.last_value.history`); the model keeps what it
    learnt. Before the first epoch it raises `ValueError` or `TypeError` for an optimiser
    that lacks a parameter that learns, or will by an `UnfreezeSchedule`, for a callback
    that no event would reach, for a column to monitor that there will not be, and for
    loaders, schedulers and numbers that are none; in its first batch, where the last
    one has a single picture that BatchNorm cannot take, and where the step cannot take
    the batch.

    >>> import torch
    >>> from course_utils.training import fit, make_loader
    >>> net = torch.nn.Linear(4, 2)
    >>> loader = make_loader([(row, 1) for row in torch.eye(4)])
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> history = fit(net, loader, loader, optimizer=optimizer, epochs=3)
    >>> len(history), bool(history["val_loss"].is_monotonic_decreasing)
    (3, True)
    """
    callbacks = _kept_in(resume, as_callbacks(callbacks))
    engine = engine or Engine()
    _check_setup(model, train, val, optimizer, scheduler, batch_scheduler)
    plain = step in (classification_step, soft_label_step)
    known = ["loss", "accuracy"] if plain else ["loss"]
    named = partial(columns, val=val is not None, rates=group_rates(optimizer))
    check_monitors(callbacks, named(known), whole=plain)
    rows = [] if history is None else _rows(history)
    schedulers = {"scheduler": scheduler, "batch_scheduler": batch_scheduler}

    def seen(epoch: int) -> EpochState:
        return EpochState(
            epoch, model, optimizer, pd.DataFrame(rows), epochs, (train, val),
            {n: s for n, s in schedulers.items() if s is not None}, step, callbacks,
            engine,
        )  # fmt: skip

    def first(totals: Totals) -> None:
        names = [name for name in totals.result() if name != "images"]
        check_monitors(callbacks, named(names), whole=True)

    hidden = not (show_progress(progress) and engine.processes.main)
    bar = tqdm(total=epochs, desc="epochs", leave=False, disable=hidden)
    dead = False
    try:
        over = _told_start(callbacks, seen, rows)
        bar.initial = bar.n = len(rows)
        for epoch in range(len(rows) + 1, 0 if over else epochs + 1):
            tell(callbacks, "on_epoch_start", seen(epoch))
            check_learns(model, optimizer)
            result = run_epoch(model, train, val, optimizer, epoch, step=step, first=first,
                            batch_scheduler=batch_scheduler, clip_norm=clip_norm,
                            engine=engine, progress=progress)  # fmt: skip
            first = None
            if result.dead and not dead:
                dead = True
                print(DEAD.format(epoch))
            rows.append(result.row())
            if scheduler is not None:
                step_scheduler(scheduler, rows[-1])
            bar.update()
            bar.set_postfix(_accuracies(rows[-1]))
            if "stop" in tell(callbacks, "on_epoch_end", seen(epoch)):
                break
    except BaseException as error:
        _keep_history(error, rows)
        raise
    finally:
        bar.close()
        model.eval()
        tell(callbacks, "on_fit_end", seen(len(rows)))
    return pd.DataFrame(rows)


def _check_setup(model, train, val, optimizer, scheduler, batch_scheduler) -> None:
    check_model(model)
    check_optimizer(optimizer)
    check_loader(train, "train")
    if val is not None:
        check_loader(val, "val")
    check_scheduler(scheduler, optimizer, "scheduler")
    check_scheduler(batch_scheduler, optimizer, "batch_scheduler")


def _kept_in(resume: str | os.PathLike | None, callbacks: list) -> list:
    """Add what keeps the run in the file `resume`."""
    if resume is None:
        return callbacks
    if any(isinstance(callback, Checkpoint) for callback in callbacks):
        raise ValueError(
            "the run would be kept twice: callbacks hold a Checkpoint. Leave out one of "
            "it and resume="
        )
    return [*callbacks, Checkpoint(resume, resume=True)]


def _rows(history: pd.DataFrame) -> list[dict]:
    check_argument(history, pd.DataFrame, "history, what fit returned,")
    return history.to_dict("records")


def _told_start(callbacks: Sequence, seen: Callable, rows: list[dict]) -> bool:
    """Tell the start; take over the history of a run that goes on; whether it is over."""
    over = False
    for callback in in_order(callbacks, "on_fit_start"):
        method = getattr(callback, "on_fit_start", None)
        said = None if method is None else method(seen(len(rows)))
        if isinstance(said, pd.DataFrame):
            rows[:] = _rows(said)
        elif said == "stop":
            over = True
    return over


def _keep_history(error: BaseException, rows: list[dict]) -> None:
    """Hang the history of the whole epochs on an error, and say so."""
    error.history = pd.DataFrame(rows)
    kept = (
        f"{len(rows)} whole epochs; the model keeps what it learnt, the exception their "
        "history (error.history; in a notebook sys.last_value.history)"
    )
    if isinstance(error, KeyboardInterrupt):
        print(f"stopped by hand after {kept}")
    elif rows:
        error.add_note(f"after {kept}")


def _accuracies(row: dict[str, float]) -> dict[str, str]:
    """Those for the bar: of several tasks, their means."""
    return {k: f"{v:.3f}" for k, v in row.items() if k.endswith("accuracy")}
