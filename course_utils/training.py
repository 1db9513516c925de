"""Train and evaluate: a loop that knows nothing of the model, with a history.

A step is what may differ: it is handed the model and a batch, and returns the loss and
the logits. A batch is (images, labels, …), where each part is a tensor, or tuples and
dictionaries of them, and parts after the labels are for the step alone. With several
tasks, logits and labels are dictionaries by task; a label below 0 is not known, and is
left out of the accuracy. A step may return a third thing, `Parts`: means that the
history is to hold as well, such as the terms of the loss.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from course_utils.errors import explained_channels
from course_utils.modes import inference
from course_utils.runtime import show_progress
from course_utils.tracing import tensors_in

Batch = tuple[Any, ...]
Parts = Mapping[str, tuple[Tensor, int]]  # a mean, and how many pictures it is over
Logits = Tensor | Mapping[str, Tensor]
Step = Callable[
    [nn.Module, Batch], tuple[Tensor, Logits] | tuple[Tensor, Logits, Parts]
]


@dataclass
class EpochState:
    """What a callback sees: the epoch that begins or has ended, and what came before.

    `epochs` is how many the run was asked for in all.
    """

    epoch: int
    model: nn.Module
    optimizer: torch.optim.Optimizer
    history: pd.DataFrame
    epochs: int | None = None


def make_loader(
    dataset: Dataset, *, batch_size: int = 64, shuffle: bool = False, seed: int = 0
) -> DataLoader:
    """Batch a dataset; the order of a shuffled loader is drawn from its own seed."""
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(dataset, batch_size, shuffle=shuffle, generator=generator)


def classification_step(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """One forward pass: the mean cross-entropy and the logits (B, C)."""
    images, labels = batch
    logits = model(images)
    check_labels(labels, logits.shape[-1])
    return nn.functional.cross_entropy(logits, labels), logits


def train_one_epoch(
    model: nn.Module,
    loader: DataLoader,
    optimizer: torch.optim.Optimizer,
    *,
    step: Step = classification_step,
    epoch: int = 1,
    batch_scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    clip_norm: float | None = None,
    progress: bool | None = None,
) -> dict[str, float]:
    """Train for one pass over the loader; return mean loss and accuracy (0 to 1).

    With several tasks, "accuracy" is the mean over them and "accuracy_<task>" that of
    each, over the pictures whose label is known; NaN where none is. The model is put
    into train mode; BatchNorm that `layer_groups.freeze` froze stays in eval mode.
    `batch_scheduler` steps after each batch. `clip_norm` is the largest norm of the
    gradients of all that the optimiser holds (Pascanu et al., 2013). Raises `ValueError`
    for a loss that is not finite, for labels outside the head's classes and where nothing
    is trainable.
    """
    if clip_norm is not None and clip_norm <= 0:
        raise ValueError(f"clip_norm must be above 0, got {clip_norm}")
    _check_trainable(model)
    model.train()
    device = next(model.parameters()).device
    totals = _Totals()
    # The bar does not wrap the loader: tqdm.auto would start its iterator twice, which
    # changes the order of a shuffled loader.
    with tqdm(
        desc=f"epoch {epoch}",
        total=len(loader),
        leave=False,
        disable=not show_progress(progress),
    ) as bar:
        for number, batch in enumerate(loader, start=1):
            batch = to_device(batch, device)
            with explained_channels():
                loss, logits, *parts = step(model, batch)
            value = loss.item()
            _check_finite(value, optimizer, f"epoch {epoch}, batch {number}")
            optimizer.zero_grad()
            loss.backward()
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(_parameters(optimizer), clip_norm)
            optimizer.step()
            if batch_scheduler is not None:
                batch_scheduler.step()
            totals.add(value, logits, batch[1], *parts)
            bar.update()
            if not bar.disable:
                bar.set_postfix(totals.shown(), refresh=False)
    return totals.result()


def evaluate(
    model: nn.Module, loader: DataLoader, *, step: Step = classification_step
) -> dict[str, float]:
    """Return mean loss and accuracy (0 to 1) in eval mode, without gradients.

    With several tasks, their accuracies too, as in `train_one_epoch`. The model is given
    back in the mode it was in; BatchNorm statistics do not move.
    """
    totals = _Totals()
    with inference(model) as device:
        for batch in loader:
            batch = to_device(batch, device)
            with explained_channels():
                loss, logits, *parts = step(model, batch)
            totals.add(loss.item(), logits, batch[1], *parts)
    return totals.result()


def fit(
    model: nn.Module,
    train: DataLoader,
    val: DataLoader | None,
    *,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    batch_scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    clip_norm: float | None = None,
    step: Step = classification_step,
    callbacks: Sequence = (),
    history: pd.DataFrame | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Train for some epochs; return the history, one row an epoch.

    Columns: epoch, train_loss, train_accuracy, val_loss, val_accuracy (where `val` is
    given), lr (of the last group), seconds, images_per_second; and train_accuracy_<task>
    and so on where the step has several tasks or parts. `scheduler` steps once
    an epoch, `batch_scheduler` once a batch; `clip_norm` bounds the gradients' norm. A
    callback has any of `on_epoch_start(state)`, `on_epoch_end(state)`, which stops the
    run by returning "stop", and `on_fit_end(state)`, told once however the run ends, by
    an error too. `progress` shows bars; by default only at a terminal or in a live
    notebook. Ctrl-C stops early and keeps what was reached. `history` of an earlier run
    (see `checkpoints`) is continued up to `epochs` in all. The model is left in eval
    mode.
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    rows = [] if history is None else history.to_dict("records")
    bar = tqdm(
        total=epochs,
        initial=len(rows),
        desc="epochs",
        leave=False,
        disable=not show_progress(progress),
    )

    def seen(epoch: int) -> EpochState:
        return EpochState(epoch, model, optimizer, pd.DataFrame(rows), epochs)

    try:
        for epoch in range(len(rows) + 1, epochs + 1):
            _tell(callbacks, "on_epoch_start", seen(epoch))
            start = time.perf_counter()
            row = _epoch(model, train, val, optimizer, epoch, step=step,
                         batch_scheduler=batch_scheduler, clip_norm=clip_norm,
                         progress=progress)  # fmt: skip
            row["lr"] = optimizer.param_groups[-1]["lr"]
            row["seconds"] = time.perf_counter() - start
            row["images_per_second"] = row.pop("images") / row.pop("train_seconds")
            rows.append(row)
            if scheduler is not None:
                scheduler.step()
            bar.update()
            bar.set_postfix(_accuracies(row))
            if "stop" in _tell(callbacks, "on_epoch_end", seen(epoch)):
                break
    except KeyboardInterrupt:
        print(f"stopped by hand after {len(rows)} whole epochs; they are kept")
    finally:
        bar.close()
        _tell(callbacks, "on_fit_end", seen(len(rows)))
    model.eval()
    return pd.DataFrame(rows)


class EarlyStopping:
    """Stop when a column of the history has not improved for `patience` epochs."""

    def __init__(self, *, patience: int = 3, monitor: str = "val_loss"):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.monitor = patience, monitor

    def on_epoch_end(self, state: EpochState) -> str | None:
        """Return "stop" once the best value is `patience` epochs old."""
        age = len(state.history) - 1 - _best_row(state.history, self.monitor)
        return "stop" if age >= self.patience else None


class BestWeights:
    """Keep a copy of the weights of the best epoch; `restore` puts them back.

    Best by a column of the history: the least loss, or the largest of anything else.
    Buffers (BatchNorm's statistics) belong to the copy.
    """

    def __init__(self, *, monitor: str = "val_loss"):
        self.monitor = monitor
        self.epoch: int | None = None
        self._state: dict[str, Tensor] = {}

    def on_epoch_end(self, state: EpochState) -> None:
        """Copy the weights where this epoch is the best so far."""
        if _best_row(state.history, self.monitor) == len(state.history) - 1:
            self.epoch = state.epoch
            found = state.model.state_dict().items()
            self._state = {name: value.detach().clone() for name, value in found}

    def restore(self, model: nn.Module) -> nn.Module:
        """Load the best epoch's weights into the model, in place."""
        if self.epoch is None:
            raise ValueError("no epoch has ended yet: hand this to fit(callbacks=[…])")
        model.load_state_dict(self._state)
        return model


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _accuracies(row: dict[str, float]) -> dict[str, str]:
    """Those for the bar: of several tasks, their means."""
    return {k: f"{v:.3f}" for k, v in row.items() if k.endswith("accuracy")}


def _best_row(history: pd.DataFrame, monitor: str) -> int:
    """Place of the best row; the first of equals."""
    if monitor not in history:
        known = ", ".join(history.columns)
        raise ValueError(f"history has no column {monitor!r}; it has {known}")
    values = history[monitor].reset_index(drop=True)
    return int(values.idxmin() if "loss" in monitor else values.idxmax())


def _tell(callbacks: Sequence, event: str, state: EpochState) -> list:
    """Call what the callbacks have for an event; return what they said."""
    found = [getattr(callback, event, None) for callback in callbacks]
    return [method(state) for method in found if method is not None]


def _epoch(model, train, val, optimizer, epoch, *, step, **options) -> dict[str, float]:
    row: dict[str, float] = {"epoch": epoch}
    start = time.perf_counter()
    found = train_one_epoch(model, train, optimizer, step=step, epoch=epoch, **options)
    row["train_seconds"] = time.perf_counter() - start
    row["images"] = found.pop("images")
    row |= {f"train_{name}": value for name, value in found.items()}
    if val is not None:
        found = evaluate(model, val, step=step)
        row |= {f"val_{k}": v for k, v in found.items() if k != "images"}
    return row


class _Totals:
    """Running sums of loss, right answers and the step's parts."""

    def __init__(self):
        self.loss, self.images = 0.0, 0
        self.right, self.known = Counter(), Counter()  # by task; "" is the only one
        self.sums, self.counts = Counter(), Counter()  # by the name of the step's part

    def add(self, loss: float, logits: Logits, labels: Any, parts: Parts | None = None):
        n = len(tensors_in(labels)[0])
        self.loss += loss * n
        self.images += n
        by_task = logits if isinstance(logits, Mapping) else {"": logits}
        truth = labels if isinstance(labels, Mapping) else {"": labels}
        for task, values in by_task.items():
            if isinstance(values, Tensor) and values.ndim == 2:
                self.right[task] += int((values.argmax(1) == truth[task]).sum())
                self.known[task] += int((truth[task] >= 0).sum())
        for name, (mean, count) in (parts or {}).items():
            self.sums[name] += mean.item() * count
            self.counts[name] += count

    def shown(self) -> dict[str, str]:
        found = self.result()
        return {k: f"{found[k]:.3f}" for k in ("loss", "accuracy")}

    def result(self) -> dict[str, float]:
        if not self.images:
            raise ValueError("the loader is empty: no batch to compute a mean over")
        scores = {task: _share(self.right[task], n) for task, n in self.known.items()}
        found = [score for score in scores.values() if not math.isnan(score)]
        return {
            "loss": self.loss / self.images,
            "accuracy": _share(sum(found), len(found)),
            **{f"accuracy_{task}": score for task, score in scores.items() if task},
            **{name: _share(self.sums[name], n) for name, n in self.counts.items()},
            "images": self.images,
        }


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan


def to_device(value: Any, device: torch.device) -> Any:
    """Move the tensors in nested tuples, lists and mappings; other things stay.

    A list comes back as a tuple, as the parts of a batch do.
    """
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: to_device(part, device) for key, part in value.items()}
    if isinstance(value, tuple | list):
        moved = [to_device(part, device) for part in value]
        return type(value)(*moved) if hasattr(value, "_fields") else tuple(moved)
    return value


def _check_finite(loss: float, optimizer: torch.optim.Optimizer, where: str) -> None:
    if not math.isfinite(loss):
        rates = sorted({group["lr"] for group in optimizer.param_groups})
        raise ValueError(
            f"loss is {loss} in {where} (lr {rates}): lower the learning rate, or look "
            "for broken inputs"
        )


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Raise `ValueError` where labels (B,) lie outside 0 to num_classes - 1."""
    check_none_missing(labels)
    if int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        raise ValueError(
            f"labels run from {int(labels.min())} to {int(labels.max())}, but the head "
            f"has {num_classes} classes (0 to {num_classes - 1}): replace the head"
        )


def check_none_missing(labels: Tensor) -> None:
    """Raise `ValueError` where the least of labels (B,) is -1: one is missing."""
    if int(labels.min()) == -1:
        raise ValueError(
            "labels hold -1, which says that a label is missing: leave those pictures "
            "out (known = labels >= 0)"
        )


def _check_trainable(model: nn.Module) -> None:
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(
            "nothing is trainable: every parameter is frozen. Replace the head, or "
            "unfreeze a stage"
        )
