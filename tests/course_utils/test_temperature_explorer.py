import math
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset
from traitlets import TraitError

from course_utils.datasets import ImageDataset
from course_utils.distillation import Teacher, entropy_bits, soft_targets
from course_utils.widgets import TemperatureExplorer
from course_utils.widgets.temperature_static import odds_text, share_text
from tests.course_utils.test_widgets import VIEW, TagChecker

LOGITS = torch.tensor([[2.0, 6.0, 0.0], [1.0, 0.0, -1.0]], dtype=torch.float64)
CLASSES = ["fox", "hen", "owl"]


class Fixed(nn.Module):
    """Give the same logits to the first, second... picture, whatever it shows."""

    def __init__(self, logits=LOGITS):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.register_buffer("logits", logits)

    def forward(self, images):
        self.norm(images)
        return self.logits[: len(images)].to(images.dtype)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 16, 16, generator=generator)


@pytest.fixture
def explorer(images):
    return TemperatureExplorer(Fixed(), images, labels=[0, 0], classes=CLASSES, T=2)


def at(explorer, T, picture=0):
    return explorer.pictures[picture]["steps"][explorer.temperatures.index(T)]


# -- what is told ----------------------------------------------------------------------


def test_classes_stand_by_their_logits_and_the_true_one_is_marked(explorer):
    first, second = explorer.pictures
    assert (first["classes"], first["truth"]) == (["hen", "fox", "owl"], 1)
    assert (second["classes"], second["truth"]) == (["fox", "hen", "owl"], 0)
    assert {picture["name"] for picture in explorer.pictures} == {"fox"}


@pytest.mark.parametrize("T", [1, 2, 20])
def test_every_step_is_what_the_package_reckons(explorer, T):
    shares = soft_targets(LOGITS[0], T)
    step = at(explorer, T)
    assert step["shares"] == pytest.approx(shares[[1, 0, 2]].tolist(), rel=1e-4)
    assert step["entropy"] == pytest.approx(entropy_bits(shares).item(), rel=1e-4)
    assert step["odds"][1] == pytest.approx(math.exp(4 / T), rel=1e-4)
    lengths = [(soft_targets(LOGITS[0], t) - 1 / 3).norm() / t for t in (T, 1)]
    assert step["plain"] == pytest.approx((lengths[0] / lengths[1]).item(), rel=1e-4)
    assert step["scaled"] == pytest.approx(T**2 * step["plain"], rel=1e-3)


def test_entropy_rises_and_the_plain_gradient_falls_with_the_temperature(explorer):
    steps = explorer.pictures[0]["steps"]
    entropies = [step["entropy"] for step in steps]
    gradients = [step["plain"] for step in steps]
    assert entropies == sorted(entropies)
    assert gradients == sorted(gradients, reverse=True)
    assert (gradients[0], steps[0]["scaled"]) == (1, 1)


def test_the_table_is_what_is_shown(explorer):
    table = explorer.table
    assert list(table.index) == ["hen", "fox", "owl"]
    assert table["logit"].tolist() == [6, 2, 0]
    assert table["T = 2"].tolist() == pytest.approx(at(explorer, 2)["shares"], rel=1e-4)
    assert table["best is likelier, times"].iloc[0] == 1
    explorer.picture, explorer.T = 1, 4
    assert explorer.table["T = 4"].idxmax() == "fox"


def test_of_many_classes_the_best_and_the_true_one_have_bars(images):
    logits = torch.arange(100, dtype=torch.float64).div(10).repeat(2, 1)
    explorer = TemperatureExplorer(Fixed(logits), images, labels=[3, 99])
    first, second = explorer.pictures
    assert (first["classes"][0], first["classes"][-1]) == ("class 99", "class 3")
    assert (first["truth"], second["truth"], first["others"]) == (6, 0, 93)
    for step in first["steps"]:
        assert sum(step["shares"]) + step["rest"] == pytest.approx(1, abs=1e-4)


def test_the_teacher_answers_in_eval_mode_and_is_given_back(images):
    teacher = Fixed().train()
    TemperatureExplorer(teacher, images)
    assert teacher.training
    assert teacher.norm.num_batches_tracked == 0


def test_a_teacher_that_is_no_longer_to_be_asked_is_not_needed(explorer, monkeypatch):
    monkeypatch.setattr(Fixed, "forward", None)
    explorer.T, explorer.picture = 8, 1
    assert at(explorer, 8, 1)["shares"][0] < 0.5


# -- pictures --------------------------------------------------------------------------


def test_a_dataset_gives_pictures_of_each_class_in_turn_with_names():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)
    data = ImageDataset(pixels, [2, 2, 2, 0, 0, 1, 1], CLASSES)
    teacher = Fixed(torch.eye(3).double().repeat(2, 1))
    explorer = TemperatureExplorer(teacher, data, count=5)
    names = [picture["name"] for picture in explorer.pictures]
    assert names == ["fox", "hen", "owl", "fox", "hen"]
    assert all(p["src"].startswith("data:image/png") for p in explorer.pictures)


def test_any_dataset_of_pairs_will_do(images):
    explorer = TemperatureExplorer(
        Fixed(), TensorDataset(images, torch.tensor([1, 0])), classes=CLASSES
    )
    assert [picture["name"] for picture in explorer.pictures] == ["fox", "hen"]


@pytest.mark.parametrize("kind", ["pil", "array", "float"])
def test_pictures_may_come_as_people_have_them(kind, images):
    array = np.zeros((40, 30, 3), dtype=np.uint8)
    given = {"pil": Image.fromarray(array), "array": array, "float": images[0]}[kind]
    explorer = TemperatureExplorer(Fixed(), [given])
    assert explorer.pictures[0]["truth"] is None
    assert explorer.pictures[0]["name"] == "a picture"


def test_pictures_of_another_preprocessing_come_through_a_teacher(images):
    seen = []

    class Asked(Teacher):
        def prepared(self, batch):
            seen.append(batch.shape)
            return super().prepared(batch)

    TemperatureExplorer(Asked(Fixed()), images)
    assert seen == [images.shape]


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("teacher", "options", "message"),
    [
        (Fixed(torch.zeros(2, 1)), {}, "knows one class: soft targets need at least 2"),
        (Fixed(torch.zeros(2, 3, 4)), {}, r"must give logits \(B, C\), got shape"),
        (Fixed(LOGITS / 0), {}, "not finite"),
        (Fixed(), {"classes": ["a", "b"]}, "2 names of classes do not fit .* 3 logits"),
        (Fixed(), {"labels": [0]}, "1 labels do not fit 2 pictures"),
        (Fixed(), {"labels": [0, 3]}, "label 3 is none of the classes 0 to 2"),
        (Fixed(), {"temperatures": (2, 4)}, "rise from 1"),
        (Fixed(), {"temperatures": (1, 4, 3)}, "rise from 1"),
        (Fixed(), {"T": 4.4}, r"T = 4.4 is none .* temperatures=\(1, …, 4.4\)"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_way_out(
    images, teacher, options, message
):
    with pytest.raises(ValueError, match=message):
        TemperatureExplorer(teacher, images, **options)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([], "no pictures in a list"),
        (torch.zeros(25, 3, 8, 8), "25 pictures are too many .* at most 24"),
        ([torch.zeros(3, 8, 8), torch.zeros(3, 9, 9)], "differ in shape"),
        ([torch.zeros(1, 8, 8)], r"expected a tensor \(3, S, S\)"),
        (TensorDataset(torch.zeros(0, 3, 8, 8), torch.zeros(0)), "dataset is empty"),
    ],
)
def test_pictures_that_cannot_be_are_refused(pictures, message):
    with pytest.raises(ValueError, match=message):
        TemperatureExplorer(Fixed(), pictures)


def test_a_net_that_answers_with_a_dictionary_is_named(images):
    class Several(Fixed):
        def forward(self, images):
            return {"species": super().forward(images)}

    with pytest.raises(ValueError, match="Several must give logits .* got dict"):
        TemperatureExplorer(Several(), images)


@pytest.mark.parametrize(("name", "value"), [("T", 0.5), ("T", 21), ("picture", 2)])
def test_a_state_that_is_not_there_is_refused_and_nothing_changes(
    explorer, name, value
):
    before = getattr(explorer, name)
    with pytest.raises(TraitError):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


# -- the static form -------------------------------------------------------------------


def test_the_static_form_has_the_picture_and_a_few_temperatures(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert VIEW in data
    checker = TagChecker()
    checker.feed(data["text/html"])
    assert checker.open == []
    assert 'alt="fox"' in data["text/html"]
    for title in ("T = 1<", "T = 2<", "T = 20<", "entropy, bits", "fox ✓"):
        assert title in data["text/html"]
    assert "T = 3" not in data["text/html"]


def test_the_chosen_temperature_is_in_the_text(explorer):
    explorer.T = 3
    lines = explorer.static_text().splitlines()
    assert re.findall(r"T = [\d.]+", lines[1]) == [
        "T = 1", "T = 2", "T = 3", "T = 4", "T = 8", "T = 20",
    ]  # fmt: skip
    fox = next(line for line in lines if line.strip().startswith("fox ✓"))
    assert share_text(soft_targets(LOGITS[0], 3)[0].item()) in fox


def test_names_are_escaped(images):
    explorer = TemperatureExplorer(
        Fixed(), images, labels=[1, 0], classes=["a", "<b>", "c"]
    )
    assert "&lt;b&gt; ✓" in explorer.static_html()
    assert "<b>" not in explorer.static_html()


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.5, "50.0 %"), (1e-5, "< 0.1 %"), (0.99999, "> 99.9 %"), (1.0, "100.0 %")],
)
def test_shares_are_never_rounded_to_nothing_or_all(share, text):
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("odds", "text"), [(1.04, "1 : 1.0"), (1234, "1 : 1,234"), (2.4e7, "1 : 2e7")]
)
def test_odds_are_told_to_one(odds, text):
    assert odds_text(odds) == text
