"""What an Axes shows, as plain data; a place where figures are neither shown nor left."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

CURVES = ("train", "val")


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Show no bars and no figures meanwhile; close the figures that were made."""
    known = set(plt.get_fignums())
    with (
        mock.patch.dict(os.environ, COURSE_PROGRESS="0"),
        mock.patch.object(plt, "show"),
    ):
        try:
            yield
        finally:
            for number in set(plt.get_fignums()) - known:
                plt.close(number)


def told(ax: Axes, history: dict[str, list[float]]) -> dict[str, Any]:
    """Tell what an Axes shows of a history, fact by fact."""
    found = {name: _curve(ax, name, history[f"{name}_accuracy"]) for name in CURVES}
    curves = {name: line for name, line in found.items() if line is not None}
    titles = [ax.get_title(loc) for loc in ("center", "left", "right")]
    titles.append(getattr(ax.figure, "get_suptitle", str)())
    labels = {"x": ax.get_xlabel(), "y": ax.get_ylabel()}
    return {
        "the curves that are drawn": set(curves),
        "where the curves stand": {
            n: numbers(c.get_xdata()) for n, c in curves.items()
        },
        "what the legend calls the curves": {
            n: _called(ax, c) for n, c in curves.items()
        },
        "the vertical lines": _vertical_lines(ax),
        "the picture has a title": any(text.strip() for text in titles),
        "the axes with a label": {axis for axis in labels if labels[axis].strip()},
    }


def numbers(values: Any) -> list[float]:
    """Read a column, or a line's data, as floats."""
    return np.asarray(values, dtype=float).ravel().tolist()


def _curve(ax: Axes, name: str, wanted: list[float]) -> Line2D | None:
    """The line of these shares, as such or in per cent; best one of this label."""
    drawn = [(numbers(line.get_ydata()), line) for line in ax.get_lines()]
    fitting = [
        line
        for found, line in drawn
        for k in (1, 100)
        if len(found) == len(wanted)
        and np.allclose(found, np.multiply(wanted, k), atol=2e-3 * k)
    ]
    return max(fitting, key=lambda line: name in str(line.get_label()), default=None)


def _called(ax: Axes, line: Line2D) -> set[str]:
    """Which of the names a legend gives to what looks like a line."""
    legend = ax.get_legend()
    if legend is None:
        return set()
    entries = list(zip(legend.legend_handles, legend.get_texts(), strict=False))
    own = [entry for entry in entries if _look(entry[0]) == _look(line)] or entries
    texts = [text.get_text().lower() for _, text in own]
    return {name for name in CURVES if any(name in text for text in texts)}


def _look(artist: Any) -> list[str]:
    """How a line is drawn, by which a legend tells it from others."""
    kinds = "color", "linestyle", "marker"
    return [str(getattr(artist, f"get_{kind}", str)()) for kind in kinds]


def _vertical_lines(ax: Axes) -> set[float]:
    """Where vertical lines stand, by axvline, plot or vlines."""
    pieces = [line.get_xydata() for line in ax.get_lines()]
    for collection in ax.collections:
        pieces += getattr(collection, "get_segments", list)()
    ends = [np.asarray(piece, dtype=float) for piece in pieces if len(piece) == 2]
    return {float(a[0]) for a, b in ends if a[0] == b[0] and a[1] != b[1]}
