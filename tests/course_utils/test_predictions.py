from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from course_utils.measured import write_measured
from course_utils.predictions import recorded_top_k, top_k


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
def recorded(empty_measured):
    top5 = {"rose": [{"class": "red", "probability": 0.9}], "leaf": []}
    made_with = {"weights": "made by hand"}
    write_measured("photo_top5", top5, made_by="hand", made_with=made_with)


def test_what_was_recorded_is_read_with_its_source(recorded):
    table = recorded_top_k("rose")
    assert table["class"].tolist() == ["red"] and table["probability"][0] == 0.9
    assert table.attrs["source"] == "made by hand"


def test_a_photo_that_was_not_recorded_is_named(recorded):
    with pytest.raises(ValueError, match="photo 'cat'; recorded: rose, leaf"):
        recorded_top_k("cat")
