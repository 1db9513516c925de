from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import models
from torchvision.transforms import v2

from course_utils.measured import write_measured
from course_utils.predictions import predict, recorded_top_k, top_k
from course_utils.rgb import to_rgb
from course_utils.weights import load_backbone


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


def test_a_head_that_the_names_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="gives 3 logits, its weights name 2 classes"):
        top_k(_Colours(classes=("red", "green")), _photo())


@pytest.mark.parametrize("image", ["photo.jpg", None, torch.zeros(1, 3, 8, 8)])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match="image must be one picture"):
        top_k(_Colours(), image)


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_k_is_a_count(k):
    with pytest.raises(ValueError, match="k must be"):
        top_k(_Colours(), _photo(), k=k)


def test_a_net_without_weights_info_is_refused():
    with pytest.raises(ValueError, match="Linear has no weights_info"):
        top_k(nn.Linear(2, 2), _photo())


@pytest.mark.parametrize("mode", ["P", "1", "L", "LA", "RGBA", "CMYK", "I", "I;16"])
def test_a_picture_of_any_mode_is_answered_as_load_dataset_reads_it(mode):
    model = load_backbone("test_resnet")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    picture = Image.fromarray(pixels)
    picture = (
        picture.convert("L").convert(mode) if mode[0] == "I" else picture.convert(mode)
    )
    found, expected = top_k(model, picture), top_k(model, to_rgb(picture))
    assert found.equals(expected)


def test_a_turned_photo_is_set_upright(tmp_path):
    model = load_backbone("test_resnet")
    photo = Image.fromarray(np.arange(64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "turned.png", exif=exif)
    turned = Image.open(tmp_path / "turned.png")
    assert top_k(model, turned).equals(top_k(model, photo.rotate(-90)))


def test_a_net_in_half_precision_answers():
    model = load_backbone("test_resnet")
    expected = top_k(model, _photo(), k=1)
    assert top_k(model.bfloat16(), _photo(), k=1)["class"].equals(expected["class"])


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


# -- names of a new head -------------------------------------------------------------


def test_a_head_of_ones_own_is_named_by_its_classes():
    table = top_k(_Colours(classes=()), _photo(), k=1, classes=["a", "b", "c"])
    assert table["class"].tolist() == ["b"]


@pytest.mark.parametrize("names", [["a", "b"], ["a"] * 4, []])
def test_names_that_do_not_fit_the_head_are_counted(names):
    with pytest.raises(ValueError, match=f"3 logits, you name {len(names)} classes"):
        top_k(_Colours(), _photo(), classes=names)


# -- predict -------------------------------------------------------------------------


def _pictures(n=5):
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def _pairs(n=5):
    return TensorDataset(_pictures(n), torch.arange(n))


def _expected(n=5):
    return _pictures(n).mean((2, 3)) * 10


@pytest.mark.parametrize(
    "data",
    [
        _pairs(),
        list(_pairs()),
        DataLoader(_pairs(), 2),
        list(DataLoader(_pairs(), 2)),
        (batch for batch in DataLoader(_pairs(), 2)),
        [{"image": image, "label": label} for image, label in _pairs()],
        _pictures(),
    ],
    ids=[
        "dataset",
        "pairs",
        "loader",
        "batches",
        "generator",
        "dictionaries",
        "tensor",
    ],
)
def test_logits_and_labels_come_in_order(data):  # fmt: skip
    found = predict(_Colours().train(), data, batch_size=2)
    assert torch.allclose(found.logits, _expected(), atol=1e-5)
    if isinstance(data, torch.Tensor):
        assert found.labels is None
    else:
        assert found.labels.tolist() == [0, 1, 2, 3, 4]


def test_predictions_carry_no_gradient_and_can_enter_a_loss():
    model = _Colours().train()
    logits = predict(model, _pictures()).logits
    assert model.training and not logits.requires_grad and not logits.is_inference()


def test_logits_and_labels_of_tasks_come_by_task():
    class Tasks(_Colours):
        def forward(self, x):
            return {"a": super().forward(x), "b": super().forward(x)[:, :2]}

    data = [(image, {"a": 1, "b": i}) for i, (image, _) in enumerate(_pairs())]
    logits, labels = predict(Tasks(), data, batch_size=2)
    assert list(logits) == ["a", "b"] and torch.equal(logits["a"][:, :2], logits["b"])
    assert labels["b"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("wrap", [
    lambda logits: SimpleNamespace(logits=logits, loss=None),
    lambda logits: {"logits": logits, "hidden": logits},
    lambda logits: (logits,),
])  # fmt: skip
def test_what_is_named_logits_is_returned(wrap):
    class Wrapped(_Colours):
        def forward(self, x):
            return wrap(super().forward(x))

    found = predict(Wrapped(), _pictures()).logits
    assert torch.allclose(found, _expected(), atol=1e-5)


@pytest.mark.parametrize(("change", "words"), [
    (lambda logits: logits.sum(1), r"gives \(5,\) for 5 pictures, not logits \(N, C\)"),
    (lambda logits: logits[:1], "for 5 pictures, not logits"),
    (lambda logits: (logits, logits), "gives 2 outputs, not logits"),
])  # fmt: skip
def test_what_is_no_logits_is_named(change, words):
    class Other(_Colours):
        def forward(self, x):
            return change(super().forward(x))

    with pytest.raises(ValueError, match=words):
        predict(Other(), _pictures())


@pytest.mark.parametrize(("data", "words"), [
    (torch.zeros(3, 8, 8), r"pictures must be \(N, 3, H, W\), got \(3, 8, 8\)"),
    (torch.zeros(0, 3, 8, 8), r"must be \(N, 3, H, W\)"),
    ([], "empty"),
    (iter([]), "data is empty"),
    (iter([torch.zeros(2, 3, 8, 8)]), r"batch must be \(images, labels\)"),
    ("flowers", "is a str: hand over pairs"),
    (None, "is a NoneType: hand over pairs"),
])  # fmt: skip
def test_data_that_cannot_be_read_is_named(data, words):
    with pytest.raises((ValueError, TypeError), match=words):
        predict(_Colours(), data)


def test_a_copy_serves_predictions_of_tasks_too(monkeypatch):
    class Tasks(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = models.resnet18(num_classes=5)

        def forward(self, x):
            logits = self.body(x)
            return {"a": logits[:, :2], "b": logits[:, 2:]}

    model, pictures = Tasks().eval(), torch.randn(12, 3, 64, 64)
    expected = predict(model, pictures).logits
    monkeypatch.setattr("course_utils.reading._FEW", 0)
    monkeypatch.setattr(
        models.ResNet, "forward", _once(models.ResNet.forward, model.body)
    )
    found = predict(model, pictures).logits
    assert all(torch.allclose(found[task], expected[task], atol=1e-4) for task in "ab")


def _once(forward, refused):
    """A forward pass that one model must not go through."""

    def run(self, x):
        assert self is not refused
        return forward(self, x)

    return run


def test_predictions_come_in_bfloat16_too(capsys):
    model = models.resnet18(num_classes=5).eval()
    pictures = torch.randn(12, 3, 64, 64)
    found = predict(model, pictures, precision="bfloat16").logits
    assert found.dtype == torch.float32
    assert torch.allclose(found, predict(model, pictures).logits, atol=0.1)
    assert "bfloat16: values differ" in capsys.readouterr().out
