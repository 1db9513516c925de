"""A cached teacher against one that is asked anew, per epoch; and the student alone.

    python -m tests.benchmarks.distillation [--teacher resnet10t] [--student test_resnet]
        [--epochs 5] [--repeats 3] [--per-class N]

Follows COURSE_WEIGHTS. All arms train the same student from the same weights on the
flowers, with the same batches and optimiser. `fill s` is the one pass that asks the
teacher about every picture; `pays after` is the number of epochs from which on the cache
is the faster way, that pass included. What the teacher was taught does not change the
time, so its head is new.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

import pandas as pd
import torch

from course_utils.datasets import load_dataset
from course_utils.distillation import (
    CachedDistillationStep,
    DistillationStep,
    Teacher,
    cached_logits,
)
from course_utils.inspection import inspect_model
from course_utils.training import classification_step, fit, make_loader
from course_utils.weights import load_backbone

CLASSES = 5


def epoch_seconds(student: str, dataset, step, *, epochs: int, seed: int) -> float:
    """Median seconds of an epoch of training."""
    torch.manual_seed(seed)
    model = load_backbone(student, num_classes=CLASSES)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = make_loader(dataset, batch_size=64, shuffle=True, seed=seed)
    history = fit(model, loader, None, optimizer=optimizer, epochs=epochs, step=step,
                  progress=False)  # fmt: skip
    return history["seconds"].median()


def measure(options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Seconds per epoch of the three ways, and of filling the cache."""
    net = load_backbone(options.teacher, num_classes=CLASSES)
    transform = load_backbone(options.student).weights_info.transform_for(64)
    data = load_dataset("flowers", transform=transform, per_class=options.per_class)
    teacher = Teacher(net, student_transform=transform)
    start = time.perf_counter()
    cached = cached_logits(teacher, data.train)
    filled = time.perf_counter() - start
    arms = {
        "alone s": (data.train, classification_step),
        "live s": (data.train, DistillationStep(teacher)),
        "cached s": (cached, CachedDistillationStep()),
    }
    found = {
        name: epoch_seconds(options.student, dataset, step, epochs=options.epochs,
                            seed=seed)
        for name, (dataset, step) in arms.items()
    }  # fmt: skip
    return {**found, "fill s": filled}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--teacher", default="resnet10t")
    parser.add_argument("--student", default="test_resnet")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--per-class", type=int)
    options = parser.parse_args()
    rows = [measure(options, seed) for seed in range(options.repeats)]
    table = pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="seed"))
    table["live / cached"] = table["live s"] / table["cached s"]
    saved = table["live s"] - table["cached s"]
    table["pays after"] = (table["fill s"] / saved).where(saved > 0, math.inf)
    print(table.round(2).to_string())
    macs = [inspect_model(load_backbone(name)).macs
            for name in (options.teacher, options.student)]  # fmt: skip
    ratio = statistics.median(table["live / cached"])
    allowed = 1 + macs[0] / (3 * macs[1])  # a step is three forward passes
    print(f"{options.teacher} → {options.student}: live / cached, median {ratio:.2f}; "
          f"by multiply-accumulates {allowed:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
