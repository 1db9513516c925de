"""C5 to C9: how high, how much, how fast and in which order to fine-tune.

All arms train with AdamW (C5: as stated) at constant rates, without weight decay and
without augmentation, BatchNorm in train mode where a stage learns. An arm that has a
setting tries four values of it, trains once with each, and is scored on the test pictures
once, with the model that did best on the validation split (ties: the least loss).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import nn

from course_utils.datasets import load_dataset
from course_utils.weights import BUNDLED
from courseware.claims.adaptations import HEAD_RATES, RATES, Task
from courseware.claims.protocol import Bar, Protocol, Rows

NETS = ("test_resnet", "test_convnext")
TARGETS = ("flowers", "defects")

# -- C5 -----------------------------------------------------------------------------------


def measure_c5(seed: int, *, nets: Iterable[str] = BUNDLED) -> Rows:
    """20 pictures a class, 12 epochs of the whole net at lr 0.1, and at a usual one.

    SGD has momentum 0.9; the usual rates are 0.01 for SGD and 0.001 for Adam. A run
    whose loss stops being finite is scored as it stands.
    """
    rows: Rows = {}
    for net in nets:
        task = Task.draw(net, "flowers", seed)
        rows[f"{net}/probe"] = task.probe()
        for arm, make in OPTIMIZERS.items():
            model = task.new()
            _train_while_finite(task, model, make(model.parameters()))
            rows[f"{net}/{arm}"] = task.score(model)
        for arm in ("SGD", "Adam"):
            cost = rows[f"{net}/probe"] - rows[f"{net}/{arm}"]
            rows[f"{net}/cost of {arm}"] = 100 * cost
    return rows


OPTIMIZERS = {
    "SGD": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "Adam": partial(torch.optim.Adam, lr=0.1),
    "SGD-usual": partial(torch.optim.SGD, lr=0.01, momentum=0.9),
    "Adam-usual": partial(torch.optim.Adam, lr=0.001),
}


def _train_while_finite(task: Task, model: nn.Module, optimizer) -> None:
    try:
        task.train(model, optimizer)
    except ValueError as error:
        if "loss is" not in str(error):
            raise


# -- C6 -----------------------------------------------------------------------------------

CASES = {
    "few, near": {"name": "flowers", "per_class": 5, "epochs": 20},
    "many, far": {"name": "defects", "per_class": None, "epochs": 8, "batch_size": 64},
}


def measure_c6(
    seed: int, *, nets: Iterable[str] = NETS, cases: Iterable[str] = tuple(CASES)
) -> Rows:
    """A linear probe (four penalties) against the whole net fine-tuned (four rates).

    Near and few: flowers, 5 pictures a class. Far and many: defects, all 1,200.
    """
    rows: Rows = {}
    for net in nets:
        for case in cases:
            task = Task.draw(net, seed=seed, **CASES[case])
            frozen, whole = task.probe(), task.score(task.best(RATES))
            rows[f"{net}/{case}/frozen"] = frozen
            rows[f"{net}/{case}/fine-tuned"] = whole
            rows[f"{net}/{case}/difference"] = 100 * (whole - frozen)
    return rows


# -- C7 -----------------------------------------------------------------------------------

GROUPINGS = {
    "factor-ten": {"ratio": 0.1, "groups": 3},
    "halved-by-stage": {"ratio": 0.5},
}


def measure_c7(
    seed: int, *, nets: Iterable[str] = NETS, targets: Iterable[str] = TARGETS
) -> Rows:
    """20 pictures a class, 12 epochs: one rate for all, or less towards the stem.

    `head-rate`: the rate that suits the head on frozen features, for the whole net.
    `one-rate`: the best of four. `factor-ten`: three groups, each a tenth of the one
    behind it; `halved-by-stage`: each stage half of the one behind it; the head's rate
    is the best of four.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets:
            task = Task.draw(net, name, seed)
            models = {
                "head-rate": task.tuned(_rate_of_head(task)),
                "one-rate": task.best(RATES),
            }
            for arm, grouping in GROUPINGS.items():
                models[arm] = task.best(HEAD_RATES, **grouping)
            scores = {arm: task.score(model) for arm, model in models.items()}
            rows |= {f"{net}/{name}/{arm}": score for arm, score in scores.items()}
            for arm in GROUPINGS:
                for other in ("head-rate", "one-rate"):
                    gain = 100 * (scores[arm] - scores[other])
                    rows[f"{net}/{name}/gain of {arm} over {other}"] = gain
    return rows


def _rate_of_head(task: Task) -> float:
    """The rate at which a head on frozen features validates best."""
    val = task.features(task.data.val)

    def valued(lr: float) -> tuple[float, float]:
        head = task.head(lr, epochs=task.epochs)
        with torch.inference_mode():
            logits = head(val.features)
        loss = nn.functional.cross_entropy(logits, val.labels)
        return float((logits.argmax(1) == val.labels).double().mean()), -float(loss)

    return max(HEAD_RATES, key=valued)


# -- C8 -----------------------------------------------------------------------------------


def measure_c8(
    seed: int, *, nets: Iterable[str] = NETS, targets: Iterable[str] = TARGETS
) -> Rows:
    """20 pictures a class, 12 epochs: all stages from the start, or one after another.

    Gradually: the head in epoch 1, then the next stage, in equal steps, until all learn.
    One rate for all stages, the best of the same four for both.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets:
            task = Task.draw(net, name, seed)
            at_once = task.score(task.best(RATES))
            gradual = task.score(task.best(RATES, gradual=True))
            rows[f"{net}/{name}/at-once"] = at_once
            rows[f"{net}/{name}/gradual"] = gradual
            rows[f"{net}/{name}/gain"] = 100 * (gradual - at_once)
    return rows


# -- C9 -----------------------------------------------------------------------------------


def measure_c9(
    seed: int,
    *,
    nets: Iterable[str] = NETS,
    targets: Iterable[str] = (*TARGETS, "cells"),
) -> Rows:
    """20 pictures a class: fine-tuned from a new head, or from a trained one (LP-FT).

    The rate is chosen for both on validation pictures *of the same kind as the training
    ones*; `in` is the test split, `out` the shifted pictures. `LP` is the head alone,
    trained for 50 epochs on frozen features.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets:
            task = Task.draw(net, name, seed)
            shifted = load_dataset(f"{name}_shifted", transform=task.transform(net))
            probed = task.with_trained_head()
            models = {
                "LP": probed,
                "FT": task.best(RATES),
                "LPFT": task.best(RATES, start=probed),
            }
            for where, pictures in (("in", task.data.test), ("out", shifted.test)):
                scores = {a: task.score(m, pictures) for a, m in models.items()}
                rows |= {f"{net}/{name}/{a}-{where}": v for a, v in scores.items()}
                gain = 100 * (scores["LPFT"] - scores["FT"])
                rows[f"{net}/{name}/gain {where}"] = gain
    return rows


_WEIGHTS = "test_[rc]*.safetensors"  # those of NETS
_SLICE = {"nets": ("test_resnet",)}
PROTOCOLS = (
    Protocol(
        "C5",
        "Fine-tuning the whole net at a learning rate of 0.1 ends below a linear "
        "probe, with SGD and with Adam.",
        "at least 15 points below, for every net",
        measure_c5,
        ("net",),
        (Bar("*/cost of *", low=15),),
        costly=True,
        looseness=4,
        chance=("SGD", "Adam"),
        recheck=_SLICE,
    ),
    Protocol(
        "C6",
        "With few pictures of a near domain frozen features are at least as good as "
        "fine-tuning; with many of a far one fine-tuning is better.",
        "difference (fine-tuned less frozen) not above 0 in the first case, above 0 in "
        "the second",
        measure_c6,
        ("net", "case"),
        (Bar("*/few, near/difference", high=0), Bar("*/difference", low=0)),
        costly=True,
        looseness=4,
        weights=_WEIGHTS,
        recheck=_SLICE | {"cases": ("few, near",)},
    ),
    Protocol(
        "C7",
        "Differential learning rates (three groups, a factor of ten) beat the head's "
        "rate used everywhere, and the best single rate.",
        "gain above 0 over both, for every net and target",
        measure_c7,
        ("net", "data"),
        (Bar("*/gain of factor-ten over *", low=0),),
        costly=True,
        looseness=4,
        chance=("head-rate",),
        weights=_WEIGHTS,
        recheck=_SLICE | {"targets": ("flowers",)},
    ),
    Protocol(
        "C8",
        "Unfreezing stage by stage beats unfreezing all at once.",
        "gain above 0, for every net and target",
        measure_c8,
        ("net", "data"),
        (Bar("*/gain", low=0),),
        costly=True,
        looseness=4,
        weights=_WEIGHTS,
        recheck=_SLICE | {"targets": ("flowers",)},
    ),
    Protocol(
        "C9",
        "Training the head first and then all (LP-FT) is at least as good as "
        "fine-tuning from a new head, out of distribution and within.",
        "gain not below 0 for every net and target, in and out",
        measure_c9,
        ("net", "data"),
        (Bar("*/gain *", low=0),),
        costly=True,
        looseness=4,
        weights=_WEIGHTS,
        recheck=_SLICE | {"targets": ("flowers",)},
    ),
)
