"""Curves that grow while `training.fit` runs, and stay behind as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import traitlets
from IPython.display import DisplayHandle, display
from PIL import Image

from course_utils.arguments import checked
from course_utils.layer_groups import UnfreezeSchedule
from course_utils.training import EpochState

from .base import CourseWidget, png_data_url, script, style
from .markup import escape
from .pictures import figure_png
from .training_monitor_static import (
    COLUMNS,
    TABLE_ROWS,
    epochs_table,
    known,
    monitor_figure,
    shown_value,
)

__all__ = ["TrainingMonitor"]

VIEWS = {
    "both": "Both",
    "loss": "Loss",
    "accuracy": "Accuracy",
    "table": "Table",
}
PACE_ROWS = 3  # epochs that the time left is reckoned from: waking stages slows them


class TrainingMonitor(CourseWidget):
    """Show a run of `training.fit` as it goes: show it first, then hand it to `fit`.

    Loss and accuracy, learning rates where they differ or change, stages that wake,
    the best epoch (least validation loss), images per second, time spent and left.
    `schedule` is an `UnfreezeSchedule` or a mapping of epochs to stages; put it into
    the callbacks as well, for the monitor only marks it. `epochs` is needed only to
    draw the axis before `fit` says how many there are. `view` is "both", "loss",
    "accuracy" or "table". When `fit` ends, each place that shows the monitor gets its
    final static picture, which a saved notebook keeps.

    Raises `ValueError` for `epochs` below 1 or a schedule that says nothing, and
    `TypeError` for one that is no mapping.

    >>> import torch
    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.training import fit, make_loader
    >>> from course_utils.weights import load_backbone
    >>> from course_utils.widgets import TrainingMonitor
    >>> train = make_loader(load_dataset("flowers", per_class=2).train)
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    >>> monitor = TrainingMonitor()  # display(monitor) shows it
    >>> options = {"optimizer": optimizer, "epochs": 2, "callbacks": [monitor]}
    >>> history = fit(model, train, None, **options)
    >>> [row["epoch"] for row in monitor.rows], monitor.running
    ([1, 2], False)
    """

    _esm = script("training_monitor")
    _css = style("training_monitor")

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    rates = traitlets.List(traitlets.Dict()).tag(sync=True)
    marks = traitlets.List(traitlets.Dict()).tag(sync=True)
    running = traitlets.Bool(False).tag(sync=True)
    epochs = traitlets.Int(None, allow_none=True).tag(sync=True)
    best = traitlets.Int(None, allow_none=True).tag(sync=True)
    timing = traitlets.Dict().tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    views = traitlets.Dict(VIEWS).tag(sync=True)
    columns = traitlets.Dict(COLUMNS).tag(sync=True)
    view = traitlets.Enum(list(VIEWS), "both").tag(sync=True)

    @checked
    def __init__(
        self,
        *,
        epochs: int | None = None,
        schedule: Mapping[int, str | Sequence[str]] | None = None,
        title: str = "",
    ):
        if epochs is not None and epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {epochs}")
        self._schedule = _as_schedule(schedule)
        self._history = pd.DataFrame()
        self._groups: dict[int, dict[str, float]] = {}
        self._shown: list[DisplayHandle] = []
        super().__init__(
            epochs=epochs,
            marks=schedule_marks(self._schedule),
            timing=time_left([], epochs),
            title=str(title),
        )

    @property
    def history(self) -> pd.DataFrame:
        """The history so far, as `fit` will return it: one row an epoch."""
        return self._history

    # -- what `fit` tells --------------------------------------------------------------

    def on_epoch_start(self, state: EpochState) -> None:
        """Take over the run's length, its history so far, and the groups' rates."""
        self._groups = {e: v for e, v in self._groups.items() if e < state.epoch}
        self._groups[state.epoch] = group_rates(state)
        self._take(state, running=True)

    def on_epoch_end(self, state: EpochState) -> None:
        """Show the epoch that has ended."""
        # A scheduler may have stepped by now; by batch, though, the rates at the end
        # are those that the history holds. Take whichever agrees with it.
        end, used = group_rates(state), state.history["lr"].iloc[-1]
        if list(end.values())[-1] == used:
            self._groups[state.epoch] = end
        self._take(state, running=state.epoch != state.epochs)

    def on_fit_end(self, state: EpochState) -> None:
        """Show that the run is over, and leave its picture wherever this is shown."""
        self._take(state, running=False)
        data, metadata = self._repr_mimebundle_()
        for handle in self._shown:
            handle.update(data, metadata=metadata, raw=True)

    def _take(self, state: EpochState, *, running: bool) -> None:
        self._history = state.history
        rows = plain_rows(state.history)
        epochs = state.epochs or self.epochs
        with self.hold_sync():  # one message, so that the view is drawn once
            self.epochs, self.rows, self.running = epochs, rows, running
            self.rates = rate_lines(rows, self._groups)
            self.marks = schedule_marks(self._schedule)
            self.best = best_epoch(rows)
            self.timing = time_left(rows, epochs)

    # -- showing -----------------------------------------------------------------------

    def _ipython_display_(self, **kwargs: Any) -> None:
        """Show this under an id of its own, so that the picture can be put in later.

        The value of a cell has no such id: what is saved with it would stay as it was
        before training.
        """
        data, metadata = self._repr_mimebundle_()
        handle = display(data, metadata=metadata, raw=True, display_id=True)
        self._shown.append(handle)

    def static_html(self) -> str:
        """Return the curves as a picture, and the last epochs as a table."""
        if not self.rows:
            return f"<p><b>{escape(self._name())}</b><br>{escape(self._summary())}</p>"
        figure = monitor_figure(
            self.rows, rates=self.rates, marks=self.marks, best=self.best,
            title=self._name(),
        )  # fmt: skip
        drawn = Image.open(io.BytesIO(figure_png(figure)))
        # 64 colours are plenty for lines, and a notebook carries these bytes along.
        small = drawn.quantize(64, method=Image.Quantize.FASTOCTREE)
        picture = f'<img src="{png_data_url(small)}" alt="{escape(self._alt())}">'
        caption = f"{self._summary()}; the last epochs (★ best)"
        table = epochs_table(self.rows[-TABLE_ROWS:], best=self.best, caption=caption)
        return f"<p>{picture}</p>{table}"

    def static_text(self) -> str:
        """Return where the run stands, and its last epochs."""
        lines = [f"{self._name()}: {self._summary()}"]
        for row in self.rows[-TABLE_ROWS:]:
            shown = [f"{COLUMNS[n]} {shown_value(n, row[n])}" for n in known(row)]
            lines.append("  " + ", ".join(shown))
        return "\n".join(lines)

    def _name(self) -> str:
        return self.title or "Training"

    def _summary(self) -> str:
        """Say how far the run is, and what was best."""
        if not self.rows:
            waits = "an epoch is under way" if self.running else "it has not begun"
            return f"no epoch has ended yet; {waits}. Curves follow as `fit` runs."
        done, of = self.rows[-1]["epoch"], self.epochs
        said = f"epoch {done} of {of}" if of else f"{done} epochs"
        if self.best is None:
            return said
        row = next(row for row in self.rows if row["epoch"] == self.best)
        return (
            f"{said}; best epoch {self.best}, val loss "
            f"{shown_value('val_loss', row['val_loss'])}, val accuracy "
            f"{shown_value('val_accuracy', row.get('val_accuracy'))}"
        )

    def _alt(self) -> str:
        last = self.rows[-1]
        ends = [
            f"{COLUMNS[n]} {shown_value(n, last[n])}"
            for n in known(last)
            if n.endswith(("_loss", "_accuracy"))
        ]
        woke = [
            f"{', '.join(mark['stages'])} from epoch {mark['epoch']}"
            for mark in self.marks
            if mark["epoch"] <= last["epoch"]
        ]
        learns = f" Stages that learn: {'; '.join(woke)}." if woke else ""
        return (
            f"{self._name()}: {self._summary()}. At the end {', '.join(ends)}.{learns}"
        )


# -- from the history to what is shown -------------------------------------------------


def plain_rows(history: pd.DataFrame) -> list[dict[str, float | int | None]]:
    """Return the history's known columns as rows; what is not finite becomes None."""
    names = [name for name in COLUMNS if name in history]
    return [
        {name: _plain(name, value) for name, value in row.items()}
        for row in history[names].to_dict("records")
    ]


def _plain(name: str, value: float) -> float | int | None:
    if name == "epoch":
        return int(value)
    return float(value) if math.isfinite(value) else None


def best_epoch(rows: Sequence[dict]) -> int | None:
    """Return the epoch of least validation loss, the first of equals; None without."""
    measured = [row for row in rows if row.get("val_loss") is not None]
    return min(measured, key=lambda r: r["val_loss"])["epoch"] if measured else None


def time_left(rows: Sequence[dict], epochs: int | None) -> dict[str, float | None]:
    """Return seconds spent, an epoch's pace, and what is left at that pace."""
    seconds = [row["seconds"] for row in rows if row.get("seconds") is not None]
    last = seconds[-PACE_ROWS:]
    pace = sum(last) / len(last) if last else None
    left = None if pace is None or epochs is None else pace * (epochs - len(rows))
    return {"spent": sum(seconds), "pace": pace, "left": left}


def group_rates(state: EpochState) -> dict[str, float]:
    """Return each optimiser group's name and learning rate, as they are now."""
    groups = enumerate(state.optimizer.param_groups)
    return {g.get("name", f"group {i}"): float(g["lr"]) for i, g in groups}


def rate_lines(
    rows: Sequence[dict], groups: Mapping[int, Mapping[str, float]]
) -> list[dict[str, Any]]:
    """Return the different courses of the learning rate: names, and a value an epoch.

    Groups that always have the same rate are one line. Epochs before the monitor
    listened are known by the history's `lr` alone, which is the last group's.
    """
    if not rows:
        return []
    names = list(dict.fromkeys(name for now in groups.values() for name in now))
    lines: dict[tuple, list[str]] = {}
    for name in names:
        course = tuple(groups.get(row["epoch"], {}).get(name) for row in rows)
        if name == names[-1]:
            pairs = zip(course, rows, strict=True)
            course = tuple(r.get("lr") if v is None else v for v, r in pairs)
        lines.setdefault(course, []).append(name)
    return [{"names": found, "values": list(v)} for v, found in lines.items()]


def schedule_marks(schedule: UnfreezeSchedule | None) -> list[dict[str, Any]]:
    """Return the epochs at which stages wake, in order, with the stages' names."""
    entries = schedule.items() if schedule is not None else ()
    return [{"epoch": epoch, "stages": list(names)} for epoch, names in entries]


def _as_schedule(schedule: Mapping | None) -> UnfreezeSchedule | None:
    if schedule is None or isinstance(schedule, UnfreezeSchedule):
        return schedule
    return UnfreezeSchedule(schedule)
