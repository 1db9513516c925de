"""The nets whose stages exercise 05 freezes and wakes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def resnet() -> nn.Module:
    """Return a test_resnet with random weights."""
    return timm.create_model("test_resnet", num_classes=5)


def staged() -> nn.Module:
    """Return stages whose names begin alike, a list of blocks, and a lone parameter."""
    blocks = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 4))
    first = {"stage1": nn.Linear(6, 6), "stage10": nn.Linear(6, 6)}
    net = nn.Sequential(OrderedDict(**first, blocks=blocks, fc=nn.Linear(4, 3)))
    net.scale = nn.Parameter(torch.ones(4))
    return net


class BatchNormRelu2d(nn.BatchNorm2d):
    """BatchNorm with its activation, as some nets have it: a subclass."""

    def forward(self, x):
        return super().forward(x).relu()


def mixed() -> nn.Module:
    """Return a net with BatchNorm of every kind: deep, as a whole stage, without weights.

    Names of stages begin alike, and a part of a stage can be named as one.
    """
    deep = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Sequential(nn.BatchNorm2d(4)))
    others = nn.Dropout2d(), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)
    bare = nn.BatchNorm1d(6, affine=False)
    stages = {
        "volume": nn.Sequential(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2)),
        "norm": nn.BatchNorm2d(4),
        "norm2": nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)),
        "maps": nn.Sequential(deep, *others, BatchNormRelu2d(4)),
        "rows": nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.LayerNorm(6)),
        "fc": nn.Sequential(nn.Linear(6, 6), bare, nn.Dropout(), nn.Linear(6, 3)),
    }
    return nn.Sequential(OrderedDict(stages))


def batchnorms(model: nn.Module) -> dict[str, nn.Module]:
    """Return the BatchNorm layers of a model, by name."""
    return {
        n: layer for n, layer in model.named_modules() if isinstance(layer, _BatchNorm)
    }


def is_in(name: str, stages) -> bool:
    """Tell whether a layer or parameter is one of some stages, or inside of one."""
    return f"{name}.".startswith(tuple(f"{stage}." for stage in stages))


def is_another(value: Any, model: nn.Module) -> bool:
    """Tell whether what came back is another model than the one that was given."""
    return isinstance(value, nn.Module) and value is not model
