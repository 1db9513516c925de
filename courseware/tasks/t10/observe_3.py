"""10.3: the losses of each task, and the gradients that they give to the logits."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F

from courseware.grading.observing import Case, generator
from courseware.tasks.t10.heads import noted_by_task
from courseware.tasks.t10.nets import gradients

_CLASSES = {"species": 5, "colour": 3, "petals": 2}
_SHOWN = (
    {"species": [0, 3, -1, -1], "colour": [-1, 2, 1, 0]},
    {"species": [1, 2, 0], "colour": [-1, -1, -1]},
    {"species": [0, -1, 2, 1], "colour": [2, 0, -1, 1]},  # with logits far apart
)
_HIDDEN = (
    {"species": [-1, -1, 2, -1, -1], "colour": [1, 0, -1, -1, -1]},
    {"species": [-1, -1], "colour": [-1, -1], "petals": [1, 0]},
    {"species": [-1], "colour": [-1]},
)


def cases(seed):
    for i, rows in enumerate((*_SHOWN, *_HIDDEN)):
        draw, far, labels, logits = generator(10 * seed + i), i == 2, {}, {}
        for task, row in rows.items():
            classes = _CLASSES[task]
            moved = [y if y == -1 else (y + seed) % classes for y in row]
            labels[task] = truth = torch.tensor(moved)
            logits[task] = 2 * torch.randn(len(row), classes, generator=draw)
            logits[task] += 300 * far * (1 - F.one_hot(truth.clamp(min=0), classes))
        if i == 4:
            logits = dict(reversed(logits.items()))
        told = {task: truth.tolist() for task, truth in labels.items()}
        given = f"labels {told}{', logits hundreds apart' * far}"
        yield Case(given, hidden=i > 2, labels=labels, logits=logits)


def observe(masked_losses, case, seen):
    found = seen.call(masked_losses, case.logits, case.labels)
    losses = noted_by_task(seen, found, case.labels, name="the result", what="the loss")
    values = {t: x.detach().double().sum().item() for t, x in losses.items()}
    full = [task for task, truth in case.labels.items() if (truth != -1).any()]
    seen.note("the losses", {t: values[t] for t in full})
    seen.note("the losses without a label", {t: values[t] for t in {*values} - {*full}})
    leaves = {task: x.clone().requires_grad_() for task, x in case.logits.items()}
    asked = dict(leaves), copy.deepcopy(case.labels)
    losses = seen.call(lambda: masked_losses(*asked))
    found = seen.call(lambda: gradients(list(losses.values()), list(leaves.values())))
    pulls = dict(zip(leaves, found, strict=True))
    moved = {task for task in full if pulls[task].any()}
    seen.note("tasks whose loss gives its logits a gradient", moved)
    seen.note("the gradients of the logits", pulls)
