"""03.2: where the new layer stands, what it is, and what became of the rest."""

from __future__ import annotations

import torch
from torch import nn

from course_utils.modes import modes_kept
from courseware.grading.observing import SIDE_EFFECTS, Case, generator
from courseware.grading.values import ModelRecord
from courseware.tasks.t03.families import FAMILIES
from courseware.tasks.t03.hooks import hook_before
from courseware.tasks.t03.nets import made

KINDS = (nn.Linear, nn.Conv2d)


def cases(seed):
    for family, path, training, classes in FAMILIES:
        model, classes = made(family, training, seed), classes + seed % 3
        layers = [n for n, m in model.named_modules() if isinstance(m, KINDS)]
        hooked, _ = hook_before(model, but=path)
        given = (
            f"a net in {'train' if training else 'eval'} mode with the Linear and Conv2d "
            f"layers {', '.join(layers)}, and with a hook on {hooked}; num_classes = "
            f"{classes}"
        )
        what = {"family": family, "path": path, "training": training}
        yield Case(given, classes=classes, seed=seed, **what)


def observe(new_head, case, seen):
    model, path = made(case.family, case.training, case.seed), case.path
    old, (_, holds) = model.get_submodule(path), hook_before(model, but=path)
    known, record = dict(model.named_modules()), ModelRecord(model)
    images = torch.rand(3, 3, 16, 16, generator=generator(case.seed))
    got = seen.call(new_head, model, images[:1], case.classes)
    seen.require("what your function returns", got, nn.Module)
    _note_place(seen, model, got, known, path)
    _note_layer(seen, model, model.get_submodule(path), images[1:])
    seen.note("a hook that was there is there still", holds())
    old._forward_hooks.clear()  # what became of the old head does not matter
    model.set_submodule(path, old.train(case.training).requires_grad_(True))
    seen.note(SIDE_EFFECTS, list(record.changes()))


def _note_place(seen, model, got, known, path):
    now, old = dict(model.named_modules()), known[path]
    there, before = ({*map(id, layers.values())} for layers in (now, known))
    gone = {n: type(m).__name__ for n, m in known.items() if id(m) not in there}
    dotted = {name for m in model.modules() for name in m._modules if "." in name}
    within = got is not model and any(m is model for m in got.modules())
    facts = {
        "no module stands around the model": not within,
        "the model that was given comes back": got is model,
        "layers with a dot in their own name": dotted,
        "a layer of the model is new": bool(there - before),
        "a layer stands at the head's place": path in now,
        "the layer there is another one": now.get(path) is not old,
        "the old head is out of the model": id(old) not in there,
        "layers that are gone": gone,
    }
    seen.notes(facts)
    if path not in now:
        seen.end()


def _note_layer(seen, model, head, images):
    with modes_kept(model):
        outcome = seen.attempt(model.eval(), images)  # gives lazy layers a width
    width = getattr(head, "in_features", getattr(head, "in_channels", None))
    facts = {
        "the new head": [_kind(module) for module in head.modules()],
        "the width of the new head's input": width,
        "the new head's kernel": getattr(head, "kernel_size", None),
        "an error with two pictures": str(outcome.error or "")[:300],
        "the shape of the logits": getattr(outcome.value, "shape", None),
        "the new head learns": all(p.requires_grad for p in head.parameters()),
    }
    seen.notes(facts)


def _kind(module):
    kinds = [kind for kind in KINDS if isinstance(module, kind)]
    return (kinds or [type(module)])[0].__name__
