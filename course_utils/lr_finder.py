"""The learning-rate range test: a short run at rising rates, of which nothing is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from textwrap import fill

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils.arguments import Count, Positive, check_argument, checked, whole
from course_utils.meta_tensors import dtype_of
from course_utils.modes import device_of
from course_utils.run_state import undone
from course_utils.training import Step, classification_step, evaluate
from course_utils.training.batches import images_and_labels, to_net
from course_utils.training.learning import check_learns, forgotten_refused
from course_utils.training.loaders import check_loader
from course_utils.training.outputs import main_output, run_step

SUGGESTIONS = {
    "steepest": "where the smoothed loss falls fastest",
    "valley": "two thirds into the longest fall",
    "minimum/10": "a tenth of the rate with the least loss",
}


@checked
@dataclass(frozen=True)
class LRCurve:
    """What a range test saw: one loss for each learning rate, in rising order.

    `lrs` are those of the group with the largest rate; `scales` are the shares of it that
    the optimiser's groups had. `stopped` says why the test ended early, or is "".

    >>> from course_utils.lr_finder import LRCurve
    >>> lrs = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    >>> curve = LRCurve(lrs, losses=[1.6, 1.6, 1.5, 0.9, 0.4, 2.5], scales=[1.0])
    >>> curve.suggest("steepest"), curve.suggest("minimum/10")
    (0.1, 0.01)
    """

    lrs: Sequence[float]
    losses: Sequence[float]
    scales: Sequence[float]
    stopped: str = ""

    def __post_init__(self) -> None:
        if len(self.lrs) != len(self.losses):
            raise ValueError(
                f"a curve has a loss for each rate, got {len(self.lrs)} rates and "
                f"{len(self.losses)} losses"
            )

    @property
    def smoothed(self) -> list[float]:
        """Exponential mean of the losses (over about ten), corrected for its start."""
        mean, found = 0.0, []
        for i, loss in enumerate(self.losses, start=1):
            mean = 0.9 * mean + 0.1 * loss
            found.append(mean / (1 - 0.9**i))
        return found

    def suggest(self, how: str = "valley") -> float:
        """Return a learning rate: "steepest", "valley" or "minimum/10".

        Smith, 2017 (https://arxiv.org/abs/1506.01186) reads the rate off the fall of the
        curve; the valley is fastai's. Raises `ValueError` where the loss never fell, for
        fewer than five steps, and for a loss that is not finite.
        """
        if how not in SUGGESTIONS:
            raise ValueError(
                f"how must be one of {', '.join(SUGGESTIONS)}, got {how!r}"
            )
        if len(self.lrs) < 5:
            raise ValueError(
                f"only {len(self.lrs)} steps before {self.stopped or 'the end'}: start "
                "lower, or take more steps"
            )
        smoothed = np.array(self.smoothed)
        if not np.isfinite(smoothed).all():
            raise ValueError("a loss is not finite: leave out the steps from there on")
        lowest = int(smoothed.argmin())
        if smoothed[0] - smoothed[lowest] <= 1e-9 * abs(smoothed[0]):  # rounding
            raise ValueError(
                "the loss never fell: start_lr is too high already, or nothing learns"
            )
        if how == "minimum/10":
            return self.lrs[lowest] / 10
        if how == "steepest":
            slopes = np.gradient(smoothed[: lowest + 1], np.log(self.lrs[: lowest + 1]))
            return self.lrs[int(slopes.argmin())]
        start, end = _longest_fall(smoothed)
        return self.lrs[start + 2 * (end - start) // 3]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw losses, their smoothed curve and the suggestions; return the axes.

        A curve of any length is drawn; where it allows no suggestion, the legend says
        why.
        """
        import matplotlib.pyplot as plt

        ax = ax or plt.subplots(figsize=(7, 3.4))[1]
        ax.plot(self.lrs, self.losses, color="#bbbbbb", label="each batch")
        ax.plot(self.lrs, self.smoothed, color="#0072B2", label="smoothed")
        try:
            self._draw_suggestions(ax)
        except ValueError as error:
            ax.plot([], [], " ", label=fill(f"no suggestion: {error}", 45))
        ax.set(
            xscale="log",
            title="Learning-rate range test",
            xlabel="learning rate (log scale)",
            ylabel="loss",
        )
        finite = [loss for loss in self.smoothed if math.isfinite(loss)]
        if finite:
            low, high = min(finite), finite[0]
            height = abs(high - low)
            ax.set_ylim(low - 0.1 * height - 1e-3, high + 0.6 * height + 1e-3)
        ax.legend()
        return ax

    def _draw_suggestions(self, ax: Axes) -> None:
        rates = [self.suggest(how) for how in SUGGESTIONS]
        styles = zip(SUGGESTIONS, rates, ("o", "s", "^"),
                     ("#009E73", "#D55E00", "#CC79A7"), strict=True)  # fmt: skip
        for how, rate, marker, colour in styles:
            height = np.interp(np.log(rate), np.log(self.lrs), self.smoothed)
            label = f"{how}: {rate:.1e}"
            ax.plot(rate, height, marker, color=colour, ms=9, label=label)

    def table(self) -> pd.DataFrame:
        """Tabulate rate, loss and smoothed loss, a row a step."""
        columns = {"lr": self.lrs, "loss": self.losses, "smoothed": self.smoothed}
        return pd.DataFrame(columns)


@checked
def lr_range_test(
    model: nn.Module,
    loader: Iterable,
    optimizer: torch.optim.Optimizer,
    *,
    loss_fn: Callable[[Tensor, Tensor], Tensor] | None = None,
    step: Step = classification_step,
    start_lr: Positive = 1e-7,
    end_lr: Positive = 1.0,
    num_iter: whole(5) = 100,
    spacing: str = "exponential",
    accumulate: Count = 1,
    val: Iterable | None = None,
    diverge: Positive = 4.0,
) -> LRCurve:
    """Train `num_iter` steps at learning rates from `start_lr` to `end_lr`; undo it all.

    The rates are those of the group with the largest one; the others keep their ratio
    to it. `spacing` is "exponential" or "linear". Each step takes `accumulate` batches,
    and records their mean loss, or that over `val`. `loss_fn(logits, labels)` replaces
    the cross-entropy of `step`. The test stops at a loss that is not finite, and at one
    above `diverge` times the least smoothed one. Weights, buffers (BatchNorm's too),
    gradients, optimiser, mode, and the random generators (the loaders' own too) are
    afterwards as they were, to the bit; also after an error.

    Raises `ValueError` for numbers outside their ranges, and what `training.fit` refuses:
    an optimiser that lacks a parameter that learns, batches that the step cannot take.

    >>> import torch
    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.lr_finder import lr_range_test
    >>> from course_utils.training import make_loader
    >>> from course_utils.weights import load_backbone
    >>> train = make_loader(load_dataset("flowers", per_class=2).train, batch_size=5)
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> bounds = {"start_lr": 1e-6, "end_lr": 1e-2}
    >>> curve = lr_range_test(model, train, optimizer, **bounds, num_iter=5)
    >>> [f"{lr:.0e}" for lr in curve.lrs], optimizer.param_groups[0]["lr"]
    (['1e-06', '1e-05', '1e-04', '1e-03', '1e-02'], 0.1)
    """
    _check(start_lr, end_lr, num_iter, spacing, accumulate, diverge)
    check_learns(model, optimizer)
    check_loader(loader)
    if val is not None:
        check_loader(val, "val")
    step = step if loss_fn is None else _step_with(loss_fn)
    rates = [group["lr"] for group in optimizer.param_groups]
    scales = [rate / max(rates) if max(rates) else 1.0 for rate in rates]
    space = np.geomspace if spacing == "exponential" else np.linspace
    lrs, losses, stopped = [], [], ""
    with undone(model, optimizer, loader, val), forgotten_refused(step, optimizer):
        model.train()
        batches = _endless(loader)
        for lr in space(start_lr, end_lr, num_iter).tolist():
            for group, scale in zip(optimizer.param_groups, scales, strict=True):
                group["lr"] = lr * scale
            loss = _one_step(model, optimizer, list(islice(batches, accumulate)), step)
            if val is not None and math.isfinite(loss):
                loss = evaluate(model, val, step=step)["loss"]
            if not math.isfinite(loss):
                stopped = f"a loss of {loss} at lr {lr:.2e}"
                break
            lrs.append(lr)
            losses.append(loss)
            smoothed = LRCurve(lrs, losses, scales).smoothed
            if len(losses) > 5 and smoothed[-1] > diverge * min(smoothed):
                stopped = f"divergence at lr {lr:.2e}"
                break
    return LRCurve(lrs, losses, scales, stopped)


def _one_step(model, optimizer, batches, step: Step) -> float:
    """Mean loss of some batches, and one update from their mean gradient."""
    device, dtype = device_of(model), dtype_of(model)
    optimizer.zero_grad()
    total = 0.0
    for batch in batches:
        loss, *_ = run_step(step, model, to_net(batch, device, dtype))
        (loss / len(batches)).backward()
        total += loss.item()
    if math.isfinite(total):
        optimizer.step()
    return total / len(batches)


def _step_with(loss_fn: Callable) -> Step:
    check_argument(loss_fn, Callable, "loss_fn")

    def step(model, batch):
        images, labels = images_and_labels(batch, others=True)
        logits = main_output(model(images))  # of any kind that the loss takes
        return loss_fn(logits, labels), logits

    return step


def _endless(loader: DataLoader) -> Iterator:
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError("the loader is empty: there is no batch to train on")


def _longest_fall(losses: np.ndarray) -> tuple[int, int]:
    """First and last place of the longest run of falling values, gaps allowed.

    The longest decreasing subsequence, as fastai's "valley" takes it.
    """
    n = len(losses)
    length, before = np.ones(n, int), np.full(n, -1)
    for i in range(1, n):
        for j in range(i):
            if losses[i] < losses[j] and length[i] < length[j] + 1:
                length[i], before[i] = length[j] + 1, j
    end = start = int(length.argmax())
    while before[start] >= 0:
        start = int(before[start])
    return start, end


def _check(start_lr, end_lr, num_iter, spacing, accumulate, diverge) -> None:
    if start_lr >= end_lr:
        raise ValueError(f"start_lr must be below end_lr, got {start_lr} and {end_lr}")
    if spacing not in ("exponential", "linear"):
        raise ValueError(f"spacing must be exponential or linear, got {spacing!r}")
    if diverge <= 1:
        raise ValueError(f"diverge must be above 1, got {diverge}")
