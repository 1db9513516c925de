"""C5 and C7: how high a learning rate may be, and what dividing it among stages buys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import torch

from course_utils.weights import BUNDLED
from courseware.claims.adaptations import LITE, Task, label
from courseware.claims.protocol import Bar, Protocol, Rows

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
            task.train(model, make(model.parameters()))
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


# -- C7 -----------------------------------------------------------------------------------

TARGETS = ("flowers", "defects")
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of the head
WAYS = {
    "one rate": {},
    "factor ten": {"ratio": 0.1, "groups": 3},
    "2.6 a stage": {"ratio": 1 / 2.6},
    "halved": {"ratio": 0.5},
}
PASSES = {LITE: 6, "test_resnet": 12}  # epochs
NEAR = 0.03  # of the best accuracy


def measure_c7(
    seed: int,
    *,
    nets: Iterable[str] = tuple(PASSES),
    targets: Iterable[str] = TARGETS,
    **place,
) -> Rows:
    """20 pictures a class, 64 px, BatchNorm held: seven head's rates, four ways.

    `one rate` is for all stages; `factor ten` has three groups, each a tenth of the one
    behind it; `2.6 a stage` divides by 2.6 from stage to stage (Howard and Ruder, 2018),
    `halved` by 2. `width` is the part of the rates, in decades, whose test accuracy lies
    within 3 points of the way's own best, between rates on a straight line; `wider` is
    a way's width less that of one rate. `best` is the accuracy at the rate that
    validates best, on 10 pictures a class, and `difference` that less the one rate's.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets:
            task = Task.draw(
                net, name, seed, val_per_class=10, epochs=PASSES[net], **place
            )
            of = f"{net}/{label(name)}"
            curves = {}
            for way, grouping in WAYS.items():
                models = {lr: task.tuned(lr, **grouping) for lr in RATES}
                scores = {lr: task.score(model) for lr, model in models.items()}
                best = max(models, key=lambda lr: task.valued(models[lr]))
                rows |= {f"{of}/{way} at {lr:.0e}": v for lr, v in scores.items()}
                rows[f"{of}/rate of {way}"] = best
                rows[f"{of}/best of {way}"] = scores[best]
                curves[way] = scores
            rows |= {f"{of}/{what}": v for what, v in compared(curves).items()}
            for way in list(WAYS)[1:]:
                both = (rows[f"{of}/best of {arm}"] for arm in (way, "one rate"))
                rows[f"{of}/difference of {way}"] = 100 * np.subtract(*both).item()
    return rows


def compared(curves: Mapping[str, Mapping[float, float]]) -> Rows:
    """The width of each way's curve {rate: accuracy}, and how much wider than one rate."""
    widths = {
        way: width(curve, max(curve.values()) - NEAR) for way, curve in curves.items()
    }
    found = {f"width of {way}": value for way, value in widths.items()}
    wider = {
        f"wider by {way}": value - widths["one rate"]
        for way, value in widths.items()
        if way != "one rate"
    }
    return found | wider


def width(curve: Mapping[float, float], floor: float) -> float:
    """How many decades of rates lie at or above an accuracy, {rate: accuracy} given.

    >>> from courseware.claims.topics.rates import width
    >>> round(width({0.001: 0.9, 0.01: 0.9, 0.1: 0.5}, 0.7), 2)
    1.5
    """
    rates = np.log10(sorted(curve))
    between = np.linspace(rates[0], rates[-1], 3001)
    accuracy = np.interp(between, rates, [curve[lr] for lr in sorted(curve)])
    return float((accuracy >= floor).mean() * (rates[-1] - rates[0]))


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
        recheck={"nets": ("test_resnet",)},
    ),
    Protocol(
        "C7",
        "A learning rate that falls towards the stem (by ten in three groups, by 2.6 or "
        "2 a stage) leaves more rates safe than one rate for all.",
        "the range of rates within 3 points of a way's best wider, in decades, for every "
        "net and target; the best accuracies as they fall",
        measure_c7,
        ("net", "data"),
        (Bar("*/wider by *", low=0),),
        costly=True,
        looseness=4,
        chance=tuple(f"{way} at {lr:.0e}" for way in WAYS for lr in RATES[-3:]),
        weights="test_r*.safetensors",
        recheck={"nets": ("test_resnet",), "targets": ("flowers",)},
    ),
)
