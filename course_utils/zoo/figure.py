"""The zoo as a picture: accuracy against a cost, with the Pareto front."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from course_utils.zoo.choice import pareto_front
from course_utils.zoo.families import GROUPS, family_of
from course_utils.zoo.table import COSTS, GAINS

# Okabe and Ito's colours, one for each group of families.
COLOURS = dict(
    zip(
        GROUPS,
        ("#7f8793", "#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7"),
        strict=True,
    )
)
MARKS = "so^DPv"  # as in the explorer
OTHER = "#999999"


def plot_zoo(
    table: pd.DataFrame, *, cost: str = "params", gain: str = "top1"
) -> Figure:
    """Draw each row of a zoo table, coloured by group, and the Pareto front.

    The cost is on a log scale. The figure's `alt` describes it in words.
    """
    front = pareto_front(table, cost=cost, gain=gain)
    figure = Figure(figsize=(7.6, 4.4), dpi=100, layout="constrained")
    axes = figure.subplots()
    groups = [_group(name) for name in table["architecture"]]
    for (group, colour), mark in zip(COLOURS.items(), MARKS, strict=True):
        rows = table[[found == group for found in groups]]
        if len(rows):
            axes.scatter(
                rows[cost], rows[gain], s=30, marker=mark, color=colour, alpha=0.85,
                edgecolors="white", linewidths=0.5, label=group,
            )  # fmt: skip
    others = table[[found == "" for found in groups]]
    if len(others):
        axes.scatter(others[cost], others[gain], s=26, color=OTHER, label="Other")
    axes.step(
        front[cost], front[gain], where="post", color="#333333", linewidth=1.3,
        label="Pareto front", zorder=0,
    )  # fmt: skip
    for row in _spread(front, gain):
        axes.annotate(
            row.architecture, (getattr(row, cost), getattr(row, gain)), fontsize=7.5,
            xytext=(-5, 4), textcoords="offset points", ha="right",
        )  # fmt: skip
    _dress(axes, cost, gain)
    figure.alt = describe_front(table, front, cost=cost, gain=gain)
    return figure


def describe_front(
    table: pd.DataFrame, front: pd.DataFrame, *, cost: str, gain: str
) -> str:
    """Say in a sentence how far the front reaches."""
    ends = [
        f"{row['architecture']} ({row[cost]:.3g}, {row[gain]:.1f})"
        for _, row in front.iloc[[0, -1]].iterrows()
    ]
    return (
        f"{GAINS.get(gain, gain)} against {COSTS.get(cost, cost)}, on a log scale, for "
        f"{len(table)} sets of weights; {len(front)} of them on the Pareto front, which "
        f"rises from {ends[0]} to {ends[1]}."
    )


def _group(architecture: str) -> str:
    family = family_of(architecture)
    return family.group if family else ""


def _spread(front: pd.DataFrame, gain: str, *, least: float = 2.4) -> list:
    """Return rows of the front whose labels leave each other room."""
    kept: list = []
    for row in front.itertuples():
        if not kept or getattr(row, gain) - getattr(kept[-1], gain) >= least:
            kept.append(row)
    return kept


def _dress(axes, cost: str, gain: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    left, right = axes.get_xlim()
    axes.set_xlim(left / 2, right)  # room for the first label
    axes.set_xlabel(f"{COSTS.get(cost, cost)}, log scale")
    axes.set_ylabel(GAINS.get(gain, gain))
    axes.set_title("The model zoo and its Pareto front", fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="lower right", frameon=False)
