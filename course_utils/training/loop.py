"""The loop: train an epoch, evaluate, fit with callbacks and a history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from course_utils.arguments import Count, Limit, check_argument, checked
from course_utils.meta_tensors import dtype_of
from course_utils.modes import device_of, inference
from course_utils.runtime import show_progress
from course_utils.training.batches import (
    check_model,
    labels_of,
    lonely_picture_refused,
    to_net,
)
from course_utils.training.callbacks import (
    EpochState,
    as_callbacks,
    check_monitors,
    columns,
    in_order,
    tell,
)
from course_utils.training.learning import (
    Scheduler,
    check_finite,
    check_learns,
    check_optimizer,
    check_scheduler,
    forgotten_refused,
    parameters_of,
    step_scheduler,
)
from course_utils.training.loaders import check_loader, length_of
from course_utils.training.outputs import (
    Step,
    classification_step,
    run_step,
    soft_label_step,
    tells_nothing_apart,
)
from course_utils.training.totals import Totals


@checked
def train_one_epoch(
    model: nn.Module,
    loader: Iterable,
    optimizer: torch.optim.Optimizer,
    *,
    step: Step = classification_step,
    epoch: Count = 1,
    batch_scheduler: Scheduler | None = None,
    clip_norm: Limit | None = None,
    progress: bool | None = None,
) -> dict[str, float]:
    """Train for one pass over the loader; return mean loss, accuracy (0 to 1), `images`.

    With several tasks, "accuracy" is the mean over them and "accuracy_<task>" that of
    each, over the pictures whose label is known; NaN where none is, and where labels are
    no classes. `images` is how many were seen. The model is put into train mode;
    BatchNorm that `layer_groups.freeze` froze stays in eval mode. `batch_scheduler` steps
    after each batch. `clip_norm` is the largest norm of the gradients of all that the
    optimiser holds (Pascanu et al., 2013).

    Raises `ValueError` for a loss that is not finite, for batches that the step cannot
    take, and where nothing is trainable or the optimiser holds nothing of it; that it
    holds *all* that learns, `fit` asks.
    """
    check_loader(loader)
    check_learns(model, optimizer, all_of_it=False)
    totals, dead = _train(
        model, loader, optimizer, step=step, epoch=epoch, clip_norm=clip_norm,
        batch_scheduler=batch_scheduler, progress=progress,
    )  # fmt: skip
    if dead:
        print(_DEAD.format(epoch))
    return totals.result()


def _train(
    model,
    loader,
    optimizer,
    *,
    step: Step,
    epoch: int,
    batch_scheduler,
    clip_norm,
    progress: bool | None,
    first: Callable[[Totals], None] | None = None,
) -> tuple[Totals, bool]:
    """One pass; its totals, and whether the net told the last pictures apart no more.

    `first` is told the totals of the first batch.
    """
    check_scheduler(batch_scheduler, optimizer, "batch_scheduler")
    model.train()
    device, dtype, logits = device_of(model), dtype_of(model), None
    totals = Totals()
    # The bar does not wrap the loader: tqdm.auto would start its iterator twice, which
    # changes the order of a shuffled loader.
    with (
        forgotten_refused(step, optimizer),
        tqdm(desc=f"epoch {epoch}", total=length_of(loader), leave=False,
             disable=not show_progress(progress)) as bar,
    ):  # fmt: skip
        for number, batch in enumerate(loader, start=1):
            batch = to_net(batch, device, dtype)
            with (
                lonely_picture_refused(model, loader) if number == 1 else nullcontext()
            ):
                loss, logits, *parts = run_step(step, model, batch)
            value = loss.item()
            check_finite(value, optimizer, f"epoch {epoch}, batch {number}")
            optimizer.zero_grad()
            _backward(loss)
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(parameters_of(optimizer), clip_norm)
            optimizer.step()
            if batch_scheduler is not None:
                batch_scheduler.step()
            totals.add(value, logits, labels_of(batch), *parts)
            if number == 1 and first is not None:
                first(totals)
            bar.update()
            if not bar.disable:
                bar.set_postfix(totals.shown(), refresh=False)
    return totals, tells_nothing_apart(logits)


def _backward(loss: torch.Tensor) -> None:
    if not loss.requires_grad:
        raise ValueError(
            "the step's loss has no gradient: nothing that learns is in it. Return it "
            "as it is, without detach, item or no_grad"
        )
    loss.backward()


@checked
def evaluate(
    model: nn.Module, loader: Iterable, *, step: Step = classification_step
) -> dict[str, float]:
    """Return mean loss, accuracy (0 to 1) and `images`, in eval mode, without gradients.

    With several tasks, their accuracies too, as in `train_one_epoch`. The model is given
    back in the mode it was in; BatchNorm statistics do not move. `images` is how many
    there were. Raises `TypeError` for a loader that is none, `ValueError` for batches
    that the step cannot take.

        evaluate(model, make_loader(data.test))["accuracy"]
    """
    check_model(model)
    check_loader(loader)
    totals = Totals()
    with inference(model) as device:
        dtype = dtype_of(model)
        for batch in loader:
            batch = to_net(batch, device, dtype)
            loss, logits, *parts = run_step(step, model, batch)
            totals.add(loss.item(), logits, labels_of(batch), *parts)
    return totals.result()


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
    history: pd.DataFrame | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Train for some epochs; return the history, one row an epoch.

    Columns: epoch, train_loss, train_accuracy, val_loss, val_accuracy (where `val` is
    given), lr (of the last group), seconds, images_per_second; and train_accuracy_<task>
    and so on where the step has several tasks or parts. `scheduler` steps once an epoch
    (`ReduceLROnPlateau` with its loss or accuracy), `batch_scheduler` once a batch;
    `clip_norm` bounds the gradients' norm. `progress` shows bars; by default only at a
    terminal or in a live notebook. `history` of an earlier run (see `checkpoints`) is
    continued up to `epochs` in all. The model is left in eval mode.

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

        history = fit(model, train, val, optimizer=optimizer, epochs=5)
    """
    callbacks = as_callbacks(callbacks)
    _check_setup(model, train, val, optimizer, scheduler, batch_scheduler)
    plain = step in (classification_step, soft_label_step)
    known = ["loss", "accuracy"] if plain else ["loss"]
    check_monitors(callbacks, columns(known, val=val is not None),
                   whole=plain)  # fmt: skip
    rows = [] if history is None else _rows(history)
    schedulers = {"scheduler": scheduler, "batch_scheduler": batch_scheduler}

    def seen(epoch: int) -> EpochState:
        return EpochState(
            epoch, model, optimizer, pd.DataFrame(rows), epochs, (train, val),
            {n: s for n, s in schedulers.items() if s is not None}, step, callbacks,
        )  # fmt: skip

    def first(totals: Totals) -> None:
        names = [name for name in totals.result() if name != "images"]
        check_monitors(callbacks, columns(names, val=val is not None), whole=True)

    bar = tqdm(total=epochs, desc="epochs", leave=False,
               disable=not show_progress(progress))  # fmt: skip
    dead = False
    try:
        over = _told_start(callbacks, seen, rows)
        bar.initial = bar.n = len(rows)
        for epoch in range(len(rows) + 1, 0 if over else epochs + 1):
            tell(callbacks, "on_epoch_start", seen(epoch))
            check_learns(model, optimizer)
            row = _epoch(model, train, val, optimizer, epoch, step=step, first=first,
                         batch_scheduler=batch_scheduler, clip_norm=clip_norm,
                         progress=progress)  # fmt: skip
            first = None
            if row.pop("dead") and not dead:
                dead = True
                print(_DEAD.format(epoch))
            rows.append(row)
            if scheduler is not None:
                step_scheduler(scheduler, row)
            bar.update()
            bar.set_postfix(_accuracies(row))
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


_DEAD = (
    "epoch {}: the net gives the same logits for each picture of the last batch, so it "
    "tells none apart: its head, or a layer before it, is dead (a ReLU behind a new head "
    "or too high a rate do that). Make the model anew and lower the rate"
)


def _check_setup(model, train, val, optimizer, scheduler, batch_scheduler) -> None:
    check_model(model)
    check_optimizer(optimizer)
    check_loader(train, "train")
    if val is not None:
        check_loader(val, "val")
    check_scheduler(scheduler, optimizer, "scheduler")
    check_scheduler(batch_scheduler, optimizer, "batch_scheduler")


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


def _epoch(model, train, val, optimizer, epoch, *, step, **options) -> dict[str, float]:
    """Train and evaluate; the row of the history, and whether the net is dead."""
    row: dict[str, float] = {"epoch": epoch}
    begun = time.perf_counter()
    totals, dead = _train(model, train, optimizer, step=step, epoch=epoch, **options)
    found = totals.result()
    seconds = time.perf_counter() - begun
    images = found.pop("images")
    row |= {f"train_{name}": value for name, value in found.items()}
    if val is not None:
        found = evaluate(model, val, step=step)
        row |= {f"val_{k}": v for k, v in found.items() if k != "images"}
    row["lr"] = optimizer.param_groups[-1]["lr"]
    row["seconds"] = time.perf_counter() - begun
    return row | {"images_per_second": images / seconds, "dead": dead}
