"""Two heads on one backbone against two models: time, memory and accuracy.

    python -m tests.benchmarks.multitask [--net test_resnet] [--epochs 5] [--repeats 3]

Follows COURSE_WEIGHTS. Both arms learn species and colour of the flowers from the same
weights, with the same batches and optimiser; the second trains and asks one model for
each task. The arms take turns. `step MB` is the most memory that the tensors of one
training step need beside the weights, gradients included; of two models, which are
trained one after the other, the larger. `weights MB` and `answer ms` are of all models
that must be there to answer both questions about 64 pictures.
"""

from __future__ import annotations

import argparse
import statistics
import time

import pandas as pd
import torch
from torch import nn

from course_utils.datasets import load_dataset, with_attributes
from course_utils.memory import StorageMeter, state_bytes
from course_utils.modes import inference
from course_utils.multitask import MultiTaskModel, MultiTaskStep
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import load_backbone

TASKS = ("species", "colour")
ARMS = {"one backbone": [TASKS], "two models": [[task] for task in TASKS]}
BATCH = 64


def build(name: str, train, tasks: list[str], seed: int) -> MultiTaskModel:
    """A pretrained net with a new head for each of some tasks."""
    torch.manual_seed(seed)
    backbone = load_backbone(name)
    return MultiTaskModel(backbone, {task: train.tasks[task] for task in tasks})


def measure(name: str, arm: str, splits: dict, *, epochs: int, seed: int) -> dict:
    """Train all models of an arm; return what they cost and how well they answer."""
    found = {"arm": arm, "train s": 0.0, "step MB": 0.0}
    models = []
    for tasks in ARMS[arm]:
        model = build(name, splits["train"], list(tasks), seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        loader = make_loader(splits["train"], batch_size=BATCH, shuffle=True, seed=seed)
        start = time.perf_counter()
        fit(model, loader, None, optimizer=optimizer, epochs=epochs,
            step=MultiTaskStep(), progress=False)  # fmt: skip
        found["train s"] += time.perf_counter() - start
        scores = evaluate(model, make_loader(splits["test"]), step=MultiTaskStep())
        found |= {task: scores[f"accuracy_{task}"] for task in tasks}
        found["step MB"] = max(found["step MB"], step_bytes(model, loader) / 1e6)
        models.append(model)
    found["weights MB"] = sum(map(state_bytes, models)) / 1e6
    found["answer ms"] = 1000 * answer_seconds(models, splits["test"])
    return found


def step_bytes(model: nn.Module, loader) -> int:
    """Most bytes alive at once in a training step, beside the weights."""
    model.train().zero_grad(set_to_none=True)
    batch = next(iter(loader))
    with StorageMeter() as meter:
        MultiTaskStep()(model, batch)[0].backward()
    return meter.peak


def answer_seconds(models: list[nn.Module], dataset, repeats: int = 9) -> float:
    """Median time in which all models answer for one batch."""
    images, _ = next(iter(make_loader(dataset, batch_size=BATCH)))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for model in models:
            with inference(model):
                model(images)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", default="test_resnet")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    data = load_dataset("flowers")
    splits = {name: with_attributes(getattr(data, name), TASKS)
              for name in ("train", "test")}  # fmt: skip
    rows = [
        measure(options.net, arm, splits, epochs=options.epochs, seed=seed)
        for seed in range(options.repeats)
        for arm in ARMS
    ]
    table = pd.DataFrame(rows).groupby("arm").median()
    table.loc["two / one"] = table.loc["two models"] / table.loc["one backbone"]
    print(f"{options.net}, {options.epochs} epochs, medians of {options.repeats} runs")
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
