"""Runs of two tasks on one net under several loss weights, as tables.

A record holds, for each run, what both tasks reached over some seeds. Runs are named by
the weight w of the first task's loss ("0", "0.1" and so on; the second's is 1 - w), and
the one that learns its weights by `LEARNT`.
"""

from __future__ import annotations

import pandas as pd

from course_utils.zoo.choice import pareto_front

MEASURES = ("accuracy", "loss")
LEARNT = "uncertainty"


def scores(record: dict) -> pd.DataFrame:
    """Return test accuracy of each run and task: mean, min and max over the seeds.

    Rows are runs; columns are pairs such as ("species", "mean"), and ("front", ""): no
    other run is at least as good at both tasks and better at one, going by the means.

    >>> from course_utils.loss_weight_runs import scores
    >>> from course_utils.measured import read_measured
    >>> scores(read_measured("loss_weights").content)["species"].columns.tolist()
    ['mean', 'min', 'max']
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

    >>> from course_utils.loss_weight_runs import curves
    >>> from course_utils.measured import read_measured
    >>> list(curves(read_measured("loss_weights").content))
    ['run', 'measure', 'task', 'epoch', 'mean', 'min', 'max']
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
    """Return test accuracy of each run as text: mean, and range over the seeds.

    >>> from course_utils.loss_weight_runs import table
    >>> from course_utils.measured import read_measured
    >>> list(table(read_measured("loss_weights").content))
    ['species', 'colour', 'on the front']
    """
    found = scores(record)
    cells = {
        task: [f"{row['mean']:.3f} ({row['min']:.3f} to {row['max']:.3f})"
               for _, row in found[task].iterrows()]
        for task in record["tasks"]
    }  # fmt: skip
    cells["on the front"] = ["yes" if on else "" for on in found["front", ""]]
    return pd.DataFrame(cells, index=found.index)
