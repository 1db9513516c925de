"""09.4: the right answers, and tests of what became of them."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import DataLoader

SHAPE = "the shape of the answers"
TYPES = {  # what is wrong, by what was returned
    "list": "Return one tensor (N, C): put the batches together with `torch.cat`.",
    "tuple": "The logits alone are asked for, as one tensor (N, C): nothing beside them.",
    "ndarray": "That is NumPy's: return the tensor itself, without `.numpy()`.",
}


def solution(teacher, dataset, *, keep=lambda logits: logits):
    if dataset.augmented:
        raise ValueError("the pictures change: ask each time")
    training = teacher.training
    teacher.eval()
    with torch.inference_mode():
        answers = [teacher(images) for images, _ in DataLoader(dataset, batch_size=64)]
    teacher.train(training)
    return keep(torch.cat(answers).float())


def too_few(test):
    """A mistake that shows in how many rows there are, of how many."""
    return lambda it: (
        it.fact == SHAPE
        and it.got[1:] == it.right[1:]
        and it.got[0] < it.right[0]
        and test(it.got[0], it.right[0])
    )


def like_the_right(change, atol):
    """A mistake that shows in answers which are right once both sides are changed."""
    return lambda it: (
        it.fact.startswith("the answers")
        and np.allclose(change(it.got.values), change(it.right.values), atol=atol)
    )
