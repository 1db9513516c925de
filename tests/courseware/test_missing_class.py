"""The missing class: left out, taught by a teacher, its bias put right."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from course_utils.datasets import load_dataset
from course_utils.distillation import cached_logits
from courseware.claims.missing_class import best_bias, shift_bias, without_class


@pytest.fixture(scope="module")
def flowers():
    return load_dataset("flowers", per_class=4)


def _net(classes=3, width=4, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(width, classes),
    )


def _data(n=20, classes=3):
    generator = torch.Generator().manual_seed(n)
    images = torch.randn(n, 3, 6, 6, generator=generator)
    return TensorDataset(images, torch.arange(n) % classes)


def test_a_class_is_left_out_and_the_others_keep_their_index(flowers):
    found = without_class(flowers.train, 2)
    assert (
        set(found.labels.tolist()) == {0, 1, 3, 4} and found.classes == flowers.classes
    )
    assert found.transform is flowers.train.transform
    plain = without_class(_data(), 1)
    assert {int(label) for _, label in plain} == {0, 2}
    taught = without_class(cached_logits(_net(), _data()), 1)
    assert {int(label) for _, label, _ in taught} == {0, 2} and len(taught) == 13


def test_a_class_that_cannot_be_left_out_is_named():
    with pytest.raises(ValueError, match="no picture has class 7; classes are 0, 1, 2"):
        without_class(_data(), 7)
    with pytest.raises(ValueError, match="every picture has class 0"):
        without_class(_data(5, classes=1), 0)


def test_the_best_bias_is_the_best_of_all_shifts():
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(60) % 4
    logits = torch.randn(60, 4, generator=generator)
    logits[range(60), labels] += 2.0
    logits[:, 1] -= 3.0  # a class that never came
    found = best_bias(logits, labels, 1)

    def accuracy(shift):
        moved = logits.double()
        moved[:, 1] += shift
        return (moved.argmax(1) == labels).double().mean().item()

    everywhere = [accuracy(shift) for shift in torch.linspace(-12, 12, 4001).tolist()]
    assert found.accuracy == accuracy(found.shift) == max(everywhere)
    assert found.accuracy_before == accuracy(0.0) < found.accuracy
    assert found.recall > found.recall_before and 1 < found.shift < 6


def test_a_bias_that_is_right_is_left():
    labels = torch.arange(6) % 3
    found = best_bias(9.0 * functional.one_hot(labels).float(), labels, 0)
    assert (found.shift, found.accuracy, found.recall) == (0.0, 1.0, 1.0)


def test_a_bias_that_cannot_be_judged_is_named():
    with pytest.raises(ValueError, match="k must be a class from 0 to 2, got 3"):
        best_bias(torch.zeros(2, 3), torch.tensor([0, 1]), 3)
    with pytest.raises(ValueError, match="no picture has class 2"):
        best_bias(torch.zeros(2, 3), torch.tensor([0, 1]), 2)
    with pytest.raises(ValueError, match="logits hold NaN"):
        best_bias(torch.full((2, 3), torch.nan), torch.tensor([0, 1]), 1)


def test_the_shift_goes_into_the_head():
    net, images = _net().eval(), torch.randn(2, 3, 6, 6)
    with torch.no_grad():
        before = net(images)
        after = shift_bias(net, 1, 3.5)(images)
    assert torch.allclose(after - before, torch.tensor([0, 3.5, 0]), atol=1e-6)
    with pytest.raises(ValueError, match="from 0 to 2, got -1"):
        shift_bias(net, -1, 1.0)
    net[-1] = nn.Linear(4, 3, bias=False)
    with pytest.raises(ValueError, match="has no bias to shift"):
        shift_bias(net, 0, 1.0)
