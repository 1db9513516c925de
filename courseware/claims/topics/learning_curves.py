"""C6: accuracy against the number of pictures, for four ways of using a net."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn

from course_utils.probe import linear_probe
from courseware.claims.adaptations import LITE, Task, label
from courseware.claims.protocol import Bar, Protocol, Rows

TARGETS = {LITE: ("flowers",), "test_resnet": ("flowers", "cells", "defects")}
SIZES = (2, 5, 10, 20, 50)  # pictures a class
CAREFUL = {LITE: (1e-4, 3e-4, 1e-3), "test_resnet": (3e-4, 1e-3, 3e-3, 1e-2)}
SCRATCH = {LITE: (1e-3, 3e-3, 1e-2), "test_resnet": (3e-4, 1e-3, 3e-3, 1e-2)}
HEAD_RATES = (1e-3, 3e-3, 1e-2, 3e-2)  # of a new head, its backbone frozen
STEPS, EPOCHS = 60, 5  # at least; from scratch twice as many


def validation(size: int) -> int:
    """As many pictures a class as a customer with so many to learn from could spare."""
    return min(max(size, 5), 20)


def measure_c6(
    seed: int,
    *,
    nets: Iterable[str] = tuple(TARGETS),
    targets: Iterable[str] | None = None,
    sizes: Iterable[int] = SIZES,
    **place,
) -> Rows:
    """2 to 50 pictures a class, 64 px, at least 60 steps and 5 epochs.

    `frozen`: a linear probe, fitted to the end. `careful`: the whole net with BatchNorm
    held, the best of three or four rates on validation pictures. `careless`: the whole
    net, BatchNorm trained, at the rate that validates best for the head alone. `scratch`:
    the whole net from random weights, as many rates and twice the steps. `random`: a
    linear probe on random weights. `majority`: always the commonest class. Validation
    has as many pictures a class as training, but at least 5 and at most 20.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets or TARGETS[net]:
            for size in sizes:
                task = Task.draw(net, name, seed, per_class=size, steps=STEPS,
                                 epochs=EPOCHS, val_per_class=validation(size),
                                 **place)  # fmt: skip
                found = _ways(task)
                of = f"{net}/{label(name)}/{size} a class"
                rows |= {f"{of}/{quantity}": value for quantity, value in found.items()}
    return rows


def _ways(task: Task) -> dict[str, float]:
    new = replace(task, weights="random", steps=2 * STEPS)
    careful, rate = task.search(CAREFUL[task.net])
    scratch, rate_scratch = new.search(SCRATCH[task.net], held=False)
    careless = rate_of_head(task)
    found = {
        "frozen": probed(task),
        "careful": task.score(careful),
        "careless": task.score(task.tuned(careless, held=False)),
        "scratch": task.score(scratch),
        "random": probed(new),
        "majority": task.test.labels.bincount().max().item() / len(task.test),
    }
    pairs = {
        "gain of frozen over scratch": ("frozen", "scratch"),
        "gain of careful over scratch": ("careful", "scratch"),
        "cost of carelessness": ("frozen", "careless"),
        "difference of careful and frozen": ("careful", "frozen"),
    }
    found |= {what: 100 * (found[a] - found[b]) for what, (a, b) in pairs.items()}
    rates = {"careful": rate, "careless": careless, "scratch": rate_scratch}
    return found | {f"rate {way}": value for way, value in rates.items()}


def probed(task: Task) -> float:
    """Test accuracy of a linear probe, its penalty by cross-validation."""
    probe = linear_probe(*task.features(task.pictures))
    return float(probe.score(*task.features(task.test)))


def rate_of_head(task: Task) -> float:
    """The rate at which a head on frozen features validates best."""
    train, val = task.features(task.pictures), task.features(task.val)

    def valued(lr: float) -> tuple[float, float]:
        head = task.head(lr, epochs=50, features=train)
        with torch.inference_mode():
            logits = head(val.features)
        loss = nn.functional.cross_entropy(logits, val.labels)
        return float((logits.argmax(1) == val.labels).double().mean()), -float(loss)

    return max(HEAD_RATES, key=valued)


PROTOCOLS = (
    Protocol(
        "C6",
        "Frozen features and careful fine-tuning are ahead of training from scratch "
        "with 2 to 50 pictures a class; careless fine-tuning loses to frozen features "
        "where there are few.",
        "both gains over scratch above 0 at every size; carelessness costs something "
        "with 2 and with 5 a class; careful against frozen as it falls",
        measure_c6,
        ("net", "data", "pictures"),
        (
            Bar("*/gain *", low=0),
            Bar("*/2 a class/cost *", low=0),
            Bar("*/5 a class/cost *", low=0),
        ),
        costly=True,
        looseness=4,
        weights="test_r*.safetensors",
        chance=("careless", "cost of carelessness"),
        recheck={"nets": ("test_resnet",), "targets": ("flowers",), "sizes": (5,)},
    ),
)
