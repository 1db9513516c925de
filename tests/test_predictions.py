import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from course_utils import predictions
from course_utils.predictions import record, recorded_top_k, top_k


class _Colours(nn.Module):
    """Logits are the mean of red, green and blue, times 10."""

    def __init__(self, classes=("red", "green", "blue")):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(10.0))
        self.bn = nn.BatchNorm1d(3)
        steps = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        self.weights_info = SimpleNamespace(
            model_name="colours",
            source="made by hand",
            classes=classes,
            transform=v2.Compose(steps),
        )

    def forward(self, x):
        assert not self.training
        return x.mean((2, 3)) * self.weight


def _photo(colour="green"):
    return Image.new("RGB", (8, 8), colour)


def test_the_most_probable_classes_come_first():
    table = top_k(_Colours(), Image.new("RGB", (8, 8), (0, 255, 51)), k=2)
    expected = torch.tensor([0.0, 10.0, 2.0]).softmax(0)
    assert table["class"].tolist() == ["green", "blue"]
    assert table["probability"].tolist() == pytest.approx(expected[1:].tolist())


def test_k_is_at_most_the_number_of_classes():
    table = top_k(_Colours(), _photo(), k=5)
    assert len(table) == 3 and table["probability"].sum() == pytest.approx(1)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_runs_in_eval_and_gets_its_mode_back(training):
    model = _Colours().train(training)
    top_k(model, _photo())
    assert model.training == training


def test_each_module_gets_its_own_mode_back():
    model = _Colours().train()
    model.bn.eval()
    top_k(model, _photo())
    assert model.training and not model.bn.training


def test_weights_without_class_names_are_refused():
    with pytest.raises(ValueError, match="colours: its weights name no classes"):
        top_k(_Colours(classes=()), _photo())


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(predictions, "data_dir", lambda: tmp_path)
    photos = {"leaf": _photo("green"), "rose": _photo("red")}
    monkeypatch.setattr("course_utils.datasets.sample_photos", lambda: photos)
    monkeypatch.setattr(
        "course_utils.weights.load_backbone", lambda name, weights: _Colours()
    )
    record()
    return tmp_path / "recorded" / "photo_top5.json"


def test_what_is_recorded_is_what_the_model_says(recorded):
    live, table = top_k(_Colours(), _photo("red")), recorded_top_k("rose")
    assert table["class"][0] == "red" and table.attrs["source"] == "made by hand"
    assert table["probability"].tolist() == live["probability"].round(3).tolist()
    assert json.loads(recorded.read_text())["model"] == "squeezenet1_0"


def test_a_photo_that_was_not_recorded_is_named(recorded):
    with pytest.raises(ValueError, match="photo 'cat'; recorded: leaf, rose"):
        recorded_top_k("cat")
