import threading

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models

from course_utils.cut import CutModel, cached_activations
from course_utils.features import extract_features
from course_utils.layer_groups import freeze
from course_utils.predictions import predict
from course_utils.reading import batches, collect, read_ahead


def _readers():
    return [t for t in threading.enumerate() if t.name.startswith("read_ahead")]


class _Noise(Dataset):
    """Pictures drawn from torch's global generator; the one at `broken` is none."""

    def __init__(self, n=100, broken=None):
        self.n, self.broken, self.read = n, broken, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.read.append((index, threading.current_thread()))
        if index == self.broken:
            raise OSError(f"picture {index} is damaged")
        return torch.rand(3, 8, 8), index


def _net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())


def test_what_is_read_ahead_comes_in_order_and_the_thread_ends():
    assert list(read_ahead(range(20))) == list(range(20)) and not _readers()
    assert list(read_ahead([])) == []


def test_one_thing_is_read_ahead_in_another_thread():
    data = _Noise()
    for place, _ in enumerate(read_ahead(data[i] for i in range(5))):
        assert len(data.read) <= place + 2
    assert {t.name for _, t in data.read} == {"read_ahead_0"}


def test_torchs_modes_hold_while_reading_ahead():
    def modes():
        for _ in range(2):
            yield torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    with torch.no_grad():
        assert list(read_ahead(modes())) == [(False, False)] * 2
    with torch.inference_mode():
        assert list(read_ahead(modes())) == [(False, True)] * 2
    assert list(read_ahead(modes())) == [(True, False)] * 2


def test_an_error_of_the_dataset_comes_as_it_is_at_its_place():
    seen = []
    with pytest.raises(OSError, match="picture 37 is damaged"):
        for images, _ in read_ahead(batches(_Noise(broken=37), 10)):
            seen.append(len(images))
    assert seen == [10, 10, 10] and not _readers()


def test_a_loop_left_early_leaves_no_thread():
    for found in read_ahead(range(1000)):
        if found == 3:
            break
    assert not _readers()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_in_the_net_leaves_no_thread_and_no_hook(error):
    model, passes = _net(), []

    def interrupt(*_):
        passes.append(1)
        if len(passes) == 4:
            raise error("stopped")

    model.register_forward_hook(interrupt)
    with pytest.raises(error) as caught:
        extract_features(model, _Noise(), layer="0", cache=False, batch_size=10)
    assert caught.traceback and not _readers()
    assert not model[0]._forward_hooks and model.training


@pytest.mark.parametrize("run", [
    lambda net, data: extract_features(net, data, layer="0", cache=False, batch_size=7),
    lambda net, data: predict(net, data, batch_size=7),
])  # fmt: skip
def test_random_transforms_draw_in_the_same_order_as_without(run):
    data, model = _Noise(40), _net().eval()
    torch.manual_seed(3)
    expected = torch.cat([images for images, _ in DataLoader(data, 7)])
    after = torch.get_rng_state()
    with torch.inference_mode():
        expected = model[0](expected)
    torch.manual_seed(3)
    found = run(model, data)
    if found[0].shape[1] == 4:
        assert torch.allclose(found.features, expected.mean((2, 3)), atol=1e-5)
    assert torch.equal(torch.get_rng_state(), after)
    assert found.labels.tolist() == list(range(40))


def test_nothing_is_read_ahead_of_a_net_that_draws_itself():
    class Drawing(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) + torch.rand(len(x), 3)

    data = _Noise(30)
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        runs.append(predict(Drawing(), data, batch_size=5).logits)
    assert torch.equal(*runs)
    assert {t for _, t in data.read} == {threading.main_thread()}


def test_rows_are_copies_that_may_enter_a_graph():
    def first(model, images):
        return images[:, 0, 0]

    rows, labels = collect(_net(), batches(_Noise(20), 10), first)
    assert [len(row) for row in rows] == [10, 10] and len(labels) == 2
    assert all(row.untyped_storage().nbytes() == row.nbytes for row in rows)
    (nn.Linear(8, 1)(torch.cat(rows))).sum().backward()


@pytest.mark.parametrize("progress", [True, False])
def test_a_short_run_shows_no_bar(progress, capsys):
    extract_features(_net(), _Noise(20), layer="0", cache=False, progress=progress)
    assert "pictures" not in capsys.readouterr().err


def test_a_long_run_shows_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("course_utils.reading._SHORT", 0)
    extract_features(_net(), _Noise(20), layer="0", cache=False, progress=True)
    assert "pictures: " in capsys.readouterr().err


def test_frozen_stages_run_as_a_copy_too(monkeypatch):
    torch.manual_seed(0)
    model = models.resnet18()
    model.train()(torch.randn(8, 3, 32, 32))
    cut = CutModel(freeze(model, until="layer4").eval(), input_size=(3, 32, 32))
    data = [(torch.randn(3, 32, 32), label) for label in range(6)]
    expected = cached_activations(cut, data).tensors[0]
    monkeypatch.setattr("course_utils.reading._FEW", 0)
    found, labels = cached_activations(cut, data, views=2, batch_size=4).tensors
    assert not torch.equal(found[:6], expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(found, expected.repeat(2, 1, 1, 1), atol=1e-4)
    assert labels.tolist() == [0, 1, 2, 3, 4, 5] * 2
