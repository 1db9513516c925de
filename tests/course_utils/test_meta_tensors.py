import random

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision import models

from course_utils.errors import CannotInspect
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
    ],
)
def test_the_input_size_is_what_the_model_is_meant_for(model, size):
    with torch.device("meta"):
        assert default_input_size(model()) == size
