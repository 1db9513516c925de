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

    >>> import torch
    >>> from course_utils.distillation import distillation_parts
    >>> student, teacher = torch.zeros(1, 2), torch.tensor([[4.0, 0.0]])
    >>> parts = distillation_parts(student, teacher, torch.tensor([0]), T=4.0, alpha=0.5)
    >>> [round(part.item(), 3) for part in parts]
    [0.693, 1.775, 1.234]
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

    >>> import torch
    >>> from course_utils.distillation import distillation_loss
    >>> student, teacher = torch.zeros(2, 5), torch.tensor([[4.0, 2.0, 0, 0, 0]] * 2)
    >>> loss = distillation_loss(student, teacher, torch.tensor([0, 1]), T=4.0, alpha=0.7)
    >>> round(loss.item(), 3)
    1.528
    >>> distillation_loss(student, teacher[:, :3], torch.tensor([0, 1]))
    Traceback (most recent call last):
        ...
    ValueError: the student gives logits (2, 5), the teacher (2, 3): both must know the
    same classes. Replace the teacher's head and train it on them
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
    """Return hard part, soft part (with its T²) and total of `distillation_loss`.

    >>> import torch
    >>> from course_utils.distillation import distillation_parts
    >>> logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    >>> parts = distillation_parts(logits, logits, labels)
    >>> round(parts.hard.item(), 3), round(parts.soft.item(), 3)
    (2.127, 0.0)
    """
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
    """Return the probabilities at temperature T (above 0): softmax(logits / T), (…, C).

    >>> import torch
    >>> from course_utils.distillation import soft_targets
    >>> logits = torch.tensor([6.0, 3.0, 0.0])
    >>> [round(p, 2) for p in soft_targets(logits, T=1.0).tolist()]
    [0.95, 0.05, 0.0]
    >>> [round(p, 2) for p in soft_targets(logits, T=4.0).tolist()]
    [0.59, 0.28, 0.13]
    """
    check_argument(T, Positive, "T")
    return torch.softmax(logits / T, dim=-1)


def entropy_bits(probabilities: Tensor) -> Tensor:
    """Return the entropy of distributions (…, C) in bits, (…): 0 to log2 of C.

    >>> import torch
    >>> from course_utils.distillation import entropy_bits
    >>> entropy_bits(torch.tensor([[0.25] * 4, [1.0, 0.0, 0.0, 0.0]]))
    tensor([2., 0.])
    """
    return torch.special.entr(probabilities).sum(-1) / math.log(2)


def odds_against(logits: Tensor, T: float) -> Tensor:
    """Return how many times likelier the best class is than each, at T: (…, C), from 1.

    It is reckoned from the logits, so it stays right where a probability rounds to 0.

    >>> import torch
    >>> from course_utils.distillation import odds_against
    >>> odds = odds_against(torch.tensor([6.0, 3.0, 0.0]), T=3.0)
    >>> [round(times, 1) for times in odds.tolist()]
    [1.0, 2.7, 7.4]
    """
    check_argument(T, Positive, "T")
    return ((logits.max(-1, keepdim=True).values - logits) / T).exp()


def soft_gradient(student_logits: Tensor, teacher_logits: Tensor, T: float) -> Tensor:
    """Return the gradient of one picture's KL by the student's logits, without T².

    That is (p_student − p_teacher) / T with the probabilities at T, (…, C); times T² it
    is what `distillation_loss` adds (Hinton et al., 2015, section 2).

    >>> import torch
    >>> from course_utils.distillation import soft_gradient
    >>> student, teacher = torch.zeros(2), torch.tensor([4.0, 0.0])
    >>> [round(value, 3) for value in soft_gradient(student, teacher, T=4.0).tolist()]
    [-0.058, 0.058]
    """
    student, teacher = (soft_targets(z, T) for z in (student_logits, teacher_logits))
    return (student - teacher) / T


def check_mixture(T: float, alpha: float) -> None:
    """Raise `ValueError` for a temperature or a teacher's share outside their ranges."""
    check_argument(T, Positive, "T")
    check_argument(alpha, Share, "alpha")


def check_logits(student: Tensor, teacher: Tensor, labels: Tensor) -> None:
    """Raise `ValueError` for logits that are not (B, C), or labels that no class has.

    >>> import torch
    >>> from course_utils.distillation import check_logits
    >>> check_logits(torch.zeros(2, 5), torch.zeros(2, 5), torch.tensor([0, 5]))
    Traceback (most recent call last):
        ...
    ValueError: labels run from 0 to 5, but the head has 5 classes (0 to 4):
    replace the head
    """
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
