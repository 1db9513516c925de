"""Two tasks on one net: what their loss weights do to both, from stored runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import traitlets

from course_utils import loss_weight_runs
from course_utils.arguments import checked

from .base import CourseWidget, script, style
from .loss_weight_static import described, static_lines, static_table

__all__ = ["LossWeightExplorer"]

NEEDED = ("net", "data", "pictures", "tasks", "epochs", "seeds", "runs")
MARGIN = 0.12  # of the window's width, on either side


class WeightError(ValueError, traitlets.TraitError):
    """A weight for which no run is stored."""


class LossWeightExplorer(CourseWidget):
    """Move the weight of one task's loss against another's, and see both tasks learn.

    Nothing is trained: `record` holds the runs, as the content of
    `read_measured("loss_weights")` does. On the left is one dot a run, the mean over its
    seeds with their range, and the Pareto front: the runs that no other beats at both
    tasks. On the right is what validation showed after each epoch. Runs with w = 1 and
    w = 0 learn one task alone.

    From Python as from the browser: `weight`, one that is stored or "uncertainty" (the
    weights were learnt), and `measure`, "accuracy" or "loss". `table` is what is shown.

    Raises `ValueError` for a weight that is not stored and for another kind of record.

    >>> from course_utils.measured import read_measured
    >>> from course_utils.widgets import LossWeightExplorer
    >>> explorer = LossWeightExplorer(read_measured("loss_weights").content, weight=0.9)
    >>> explorer.weight = 0.95
    Traceback (most recent call last):
        ...
    course_utils.widgets.loss_weight_explorer.WeightError: no run with the weight 0.95
    is
    stored; there are 0, 0.1, 0.3, 0.5, 0.7, 0.9, 1, 'uncertainty'. ...
    """

    _esm = script("loss_weight_explorer")
    _css = style("loss_weight_explorer")

    about = traitlets.Dict().tag(sync=True)
    tasks = traitlets.List(traitlets.Unicode()).tag(sync=True)
    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    front = traitlets.List().tag(sync=True)
    window = traitlets.Dict().tag(sync=True)
    alone = traitlets.Dict().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    weight = traitlets.Union([traitlets.Float(0.5), traitlets.Unicode()])
    weight.tag(sync=True)
    measure = traitlets.Enum(loss_weight_runs.MEASURES, "accuracy").tag(sync=True)

    @checked
    def __init__(self, record: Mapping[str, Any], *, weight: float | str = 0.5):
        record = dict(record)
        check_record(record)
        self._record = record
        tasks = list(record["tasks"])
        scores = loss_weight_runs.scores(record)
        tested = record["pictures"]["test"]
        alone = _alone(record, tasks)
        super().__init__(
            about={
                "net": record["net"],
                "data": record["data"],
                "pictures": record["pictures"]["train"],
                "tested": tested,
                "epochs": record["epochs"],
                "seeds": len(record["seeds"]),
            },
            tasks=tasks,
            runs=described_runs(record, scores),
            front=_front(scores, tasks),
            window={task: _window(scores, task, alone, tested) for task in tasks},
            alone=alone,
        )
        self.alt = described(self._shown())
        self.weight = weight

    @property
    def table(self) -> pd.DataFrame:
        """Test accuracy of each run: mean and range over the seeds, and the front."""
        return loss_weight_runs.table(self._record)

    @traitlets.validate("weight")
    def _known_weight(self, proposal: Any) -> float | str:
        value = proposal["value"]
        known = [loss_weight_runs.LEARNT if r["weight"] is None else r["weight"]
                 for r in self.runs]  # fmt: skip
        if known and value not in known:
            listed = ", ".join(f"{w:g}" if isinstance(w, float) else repr(w)
                               for w in known)  # fmt: skip
            raise WeightError(
                f"no run with the weight {value!r} is stored; there are {listed}. To "
                "train another: fit with MultiTaskStep(weights={...})"
            )
        return value

    def static_html(self) -> str:
        """Return a picture of all runs with the front, and a table."""
        return static_table(self._shown())

    def static_text(self) -> str:
        """Return all runs, one a line."""
        return "\n".join(static_lines(self._shown()))

    def _shown(self) -> dict[str, Any]:
        names = ("tasks", "runs", "front", "window", "alone")
        return {**self.about, **{name: getattr(self, name) for name in names}}


def check_record(record: Mapping[str, Any]) -> None:
    """Raise `ValueError` for a record that cannot be shown."""
    if missing := [key for key in NEEDED if key not in record]:
        raise ValueError(
            f"a record of loss weights has {', '.join(NEEDED)}; this one lacks "
            f"{missing[0]!r}. See loss_weight_runs for its form"
        )
    if len(record["tasks"]) != 2:
        found = ", ".join(record["tasks"]) or "none"
        raise ValueError(f"two tasks are weighed against each other, got {found}")
    for name, runs in record["runs"].items():
        if name != loss_weight_runs.LEARNT and not _is_share(name):
            raise ValueError(
                f"run {name!r} is neither a weight from 0 to 1 nor "
                f"{loss_weight_runs.LEARNT!r}"
            )
        if len(runs) != len(record["seeds"]):
            raise ValueError(
                f"run {name!r} has {len(runs)} seeds of {len(record['seeds'])}"
            )
    if not record["runs"]:
        raise ValueError("the record holds no runs: there is nothing to show")


def described_runs(record: Mapping[str, Any], scores: pd.DataFrame) -> list[dict]:
    """Return each run for the browser, by rising weight, the learnt weights last."""
    found = loss_weight_runs.curves(record)
    names = sorted(
        record["runs"], key=lambda n: 2.0 if _weight(n) is None else float(n)
    )
    return [
        {
            "name": name,
            "weight": _weight(name),
            "label": "learnt" if _weight(name) is None else f"w = {_weight(name):g}",
            "share": _mean([run["share"][-1] for run in record["runs"][name]]),
            "front": bool(scores.loc[name, ("front", "")]),
            "scores": {
                task: {what: float(scores.loc[name, (task, what)].round(6))
                       for what in ("mean", "min", "max")}
                for task in record["tasks"]
            },
            "curves": _curves(found[found["run"] == name]),
        }
        for name in names
    ]  # fmt: skip


def _curves(rows: pd.DataFrame) -> dict[str, dict]:
    """measure -> task -> mean, min and max by epoch."""
    grouped = rows.groupby(["measure", "task"], sort=False)
    found: dict[str, dict] = {}
    for (measure, task), part in grouped:
        lines = {w: part[w].round(4).tolist() for w in ("mean", "min", "max")}
        found.setdefault(measure, {})[task] = lines
    return found


def _alone(record: Mapping[str, Any], tasks: list[str]) -> dict[str, str]:
    """The run that learns a task alone, for each task that has one."""
    wanted = dict(zip(tasks, (1.0, 0.0), strict=True))
    return {
        task: name
        for task, weight in wanted.items()
        for name in record["runs"]
        if _weight(name) == weight
    }


def _front(scores: pd.DataFrame, tasks: list[str]) -> list[list[float]]:
    """Both means of the runs on the front, by rising first task."""
    rows = scores[scores["front", ""].astype(bool)]
    means = [[float(row[task, "mean"]) for task in tasks] for _, row in rows.iterrows()]
    return sorted(means)


def _window(
    scores: pd.DataFrame, task: str, alone: Mapping[str, str], tested: int
) -> list[float]:
    """What to show of a task's accuracy: all runs that learn it, with a margin.

    The margin is reckoned on the log of what is wrong, as the axes are drawn.
    """
    untaught = [name for other, name in alone.items() if other != task]
    rows = scores.drop(index=untaught)
    rows = scores if rows.empty else rows
    ends = [rows[task, "min"].min(), rows[task, "max"].max()]
    most, least = (math.log10(max(1 - float(x), 0.5 / tested)) for x in ends)
    margin = max(MARGIN * (most - least), 0.05)
    return [max(0.0, 1 - 10 ** (most + margin)), 1 - 10 ** (least - margin)]


def _weight(name: str) -> float | None:
    return None if name == loss_weight_runs.LEARNT else float(name)


def _is_share(name: str) -> bool:
    try:
        return 0 <= float(name) <= 1
    except ValueError:
        return False


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4)
