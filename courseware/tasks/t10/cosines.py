"""The solution of 10.5, which can be bent."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def learning(module):
    return [p for p in module.parameters() if p.requires_grad]


def cosine(a, b):
    """The cosine of two gradients, each a tensor for each parameter."""
    a, b = (torch.cat([g.flatten() for g in gradients]) for gradients in (a, b))
    return F.cosine_similarity(a, b, dim=0).item()


def solution(model, images, labels, pick=lambda m: learning(m.backbone), put=cosine):
    mode = model.training
    logits = model.eval()(images)
    model.train(mode)
    losses = [F.cross_entropy(logits[task], labels[task]) for task in labels]
    options = {"retain_graph": True, "materialize_grads": True}
    return put(*(torch.autograd.grad(loss, pick(model), **options) for loss in losses))


def each(number, a, b):
    """A number for each pair of tensors."""
    return [number(x, y) for x, y in zip(a, b, strict=True)]
