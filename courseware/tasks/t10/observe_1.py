"""10.1: what a net with several heads holds, gives, and how far its losses reach."""

from __future__ import annotations

from torch import nn

from courseware.tasks.t10.heads import cases, facts_of_heads, noted_by_task
from courseware.tasks.t10.nets import Backbone, pictures

__all__ = ["cases", "observe"]

_KEEPS = ("layers", "weights", "requires_grad", "mode")


def observe(shared_net, case, seen):
    backbone, images = Backbone(case.width, case.seed), pictures(5, case.seed)
    built = isinstance(shared_net, nn.Module)
    seen.note("the class itself was handed over", not built)
    net = seen.call(shared_net, backbone, case.width, case.tasks, keeps=_KEEPS)
    seen.require("what SharedNet gives", net, nn.Module)
    backbone.passes = 0
    (found, first), (_, second) = seen.call(
        lambda: [(net(images), backbone.passes) for _ in range(2)]
    )
    logits = noted_by_task(seen, found, case.tasks, name="what forward returns")
    parts = list(net.parameters())
    lacking = len(set(backbone.parameters()).difference(parts))
    seen.note("parameters of the backbone that parameters() leaves out", lacking)
    seen.note("passes of the backbone, batch by batch", [first, second - first])
    asked = net, logits, backbone, parts, case.width
    seen.notes(seen.call(lambda: facts_of_heads(*asked)))
    backbone.told = None
    alone = seen.call(lambda: net.eval()(images[:1]))
    shapes = {task: list(alone[task].shape) for task in case.tasks}
    seen.note("the shape of a single picture's logits", shapes)
