"""Two tasks on one net under several loss weights, recorded for `LossWeightExplorer`.

    python -m course_utils.claims.loss_weights [--write]

The first task's loss has the weight w, the second's 1 − w; at w = 1 and w = 0 one task
is learnt alone. One more run learns its weights (`UncertaintyWeights`). Each is repeated
over the same seeds, with the same pictures and the same order of batches.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd
import torch

from course_utils.claims.multitask import Pictures
from course_utils.datasets import load_dataset
from course_utils.multitask import MultiTaskStep, UncertaintyWeights, with_attributes
from course_utils.storage import atomic_path, data_dir
from course_utils.training import fit, make_loader
from course_utils.weights import load_backbone
from course_utils.zoo.choice import pareto_front

NET = "test_resnet"
TASKS = ("species", "colour")
PER_CLASS = 40
WEIGHTS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # of the first task's loss
LEARNT = "uncertainty"
SEEDS = (0, 1, 2)
EPOCHS, BATCH, LR = 10, 20, 1e-3
LEARNT_LR = 0.03  # at 1e-3, 100 steps could move log σ² by no more than 0.1
MEASURES = ("accuracy", "loss")


def names(weights: Iterable[float] = WEIGHTS) -> list[str]:
    """Return what the runs are called: "0", "0.1" and so on, then "uncertainty"."""
    return [*(f"{w:g}" for w in weights), LEARNT]


# -- measuring -------------------------------------------------------------------------


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
        "made by": "python -m course_utils.claims.loss_weights --write",
        "net": NET,
        "data": "flowers",
        "pictures": {part: len(getattr(drawn[0], part))
                     for part in ("train", "val", "test")},
        "tasks": drawn[0].train.tasks,
        "optimiser": f"AdamW, lr {LR:g}, {LEARNT_LR:g} for learnt weights, no decay",
        "batch": BATCH,
        "epochs": epochs,
        "seeds": list(seeds),
        "torch": torch.__version__.split("+")[0],
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


# -- reading ---------------------------------------------------------------------------


def recorded() -> dict:
    """Read the record that `LossWeightExplorer` shows."""
    return json.loads(_path().read_text(encoding="utf-8"))


def scores(record: dict) -> pd.DataFrame:
    """Return test accuracy of each run and task: mean, low and high over the seeds.

    Rows are runs; columns are pairs such as ("species", "mean"), and ("front", ""): no
    other run is at least as good at both tasks and better at one, going by the means.
    """
    first, second = record["tasks"]
    rows = {
        name: {(task, what): getattr(found, what)() for task in record["tasks"]
               for found in [pd.Series([run["test"][task] for run in runs])]
               for what in ("mean", "min", "max")}
        for name, runs in record["runs"].items()
    }  # fmt: skip
    table = pd.DataFrame(rows).T
    means = pd.DataFrame({"cost": -table[first, "mean"], "gain": table[second, "mean"]})
    front = pareto_front(means, cost="cost", gain="gain").index
    table["front", ""] = table.index.isin(front)
    return table.rename_axis("run")


def curves(record: dict) -> pd.DataFrame:
    """Return what val showed after each epoch: mean, min and max over the seeds.

    Columns: run, measure ("accuracy" or "loss"), task, epoch, mean, min, max.
    """
    rows = [
        {"run": name, "measure": what, "task": task, "epoch": epoch, "value": value}
        for name, runs in record["runs"].items()
        for run in runs
        for what in MEASURES
        for task in record["tasks"]
        for epoch, value in enumerate(run[f"val_{what}"][task], start=1)
    ]
    keys = ["run", "measure", "task", "epoch"]
    found = pd.DataFrame(rows).groupby(keys, sort=False)["value"]
    return found.agg(["mean", "min", "max"]).reset_index()


def table(record: dict) -> pd.DataFrame:
    """Return test accuracy of each run as text: mean, and range over the seeds."""
    found = scores(record)
    cells = {
        task: [f"{row['mean']:.3f} ({row['min']:.3f} to {row['max']:.3f})"
               for _, row in found[task].iterrows()]
        for task in record["tasks"]
    }  # fmt: skip
    cells["on the front"] = ["yes" if on else "" for on in found["front", ""]]
    return pd.DataFrame(cells, index=found.index)


def _path() -> Path:
    return data_dir() / "recorded" / "loss_weights.json"


def main(argv: list[str] | None = None) -> None:
    """Command line: measure, print, and with --write keep the record."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.claims.loss_weights")
    parser.add_argument("--write", action="store_true", help="keep it for the widget")
    options = parser.parse_args(argv)
    found = measure()
    print(table(found).to_string())
    if options.write:
        with atomic_path(_path()) as path:
            text = json.dumps(found, separators=(",", ":"))
            path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
