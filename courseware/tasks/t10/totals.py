"""The solution of 10.4, which can be bent."""

from __future__ import annotations

import torch
from torch import exp, nn


def total_of(s, losses, rule=lambda s, x: exp(-s) * x + s / 2):
    return sum(rule(s[task], losses[task]) for task in losses)


class UncertaintyLoss(nn.Module):
    """The solution; another `total` of s and losses, both by task, makes a wrong one."""

    def __init__(self, tasks, total=total_of):
        super().__init__()
        self.tasks, self.total = tasks, total
        self.s = nn.Parameter(torch.zeros(len(tasks)))

    def forward(self, losses):
        return self.total(dict(zip(self.tasks, self.s, strict=True)), losses)


def total(of):
    """A wrong solution by another total."""
    return lambda tasks: UncertaintyLoss(tasks, of)


def term(rule):
    """A wrong solution by another term of each task."""
    return total(lambda s, losses: total_of(s, losses, rule))


MEANS = (
    total(lambda s, x: total_of(s, x) / len(x)),
    total(lambda s, x: total_of(s, x) / len(s)),
)
by_place = total(lambda s, x: total_of(dict(zip(x, s.values(), strict=False)), x))
by_alphabet = total(
    lambda s, x: total_of(dict(zip(sorted(s), s.values(), strict=True)), x)
)
