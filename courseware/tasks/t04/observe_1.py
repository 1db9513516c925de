"""04.1: what is left of a model when it is frozen and has a new head."""

from __future__ import annotations

import torch
from torch import nn

from courseware.grading.observing import Case
from courseware.tasks.t04.nets import pictures, resnet


def cases(seed):
    for classes in (5, 2):
        yield Case(f"test_resnet, num_classes = {classes}", classes=classes, seed=seed)


def observe(freeze_backbone, case, seen):
    model = resnet(seed=case.seed)
    old, before = model.fc, {k: v.clone() for k, v in model.state_dict().items()}
    got = seen.call(freeze_backbone, model, case.classes)
    seen.require("what your function returns", got, nn.Module)
    seen.note("the model that was given comes back", got is model)
    head = getattr(model, "fc", None)
    seen.note("the head is a new one", isinstance(head, nn.Module) and head is not old)
    logits = seen.call(lambda: model.eval()(pictures(2, 1)))
    seen.note("the shape of the logits", getattr(logits, "shape", None))
    seen.note("the head", [type(m).__name__ for m in head.modules()])
    learns = {n for n, p in model.named_parameters() if p.requires_grad}
    seen.note("what learns in the backbone", {n for n in learns if n[:3] != "fc."})
    own = {n for n, _ in model.named_parameters() if n[:3] == "fc."}
    seen.note("the head learns", bool(own & learns))
    seen.note("what of the head is frozen", own - learns)
    after = model.state_dict()
    kept = [k for k in before if k[:3] != "fc."]
    same = all(k in after and torch.equal(before[k], after[k]) for k in kept)
    seen.note("the backbone's weights stay", same)
