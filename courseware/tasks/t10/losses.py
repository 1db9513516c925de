"""The solution of 10.3, which can be bent."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def sum_of(x, y, rows):
    return F.cross_entropy(x[rows], y[rows], reduction="sum")


def mean_of(x, y, rows):
    return sum_of(x, y, rows) / rows.sum().clamp(min=1)


def solution(logits, labels, rule=lambda x, y: mean_of(x, y, y != -1)):
    return {task: rule(logits[task], truth) for task, truth in labels.items()}


def complete_only(logits, labels):
    rows = torch.stack([truth != -1 for truth in labels.values()]).all(0)
    return solution(logits, labels, lambda x, y: mean_of(x, y, rows))
