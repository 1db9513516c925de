"""04.2: the features that come back, and the trace that is left."""

from __future__ import annotations

import torch

from courseware.grading.observing import Case
from courseware.tasks.t04.nets import pictures, resnet


def cases(seed):
    for training, count in ((False, 3), (True, 4)):
        mode = "train" if training else "eval"
        given = f"a model in {mode} mode, {count} pictures"
        yield Case(given, training=training, count=count, seed=seed + count)


def observe(features, case, seen):
    model = resnet(seed=case.seed).train(case.training)
    images, head = pictures(case.count, case.seed), model.fc
    keeps = ("statistics", "weights", "requires_grad", "hooks")
    got = seen.call(features, model, images, keeps=keeps)
    seen.require("the features", got, torch.Tensor)
    seen.note("the shape of the features", list(got.shape))
    seen.note("the features carry no graph", not got.requires_grad)
    seen.note("the head is back", getattr(model, "fc", None) is head)
    seen.note("the features", got)
    seen.settle()
    modes = {m.training for m in model.modules()}
    seen.note("the mode is back", modes == {case.training})
