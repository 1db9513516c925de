"""The nets and pictures that exercise 09 is tried on, and how a net is watched."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from courseware.grading.observing import generator


def small_net(width: int, *dropout: nn.Module) -> nn.Sequential:
    """Return a net with BatchNorm, for pictures (N, 3, 4, 4) and 5 classes."""
    maps = [nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*maps, *dropout, nn.Linear(4 * width, 5))


def teacher_net(*, training: bool, drops: bool) -> nn.Sequential:
    """Return a teacher with statistics of its own, in part frozen, which is to stay so."""
    net = small_net(6, *[nn.Dropout(0.5)] * drops)
    net[1].running_mean += torch.rand(6)
    net[1].running_var *= 3
    net[0].requires_grad_(False)
    return net.train(training)


class Half(nn.Sequential):
    """A net that answers in half precision, as under autocast."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).half()


class Pictures(Dataset):
    """Pictures (3, 4, 4) in no order of their labels; by chance changed, if asked."""

    def __init__(self, count: int, seed: int, *, augmented: bool = False):
        draw = generator(seed)
        self.images = torch.randn(count, 3, 4, 4, generator=draw)
        self.labels = torch.randint(5, (count,), generator=draw).tolist()
        self.augmented = augmented

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        change = 0.1 * self.augmented * torch.randn(3, 1, 1)
        return self.images[index] + change, self.labels[index]  # or IndexError


class Run(NamedTuple):
    """How a net was run once: its layers' modes, whether with a graph, how many rows."""

    modes: set[str]
    graph: bool
    size: int


def watch(net: nn.Module) -> list[Run]:
    """Return a list that grows with each run of a net, and of a copy of it."""
    runs: list[Run] = []

    def note(net: nn.Module, given: tuple, out: Tensor) -> None:
        modes = {"train" if layer.training else "eval" for layer in net.modules()}
        runs.append(Run(modes, out.requires_grad, len(out)))

    net.register_forward_hook(note)
    return runs


def modes_of(runs: list[Run], usual: str) -> set[str]:
    """Name the modes that a net's layers were run in; the usual one if it was not run."""
    return set().union(*(run.modes for run in runs)) or {usual}
