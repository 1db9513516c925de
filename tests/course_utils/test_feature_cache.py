import copy
import functools
import types

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision import models
from torchvision import transforms as v1
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import v2

from course_utils.datasets import ImageDataset, load_dataset
from course_utils.feature_cache import (
    Untold,
    check_fingerprint,
    model_parts,
    transform_parts,
)
from course_utils.heads import find_heads, replace_head
from course_utils.weights import load_backbone


def _model():
    return load_backbone("test_resnet")


def _told(model):
    return list(model_parts(model, without=tuple(find_heads(model))))


def _step(step):
    return b"".join(transform_parts(types.SimpleNamespace(transform=step)))


def _own(x):
    return x


class _Own(nn.Module):
    def forward(self, x):
        return x


# -- transforms ------------------------------------------------------------------------


@pytest.mark.parametrize("step", [
    v2.Lambda(_own), v1.Lambda(_own), _Own(), _own, lambda x: x, functools.partial(_own),
    nn.Sequential(v2.Identity(), _Own()), v1.Compose([v1.Grayscale(), _own]),
    v2.RandomApply([_Own()]),
    type("Grown", (v2.Normalize,), {})([0.5], [0.5]),
])  # fmt: skip
def test_steps_of_ones_own_are_not_told(step):
    with pytest.raises(Untold, match="the transform's step"):
        _step(v2.Compose([v2.ToImage(), step]))


@pytest.mark.parametrize("make", [
    lambda: v2.Normalize([0.5] * 3, [0.2] * 3),
    lambda: v1.Compose([v1.Resize(8), v1.ToTensor()]),
    lambda: nn.Sequential(v2.Resize(8, antialias=True), nn.AvgPool2d(2)),
    lambda: models.ResNet18_Weights.DEFAULT.transforms(),
    lambda: timm.data.create_transform(64, crop_mode="border"),
    lambda: functools.partial(v2.functional.adjust_gamma, gamma=2),
    lambda: load_backbone("test_resnet").weights_info.transform,
])  # fmt: skip
def test_equal_steps_of_libraries_are_told_alike(make):
    assert _step(make()) == _step(make())


def test_other_options_are_told_apart():
    steps = [v2.Pad(1), v2.Pad(2), v2.Pad(1, fill=3), v2.Pad(1, padding_mode="edge"),
             v2.Resize(8), v2.Resize(8, max_size=9), nn.Sequential(v2.Pad(1)),
             functools.partial(v2.functional.pad, padding=1),
             functools.partial(v2.functional.pad, padding=2)]  # fmt: skip
    assert len({_step(step) for step in steps}) == len(steps)


def test_a_step_that_was_changed_in_place_is_told_apart():
    step = v2.Normalize([0.5], [0.5])
    before = _step(step)
    step.mean[0] = 0.4
    changed = _step(step)
    step.hidden = 3
    assert len({before, changed, _step(step)}) == 3


@pytest.mark.parametrize("change", [
    lambda step, monkeypatch: setattr(step, "transform", _own),
    lambda step, monkeypatch: step.register_forward_hook(_own),
    lambda step, monkeypatch: monkeypatch.setattr(v2.Normalize, "transform", _own),
    lambda step, monkeypatch: setattr(step, "rng", np.random.default_rng()),
])  # fmt: skip
def test_a_step_that_was_given_other_code_is_not_told(monkeypatch, change):
    step = v2.Normalize([0.5], [0.5])
    change(step, monkeypatch)
    with pytest.raises(Untold, match="step Normalize|step Compose"):
        _step(v2.Compose([step]))


# -- models ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "vit_b_32", "swin_t",
                                  "test_vit", "test_efficientnet"])  # fmt: skip
def test_models_of_libraries_are_told(name):
    with torch.device("meta"):
        builder = (
            models.get_model if name in models.list_models() else timm.create_model
        )
        model = builder(name)
    model = model.to_empty(device="cpu")
    assert list(model_parts(model)) == list(model_parts(copy.deepcopy(model)))


def test_the_head_does_not_matter_but_options_and_types_do():
    told = _told(_model())
    assert _told(replace_head(_model(), 7)) == told
    assert _told(_model().half()) != told
    net = models.googlenet(init_weights=False)
    before = list(model_parts(net))
    net.transform_input = not net.transform_input
    assert list(model_parts(net)) != before


def _patched(model):
    model.forward = types.MethodType(lambda self, x: x, model)


@pytest.mark.parametrize(("change", "word"), [
    (_patched, "the model"),
    (lambda model: setattr(model, "forward_features", _own), "the model"),
    (lambda model: setattr(model.layer2, "0", _Own()), "layer 'layer2.0'"),
    (lambda model: model.layer1.register_forward_hook(_own), "layer 'layer1'"),
    (lambda model: model.layer1.register_forward_pre_hook(_own), "layer 'layer1'"),
])  # fmt: skip
def test_a_model_with_code_of_ones_own_is_not_told(change, word):
    model = _model()
    change(model)
    with pytest.raises(Untold, match=word):
        _told(model)


def test_a_replaced_method_is_noticed_under_its_old_name(monkeypatch):
    model = _model()
    old = type(model).forward_features
    new = functools.wraps(old)(lambda self, x: old(self, x) * 2)
    monkeypatch.setattr(type(model), "forward_features", new)
    with pytest.raises(Untold, match="ResNet.forward_features was replaced"):
        _told(model)


def test_hooks_for_all_modules_are_noticed():
    handle = nn.modules.module.register_module_forward_hook(lambda *given: None)
    try:
        with pytest.raises(Untold, match="hooks for all modules"):
            _told(_model())
    finally:
        handle.remove()


def test_generated_code_is_not_told():
    net = create_feature_extractor(models.resnet18(), ["layer4"])
    with pytest.raises(Untold, match="forward was replaced"):
        list(model_parts(net))


# -- data ------------------------------------------------------------------------------


def test_pictures_of_ones_own_need_a_fingerprint_of_their_own():
    class Noisy(ImageDataset):
        def __getitem__(self, index):
            return super().__getitem__(index)

    class Named(Noisy):
        fingerprint = "mine"

    data = load_dataset("digits", per_class=1).train
    given = (data.images, data.labels, data.classes)
    check_fingerprint(data)
    check_fingerprint(Named(*given))
    with pytest.raises(Untold, match="Noisy gives pictures of its own"):
        check_fingerprint(Noisy(*given))
