"""One epoch: train on each batch, evaluate, and what both gave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from course_utils.arguments import Count, Limit, checked
from course_utils.modes import inference
from course_utils.runtime import show_progress
from course_utils.training.batches import (
    check_model,
    labels_of,
    lonely_picture_refused,
)
from course_utils.training.engine import Engine
from course_utils.training.learning import (
    Scheduler,
    check_learns,
    check_scheduler,
    forgotten_refused,
    group_rates,
)
from course_utils.training.loaders import check_loader
from course_utils.training.outputs import (
    Step,
    classification_step,
    tells_nothing_apart,
)
from course_utils.training.totals import Totals, joined
from course_utils.training.updates import Finite, Updates

DEAD = (
    "epoch {}: the net gives the same logits for each picture of the last batch, so it "
    "tells none apart: its head, or a layer before it, is dead (a ReLU behind a new head "
    "or too high a rate do that). Make the model anew and lower the rate"
)
_ASKED = 1.0  # seconds between looks at a loss that is on another device


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave: means by name, rates by group, and its time.

    `images_per_second` is of the training; `dead` says that the net told the last batch's
    pictures apart no more.

    >>> from course_utils.training import EpochResult
    >>> result = EpochResult(1, {"loss": 0.7}, {}, {"lr": 0.1}, 2.0, 40.0, False)
    >>> list(result.row())
    ['epoch', 'train_loss', 'lr', 'seconds', 'images_per_second']
    """

    epoch: int
    train: dict[str, float]
    val: dict[str, float]
    rates: dict[str, float]
    seconds: float
    images_per_second: float
    dead: bool

    def row(self) -> dict[str, float]:
        """Return the history's row."""
        return {
            "epoch": self.epoch,
            **{f"train_{name}": value for name, value in self.train.items()},
            **{f"val_{name}": value for name, value in self.val.items()},
            **self.rates,
            "seconds": self.seconds,
            "images_per_second": self.images_per_second,
        }


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
    engine: Engine | None = None,
    progress: bool | None = None,
) -> dict[str, float]:
    """Train for one pass over the loader; return mean loss, accuracy (0 to 1), `images`.

    With several tasks, "accuracy" is the mean over them and "accuracy_<task>" that of
    each, over the pictures whose label is known; NaN where none is, and where labels are
    no classes. `images` is how many were seen. The model is put into train mode;
    BatchNorm that `layer_groups.freeze` froze stays in eval mode. `batch_scheduler` steps
    after each update. `clip_norm` is the largest norm of the gradients of all that the
    optimiser holds (Pascanu et al., 2013). `engine` says how batches are computed.

    Raises `ValueError` for a loss that is not finite, for batches that the step cannot
    take, and where nothing is trainable or the optimiser holds nothing of it; that it
    holds *all* that learns, `fit` asks.

    >>> import torch
    >>> from course_utils.training import make_loader, train_one_epoch
    >>> net = torch.nn.Linear(4, 2)
    >>> loader = make_loader([(row, 1) for row in torch.eye(4)])
    >>> found = train_one_epoch(net, loader, torch.optim.SGD(net.parameters(), lr=0.1))
    >>> list(found), found["images"]
    (['loss', 'accuracy', 'images'], 4)
    """
    check_loader(loader)
    check_learns(model, optimizer, all_of_it=False)
    totals, dead = _train(
        model, loader, optimizer, step=step, epoch=epoch, clip_norm=clip_norm,
        batch_scheduler=batch_scheduler, progress=progress, engine=engine or Engine(),
    )  # fmt: skip
    if dead:
        print(DEAD.format(epoch))
    return totals.result()


def _train(
    model,
    loader,
    optimizer,
    *,
    step: Step,
    epoch: int,
    engine: Engine,
    batch_scheduler,
    clip_norm,
    progress: bool | None,
    first: Callable[[Totals], None] | None = None,
) -> tuple[Totals, bool]:
    """One pass; its totals, and whether the net told the last pictures apart no more.

    `first` is told the totals of the first batch.
    """
    check_scheduler(batch_scheduler, optimizer, "batch_scheduler")
    engine.place(model, optimizer)
    model.train()
    learner = engine.learner(model)
    totals, logits = Totals(), None
    finite = Finite(optimizer, epoch, engine.precision)
    updates = Updates(engine, learner, optimizer, clip_norm=clip_norm,
                      scheduler=batch_scheduler, batches=engine.length(loader))  # fmt: skip
    # The bar does not wrap the loader: tqdm.auto would start its iterator twice, which
    # changes the order of a shuffled loader.
    with (
        forgotten_refused(step, optimizer),
        _Bar(f"epoch {epoch}", engine, loader, progress) as bar,
    ):
        batches = engine.batches(model, loader, train=True)
        for number, (batch, count, mean) in enumerate(batches, start=1):
            with (
                lonely_picture_refused(model, loader) if number == 1 else nullcontext()
            ):
                found = engine.run(step, learner, batch)
            finite.see(found[0], number)
            try:
                updates.add(found[0], count, mean)
            except Exception as error:
                if not engine.gave_up(error):
                    raise
                found = engine.run(step, learner, batch)
                updates.add(found[0], count, mean)
            loss, logits, *parts = found
            if count:
                totals.add(loss, logits, labels_of(batch), *parts)
            if number == 1 and first is not None:
                first(totals)
            bar.update(totals, finite)
        updates.finish()
        finite.ask()
    return joined(engine.processes.gathered(totals.plain())), tells_nothing_apart(
        logits
    )


class _Bar:
    """A bar over batches, which asks for their sums once a second at most."""

    def __init__(self, what: str, engine: Engine, loader: Any, progress: bool | None):
        hidden = not (show_progress(progress) and engine.processes.main)
        total = engine.length(loader)
        self._bar = tqdm(desc=what, total=total, leave=False, disable=hidden)
        self._asked = time.monotonic()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.close()

    def update(self, totals: Totals, finite: Finite) -> None:
        self._bar.update()
        if (now := time.monotonic()) < self._asked + _ASKED:
            return
        self._asked = now
        finite.ask()
        if not self._bar.disable and totals.images:
            self._bar.set_postfix(totals.shown(), refresh=False)


@checked
def evaluate(
    model: nn.Module,
    loader: Iterable,
    *,
    step: Step = classification_step,
    engine: Engine | None = None,
) -> dict[str, float]:
    """Return mean loss, accuracy (0 to 1) and `images`, in eval mode, without gradients.

    With several tasks, their accuracies too, as in `train_one_epoch`. The model is given
    back in the mode it was in; BatchNorm statistics do not move. `images` is how many
    there were; in several processes (see `Engine`), in all of them. Raises `TypeError` for
    a loader that is none, `ValueError` for batches that the step cannot take.

    >>> import torch
    >>> from course_utils.training import evaluate, make_loader
    >>> net = torch.nn.Linear(4, 2)
    >>> evaluate(net, make_loader([(torch.ones(4), 1)] * 8))["images"]
    8
    """
    check_model(model)
    check_loader(loader)
    engine, totals = engine or Engine(), Totals()
    engine.place(model)
    with inference(model):
        for batch, *_ in engine.batches(model, loader, train=False):
            loss, logits, *parts = engine.run(step, model, batch)
            totals.add(loss, logits, labels_of(batch), *parts)
    return joined(engine.processes.gathered(totals.plain())).result()


def run_epoch(
    model, train, val, optimizer, epoch, *, step, engine, **options
) -> EpochResult:
    """Train and evaluate."""
    begun = time.perf_counter()
    totals, dead = _train(
        model, train, optimizer, step=step, epoch=epoch, engine=engine, **options
    )
    trained = totals.result()
    seconds = time.perf_counter() - begun
    images = trained.pop("images")
    held = {} if val is None else evaluate(model, val, step=step, engine=engine)
    held.pop("images", None)
    whole = time.perf_counter() - begun
    rates = group_rates(optimizer)
    return EpochResult(epoch, trained, held, rates, whole, images / seconds, dead)
