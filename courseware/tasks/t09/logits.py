"""The logits that exercise 09 is tried on."""

from __future__ import annotations

import torch
from torch import Tensor

from courseware.grading.observing import generator


def three(seed: int, shape: tuple[int, int], spread: float) -> list[Tensor]:
    """Return logits of a student and a teacher (B, C), and labels (B,)."""
    draw = generator(seed)
    student, teacher = spread * torch.randn(2, *shape, generator=draw)
    return [student, teacher, torch.randint(shape[1], shape[:1], generator=draw)]


def peaked(seed: int, shape: tuple[int, int], *, spread: float, lift: float) -> Tensor:
    """Return logits (B, C) whose rows mostly prefer the same class, by `lift`."""
    logits = spread * torch.randn(*shape, generator=generator(seed))
    logits[:, 1] += lift
    return logits
