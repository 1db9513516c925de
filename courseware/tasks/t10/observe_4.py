"""10.4: what a module learns, the total that it gives, and the gradients of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from courseware.grading.observing import Case
from courseware.tasks.t10.nets import gradients

_TRIED = (
    ({"species": 0.5, "colour": 1.5}, {"species": 2.0, "colour": 0.3}),
    ({"species": 0.4, "colour": 1.2}, {"colour": 0.7, "species": 2.5}),
    ({"species": 0.4, "colour": 1.2}, {"colour": 0.7}),
    ({"species": 0.4, "colour": 1.2}, {"colour": 0.7, "species": 0.0}),
    ({"a": -1.0, "b": 0.7, "d": 2.0}, {"d": 0.2, "a": 1.1, "b": 3.0}),
    ({"a": -0.5}, {"a": 0.9}),
)


def cases(seed):
    for i, (s, losses) in enumerate(_TRIED):
        s = {task: round(value * (1 + 0.1 * seed), 3) for task, value in s.items()}
        losses = {task: round(x * (1 + 0.07 * seed), 2) for task, x in losses.items()}
        given = f"s = {s}, losses = {losses}"
        yield Case(given, hidden=i > 3, s=s, losses=losses)


def observe(uncertainty_loss, case, seen):
    built = isinstance(uncertainty_loss, nn.Module)
    seen.note("the class itself was handed over", not built)
    module = seen.call(uncertainty_loss, list(case.s))
    seen.require("what UncertaintyLoss gives", module, nn.Module)
    s = getattr(module, "s", None)
    seen.require("s", s, nn.Parameter)
    start = s.tolist()
    seen.notes(
        {
            "the shape of s": list(s.shape),
            "s learns": s.is_floating_point() and s.requires_grad,
            "parameters beside s": len(list(module.parameters())) - 1,
        }
    )
    seen.call(s.data.copy_, torch.tensor(list(case.s.values())))
    leaves = {t: torch.tensor(x, requires_grad=True) for t, x in case.losses.items()}
    total = seen.call(lambda: module(dict(leaves)))
    seen.require("the total", total, Tensor)
    seen.note("the shape of the total", list(total.shape))
    seen.note("the total", total.detach().double().sum().item())
    found = seen.call(lambda: gradients([total], [s, *leaves.values()]))
    seen.notes(
        {
            "the gradient of s": found[0],
            "the gradients of the losses": dict(zip(leaves, found[1:], strict=True)),
            "s at the start": start,
        }
    )
