"""04.5: the modes of a model's layers, and whether its statistics still move."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from courseware.grading.observing import Case
from courseware.tasks.t04.nets import Mixed, pictures, resnet

KEPT = ("weights", "statistics", "requires_grad")


def cases(seed):
    yield Case("test_resnet", make=resnet, seed=seed)
    given = (
        "a net with dropout, a LayerNorm, a BatchNorm1d, and a class of its own for 2d"
    )
    yield Case(given, make=Mixed, seed=seed)


def observe(train_with_frozen_batchnorm, case, seen):
    model = case.make().eval()
    for name, buffer in model.named_buffers():
        buffer += "running" in name  # statistics that would be missed
    kinds = [type(m).__name__ for m in model.modules()]
    statistics = {k: v.clone() for k, v in model.named_buffers()}
    seen.call(train_with_frozen_batchnorm, model, keeps=KEPT)
    named = dict(model.named_modules())
    norms = {name for name, m in named.items() if isinstance(m, _BatchNorm)}
    now = [type(m).__name__ for m in model.modules()]
    seen.note("the layers are still there", now == kinds)
    modes = {m.training for m in model.modules()}
    seen.note("something was changed in the model", modes != {False})
    seen.note("the model is in train mode", model.training)
    training = {name for name, module in named.items() if module.training}
    moving = {f"{name} ({type(named[name]).__name__})" for name in norms & training}
    seen.note("BatchNorm layers in train mode", moving)
    others = named.keys() - norms - training
    seen.note("other layers in eval mode", {type(named[n]).__name__ for n in others})
    seen.settle()
    seen.call(lambda: model(pictures(4, case.seed)))
    after = dict(model.named_buffers())
    there = {k: v for k, v in statistics.items() if k in after}
    moved = {k for k, v in there.items() if not torch.equal(v, after[k])}
    seen.note("statistics that a forward pass moves", moved)
