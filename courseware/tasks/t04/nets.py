"""The nets that exercise 04 is tried on."""

from __future__ import annotations

import timm
import torch
from torch import nn


def resnet(num_classes: int = 6, seed: int = 0) -> nn.Module:
    """Return a test_resnet with random weights."""
    torch.manual_seed(seed)
    return timm.create_model("test_resnet", num_classes=num_classes)


def pictures(count: int, seed: int) -> torch.Tensor:
    """Return random pictures (N, 3, 64, 64) from 0 to 1."""
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


class TinyBackbone(nn.Module):
    """Another architecture with a head `fc`, of another width."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 5, stride=4)
        self.fc = nn.Linear(10, 7)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


class BatchNormAct(nn.BatchNorm2d):
    """A BatchNorm of a class of its own, as timm has them."""

    def forward(self, x):
        return super().forward(x).relu()


class Mixed(nn.Sequential):
    """A net with dropout, a BatchNorm inside of a block, another one, and a LayerNorm."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 4, 3, stride=8),
            nn.Sequential(BatchNormAct(4), nn.Dropout(0.5)),
            nn.Flatten(),
            nn.Linear(4 * 8 * 8, 3),
            nn.BatchNorm1d(3),
            nn.LayerNorm(3),
        )
