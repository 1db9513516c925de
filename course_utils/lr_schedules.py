"""Rates over time: torch's own schedulers through one door, ratios of groups kept."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

from course_utils.arguments import Count, Share, checked, whole

SCHEDULES = ("constant", "step", "cosine", "one-cycle")
_START = 0.1  # share of its rate that a group begins a warm-up with


@checked
def lr_schedule(
    optimizer: Optimizer,
    how: str = "cosine",
    *,
    steps: whole(2),
    warmup: Share = 0.0,
    drops: Count = 3,
) -> LRScheduler:
    """Return a scheduler to step `steps` times, once a batch: `fit(batch_scheduler=…)`.

    `how` is "constant", "step" (a tenth of the rate, in `drops` equal stretches),
    "cosine" (down to 0) or "one-cycle" (Smith, 2018, https://arxiv.org/abs/1803.09820:
    up for 30 % of the steps, or for `warmup`, then down). `warmup` (0 to below 1) is the
    share of steps in which the others climb from a tenth of the rate. Each group's `lr`
    is its highest rate, so the ratios of groups stay, one-cycle's too. Step it once an
    epoch instead where `steps` counts epochs.

    Raises `ValueError` for an unknown `how` and for numbers outside their ranges.

    >>> import torch
    >>> from course_utils.lr_schedules import lr_schedule
    >>> optimizer = torch.optim.SGD(torch.nn.Linear(8, 5).parameters(), lr=0.1)
    >>> scheduler = lr_schedule(optimizer, "cosine", steps=4)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.1, 0.085, 0.05, 0.015]
    """
    if how not in SCHEDULES:
        raise ValueError(f"how must be one of {', '.join(SCHEDULES)}, got {how!r}")
    if warmup == 1:
        raise ValueError("warmup must be below 1: no step would be left for the rest")
    if how == "one-cycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, rates, total_steps=steps, pct_start=warmup or 0.3)
    climb = round(warmup * steps)
    rest = _rest(optimizer, how, steps - climb, drops)
    if not climb:
        return rest
    up = LinearLR(optimizer, _START, total_iters=climb)
    return SequentialLR(optimizer, [up, rest], milestones=[climb])


def _rest(optimizer: Optimizer, how: str, steps: whole(2), drops: Count) -> LRScheduler:
    if how == "constant":
        return ConstantLR(optimizer, 1.0)
    if how == "step":
        return StepLR(optimizer, max(1, -(-steps // drops)), gamma=0.1)
    return CosineAnnealingLR(optimizer, steps)
