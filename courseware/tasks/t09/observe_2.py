"""09.2: how both nets were run, what the loss was given, and what became of the nets."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector

from courseware.grading.observing import Case
from courseware.grading.values import ModelRecord
from courseware.tasks.t09.nets import modes_of, small_net, teacher_net, watch


def cases(seed):
    for i, (teacher, drops, student) in enumerate(
        (("train", False, "train"), ("eval", False, "eval"), ("train", True, "eval")), 1
    ):
        more = " and dropout" if drops else ""
        given = f"teacher in {teacher} mode, with BatchNorm{more}; student in {student}"
        training = {"teacher": teacher == "train", "student": student == "train"}
        yield Case(f"{given} mode", seed=10 * seed + i, drops=drops, training=training)


def observe(teach, case, seen):
    torch.manual_seed(case.seed)
    teacher = teacher_net(training=case.training["teacher"], drops=case.drops)
    student = small_net(4).train(case.training["student"])
    for parameter in student.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.2, momentum=0.9)
    images, labels = torch.randn(6, 3, 4, 4), torch.randint(5, (6,))
    asked, taught, calls = watch(teacher), watch(student), []
    before = parameters_to_vector(student.parameters())

    def loss(student_logits, teacher_logits, labels):
        calls.append((student_logits, teacher_logits, labels))
        own, its = student_logits.softmax(1), teacher_logits.softmax(1)
        hard = F.cross_entropy(student_logits, labels)
        # Steep, so that a clipped gradient is another one with every seed.
        return 30 * F.mse_loss(own, its) + 4 * hard

    # The student is bound, for it is to change: `keeps` looks at the teacher alone.
    bound = partial(teach, student) if callable(teach) else teach
    rest = optimizer, images, labels, loss
    got = seen.call(bound, teacher, *rest, keeps=ModelRecord.KINDS)
    logits, answers, named = calls[0] if calls else (None, None, None)
    seen.notes(
        {
            "the loss that was given is called": bool(calls),
            "the modes in which the teacher answers": modes_of(asked, "eval"),
            "the teacher's pass builds no graph": not any(run.graph for run in asked),
        }
    )
    seen.settle()
    after = parameters_to_vector(student.parameters())
    seen.notes(
        {
            "the teacher's answers, as the loss is given them": answers,
            "these answers carry no graph": not _has_graph(answers),
            "the modes in which the student answers": modes_of(taught, "train"),
            "the student's logits, as the loss is given them": logits,
            "the labels, as the loss is given them": named,
            "the student moves": not torch.equal(after, before),
            "the student's weights": after,
            "the student's statistics": student[1].running_mean,
            "the loss that comes back carries no graph": not _has_graph(got),
            "the loss that comes back": got,
        }
    )


def _has_graph(value):
    return isinstance(value, Tensor) and value.requires_grad
