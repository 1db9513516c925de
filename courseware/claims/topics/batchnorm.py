"""C16: BatchNorm's statistics in full fine-tuning, held or trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from course_utils.datasets import load_dataset
from courseware.claims.adaptations import LITE, Task
from courseware.claims.protocol import Bar, Protocol, Rows

TARGETS = ("flowers", "cells", "defects")
RATES = {LITE: (1e-4, 3e-4, 1e-3, 3e-3), "test_resnet": (3e-4, 1e-3, 3e-3, 1e-2)}
PER_CLASS, EPOCHS = 10, 10


def measure_c16(
    seed: int,
    *,
    nets: Iterable[str] = tuple(RATES),
    targets: Iterable[str] = TARGETS,
) -> Rows:
    """10 pictures a class, 10 epochs of the whole net, 64 px, at four rates.

    Both arms have the same pictures, batches, rates and new head. `in` is the test
    split, `out` the shifted pictures. `gain` compares the models that validated best in
    each arm, on 10 pictures a class of the training kind; `rate` is the one they had.
    """
    rows: Rows = {}
    for net in nets:
        for name in targets:
            task = Task.draw(net, name, seed, per_class=PER_CLASS, epochs=EPOCHS)
            few = task.data.val.sample_per_class(PER_CLASS, seed=seed)
            task = replace(task, data=replace(task.data, val=few))
            shifted = load_dataset(f"{name}_shifted", transform=task.transform(net))
            tests = {"in": task.data.test, "out": shifted.test}
            best = {}
            for arm in ("held", "trained"):
                models = {lr: task.tuned(lr, held=arm == "held") for lr in RATES[net]}
                scores = {
                    lr: {
                        where: task.score(model, part) for where, part in tests.items()
                    }
                    for lr, model in models.items()
                }
                for lr, found in scores.items():
                    for where, score in found.items():
                        rows[f"{net}/{name}/{arm} {where} at {lr:.0e}"] = score
                rate = max(models, key=lambda lr: task.valued(models[lr]))
                rows[f"{net}/{name}/rate {arm}"] = rate
                best[arm] = scores[rate]
            for where in tests:
                gain = 100 * (best["held"][where] - best["trained"][where])
                rows[f"{net}/{name}/gain {where}"] = gain
    return rows


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
