"""The solution of 10.3, which can be bent."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def sum_of(x, y, rows):
    return F.cross_entropy(x[rows], y[rows], reduction="sum", ignore_index=-1)


def mean_of(x, y, rows):
    return sum_of(x, y, rows) / rows.sum().clamp(min=1)


def solution(logits, labels, rule=lambda x, y: mean_of(x, y, y != -1)):
    return {task: rule(logits[task], truth) for task, truth in labels.items()}


def by_all_labels(logits, labels):
    known = sum((truth != -1).sum() for truth in labels.values())
    return solution(logits, labels, lambda x, y: sum_of(x, y, y != -1) / known)


def masked_alike(logits, labels, choose, rule=mean_of):
    """One mask for all tasks, chosen from theirs."""
    rows = choose(torch.stack([truth != -1 for truth in labels.values()]))
    return solution(logits, labels, lambda x, y: rule(x, y, rows))
