"""The runs of `LossWeightExplorer` as a picture and a table, without a live view."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.scale import FuncScale
from matplotlib.ticker import FixedLocator, StrMethodFormatter

from course_utils.plots import BLUE, GREEN, ORANGE

from .base import data_url
from .markup import escape, html_table
from .pictures import figure_png

TICKS = (0, 20, 40, 60, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)  # per cent
GREY = "#767676"  # reads on a white and on a black ground


def share_text(found: dict[str, float]) -> str:
    """Return a mean with its range over the seeds, in per cent of the test pictures."""
    low, high = 100 * found["min"], 100 * found["max"]
    return f"{100 * found['mean']:.1f} % ({low:.1f} to {high:.1f})"


def static_table(shown: dict[str, Any]) -> str:
    """Return the picture of accuracies, and a table of all runs."""
    head, *rows = _cells(shown)
    picture = data_url(figure_png(front_figure(shown)))
    return (
        f'<p><img src="{picture}" alt="{escape(described(shown))}"></p>'
        f"{html_table(head, rows, caption=_about(shown))}"
    )


def static_lines(shown: dict[str, Any]) -> list[str]:
    """Return the table as lines of text."""
    rows = _cells(shown)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return [_about(shown), *(f"  {line}".rstrip() for line in lines)]


def described(shown: dict[str, Any]) -> str:
    """Say in words what the picture shows."""
    first, second = shown["tasks"]
    dots = "; ".join(
        f"{run['label']}: {100 * run['scores'][first]['mean']:.1f} and "
        f"{100 * run['scores'][second]['mean']:.1f} %"
        for run in shown["runs"]
    )
    front = ", ".join(run["label"] for run in shown["runs"] if run["front"])
    return (
        f"Test accuracy of {first} against {second}, one dot a run: {dots}. "
        f"On the Pareto front: {front}."
    )


def _about(shown: dict[str, Any]) -> str:
    first, second = shown["tasks"]
    return (
        f"{shown['net']}, {shown['pictures']} {shown['data']}: w · loss({first}) + "
        f"(1 − w) · loss({second}). Test accuracy after {shown['epochs']} epochs, mean "
        f"and range of {shown['seeds']} seeds"
    )


def _cells(shown: dict[str, Any]) -> list[list[str]]:
    rows = [["weights", *shown["tasks"], "Pareto front"]]
    for run in shown["runs"]:
        scores = [share_text(run["scores"][task]) for task in shown["tasks"]]
        rows.append([run["label"], *scores, "yes" if run["front"] else ""])
    return rows


# -- the picture -----------------------------------------------------------------------


def front_figure(shown: dict[str, Any]) -> Figure:
    """Draw the runs in the plane of both accuracies, with the front.

    Both axes have a log scale of what is wrong, since good runs stand close together.
    The ground is transparent and the text grey, to be read on light and on dark. Runs
    that learnt one task only are lines; the window is what the others need.
    """
    figure = Figure(figsize=(6, 3.9), dpi=100, facecolor="none", layout="constrained")
    axes = figure.subplots()
    first, second = shown["tasks"]
    window = shown["window"]
    for axis, task in ((axes.xaxis, first), (axes.yaxis, second)):
        _scale(axis, [100 * x for x in window[task]], 50 / shown["tested"])
    _draw_front(axes, shown)
    for run in shown["runs"]:
        if run["name"] not in shown["alone"].values():
            _draw_run(axes, run, first, second)
    _draw_alone(axes, shown)
    axes.set_xlabel(f"{first}, % of test pictures", color=GREY)
    axes.set_ylabel(f"{second}, % of test pictures", color=GREY)
    axes.set_facecolor("none")
    axes.tick_params(colors=GREY, labelsize=8)
    axes.spines[:].set_color(GREY)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _scale(axis: Axis, window: list[float], least: float) -> None:
    """Make equal steps equal ratios of what is wrong, down to `least` per cent."""
    pair = (lambda x: -np.log10(np.maximum(100 - x, least)), lambda y: 100 - 10.0**-y)
    axis.axes.set(**{f"{axis.axis_name}scale": FuncScale(axis, pair)})
    axis.axes.set(**{f"{axis.axis_name}lim": window})
    axis.set_major_locator(
        FixedLocator([x for x in TICKS if window[0] <= x <= window[1]])
    )
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _draw_front(axes: Axes, shown: dict[str, Any]) -> None:
    x, y = ([100 * v for v in values] for values in zip(*shown["front"], strict=True))
    left, bottom = axes.get_xlim()[0], axes.get_ylim()[0]
    axes.step([min(left, *x), *x, x[-1]], [y[0], *y, min(bottom, *y)], where="pre",
              color=GREEN, linewidth=1.3, zorder=1)  # fmt: skip


def _draw_run(axes: Axes, run: dict[str, Any], first: str, second: str) -> None:
    x, y = ({k: 100 * v for k, v in run["scores"][t].items()} for t in (first, second))
    learnt = run["weight"] is None
    axes.errorbar(
        x["mean"], y["mean"],
        xerr=[[x["mean"] - x["min"]], [x["max"] - x["mean"]]],
        yerr=[[y["mean"] - y["min"]], [y["max"] - y["mean"]]],
        fmt="D" if learnt else "o", markersize=6, elinewidth=0.9,
        color=GREEN if learnt else BLUE, markerfacecolor=None if run["front"] else "w",
    )  # fmt: skip
    place = {"xytext": (8, 4), "ha": "left"} if learnt else {"xytext": (-6, -10),
                                                            "ha": "right"}  # fmt: skip
    axes.annotate(run["label"], (x["mean"], y["mean"]), color=GREY, fontsize=8,
                  textcoords="offset points", **place)  # fmt: skip


def _draw_alone(axes: Axes, shown: dict[str, Any]) -> None:
    scores = {run["name"]: run["scores"] for run in shown["runs"]}
    for task, draw in zip(shown["tasks"], (axes.axvline, axes.axhline), strict=True):
        if task in shown["alone"]:
            mean = scores[shown["alone"][task]][task]["mean"]
            draw(100 * mean, color=ORANGE, linewidth=1, linestyle=":")
