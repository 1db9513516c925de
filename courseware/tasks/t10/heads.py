"""The nets of 10.1 and 10.2: one backbone, and a linear head for each task."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from courseware.grading.observing import Case, generator
from courseware.grading.values import plain
from courseware.tasks.t10.nets import gradients, pictures

_close = partial(torch.allclose, atol=1e-4)
_TRIED = (
    ({"species": 5, "colour": 3}, 6, 0.1),
    ({"species": 4, "colour": 4, "petals": 4}, 4, 0.02),
    ({"petals": 5}, 3, 0.3),
    ({"species": 5, "colour": 3, "size": 2}, 7, 0.5),
)


def cases(seed):
    """Tasks and their classes, the width of the features, and a rate."""
    for i, (tasks, width, lr) in enumerate(_TRIED):
        tasks = {task: classes + seed % 4 for task, classes in tasks.items()}
        needed = {"width": width + seed % 3, "lr": round(lr + 0.01 * seed, 2)}
        given = f"{needed['width']} features, tasks = {tasks}"
        yield Case(given, hidden=i > 1, tasks=tasks, seed=seed, **needed)


def noted_by_task(
    seen, found, tasks, *, name: str, what="the logits", kinds=dict, kind=Tensor
) -> dict:
    """Note what a dict by task holds: its types, its tasks, shapes; return it as plain."""
    seen.require(name, found, kinds)
    found = {plain(task): value for task, value in found.items()}
    seen.note("the tasks", set(found))
    for task in tasks:
        seen.require(f"{what} of {task}", found.get(task), kind)
    if kind is Tensor:
        seen.note(f"the shape of {what}", {t: list(found[t].shape) for t in tasks})
    return {task: found[task] for task in tasks}


def facts_of_heads(answer, logits, backbone, parameters, width: int) -> dict:
    """What is to hold of the heads of `answer`, which turns pictures into logits.

    `logits` are such, by task, with their graph; `parameters` those of the whole net.
    """
    losses = {task: found.square().sum() for task, found in logits.items()}
    first, rest = list(backbone.body[1].parameters()), set(backbone.parameters())
    moves = {t: any(map(torch.any, gradients([losses[t]], first))) for t in losses}
    firsts = [found[:, 0] for found in logits.values()]
    heads = [p for p in parameters if p not in rest]
    return {
        "the loss of each task moves the backbone": moves,
        "each task has logits of its own": not any(
            torch.equal(a, b) for a, b in combinations(firsts, 2)
        ),
        "values in the heads": sum(p.numel() for p in heads),
        "every head takes part": all(
            map(torch.any, gradients(list(losses.values()), heads))
        ),
        **_facts_from_features(answer, backbone, width),
    }


def _facts_from_features(answer, backbone, width):
    """What the heads make of features that are known: the first of them alike."""
    x, y = torch.randn(2, 4, width, generator=generator(width))
    backbone.told = torch.cat([torch.ones(4, width), x, y, x + y, 0 * x])
    logits = [found.detach() for found in answer(pictures(20, 0)).values()]
    sums = [s for found in logits for s in (found.sum(1), found.exp().sum(1))]
    parts = [found.chunk(5) for found in logits]
    return {
        "the logits are no probabilities": not any(
            _close(s, torch.ones_like(s)) for s in sums
        ),
        "pictures with the same features get the same logits": all(
            _close(ones, ones[:1]) for ones, *_ in parts
        ),
        "the logits are linear in the features": all(
            _close(a + b, both + none) for _, a, b, both, none in parts
        ),
    }
