import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.metrics import Interval
from course_utils.plots import plot_curves, plot_intervals, plot_seeds, show_images

INTERVAL = Interval(0.8, 0.7, 0.9, 5)


@pytest.fixture(autouse=True)
def _close_figures():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def test_images_are_shown_under_their_titles():
    figure = show_images(np.zeros((3, 8, 8, 3), np.uint8), ["a", "b", "c"], columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]
    assert figure.alt == "3 images: a, b, c"


@pytest.mark.parametrize(
    "image",
    [
        torch.rand(3, 8, 8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        Image.new("L", (8, 8)),
        np.zeros((8, 8)),
    ],
)
def test_any_kind_of_image_is_shown(image):
    shown = show_images([image]).axes[0].images[0].get_array()
    assert shown.shape == (8, 8, 3)


def test_titles_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 titles do not fit 2 images"):
        show_images(np.zeros((2, 8, 8, 3), np.uint8), ["a"])


@pytest.mark.parametrize(
    "draw", [lambda: show_images([]), lambda: plot_intervals({}, title="x")]
)
def test_nothing_to_show_is_refused(draw):
    with pytest.raises(ValueError, match="no "):
        draw()


def test_arms_are_rows_and_series_are_marks():
    figure = plot_intervals(
        {"flowers": {"frozen": INTERVAL, "all": INTERVAL}}, title="T"
    )
    ax = figure.axes[0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["flowers"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "frozen",
        "all",
    ]
    assert "95%" in ax.get_xlabel()
    assert figure.alt.startswith("T: flowers frozen 0.800 ± 0.100")


# -- seeds -----------------------------------------------------------------------------


def test_a_row_whose_interval_holds_zero_is_grey():
    rows = {"ahead": [3, 3.1, 2.9], "open": [-1, 1, 0.5], "behind": [-3, -3.1, -2.9]}
    figure = plot_seeds(rows, title="A less B")
    (ax,) = figure.axes
    drawn = ax.lines[:9]  # dots, interval and mean of each row
    assert len({line.get_color() for line in drawn}) == 3
    assert drawn[3].get_color() == "0.45"
    assert [t.get_text() for t in ax.get_yticklabels()] == list(rows)
    assert drawn[0].get_xdata().tolist() == rows["ahead"]


def test_curves_end_in_their_names_which_do_not_cover_each_other():
    values = {2: [0.5, 0.7], 50: [0.9, 0.9]}
    near = {2: [0.5, 0.6], 50: [0.899, 0.901]}
    figure = plot_curves(
        {"flowers": {"frozen": values, "tuned": near}, "cells": {"tuned": near}},
        title="T", xlabel="a class",
    )  # fmt: skip
    left, right = figure.axes
    assert left.get_title() == "flowers" and left.get_xscale() == "log"
    assert left.lines[0].get_ydata().tolist() == pytest.approx([0.6, 0.9])
    heights = sorted(text.xy[1] for text in left.texts)
    assert heights[1] - heights[0] > 0.02
    assert left.get_ylim() == right.get_ylim()
    one, other = left.texts[-1], right.texts[0]
    assert {one.get_color(), left.texts[0].get_color()} >= {other.get_color()}


def test_curves_over_names_stand_side_by_side():
    figure = plot_curves(
        {"": {"flowers": {"few": [0.5], "all": [0.9]}}}, title="T", xlabel="labels"
    )
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ["few", "all"]
    assert ax.get_xscale() == "linear" and ax.texts[0].xy[0] == 1
    assert "flowers 0.50 at few, 0.90 at all" in figure.alt


@pytest.mark.parametrize("panels", [{}, {"flowers": {}}])
def test_no_curves_are_refused(panels):
    with pytest.raises(ValueError, match="no curves"):
        plot_curves(panels, title="T", xlabel="x")


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        plot_seeds({}, title="T")
    with pytest.raises(ValueError, match="at least"):
        plot_seeds({"a": [1.0]}, title="T")
