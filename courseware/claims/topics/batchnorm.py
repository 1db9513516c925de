"""C16: BatchNorm's statistics in full fine-tuning, held or trained."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from courseware.claims.adaptations import LITE, Task, label
from courseware.claims.protocol import Bar, Protocol, Rows

TARGETS = ("flowers", "cells", "defects")
RATES = {  # four for each arm, around where it is best
    (LITE, "held"): (1e-4, 3e-4, 1e-3, 3e-3),
    (LITE, "trained"): (3e-4, 1e-3, 3e-3, 1e-2),
    ("test_resnet", "held"): (3e-4, 1e-3, 3e-3, 1e-2),
    ("test_resnet", "trained"): (3e-4, 1e-3, 3e-3, 1e-2),
}
NETS = (LITE, "test_resnet")
PER_CLASS, EPOCHS = 10, 10


def measure_c16(
    seed: int, *, nets: Iterable[str] = NETS, targets: Iterable[str] = TARGETS, **place
) -> Rows:
    """10 pictures a class, 10 epochs of the whole net, 64 px, at four rates.

    Both arms have the same pictures, batches and new head. `in` is the test split, `out`
    the shifted pictures. `gain` compares the models that validated best in each arm, on
    10 pictures a class of the training kind; `rate` is the one they had.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets:
            task = Task.draw(net, name, seed, per_class=PER_CLASS,
                             val_per_class=PER_CLASS, epochs=EPOCHS,
                             **place)  # fmt: skip
            of = f"{net}/{label(name)}"
            best = {}
            for arm in ("held", "trained"):
                rates = RATES[net, arm]
                models = {lr: task.tuned(lr, held=arm == "held") for lr in rates}
                scores = {lr: _scores(task, model) for lr, model in models.items()}
                for lr, found in scores.items():
                    rows |= {f"{of}/{arm} {w} at {lr:.0e}": v for w, v in found.items()}
                rate = max(models, key=lambda lr: task.valued(models[lr]))
                rows[f"{of}/rate {arm}"], best[arm] = rate, scores[rate]
            for where, held in best["held"].items():
                rows[f"{of}/gain {where}"] = 100 * (held - best["trained"][where])
    return rows


def _scores(task: Task, model: nn.Module) -> dict[str, float]:
    tests = {"in": task.test, "out": task.elsewhere}
    return {where: task.score(model, t) for where, t in tests.items() if t is not None}


PROTOCOLS = (
    Protocol(
        "C16",
        "With few pictures, fine-tuning a whole pretrained net is better with "
        "BatchNorm's statistics held than trained, on test and on shifted pictures.",
        "gain above 0, in and out, for every net and target",
        measure_c16,
        ("net", "data"),
        (Bar("*/gain *", low=0),),
        costly=True,
        looseness=4,
        weights="test_r*.safetensors",
        recheck={"nets": ("test_resnet",), "targets": ("flowers",)},
    ),
)
