"""The nets that exercise 10 is tried on, and what losses give to parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from courseware.grading.observing import generator


def pictures(count: int, seed: int) -> Tensor:
    """Return random pictures (N, 3, 2, 2)."""
    return torch.randn(count, 3, 2, 2, generator=generator(seed))


class Backbone(nn.Module):
    """A backbone that counts its passes, and can be told what features to give."""

    def __init__(self, width: int, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(12, width), nn.BatchNorm1d(width), nn.Tanh()
        )
        self.passes, self.told = 0, None

    def forward(self, images):
        self.passes += 1
        return self.body(images) if self.told is None else self.told


class TwoTasks(nn.Module):
    """A backbone and two heads, whose tasks pull apart if asked for."""

    def __init__(
        self, seed: int, *, names: Sequence[str], apart: bool, freeze: bool, drop: float
    ):
        super().__init__()
        torch.manual_seed(seed)
        stem = nn.Flatten(), nn.Linear(12, 8).requires_grad_(not freeze)
        body = (
            nn.BatchNorm1d(8),
            nn.Tanh(),
            nn.Linear(8, 6),
            nn.ReLU(),
            nn.Dropout(drop),
        )
        self.backbone = nn.Sequential(*stem, *body)
        heads = [nn.Sequential(nn.Dropout(drop), nn.Linear(6, 3)) for _ in range(2)]
        one, other = (head[1].weight.data for head in heads)
        if apart:  # one head is nearly the opposite of the other
            other.mul_(0.2).sub_(one)
        self.heads = nn.ModuleDict(zip(names, heads, strict=True))
        self.trained = []  # was a layer in train mode, pass by pass

    def forward(self, images):
        self.trained.append(any(module.training for module in self.modules()))
        features = self.backbone(images)
        return {task: head(features) for task, head in self.heads.items()}


def gradients(losses: Sequence[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return what losses give to each parameter: zeros where none reaches it."""
    for parameter in parameters:
        parameter.grad = None
    torch.autograd.backward([x for x in losses if x.requires_grad], retain_graph=True)
    return [(0 * p.detach() if p.grad is None else p.grad).double() for p in parameters]
