"""04.3: the Linear layers of a model, and what it answers with biases that are known."""

from __future__ import annotations

import torch
from torch import nn

from courseware.grading.observing import Case
from courseware.tasks.t04.nets import TinyBackbone, pictures, resnet


def cases(seed):
    for old_classes, hidden, classes in ((1000, 16, 5), (7, 8, 2), (16, 16, 16)):
        given = f"test_resnet with {old_classes} classes, hidden {hidden}"
        yield Case(given, old=old_classes, hidden=hidden, classes=classes, seed=seed)
    given = "another backbone with 7 classes, hidden 6"
    yield Case(given, old=None, hidden=6, classes=3, seed=seed)


def _backbone(case):
    torch.manual_seed(case.seed)
    return resnet(case.old, seed=case.seed) if case.old else TinyBackbone()


def observe(build, case, seen):
    backbone = _backbone(case)
    stem = next(backbone.parameters()).clone()
    model = seen.call(build, backbone, case.hidden, case.classes)
    seen.require("what your function returns", model, nn.Module)
    images = pictures(2, case.seed)
    logits = seen.call(lambda: model.eval()(images))
    seen.require("the logits", logits, torch.Tensor)
    seen.note("the shape of the logits", list(logits.shape))
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    seen.note("the Linear layers", [(m.in_features, m.out_features) for m in linear])
    its_own = any(torch.equal(stem, p) for p in model.parameters())
    seen.note("the backbone is part of the model", its_own)
    if len(linear) == 2:
        seen.note(
            "the Linear layers have a bias", all(m.bias is not None for m in linear)
        )
        _set_biases(linear, case.seed)
    found = seen.call(lambda: model.eval()(images))
    seen.note("the logits", found)
    seen.note("the logits have a graph behind them", found.requires_grad)
    drawn = seen.call(_draws_in_train_mode, model, images)
    seen.note("the logits are drawn anew in train mode", drawn)


@torch.no_grad()
def _set_biases(linear, seed):
    """Weights that are known, and small biases of both signs, for a ReLU to cut."""
    generator = torch.Generator().manual_seed(seed)
    for layer in linear:
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / 4)
        if layer.bias is not None:
            layer.bias.copy_(torch.linspace(-0.5, 0.5, len(layer.bias)))


def _draws_in_train_mode(model, images):
    """Whether two answers differ with the dropout layers at work."""
    layers = [m.train() for m in model.modules() if isinstance(m, nn.Dropout)]
    if not layers:
        return False
    apart = model(images) - model(images)
    for layer in layers:
        layer.eval()
    return bool(apart.abs().max() > 1e-6)
