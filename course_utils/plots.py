"""Figures of the lessons: images, training curves, intervals.

Colours are Okabe and Ito's, which survive colour-blindness; marks and line styles
repeat what the colours say. Figures keep a white ground of their own, so that they
read the same in a light and in a dark theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from course_utils.arguments import Count, checked
from course_utils.metrics import Interval, mean_interval
from course_utils.rgb import to_rgb

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#56B4E9", "#E69F00")
MARKS = "osD^vP"


@checked
def show_images(
    images: Iterable,
    titles: Sequence[str] | None = None,
    *,
    columns: Count = 8,
    title: str | None = None,
    alt: str | None = None,
) -> Figure:
    """Show images in a grid, with a title each and one for all.

    `images` is uint8 (N, H, W, 3), a tensor (N, 3, H, W) with values 0..255 or 0..1,
    or a list of such images or PIL images. `alt` describes the figure for those who
    cannot see it; it defaults to the titles, and is kept as `figure.alt`.

    Raises `ValueError` for no images, or titles that do not fit their number.

    >>> import numpy as np
    >>> from course_utils.plots import show_images
    >>> images = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    >>> show_images(images, titles=["daisy", "tulip"], title="Two flowers").alt
    'Two flowers: 2 images: daisy, tulip'
    """
    pictures = [_as_picture(image) for image in images]
    if not pictures:
        raise ValueError("no images to show")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"{len(titles)} titles do not fit {len(pictures)} images")
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    figure, axes = _figure(rows, columns, width=1.25 * columns, height=1.45 * rows)
    for ax in axes.flat:
        ax.set_axis_off()
    for i, picture in enumerate(pictures):
        ax = axes.flat[i]
        ax.imshow(picture, interpolation="nearest")
        if titles is not None:
            ax.set_title(str(titles[i]), fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return _described(figure, alt or _listing(len(pictures), title, titles))


_ENDINGS = ("_loss", "_accuracy")
_STYLES = {"train": (ORANGE, "--", "s"), "val": (BLUE, "-", "o")}


def _curves(ax: Axes, history: pd.DataFrame, quantity: str) -> None:
    epochs = history.get("epoch", pd.Series(range(1, len(history) + 1)))
    for split, (colour, line, mark) in _STYLES.items():
        values = history.get(f"{split}_{quantity}")
        if values is not None:
            style = {"color": colour, "linestyle": line, "marker": mark}
            ax.plot(epochs, values, label=split, markersize=4, **style)
    ax.set_xlabel("epoch")
    ax.set_title(quantity, fontsize=10)
    ax.xaxis.get_major_locator().set_params(integer=True)
    if ax.lines:
        ax.legend(frameon=False)


@checked
def plot_intervals(
    arms: Mapping[str, Interval] | Mapping[str, Mapping[str, Interval]],
    *,
    title: str,
    xlabel: str = "accuracy (share of images)",
    zero: bool = False,
    alt: str | None = None,
) -> Figure:
    """Draw each arm's mean as a dot and its confidence interval as a line.

    `arms` maps names to intervals, or names to {series: interval} for several dots a
    row. `zero` marks zero, for differences.

    Raises `ValueError` where there is no arm.

    >>> from course_utils.metrics import mean_interval
    >>> from course_utils.plots import plot_intervals
    >>> arms = {"frozen": mean_interval([0.91, 0.93]), "tuned": mean_interval([0.94, 0.95])}
    >>> plot_intervals(arms, title="Five pictures a class").alt
    'Five pictures a class: frozen 0.920 ± 0.127; tuned 0.945 ± 0.064'
    """
    if not arms:
        raise ValueError("no arms to draw")
    table = {k: v if isinstance(v, Mapping) else {"": v} for k, v in arms.items()}
    series = list(dict.fromkeys(name for row in table.values() for name in row))
    figure, axes = _figure(1, 1, width=7, height=1.2 + 0.4 * len(table))
    ax = axes.flat[0]
    for i, name in enumerate(series):
        _dots(ax, table, name, i, offset=(i - (len(series) - 1) / 2) * 0.22)
    level = next(v.confidence for row in table.values() for v in row.values())
    _dress_rows(
        ax, list(table), title, f"{xlabel}, mean with {level:.0%} interval", zero
    )
    if len(series) > 1:
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    said = [f"{k} {s} {v}" for k, row in table.items() for s, v in row.items()]
    spoken = "; ".join(said).replace("  ", " ")
    return _described(figure, alt or f"{title}: {spoken}")


@checked
def plot_seeds(
    rows: Mapping[str, Sequence[float]],
    *,
    title: str,
    xlabel: str = "points",
    alt: str | None = None,
) -> Figure:
    """Draw a difference for each row: seeds as dots, their mean and its 95 % interval.

    `rows` maps a name to one value a seed, at least two. An interval that leaves zero
    out is drawn in colour, one that holds it in grey: it leaves the question open.

    Raises `ValueError` where there is no row, or a single value in one.

    >>> from course_utils.plots import plot_seeds
    >>> plot_seeds({"flowers": [1.0, 2.0, 3.0]}, title="Fine-tuned less frozen").alt
    'Fine-tuned less frozen: flowers 2.000 ± 2.484'
    """
    if not rows:
        raise ValueError("no rows to draw")
    found = {name: mean_interval(values) for name, values in rows.items()}
    figure, axes = _figure(1, 1, width=7, height=1.2 + 0.35 * len(rows))
    ax = axes.flat[0]
    for y, (name, values) in enumerate(rows.items()):
        low, high = found[name].low, found[name].high
        colour = BLUE if low > 0 else ORANGE if high < 0 else "0.45"
        ax.plot(values, [y] * len(values), "o", color=colour, alpha=0.35, markersize=5)
        ax.plot([low, high], [y, y], color=colour, linewidth=2)
        ax.plot(found[name].mean, y, "D", color=colour, markersize=6)
    _dress_rows(ax, list(rows), title, xlabel, zero=True)
    _open_frame(ax)
    spoken = "; ".join(f"{name} {interval}" for name, interval in found.items())
    return _described(figure, alt or f"{title}: {spoken}")


@checked
def plot_curves(
    panels: Mapping[str, Mapping[str, Mapping]],
    *,
    title: str,
    xlabel: str,
    ylabel: str = "accuracy",
    log: bool = True,
    alt: str | None = None,
) -> Figure:
    """Draw curves over a setting, side by side: means as lines, seeds as dots.

    `panels` maps a panel's title to its curves, {name: {x: one value a seed}}; a curve's
    name stands at its end. `log` draws the x-axis in logarithms; where x are names, they
    stand side by side.

    Raises `ValueError` where there is no panel, or a panel without a curve.

    >>> from course_utils.plots import plot_curves
    >>> frozen = {"frozen": {2: [0.5, 0.6], 5: [0.7, 0.8]}}
    >>> plot_curves({"flowers": frozen}, title="More pictures", xlabel="a class").alt
    'More pictures. flowers: frozen 0.55 at 2, 0.75 at 5'
    """
    if not panels or not all(panels.values()):
        raise ValueError("no curves to draw")
    width = 7 if len(panels) < 3 else 10
    figure, axes = _figure(1, len(panels), width=width, height=3.4)
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    ends: dict[Axes, dict] = {}
    for ax, (what, curves) in zip(axes.flat, panels.items(), strict=True):
        ax.sharey(axes.flat[0])
        ends[ax] = {}
        for name, points in curves.items():
            i = names.index(name)
            style = {
                "color": COLOURS[i % len(COLOURS)],
                "marker": MARKS[i % len(MARKS)],
            }
            ends[ax][name] = _curve(ax, points, style)
        ax.set_title(what, fontsize=10)
        ax.set_xlabel(xlabel)
        _scale(ax, {x for points in curves.values() for x in points}, log=log)
        ax.grid(axis="y", color="0.9")
        _open_frame(ax)
    for ax, its in ends.items():  # when the common height is known
        _label_ends(ax, its, names)
    axes.flat[0].set_ylabel(ylabel)
    figure.suptitle(title, fontsize=11)
    return _described(figure, alt or f"{title}. {_told(panels)}")


def _scale(ax: Axes, xs: set, *, log: bool) -> None:
    if any(isinstance(x, str) for x in xs):
        return
    if log:
        ax.set_xscale("log")
    if all(float(x).is_integer() for x in xs):
        ax.set_xticks(sorted(xs), [f"{x:g}" for x in sorted(xs)])
        ax.minorticks_off()


def _in_order(points: Mapping) -> list:
    """The places of a curve: numbers from small to large, names as they come."""
    named = any(isinstance(x, str) for x in points)
    return list(points) if named else sorted(points)


def _curve(ax: Axes, points: Mapping, style: dict) -> tuple[float, float]:
    """Draw one curve; return where it ends."""
    xs = _in_order(points)
    means = [float(np.mean(points[x])) for x in xs]
    ax.plot(xs, means, linewidth=1.8, markersize=4, **style)
    for x in xs:
        values = np.atleast_1d(points[x])
        ax.plot(
            [x] * len(values), values, linestyle="", alpha=0.25, markersize=4, **style
        )
    end = len(xs) - 1 if isinstance(xs[-1], str) else xs[-1]
    return end, means[-1]


def _label_ends(ax: Axes, ends: dict, names: list[str]) -> None:
    """Write each curve's name at its end, one above the other where they are close."""
    low, high = ax.get_ylim()
    room, below = 0.065 * (high - low), -np.inf
    for name, (x, y) in sorted(ends.items(), key=lambda end: end[1][1]):
        below = max(y, below + room)
        ax.annotate(
            name, (x, below), xytext=(6, 0), textcoords="offset points", va="center",
            fontsize=8, color=COLOURS[names.index(name) % len(COLOURS)],
            annotation_clip=False,
        )  # fmt: skip


def _open_frame(ax: Axes) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _told(panels: Mapping) -> str:
    def points(curve: Mapping) -> str:
        places = _in_order(curve)
        called = [x if isinstance(x, str) else f"{x:g}" for x in places]
        pairs = zip(places, called, strict=True)
        return ", ".join(f"{np.mean(curve[x]):.2f} at {name}" for x, name in pairs)

    return "; ".join(
        f"{what}: {name} {points(curve)}"
        for what, curves in panels.items()
        for name, curve in curves.items()
    )


def _dots(ax: Axes, table: dict, name: str, i: int, *, offset: float) -> None:
    rows = [(y, row[name]) for y, row in enumerate(table.values()) if name in row]
    means = np.array([interval.mean for _, interval in rows])
    lows = means - [interval.low for _, interval in rows]
    highs = np.array([interval.high for _, interval in rows]) - means
    ax.errorbar(
        means,
        [y + offset for y, _ in rows],
        xerr=np.clip([lows, highs], 0, None),
        fmt=MARKS[i % len(MARKS)],
        color=COLOURS[i % len(COLOURS)],
        capsize=4,
        label=name,
    )


def _dress_rows(ax: Axes, names: list[str], title, xlabel, zero: bool) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)  # the first arm on top
    ax.set_xlabel(xlabel)
    ax.set_title(title, fontsize=11)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    if zero:
        ax.axvline(0, color="0.4", linewidth=1)


def _figure(rows: int, columns: int, *, width: float, height: float):
    size = (max(width, 2.5), height)
    return plt.subplots(
        rows,
        columns,
        figsize=size,
        squeeze=False,
        layout="constrained",
        facecolor="white",
    )


def _described(figure: Figure, alt: str) -> Figure:
    """Keep a description with the figure: `figure.alt`, and its name in the window."""
    figure.alt = alt
    figure.set_label(alt)
    return figure


def _listing(count: int, title: str | None, titles: Sequence[str] | None) -> str:
    what = "1 image" if count == 1 else f"{count} images"
    listed = f": {', '.join(dict.fromkeys(map(str, titles)))}" if titles else ""
    return f"{title + ': ' if title else ''}{what}{listed}"


def _as_picture(image) -> np.ndarray:
    """Return one image as an array (H, W, 3) that imshow takes."""
    if isinstance(image, Image.Image):
        return np.asarray(to_rgb(image))
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().numpy()
    picture = np.asarray(image)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=-1)
    if picture.ndim == 3 and picture.shape[0] == 3 and picture.shape[-1] != 3:
        picture = np.moveaxis(picture, 0, -1)  # (3, H, W) -> (H, W, 3)
    if picture.ndim != 3 or picture.shape[-1] != 3:
        raise ValueError(f"expected RGB images, got shape {picture.shape}")
    return picture if picture.dtype == np.uint8 else np.clip(picture, 0, 1)
