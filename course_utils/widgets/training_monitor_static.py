"""What a training run leaves behind without a live view: a picture and a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.plots import BLUE, ORANGE, PURPLE

from .markup import html_table

STYLES = {"train": (ORANGE, "--", "s"), "val": (BLUE, "-", "o")}
GREY = "#767676"  # reads on a white and on a black ground
TABLE_ROWS = 5  # of the static form
COLUMNS = {
    "epoch": "epoch",
    "train_loss": "train loss",
    "val_loss": "val loss",
    "train_accuracy": "train accuracy",
    "val_accuracy": "val accuracy",
    "lr": "learning rate",
    "images_per_second": "images/s",
    "seconds": "time, s",
}


def known(row: Mapping) -> list[str]:
    """Return the columns that a row has, in the order to show them."""
    return [name for name in COLUMNS if name in row]


def shown_value(name: str, value: float | None) -> str:
    """Return a value as text: accuracy in %, rates to three digits, no NaN."""
    if value is None:
        return "–"
    if name == "epoch":
        return str(value)
    if name.endswith("_accuracy"):
        return f"{value:.1%}"
    if name == "images_per_second":
        return f"{value:,.0f}"
    return f"{value:.3g}" if name == "lr" else f"{value:.3f}"


def epochs_table(rows: Sequence[dict], *, best: int | None, caption: str) -> str:
    """Return rows of the history as an HTML table; a star marks the best epoch."""
    names = known(rows[-1])
    shown = [[shown_value(name, row.get(name)) for name in names] for row in rows]
    for row, cells in zip(rows, shown, strict=True):
        if row["epoch"] == best:
            cells[0] = f"★ {cells[0]}"
    return html_table([COLUMNS[name] for name in names], shown, caption=caption)


# -- the picture -----------------------------------------------------------------------


def monitor_figure(
    rows: Sequence[dict],
    *,
    rates: Sequence[dict] = (),
    marks: Sequence[dict] = (),
    best: int | None = None,
    title: str = "Training",
) -> Figure:
    """Draw loss and accuracy, and the learning rates below where they differ or change.

    The ground is transparent and the text grey, to be read on light and on dark.
    """
    varied = len({v for line in rates for v in line["values"] if v is not None}) > 1
    layout = [["loss", "accuracy"], ["lr", "lr"]] if varied else [["loss", "accuracy"]]
    figure = Figure(
        figsize=(8, 4 if varied else 3), dpi=100, facecolor="none", layout="constrained"
    )
    ratios = [3, 1.1] if varied else [1]
    axes = figure.subplot_mosaic(layout, height_ratios=ratios)
    epochs = [row["epoch"] for row in rows]
    for quantity in ("loss", "accuracy"):
        _draw_curves(axes[quantity], rows, epochs, quantity, best)
    axes["loss"].set_ylabel("loss, mean per image")
    axes["accuracy"].set_ylabel("accuracy, % of images")
    if varied:
        _draw_rates(axes["lr"], epochs, rates)
    for ax in axes.values():
        _dress(ax, epochs, marks, named=ax is not axes.get("lr"))
    figure.suptitle(title, fontsize=11, color=GREY, parse_math=False)
    lines, _ = axes["loss"].get_legend_handles_labels()
    figure.legend(handles=lines, loc="outside lower center", ncols=3, frameon=False,
                  fontsize=8, labelcolor=GREY)  # fmt: skip
    return figure


def _draw_curves(ax: Axes, rows, epochs, quantity: str, best: int | None) -> None:
    scale = 100 if quantity == "accuracy" else 1
    for split, (colour, line, mark) in STYLES.items():
        found = [row.get(f"{split}_{quantity}") for row in rows]
        if all(value is None for value in found):
            continue
        values = [math.nan if value is None else value * scale for value in found]
        size = 4 if len(rows) <= 40 else 0
        ax.plot(epochs, values, color=colour, linestyle=line, marker=mark,
                markersize=size, label=split)  # fmt: skip
        if split == "val" and best in epochs:
            at = values[epochs.index(best)]
            ax.plot(best, at, marker="*", markersize=13, linestyle="none",
                    color=BLUE, markeredgecolor="white", label="best")  # fmt: skip


def _draw_rates(ax: Axes, epochs, rates: Sequence[dict]) -> None:
    for i, line in enumerate(rates):
        values = [math.nan if v is None else v for v in line["values"]]
        shade = 1 if len(rates) == 1 else 0.35 + 0.65 * i / (len(rates) - 1)
        ax.plot(epochs, values, color=PURPLE, linewidth=1.2, alpha=shade, marker=".",
                markersize=3)  # fmt: skip
    if all(v is None or v > 0 for line in rates for v in line["values"]):
        ax.set_yscale("log")
    ax.set_ylabel("learning\nrate")


def _dress(ax: Axes, epochs, marks: Sequence[dict], *, named: bool) -> None:
    """Add what all panels share: the epochs, and lines where stages wake."""
    ax.set_facecolor("none")
    ax.tick_params(colors=GREY, labelsize=8)
    ax.spines[:].set_color(GREY)
    ax.spines[["top", "right"]].set_visible(False)
    for text in (ax.xaxis.label, ax.yaxis.label):
        text.set(color=GREY, fontsize=9)
    ax.set_xlabel("epoch", color=GREY, fontsize=9)
    ax.set_xlim(min(epochs) - 0.6, max(epochs) + 0.6)
    ax.xaxis.get_major_locator().set_params(integer=True)
    for mark in marks:
        if not min(epochs) <= mark["epoch"] <= max(epochs):
            continue
        at = mark["epoch"] - 0.5
        ax.axvline(at, color=GREY, linewidth=0.9, linestyle=":")
        if named:
            names = ", ".join(mark["stages"])
            ax.text(at, 1.02, names, transform=ax.get_xaxis_transform(), rotation=30,
                    fontsize=7, color=GREY, rotation_mode="anchor",
                    parse_math=False)  # fmt: skip
