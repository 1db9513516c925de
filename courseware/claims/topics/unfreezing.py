"""C8 and C9: in which order to fine-tune."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn

from course_utils.datasets import ImageDataset
from course_utils.layer_groups import UnfreezeSchedule, layer_groups
from courseware.claims.adaptations import LITE, TIED, Task, label
from courseware.claims.protocol import Bar, Protocol, Rows

RATES = {LITE: (3e-5, 1e-4, 3e-4, 1e-3), "test_resnet": (3e-4, 1e-3, 3e-3, 1e-2)}
TARGETS = ("flowers", "cells", "defects")

# -- C8 -----------------------------------------------------------------------------------

FACTORS = (1, 3, 10)  # times the best single rate
LABELS = {"clean": 0.0, "30 % wrong": 0.3}
ORDERED = {LITE: ("flowers",), "test_resnet": ("flowers", "defects")}  # targets of C8
BUNDLES, EVERY = 4, 4  # the head, then three parts of the stages, four epochs apart


def measure_c8(
    seed: int,
    *,
    nets: Iterable[str] = tuple(RATES),
    targets: Iterable[str] | None = None,
    **place,
) -> Rows:
    """20 pictures a class, 64 px, 16 epochs, BatchNorm held: at once, or gradually.

    Gradually, the head learns alone for four epochs, then with the last third of the
    stages, then with two thirds, then all. The rate is 1, 3 and 10 times the best of four
    for all at once on clean labels (10 validation pictures a class); 30 % of the training
    labels are wrong in the second case.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets or ORDERED[net]:
            task = Task.draw(net, name, seed, val_per_class=10,
                             epochs=BUNDLES * EVERY, **place)  # fmt: skip
            of = f"{net}/{label(name)}"
            _, rate = task.search(RATES[net])
            rows[f"{of}/rate"] = rate
            for labels, share in LABELS.items():
                few = mislabelled(task.pictures, share, seed=seed)
                for factor in FACTORS:
                    rows |= _orders(
                        replace(task, pictures=few), factor * rate, of,
                        f"{labels} x{factor}",
                    )  # fmt: skip
    return rows


def _orders(task: Task, lr: float, of: str, case: str) -> Rows:
    at_once = task.score(task.tuned(lr))
    gradual = task.score(task.tuned(lr, schedule=in_bundles))
    return {
        f"{of}/at once, {case}": at_once,
        f"{of}/gradual, {case}": gradual,
        f"{of}/gain, {case}": 100 * (gradual - at_once),
    }


def in_bundles(model: nn.Module) -> UnfreezeSchedule:
    """Wake the head, then three equal parts of the stages, the last ones first."""
    *stages, head = [group.name for group in layer_groups(model)]
    parts = torch.arange(len(stages)).tensor_split(BUNDLES - 1)[::-1]
    names = [[head], *([stages[i] for i in part] for part in parts)]
    return UnfreezeSchedule({1 + EVERY * i: group for i, group in enumerate(names)})


def mislabelled(pictures: ImageDataset, share: float, *, seed: int) -> ImageDataset:
    """Give a share of the pictures (0 to 1) the label of another class, at random."""
    generator = torch.Generator().manual_seed(seed)
    n, classes = len(pictures), len(pictures.classes)
    wrong = torch.randperm(n, generator=generator)[: round(share * n)]
    shift = torch.randint(1, classes, (len(wrong),), generator=generator)
    found = copy.copy(pictures)
    found.labels = pictures.labels.clone()
    found.labels[wrong] = (found.labels[wrong] + shift) % classes
    return found


# -- C9 -----------------------------------------------------------------------------------


def measure_c9(
    seed: int,
    *,
    nets: Iterable[str] = tuple(RATES),
    targets: Iterable[str] = (*TARGETS, TIED),
    **place,
) -> Rows:
    """10 pictures a class, 64 px, 10 epochs: from a new head, or a trained one (LP-FT).

    BatchNorm is held; the rate is the best of four for both, on 10 validation pictures a
    class *of the same kind as the training ones*. `in` is the test split, `out` the
    shifted pictures; of the tied flowers, those that stand on another species' ground.
    `LP` is the head alone, trained for 50 epochs on frozen features. `movement` is how far
    the features of the test pictures went, as a share of their length.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets:
            task = Task.draw(net, name, seed, per_class=10, val_per_class=10,
                             epochs=10, **place)  # fmt: skip
            of = f"{net}/{label(name)}"
            probed = task.with_trained_head()
            models = {"LP": probed}
            for arm, start in (("FT", None), ("LPFT", probed)):
                models[arm], rate = task.search(RATES[net], start=start)
                rows[f"{of}/rate {arm}"] = rate
                rows[f"{of}/movement {arm}"] = moved(task, models[arm])
            for where, pictures in (("in", task.test), ("out", task.elsewhere)):
                if pictures is None:
                    continue
                scores = {a: task.score(m, pictures) for a, m in models.items()}
                rows |= {f"{of}/{a} {where}": v for a, v in scores.items()}
                gain = 100 * (scores["LPFT"] - scores["FT"])
                rows[f"{of}/gain {where}"] = gain
    return rows


def moved(task: Task, model: nn.Module) -> float:
    """How far a model's features of the test pictures are from the frozen net's."""
    before, after = (
        task.features(task.test, net).features.double() for net in (None, model)
    )
    return ((after - before).norm() / before.norm()).item()


_SLICE = {"nets": ("test_resnet",), "targets": ("flowers",)}
PROTOCOLS = (
    Protocol(
        "C8",
        "Unfreezing stage by stage protects where the rate is ten times too high, and "
        "costs something where it is right.",
        "gain above 0 at ten times the best rate, below 0 at the best one, for every "
        "net, target and kind of labels",
        measure_c8,
        ("net", "data"),
        (Bar("*/gain,* x10", low=0), Bar("*/gain,* x1", high=0)),
        costly=True,
        looseness=4,
        chance=tuple(f"at once, {labels} x10" for labels in LABELS),
        weights="test_r*.safetensors",
        recheck=_SLICE,
    ),
    Protocol(
        "C9",
        "Training the head first and then all (LP-FT) is better than fine-tuning from a "
        "new head, within and out of distribution, with BatchNorm held in both.",
        "gain above 0 for every net and target, in and out",
        measure_c9,
        ("net", "data"),
        (Bar("*/gain *", low=0),),
        costly=True,
        looseness=4,
        weights="test_r*.safetensors",
        recheck=_SLICE,
    ),
)
