"""04.5: the modes of a model's layers, and whether its statistics still move."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from courseware.grading.observing import Case
from courseware.tasks.t04.nets import Mixed, pictures, resnet


def cases(seed):
    yield Case("test_resnet", make=resnet, seed=seed)
    yield Case("a net with dropout and a BatchNorm1d", make=Mixed, seed=seed)


def observe(train_with_frozen_batchnorm, case, seen):
    model = case.make().eval()
    kinds = [type(m).__name__ for m in model.modules()]
    statistics = {k: v.clone() for k, v in model.named_buffers()}
    seen.call(train_with_frozen_batchnorm, model, keeps=("weights", "requires_grad"))
    norms = {m for m in model.modules() if isinstance(m, _BatchNorm)}
    now = [type(m).__name__ for m in model.modules()]
    seen.note("the layers are still there", now == kinds)
    seen.note("the model is in train mode", model.training)
    seen.note("every BatchNorm is in eval mode", not any(m.training for m in norms))
    others = [m for m in model.modules() if m not in norms and not m.training]
    seen.note("other layers in eval mode", {type(m).__name__ for m in others})
    seen.settle()
    seen.call(lambda: model(pictures(4, case.seed)))
    after = dict(model.named_buffers())
    seen.note("the statistics are still there", list(after) == list(statistics))
    there = {k: v for k, v in statistics.items() if k in after}
    moved = {k for k, v in there.items() if not torch.equal(v, after[k])}
    seen.note("statistics that a forward pass moves", moved)
