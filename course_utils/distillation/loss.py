"""The loss of distillation, and what a teacher's soft targets tell."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from course_utils.arguments import Positive, Share, check_argument, checked
from course_utils.features import check_one_task
from course_utils.training import check_labels


class DistillationParts(NamedTuple):
    """The loss and its two parts, each a mean over the batch.

    `hard` is the cross-entropy with the labels, `soft` the divergence from the teacher
    times T², and `total` is alpha · soft + (1 − alpha) · hard.
    """

    hard: Tensor
    soft: Tensor
    total: Tensor


@checked(own=("student_logits", "teacher_logits", "labels"))
def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    T: Positive = 4.0,
    alpha: Share = 0.7,
) -> Tensor:
    """Return alpha · T² · KL(teacher ‖ student) + (1 − alpha) · cross-entropy.

    Both logits are (B, C), labels (B,). The divergence is between the softmax of both
    logits over the temperature T (above 0), summed over classes, mean over the batch;
    `alpha` (0 to 1) is the teacher's share. Logits of half precision are reckoned with in
    float32. No gradient reaches the teacher. That of the soft part by the student's logits
    is alpha · T · (p_student − p_teacher) / B, where p are the probabilities at T: they
    differ by about 1/T, so that without T² it would shrink like 1/T², and with it T may be
    changed while the shares stay.

    Raises `ValueError` for other shapes, labels that no class has, T or alpha outside
    their ranges. Hinton, Vinyals and Dean, 2015, https://arxiv.org/abs/1503.02531
    """
    return distillation_parts(
        student_logits, teacher_logits, labels, T=T, alpha=alpha
    ).total


def distillation_parts(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    *,
    T: Positive = 4.0,
    alpha: Share = 0.7,
) -> DistillationParts:
    """Return hard part, soft part (with its T²) and total of `distillation_loss`."""
    check_mixture(T, alpha)
    check_logits(student_logits, teacher_logits, labels)
    student_logits, teacher_logits = map(_full, (student_logits, teacher_logits))
    soft = T**2 * functional.kl_div(
        functional.log_softmax(student_logits / T, dim=1),
        functional.log_softmax(teacher_logits.detach() / T, dim=1),
        reduction="batchmean",  # "mean" would divide by the number of classes too
        log_target=True,  # no logarithm of probabilities that have become 0
    )
    hard = functional.cross_entropy(student_logits, labels.long())
    return DistillationParts(hard, soft, alpha * soft + (1 - alpha) * hard)


def soft_targets(logits: Tensor, T: float) -> Tensor:
    """Return the probabilities at temperature T (above 0): softmax(logits / T), (…, C)."""
    check_argument(T, Positive, "T")
    return torch.softmax(logits / T, dim=-1)


def entropy_bits(probabilities: Tensor) -> Tensor:
    """Return the entropy of distributions (…, C) in bits, (…): 0 to log2 of C."""
    return torch.special.entr(probabilities).sum(-1) / math.log(2)


def odds_against(logits: Tensor, T: float) -> Tensor:
    """Return how many times likelier the best class is than each, at T: (…, C), from 1.

    It is reckoned from the logits, so it stays right where a probability rounds to 0.
    """
    check_argument(T, Positive, "T")
    return ((logits.max(-1, keepdim=True).values - logits) / T).exp()


def soft_gradient(student_logits: Tensor, teacher_logits: Tensor, T: float) -> Tensor:
    """Return the gradient of one picture's KL by the student's logits, without T².

    That is (p_student − p_teacher) / T with the probabilities at T, (…, C); times T² it
    is what `distillation_loss` adds (Hinton et al., 2015, section 2).
    """
    student, teacher = (soft_targets(z, T) for z in (student_logits, teacher_logits))
    return (student - teacher) / T


def check_mixture(T: float, alpha: float) -> None:
    """Raise `ValueError` for a temperature or a teacher's share outside their ranges."""
    check_argument(T, Positive, "T")
    check_argument(alpha, Share, "alpha")


def check_logits(student: Tensor, teacher: Tensor, labels: Tensor) -> None:
    """Raise `ValueError` for logits that are not (B, C), or labels that no class has."""
    check_tensor(student, "student")
    check_tensor(teacher, "teacher")
    check_one_task(labels)
    check_argument(labels, Tensor, "labels, class indices (B,),")
    if student.ndim != 2 or not len(student):
        raise ValueError(f"logits must be (B, C), got shape {tuple(student.shape)}")
    if student.shape != teacher.shape:
        raise ValueError(
            f"the student gives logits {tuple(student.shape)}, the teacher "
            f"{tuple(teacher.shape)}: both must know the same classes. Replace the "
            "teacher's head and train it on them"
        )
    if labels.shape != student.shape[:1]:
        raise ValueError(
            f"labels must be ({len(student)},) as the logits are {tuple(student.shape)}, "
            f"got {tuple(labels.shape)}"
        )
    check_labels(labels, student.shape[1])


def check_tensor(logits: Any, who: str) -> None:
    """Raise `ValueError` for an answer that is not one tensor of logits."""
    if not isinstance(logits, Tensor):
        raise ValueError(
            f"the {who} gives a {type(logits).__name__}, not logits (B, C): distillation "
            "is for one task. Hand over a net with one head, or write a step that takes "
            "each task's logits by itself"
        )


def _full(logits: Tensor) -> Tensor:
    """Half precision becomes float32: T² would magnify its rounding."""
    return logits.float() if logits.dtype.itemsize < 4 else logits
