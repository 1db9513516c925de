"""C11 and C12: what a teacher gives, and what T² is for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from course_utils.distillation import distillation_parts
from course_utils.probe import linear_probe
from courseware.claims.adaptations import LITE, Task, label
from courseware.claims.protocol import Bar, Protocol, Rows

# -- C11 ----------------------------------------------------------------------------------

STUDENT = "test_resnet"
TARGETS = ("flowers", "cells", "defects")
LABELLED, STEPS, SIDE = 100, 300, 96  # pictures, batches, the teacher's pixels
RATES = (1e-3, 3e-3, 1e-2)


def measure_c11(
    seed: int, *, targets: Iterable[str] = TARGETS, side: int = 64, device: str = "cpu"
) -> Rows:
    """A small student from random weights, 100 labels, and a teacher's answers.

    The teacher is a linear probe on EfficientNet-Lite0's features at 96 px, fitted to the
    100 labelled pictures. The student (test_resnet, 300 batches of 20, 64 px) learns from
    the 100 labels (`alone`), from the teacher's answers on the same pictures (`same`), from
    its answers on all training pictures, without a label (`unlabelled`), or from all
    their true labels (`ceiling`). Answers are softened at T = 4, and nothing but them is
    learned. Each arm keeps the best of three rates on 10 validation pictures a class.
    `share` is how much of the way from `alone` to `ceiling` the unlabelled go, in per cent.
    """
    rows: Rows = {}
    for name in targets:
        few = _student(name, seed, labelled=True, side=side, device=device)
        whole = _student(name, seed, labelled=False, side=side, device=device)
        taught, told = _teacher(name, seed, device)
        arms = {
            "alone": few,
            "same": replace(few, answers=told["few"]),
            "unlabelled": replace(whole, answers=told["all"]),
            "ceiling": whole,
        }
        found = {"teacher": taught}
        for arm, task in arms.items():
            model, found[f"rate {arm}"] = task.search(RATES, held=False)
            found[arm] = task.score(model)
        for arm in ("same", "unlabelled"):
            found[f"gain {arm}"] = 100 * (found[arm] - found["alone"])
        way = found["ceiling"] - found["alone"]
        found["share of the way"] = found["gain unlabelled"] / way
        rows |= {f"{label(name)}/{what}": value for what, value in found.items()}
    return rows


def _student(name: str, seed: int, *, labelled: bool, side: int, device: str) -> Task:
    return Task.draw(STUDENT, name, seed, per_class=_few(name) if labelled else None,
                     val_per_class=10, side=side, device=device, weights="random",
                     steps=STEPS, epochs=1)  # fmt: skip


def _few(name: str) -> int:
    """Pictures a class that are a hundred labels."""
    return LABELLED // Task.draw(STUDENT, name, 0).classes


def _teacher(name: str, seed: int, device: str) -> tuple[float, dict[str, Tensor]]:
    """A probe's test accuracy, and its answers (N, C) on the few and on all pictures."""
    task = Task.draw(LITE, name, seed, per_class=_few(name), side=SIDE, device=device)
    everything = Task.draw(LITE, name, seed, per_class=None, side=SIDE).pictures
    few = task.features(task.pictures)
    probe = linear_probe(*few)
    inputs = {"few": few, "all": task.features(everything)}
    answers = {
        which: torch.from_numpy(probe.decision_function(found.features.numpy())).float()
        for which, found in inputs.items()
    }
    return float(probe.score(*task.features(task.test))), answers


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
        "A student with 100 labels learns more from a teacher's answers on pictures that "
        "nobody labelled.",
        "gain above 0 over the 100 labels alone, for every target",
        measure_c11,
        ("data",),
        (Bar("*/gain unlabelled", low=0),),
        costly=True,
        looseness=4,
        weights="test_r*.safetensors",
        recheck={"targets": ("flowers",)},
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
