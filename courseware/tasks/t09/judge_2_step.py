"""09.2: the right step, and what it is made of; each part can be put in wrong."""

from __future__ import annotations

import torch

PASS = "the teacher's pass builds no graph"


def _answers(teacher, images):
    training = teacher.training
    with torch.no_grad():
        answers = teacher.eval()(images)
    teacher.train(training)
    return answers


def solution(
    student,
    teacher,
    optimizer,
    images,
    labels,
    loss,
    *,
    hand=lambda logits, answers: (logits, answers),
    zero=True,
    steps=1,
):
    answers = _answers(teacher, images)
    value = loss(*hand(student.train()(images), answers), labels)
    if zero:
        optimizer.zero_grad()
    value.backward()
    for _ in range(steps):
        optimizer.step()
    return value.item()
