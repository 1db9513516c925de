"""09.1: the loss, and where its gradient goes."""

from __future__ import annotations

import torch
from torch import Tensor

from courseware.grading.observing import Case
from courseware.tasks.t09.logits import three


def cases(seed):
    more = seed % 3
    for i, ((size, classes), spread, T, alpha) in enumerate(
        (
            ((4, 7), 2.0, 4.0 + more, 0.7 - 0.05 * more),
            ((7, 3), 3.0, 1.5, 0.2),
            ((5, 5), 1.0, 2.5, 0.5),
            ((2, 9), 1.0, 0.5, 1.0),
            ((3, 4), 2.0, 8.0, 0.0),
            ((4, 5), 150.0, 1.0, 0.7),
            ((4, 5), 150.0, 4.0, 0.7),
            ((4, 5), 150.0, 0.5, 0.7),
        )
    ):
        shape, far = (size + more, classes), spread > 100
        logits = "logits hundreds apart" if far else f"logits of shape {shape}"
        inputs = *three(100 * seed + i + 1, shape, spread), T, alpha
        given = f"{logits}, T = {T:g}, alpha = {alpha:g}"
        yield Case(given, hidden=i in (2, 3, 4), far=far, inputs=inputs)


def observe(kd_loss, case, seen):
    student, teacher, *rest = case.inputs
    loss = seen.call(kd_loss, student.clone().requires_grad_(), teacher, *rest)
    seen.require("the loss", loss, Tensor)
    seen.notes({"the shape of the loss": list(loss.shape), "the loss": loss.tolist()})
    student, teacher = (
        logits.clone().requires_grad_() for logits in (student, teacher)
    )
    # Called without arguments, so that the graph leads to these very tensors.
    answers = teacher * 1
    loss = seen.call(lambda: kd_loss(student, answers, *rest))
    own, its = seen.call(lambda: _gradients(loss, (student, teacher)))
    seen.notes(
        {
            "a gradient reaches the student's logits": own is not None,
            "no gradient reaches the teacher's logits": its is None,
            "the gradient by the student's logits": own,
            "the teacher's logits keep their graph": answers.requires_grad,
        }
    )


def _gradients(loss, of):
    if not loss.requires_grad:
        return None, None
    return torch.autograd.grad(loss, of, allow_unused=True)
