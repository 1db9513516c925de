"""A student that never saw a class: the class left out, and its bias put right.

Hinton et al., 2015, section 3: the teacher's answers teach what the missing class looks
like, but also that it never comes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset

from course_utils.arguments import checked
from course_utils.datasets import labels_of
from course_utils.distillation import check_logits
from course_utils.heads import Head, find_heads


@checked
def without_class(dataset: Dataset, k: int) -> Dataset:
    """Return the dataset without the pictures of class `k`; class indices stay.

    Raises `ValueError` where there are none, or nothing else.
    """
    labels = labels_of(dataset)
    keep = (labels != k).nonzero()[:, 0].tolist()  # (N,) -> places
    if len(keep) == len(labels):
        known = ", ".join(map(str, sorted(set(labels.tolist()))))
        raise ValueError(f"no picture has class {k}; classes are {known}")
    if not keep:
        raise ValueError(f"every picture has class {k}: nothing would be left")
    return dataset.subset(keep) if hasattr(dataset, "subset") else Subset(dataset, keep)


class BestBias(NamedTuple):
    """What to add to a class's logit, and the accuracies (0 to 1) that this gives.

    `recall` is the share of the class's own pictures that are then found.
    """

    shift: float
    accuracy: float
    recall: float
    accuracy_before: float
    recall_before: float


@checked
def best_bias(logits: Tensor, labels: Tensor, k: int) -> BestBias:
    """Find the shift of class `k`'s bias that gives the best accuracy, exactly.

    A student that never saw a class learns from its teacher what it looks like, but also
    that it never comes: its bias is too low (Hinton et al., 2015, section 3, who raised
    that of the 3s by 3.5). `logits` are (N, C), `labels` (N,); every shift at which some
    answer changes is tried; of equals, the one nearest to 0. Choose it on val, report on
    test.
    """
    check_logits(logits, logits, labels)
    if logits.isnan().any():
        raise ValueError("logits hold NaN: no bias can be judged by them")
    if not 0 <= k < logits.shape[1]:
        raise ValueError(f"k must be a class from 0 to {logits.shape[1] - 1}, got {k}")
    if not (labels == k).any():
        raise ValueError(f"no picture has class {k}: its bias cannot be judged")
    scores, truth = logits.detach().double().cpu(), labels.cpu()
    others = scores.clone()
    others[:, k] = -torch.inf
    best = others.max(1)  # values, and which of the other classes they belong to
    needed = best.values - scores[:, k]  # a larger shift makes the answer k
    shifts = _between(needed)
    right = _right_after(shifts, needed, (truth == k).long(), best.indices == truth)
    winners = shifts[right == right.max()]
    shift = winners[winners.abs().argmin()].item()
    before, after = scores.argmax(1), torch.where(shift > needed, k, best.indices)
    return BestBias(shift, *_scores(after, truth, k), *_scores(before, truth, k))


@checked
def shift_bias(model: nn.Module, k: int, shift: float) -> nn.Module:
    """Add `shift` to the bias of class `k` in the model's head, in place."""
    head = next(iter(find_heads(model).values()))
    last = [layer for layer in head.modules() if isinstance(layer, Head)][-1]
    if last.bias is None:
        raise ValueError(f"the head of {type(model).__name__} has no bias to shift")
    if not 0 <= k < len(last.bias):
        raise ValueError(f"k must be a class from 0 to {len(last.bias) - 1}, got {k}")
    with torch.no_grad():
        last.bias[k] += shift
    return model


def _between(thresholds: Tensor) -> Tensor:
    """Shifts that lie between all thresholds and beyond both ends, and 0."""
    ordered = thresholds.unique()  # sorted
    ends = ordered[:1] - 1, ordered[-1:] + 1
    middles = (ordered[:-1] + ordered[1:]) / 2
    return torch.cat([*ends, middles, ordered.new_zeros(1)])


def _right_after(
    shifts: Tensor, needed: Tensor, is_k: Tensor, otherwise: Tensor
) -> Tensor:
    """How many more answers are right at each shift than where nothing is called k."""
    ordered = needed.sort()
    gains = (is_k - otherwise.long())[ordered.indices].cumsum(0)
    gains = torch.cat([gains.new_zeros(1), gains])  # of the first 0, 1, … N pictures
    return gains[torch.searchsorted(ordered.values, shifts)]


def _scores(answers: Tensor, truth: Tensor, k: int) -> tuple[float, float]:
    """Accuracy, and the share of class k that is found."""
    right = (answers == truth).double()
    return right.mean().item(), right[truth == k].mean().item()
