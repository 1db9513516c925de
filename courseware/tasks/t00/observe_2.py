"""00.2: the accuracy of a few batches."""

import torch
from torch.nn.functional import one_hot

from courseware.grading.observing import Case, generator

# Ten pictures of three classes, six of them recognised.
_LABELS = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
_LARGEST = torch.tensor([1, 2, 0, 0, 0, 0, 1, 1, 1, 2])


def cases(seed):
    draw = generator(seed + 7)
    row = torch.cat([torch.arange(3), 3 + torch.randperm(7, generator=draw)])
    largest = _LARGEST[row]
    logits = 2.0 * one_hot(largest, 3) + one_hot((largest + 1) % 3, 3)
    logits[0, 1], logits[1, 2] = 3.0, 2.5
    small = torch.tensor([[0.0, 1.0], [0.2, 0.9], [0.8, 0.1]])
    for x, labels in (
        _many(draw),
        (logits, _LABELS[row]),
        (small, torch.tensor([1, 1, 1])),
        (torch.randn(12, 12, generator=draw) - 4, torch.arange(12)),
        (torch.randn(40, 5, generator=draw), torch.arange(40) % 5),
    ):
        given = f"logits of shape {tuple(x.shape)}"
        yield Case(given, logits=x, labels=labels)


def _many(draw):
    """Pictures enough that two ways to reckon hardly give the same share."""
    labels = torch.randint(5, (251,), generator=draw)
    labels[:3] = torch.tensor([1, 0, 3])
    x = torch.randn(251, 5, generator=draw) + 1.5 * one_hot(labels, 5)
    x += torch.tensor([0.0, 1.0, -1.0, 0.5, -0.5])
    x[0, 1], x[2] = 9.0, 3.0 * one_hot(labels[2], 5)  # so mistakes give more than 0
    return x, labels


def observe(accuracy, case, seen):
    seen.note("the accuracy", seen.call(accuracy, case.logits, case.labels))
