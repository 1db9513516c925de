"""Nets whose passes move a clock, for 02.1: what they cost is known."""

from __future__ import annotations

from collections import namedtuple
from itertools import chain, cycle

import torch
from torch import Tensor, nn

# Of neither six nor seven of these, from either end, is the median the mean, the
# middle one as they come, the last of seven, or the lowest; of six it is none of them
# at all.
QUICK = (0.04117, 0.04337, 0.04023, 0.08741, 0.11859, 0.04513, 0.04229)
SLOW = (0.9, 0.6, 0.5)

Pass = namedtuple("Pass", "training gradients shape")


class Log:
    """A clock that only forward passes move, and what happened."""

    def __init__(self):
        # For each net the seconds of the passes to come, and those that were made.
        self.now, self.seconds, self.passes = 3.0, {}, {"wide": [], "narrow": []}
        self.order: list[str | None] = []  # names of nets, and None for a reading

    def __deepcopy__(self, memo: dict) -> Log:
        return self  # a copied net reports to the same log

    def clock(self) -> float:
        """Return the seconds that have passed."""
        self.order.append(None)
        return self.now

    def timed_alone(self, name: str) -> int:
        """Count a net's passes that stand alone between two readings."""
        return list(
            zip(self.order, self.order[1:], self.order[2:], strict=False)
        ).count((None, name, None))


class Net(nn.Sequential):
    """A net that notes each of its passes."""

    def __init__(self, name: str, log: Log, width: int):
        torch.default_generator.manual_seed(width)
        body = nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU()
        pool = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        super().__init__(*body, *pool, nn.Dropout(0.5), nn.Linear(width, 12))
        self.name, self.log = name, log
        self[0].requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        self.log.now += next(self.log.seconds[self.name])
        self.log.order.append(self.name)
        training = any(module.training for module in self.modules())
        known = training, torch.is_grad_enabled(), tuple(images.shape)
        self.log.passes[self.name].append(Pass(*known))
        return super().forward(images.reshape(-1, *images.shape[-3:]))


def two_nets(log: Log, passes: int, warmup: int, seed: int) -> dict[str, Net]:
    """Return a slow wide net in train mode and a quick narrow one in eval mode.

    Their first passes are slow. Then the times come round again, so that of as many
    passes in a row the median is always the same.
    """
    quick, pace = QUICK[::-1][:passes], 1 + seed % 5 / 8
    times = {"wide": [2 * s for s in QUICK[:passes]], "narrow": quick}
    for name in times:
        seconds = chain(SLOW[:warmup], cycle(times[name]))
        log.seconds[name] = (pace * s for s in seconds)
    wide, narrow = Net("wide", log, 9 + seed % 3), Net("narrow", log, 6 + seed % 3)
    return {"wide": wide.train(), "narrow": narrow.eval()}
