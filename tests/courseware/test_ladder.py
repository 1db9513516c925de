import pytest
import torch

from courseware.making import ladder
from courseware.making.drawing.source_world import SHAPES
from courseware.making.ladder import RUNGS, load_rung, rung_path, source_accuracy


@pytest.mark.parametrize(("name", "steps"), RUNGS)
def test_every_rung_is_shipped_and_small(name, steps):
    assert rung_path(name, steps).stat().st_size < 2 * 2**20


@pytest.mark.parametrize("name", sorted({name for name, _ in RUNGS}))
def test_a_rung_names_shapes_in_eval_mode(name):
    model = load_rung(name, RUNGS[0][1])
    assert not model.training
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, len(SHAPES))


def test_longer_training_names_more_shapes():
    first, *_, last = sorted(steps for name, steps in RUNGS if name == "test_resnet")
    scores = [
        source_accuracy(load_rung("test_resnet", steps), pictures=1024)
        for steps in (first, last)
    ]
    assert scores[0] + 0.03 < scores[1]


def test_a_rung_is_trained_and_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(
        ladder,
        "rung_path",
        lambda name, steps: tmp_path / f"{name}_{steps}.safetensors",
    )
    path = ladder.train_rung("test_resnet", 4)
    assert path.is_file()
    assert 0 <= source_accuracy(ladder.load_rung("test_resnet", 4), pictures=32) <= 1
