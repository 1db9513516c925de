"""The solution of 10.5, which can be bent."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F


def learning(module):
    return [p for p in module.parameters() if p.requires_grad]


def own(model):
    return learning(model.backbone)


def cosine(a, b):
    """The cosine of two gradients, each a tensor for each parameter."""
    a, b = (torch.cat([g.flatten() for g in gradients]) for gradients in (a, b))
    return F.cosine_similarity(a, b, dim=0).item()


def solution(
    model, images, labels, pick=own, put=cosine,
    loss=F.cross_entropy,
):  # fmt: skip
    mode = model.training
    logits = model.eval()(images)
    model.train(mode)
    losses = [loss(logits[task], labels[task]) for task in labels]
    options = {"retain_graph": True, "materialize_grads": True}
    return put(*(torch.autograd.grad(x, pick(model), **options) for x in losses))


def part(places):
    """A wrong solution: some of the parameters alone."""
    return partial(solution, pick=lambda model: own(model)[places])


def each(number, a, b):
    """A number for each pair of tensors."""
    return [number(x, y) for x, y in zip(a, b, strict=True)]
