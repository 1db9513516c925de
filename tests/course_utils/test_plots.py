import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from course_utils.datasets import ImageDataset
from course_utils.metrics import Interval
from course_utils.plots import contact_sheet, plot_history, plot_intervals, show_images

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


def test_a_contact_sheet_shows_every_class():
    images = np.zeros((30, 8, 8, 3), np.uint8)
    data = ImageDataset(images, [0] * 28 + [1, 2], ["a", "b", "c"])
    titles = [ax.get_title() for ax in contact_sheet(data, 4).axes]
    assert titles == ["a", "a", "b", "c"]


def test_curves_are_labelled_and_end_in_words():
    table = pd.DataFrame(
        {"epoch": [1, 2], "train_loss": [2.0, 1.0], "val_loss": [2, 1.5]}
    )
    figure = plot_history(table, title="Head")
    loss = figure.axes[0]
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "cross-entropy loss")
    assert [line.get_label() for line in loss.lines] == ["train", "val"]
    assert figure.alt == "Head: after 2 epochs, train_loss 1.000, val_loss 1.500"


def test_a_history_without_losses_is_refused():
    with pytest.raises(ValueError, match="no epochs"):
        plot_history(pd.DataFrame({"epoch": [1]}))


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
