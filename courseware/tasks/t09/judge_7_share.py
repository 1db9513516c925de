"""09.7: the right share; each of its parts can be put in wrong."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def part(a, b):
    """The first as a part of the whole."""
    return a / (a + b)


def solution(
    student,
    teacher,
    labels,
    reduction,
    times,
    *,
    kl=F.kl_div,
    hard=F.cross_entropy,
    of=lambda term, logits: torch.autograd.grad(term, logits)[0],
    share=lambda a, b: part(a.norm(), b.norm()),
):
    logits = student.clone().requires_grad_()
    own, told = logits.log_softmax(1), teacher.log_softmax(1)
    soft = times * kl(own, told, reduction=reduction, log_target=True)
    a, b = (of(term, logits) for term in (soft, hard(logits, labels)))
    return share(a, b).item()
