"""C11 and C12: what a teacher gives, and what T² is for.

The teacher is the bundled resnet10t, fine-tuned on the same pictures as the student
(AdamW at 1e-3); the student sees its answers at T = 4 with alpha = 0.7, the package's
defaults. Both arms try the same rates and keep the model that does best on validation
pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.distillation import (
    CachedDistillationStep,
    Teacher,
    cached_logits,
    distillation_parts,
)
from course_utils.runtime import seed_everything
from course_utils.training import fit, make_loader
from course_utils.weights import load_backbone
from courseware.claims.adaptations import RATES, Task
from courseware.claims.protocol import Bar, Protocol, Rows

STUDENT, TEACHER = "test_resnet", "resnet10t"
TARGETS = ("flowers", "cells")
CASES = {  # what the student begins with, its pictures, and both nets' epochs
    "pretrained, 20 a class": {"weights": "bundled", "per_class": 20, "epochs": 12,
                               "teacher_epochs": 10, "rates": RATES},
    "scratch, 100 a class": {"weights": "random", "per_class": 100, "epochs": 12,
                             "teacher_epochs": 4, "rates": (1e-3, 3e-3)},
}  # fmt: skip


# -- C11 ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class StudentTask(Task):
    """A student, its pictures, what it begins with, and perhaps a teacher's answers."""

    weights: str = "bundled"
    teacher: nn.Module | None = None

    def new(self) -> nn.Module:
        seed_everything(self.seed)
        classes = len(self.data.classes)
        return load_backbone(self.net, weights=self.weights, num_classes=classes)

    def train(self, model: nn.Module, optimizer, *, callbacks: Iterable = ()) -> None:
        if self.teacher is None:
            return super().train(model, optimizer, callbacks=callbacks)
        teacher = Teacher(self.teacher, student_transform=self.pictures.transform)
        taught = cached_logits(teacher, self.pictures)
        loader = make_loader(
            taught, batch_size=self.batch_size, shuffle=True, seed=self.seed
        )
        fit(model, loader, None, optimizer=optimizer, epochs=self.epochs,
            step=CachedDistillationStep(), progress=False)  # fmt: skip


def measure_c11(
    seed: int, *, targets: Iterable[str] = TARGETS, cases: Iterable[str] = tuple(CASES)
) -> Rows:
    """A student alone, and with a teacher's answers; 12 epochs, the same pictures."""
    rows: Rows = {}
    for name in targets:
        for case in cases:
            for quantity, value in _student_and_teacher(name, seed, **CASES[case]):
                rows[f"{name}/{case}/{quantity}"] = value
    return rows


def _student_and_teacher(
    name: str, seed: int, *, weights, per_class, epochs, teacher_epochs, rates
) -> Iterator[tuple[str, float]]:
    lesson = Task.draw(TEACHER, name, seed, per_class=per_class, epochs=teacher_epochs)
    teacher = lesson.tuned(1e-3).eval()
    yield "teacher", lesson.score(teacher)
    scores = {}
    for arm, its in (("alone", None), ("taught", teacher)):
        task = StudentTask.draw(STUDENT, name, seed, per_class=per_class,
                                epochs=epochs, weights=weights, teacher=its)  # fmt: skip
        scores[arm] = task.score(task.best(rates))
        yield arm, scores[arm]
    yield "gain", 100 * (scores["taught"] - scores["alone"])


# -- C12 ----------------------------------------------------------------------------------

TEMPERATURES = (1, 2, 4, 8)
SIZES = {"small": 0.2, "usual": 5.0}  # standard deviation of the logits


def measure_c12(seed: int) -> Rows:
    """Length of the soft part's gradient without T², times T², as a share of that at 1.

    Normal logits in float64, 200 pictures, 10 classes, student and teacher alike:
    `small` ones (standard deviation 0.2), for which the derivation holds, and `usual`
    ones (5), such as trained nets give. 1 means a fall as 1/T².
    """
    generator = torch.Generator().manual_seed(seed)
    rows: Rows = {}
    for name, size in SIZES.items():
        student, teacher = (
            size * torch.randn(200, 10, generator=generator, dtype=torch.float64)
            for _ in range(2)
        )
        lengths = {T: _soft_gradient(student, teacher, T) for T in TEMPERATURES}
        for T in TEMPERATURES:
            rows[f"{name}/T={T}"] = T**2 * lengths[T] / lengths[1]
    return rows


def _soft_gradient(student: Tensor, teacher: Tensor, T: float) -> float:
    """Length of the gradient of the divergence alone, its T² taken off."""
    student = student.clone().requires_grad_()
    labels = torch.zeros(len(student), dtype=torch.long)
    soft = distillation_parts(student, teacher, labels, T=T).soft / T**2
    (gradient,) = torch.autograd.grad(soft, student)
    return gradient.norm().item()


PROTOCOLS = (
    Protocol(
        "C11",
        "A student with a teacher ends above the same student alone.",
        "interval of the gain above 0, for every target and case",
        measure_c11,
        ("data", "case"),
        (Bar("*/gain", low=0),),
        costly=True,
        looseness=4,
        weights="*es*net*.safetensors",
        recheck={"targets": ("flowers",), "cases": ("pretrained, 20 a class",)},
    ),
    Protocol(
        "C12",
        "Without T², the soft part's gradient shrinks as 1/T².",
        "within 10 % at T = 1, 2, 4, 8, for small logits",
        measure_c12,
        ("logits",),
        (Bar("small/*", low=0.9, high=1.1),),
        weights="",
        gate="*",
    ),
)
