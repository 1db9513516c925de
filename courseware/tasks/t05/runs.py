"""Small runs: a net of four stages, pictures, and a loader that watches the net."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@torch.no_grad()
def small(seed: int) -> nn.Module:
    """Make stem, stage1, stage2 and fc; BatchNorm has seen some pictures.

    So what a frozen net makes of a picture is of use.
    """
    torch.manual_seed(seed)
    blocks = {"stem": _block(3, 6), "stage1": _block(6, 6), "stage2": _block(6, 8)}
    end = {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(8, 3)}
    model = nn.Sequential(OrderedDict(blocks | end))
    for _ in range(20):
        model(pictures(24, seed).tensors[0])
    return model


def _block(width: int, out: int) -> nn.Sequential:
    conv = nn.Conv2d(width, out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())


def pictures(count: int, seed: int) -> TensorDataset:
    """Make noise with a tint for each of three classes; some are hard to tell."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    tint = 2.0 * nn.functional.one_hot(labels, 3)[..., None, None]
    noise = torch.randn(count, 3, 6, 6, generator=generator)
    shade = torch.randn(count, 3, 1, 1, generator=generator)
    return TensorDataset(tint + 0.5 * noise + 0.7 * shade, labels)


class Watched(DataLoader):
    """A loader that notes, whenever a pass begins, a model's weights and what is awake."""

    def __init__(self, model: nn.Module, seed: int):
        super().__init__(pictures(24, seed), batch_size=12)
        self.model, self.states, self.awake = model, [], []

    def __iter__(self) -> Iterator:
        self.states.append(weights_of(self.model))
        parameters = self.model.named_parameters()
        self.awake.append(
            {name.split(".")[0] for name, p in parameters if p.requires_grad}
        )
        return super().__iter__()


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Copy all weights and statistics of a model."""
    return {name: v.detach().clone() for name, v in model.state_dict().items()}


def moved(before: dict, after: dict, *, statistics: bool = False) -> set[str]:
    """Name the stages of which a weight, or a statistic of BatchNorm, differs."""
    there = (name for name in before if name in after)
    same = {name for name in there if torch.equal(before[name], after[name])}
    return {
        name.split(".")[0]
        for name in before.keys() - same
        if ("running_" in name or "num_batches" in name) == statistics
    }


norms_moved = partial(moved, statistics=True)
