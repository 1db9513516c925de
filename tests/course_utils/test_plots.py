import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.metrics import Interval
from course_utils.plots import plot_intervals, show_images

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
