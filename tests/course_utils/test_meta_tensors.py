import random
import threading
from types import MethodType, SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision import models

from course_utils.errors import CannotInspect
from course_utils.inspection import inspect_model
from course_utils.layer_groups import freeze, layer_groups
from course_utils.meta_tensors import (
    build_on_meta,
    default_input_size,
    image_batch,
    meta_copy,
)


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "regnet_y_400mf",
        "timm/vit_tiny_r_s16_p8_224",
        "timm/test_efficientnet",
    ],
)
def test_a_model_built_on_meta_holds_no_numbers_and_runs(name):
    model = build_on_meta(name)
    tensors = [*model.parameters(), *model.buffers()]
    assert {t.device.type for t in tensors} == {"meta"}
    with torch.no_grad():
        assert model(image_batch(default_input_size(model))).shape == (2, 1000)


def test_random_generators_stay_as_they_were():
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    meta_copy(build_on_meta("timm/test_resnet"))
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert states[2] == np.random.get_state()[1].tolist()


def test_a_copy_leaves_the_model_alone():
    model = timm.create_model("test_resnet").train()
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    copy = meta_copy(model)
    copy.eval()(image_batch((3, 64, 64)))
    assert calls == [] and len(model._forward_hooks) == 1
    assert all(module.training for module in model.modules())
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert list(copy.state_dict()) == list(before)


def test_shared_parameters_stay_shared_and_frozen_ones_frozen():
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    model["b"].weight = model["a"].weight
    model["a"].bias.requires_grad = False
    copy = meta_copy(model)
    assert copy["a"].weight is copy["b"].weight
    assert not copy["a"].bias.requires_grad and copy["b"].bias.requires_grad


def test_tensors_that_are_plain_attributes_move_too():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.ones(3)

        def forward(self, x):
            return x * self.scale

    assert meta_copy(Scaled())(torch.empty(2, 3, device="meta")).is_meta


class _Keeps(nn.Module):
    """A net with an attribute of its own, perhaps one that Python cannot copy."""

    def __init__(self, extra):
        super().__init__()
        self.body, self.fc, self.extra = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), extra

    def forward(self, x):
        x = self.body(x)
        if isinstance(self.extra, dict):
            self.extra["kept"] = [x]
        return self.fc(x.mean((2, 3)))


def _kept_activations():
    net = _Keeps({})
    net(torch.rand(2, 3, 8, 8))
    return net


@pytest.mark.parametrize("make", [
    lambda: _Keeps(threading.Lock()), lambda: _Keeps(i for i in range(3)),
    lambda: _Keeps(open(__file__)), lambda: _Keeps([torch.rand(2, requires_grad=True) * 2]),
    lambda: _Keeps(SimpleNamespace(lock=threading.RLock())), _kept_activations,
])  # fmt: skip
def test_what_cannot_be_copied_does_not_stand_in_the_way(make):
    model = make().train()
    extra, kept = model.extra, dict(vars(model))
    copy = meta_copy(model)
    copy(image_batch((3, 8, 8)))
    assert {p.device.type for p in copy.parameters()} == {"meta"}
    assert [g.name for g in layer_groups(model)] == ["body", "fc"]
    assert inspect_model(model, input_size=(3, 8, 8)).macs == 3 * 8 * 9 * 36 + 32
    freeze(model)
    assert model.extra is extra and dict(vars(model)).keys() >= kept.keys()
    if isinstance(extra, dict):
        assert extra["kept"][0].shape == (2, 8, 6, 6) and not extra["kept"][0].is_meta
    if hasattr(extra, "close"):
        extra.close()


def test_a_generator_is_not_consumed():
    numbers = iter([1, 2, 3])
    model = _Keeps(i for i in numbers)
    inspect_model(model)
    assert next(model.extra) == 1


def test_methods_bound_to_a_model_that_cannot_be_copied_follow_the_copy():
    model = _Keeps(threading.Lock())
    model.forward = MethodType(
        lambda self, x: self.fc(self.body(x).amax((2, 3))), model
    )
    copy = meta_copy(model)
    assert copy.forward.__self__ is copy
    assert copy(image_batch((3, 8, 8))).shape == (2, 4)


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_a_scripted_model_is_refused():
    with pytest.raises(CannotInspect, match="TorchScript"):
        meta_copy(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)))


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (lambda: models.resnet18(), (3, 224, 224)),
        (lambda: models.vit_b_16(image_size=64), (3, 64, 64)),
        (lambda: timm.create_model("test_resnet"), (3, 160, 160)),
        (lambda: timm.create_model("test_vit", img_size=64), (3, 64, 64)),
        (lambda: timm.create_model("test_resnet", in_chans=1), (1, 160, 160)),
        (lambda: nn.Sequential(nn.Conv2d(4, 8, 3)), (4, 224, 224)),
        (lambda: nn.Sequential(nn.Conv2d(64, 8, 3)), (3, 224, 224)),
        (lambda: nn.DataParallel(timm.create_model("test_resnet")), (3, 160, 160)),
    ],
)
def test_the_input_size_is_what_the_model_is_meant_for(model, size):
    with torch.device("meta"):
        assert default_input_size(model()) == size


@pytest.mark.parametrize(
    "wrong", [0, 224, "big", (3, 0, 8), (3, -1, 8), (3, 8.5, 8), (), {}, (3, "8", 8),
              (float("nan"),)]
)  # fmt: skip
def test_what_is_no_size_is_refused(wrong):
    for model in (models.resnet18(), "resnet18"):
        with pytest.raises(ValueError, match="input_size"):
            inspect_model(model, input_size=wrong)
