"""10.2: the nets on one backbone, and what their optimiser holds."""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn

from courseware.tasks.t10.heads import cases, facts_of_heads, noted_by_task
from courseware.tasks.t10.nets import Backbone, pictures

__all__ = ["cases", "observe"]


def observe(share, case, seen):
    seen.given += f", lr = {case.lr}"
    # Made before the answer runs: the first optimiser imports much, which is slow.
    usual = torch.optim.SGD([torch.zeros(1, requires_grad=True)]).defaults
    built = []

    def make_backbone():
        built.append(Backbone(case.width, case.seed + len(built)))
        return built[-1]

    found = seen.call(share, make_backbone, case.width, case.tasks, case.lr)
    seen.require("what share returns", found, (tuple, list))
    seen.note("how many things it returns", len(found))
    nets, optimizer, *_ = (*found, None, None)
    kinds = {"kinds": (dict, nn.ModuleDict), "kind": nn.Module}
    nets = noted_by_task(
        seen, nets, case.tasks, name="the nets", what="the net", **kinds
    )
    seen.note("backbones that were built", len(built))
    backbone, *_ = (*built, make_backbone())  # one is needed to go on
    nets = nn.ModuleDict(nets)
    _note_logits(seen, nets, backbone, case)
    seen.require("the optimiser", optimizer, torch.optim.SGD)
    seen.notes(_facts_of_optimizer(optimizer, nets, backbone, usual))


def _note_logits(seen, nets, backbone, case):
    def answer(images):
        return {task: net(images) for task, net in nets.items()}

    found = seen.call(answer, pictures(5, case.seed))
    logits = noted_by_task(seen, found, case.tasks, name="what the nets answer")
    shared = set(backbone.parameters())
    holding = {task for task, net in nets.items() if shared <= {*net.parameters()}}
    seen.note("nets that hold the backbone that was built", holding)
    asked = answer, logits, backbone, list(nets.parameters()), case.width
    seen.notes(seen.call(lambda: facts_of_heads(*asked)))


def _facts_of_optimizer(optimizer, nets, backbone, usual):
    groups, wanted = optimizer.param_groups, list(nets.parameters())
    held = Counter(p for group in groups for p in group["params"])
    return {
        "entries that come once more": held.total() - len(held),
        "entries that are in none of the nets": len({*held} - {*wanted}),
        "values of the backbone that the optimiser holds": sum(
            p.numel() for p in backbone.parameters() if p in held
        ),
        "values of the nets that the optimiser holds": sum(
            p.numel() for p in wanted if p in held
        ),
        "the rates": sorted({float(group["lr"]) for group in groups}),
        "options that are not the usual ones": {
            o for g in groups for o in usual if o != "lr" and g[o] != usual[o]
        },
    }
