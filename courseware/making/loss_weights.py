"""Two tasks on one net under several loss weights, recorded for `LossWeightExplorer`.

    course loss-weights [--write]

The first task's loss has the weight w, the second's 1 − w; at w = 1 and w = 0 one task
is learnt alone. One more run learns its weights (`UncertaintyWeights`). Each is repeated
over the same seeds, with the same pictures and the same order of batches.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping

import torch

from course_utils.datasets import load_dataset, with_attributes
from course_utils.loss_weight_runs import LEARNT, MEASURES, table
from course_utils.measured import write_measured
from course_utils.multitask import MultiTaskStep, UncertaintyWeights
from course_utils.training import fit, make_loader
from course_utils.weights import load_backbone
from courseware.claims.topics.multitask import Pictures

NET = "test_resnet"
TASKS = ("species", "colour")
PER_CLASS = 40
WEIGHTS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # of the first task's loss
SEEDS = (0, 1, 2)
EPOCHS, BATCH, LR = 10, 20, 1e-3
LEARNT_LR = 0.03  # at 1e-3, 100 steps could move log σ² by no more than 0.1


def names(weights: Iterable[float] = WEIGHTS) -> list[str]:
    """Return what the runs are called: "0", "0.1" and so on, then "uncertainty"."""
    return [*(f"{w:g}" for w in weights), LEARNT]


def measure(
    runs: Iterable[str] | None = None,
    *,
    seeds: tuple[int, ...] = SEEDS,
    epochs: int = EPOCHS,
) -> dict:
    """Train every run over the seeds; return the record."""
    runs = list(runs or names())
    drawn = [draw(seed) for seed in seeds]
    found = {name: [train(pictures, name, epochs) for pictures in drawn]
             for name in runs}  # fmt: skip
    return {
        "net": NET,
        "data": "flowers",
        "pictures": {part: len(getattr(drawn[0], part))
                     for part in ("train", "val", "test")},
        "tasks": drawn[0].train.tasks,
        "optimiser": f"AdamW, lr {LR:g}, {LEARNT_LR:g} for learnt weights, no decay",
        "batch": BATCH,
        "epochs": epochs,
        "seeds": list(seeds),
        "runs": found,
    }  # fmt: skip


def draw(seed: int) -> Pictures:
    """Take `PER_CLASS` flowers of each species, with a label for each task."""
    transform = load_backbone(NET, weights="bundled").weights_info.transform
    data = load_dataset("flowers", transform=transform)
    known = with_attributes(data.train, TASKS).classes
    few = data.train.sample_per_class(PER_CLASS, seed=seed)
    parts = [with_attributes(p, TASKS, classes=known)
             for p in (few, data.val, data.test)]  # fmt: skip
    return Pictures(NET, *parts, seed)


def train(pictures: Pictures, name: str, epochs: int) -> dict:
    """Train one run: both tasks on val after each epoch, on test at the end.

    `share` is the first task's part of both weights, after each epoch.
    """
    model = pictures.model()
    weights, groups = _weights(name)
    shares: list[float] = []
    history = fit(
        model,
        make_loader(pictures.train, batch_size=BATCH, shuffle=True, seed=pictures.seed),
        make_loader(pictures.val, batch_size=200),
        optimizer=torch.optim.AdamW([*groups, {"params": model.parameters()}],
                                    lr=LR, weight_decay=0.0),
        epochs=epochs,
        step=MultiTaskStep(weights=weights),
        callbacks=[_Shares(weights, shares)],
        progress=False,
    )  # fmt: skip
    return {
        "test": {task: round(x, 4) for task, x in pictures.scores(model).items()},
        **{f"val_{what}": {task: history[f"val_{what}_{task}"].round(4).tolist()
                           for task in TASKS} for what in MEASURES},
        "share": shares,
    }  # fmt: skip


def _weights(name: str) -> tuple[Mapping[str, float] | UncertaintyWeights, list[dict]]:
    """The weights of a run, and the parameter groups that learn them."""
    if name == LEARNT:
        learnt = UncertaintyWeights(TASKS)
        return learnt, [{"params": list(learnt.parameters()), "lr": LEARNT_LR}]
    first = float(name)
    return {TASKS[0]: first, TASKS[1]: round(1 - first, 6)}, []


class _Shares:
    """Note the first task's share of the weights after each epoch."""

    def __init__(self, weights: Mapping[str, float] | Callable, kept: list[float]):
        self.weights, self.kept = weights, kept

    def on_epoch_end(self, state: object) -> None:
        found = getattr(self.weights, "weights", self.weights)
        self.kept.append(round(found[TASKS[0]] / sum(found.values()), 4))


def main(argv: list[str] | None = None) -> int:
    """Command line: measure, print, and with --write keep the record."""
    parser = argparse.ArgumentParser(prog="course loss-weights")
    parser.add_argument("--write", action="store_true", help="keep it for the widget")
    options = parser.parse_args(argv)
    found = measure()
    print(table(found).to_string())
    if options.write:
        write_measured("loss_weights", found, made_by="course loss-weights --write")
    return 0
