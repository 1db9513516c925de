"""03.3: the dict of shapes, and what became of the model."""

from __future__ import annotations

import torch

from courseware.grading.facts import describe, number_of
from courseware.grading.observing import Case, generator
from courseware.grading.values import ModelRecord, plain
from courseware.tasks.t03.branches import branched, row
from courseware.tasks.t03.hooks import hook_before
from courseware.tasks.t03.nets import made


def cases(seed):
    for family, training, n, height, width in (
        (branched, True, 2, 9, 8),
        (row, False, 1, 11, 8),
        (row, True, 3, 7, 7),
    ):
        size = n + seed % 3 * (n > 1), 3, height + seed % 5, width + seed % 4
        model = made(family, training, seed)
        leaves = ", ".join(n for n, m in model.named_modules() if not m._modules)
        given = (
            f"a net in {'train' if training else 'eval'} mode with the leaves {leaves}, "
            f"and with a hook on {hook_before(model)[0]}; images {size}"
        )
        yield Case(given, family=family, training=training, size=size, seed=seed)


def observe(layer_shapes, case, seen):
    model = made(case.family, case.training, case.seed)
    _, holds = hook_before(model)
    images = torch.rand(case.size, generator=generator(case.seed))
    record = ModelRecord(model)
    right = made(case.family, False, case.seed)(images).detach()
    got = seen.call(layer_shapes, model, images, keeps=ModelRecord.KINDS)
    seen.require("the result", got, dict)
    # What else changed is told after this: another model has other values.
    flows = bool(record.changes()) or _flows(model.log.outputs, right)
    facts = {
        "the names": set(got),
        "the order": list(got),
        "what the values are": {type(plain(v)).__name__ for v in got.values()},
        "the shapes": {name: _whole(shape) for name, shape in got.items()},
        "no pass records a graph": not any(model.log),
        "the hooks leave the values as they are": flows,
        "a hook that was there is there still": holds(),
    }
    seen.notes(facts)


def _whole(shape):
    """A shape as a text, which a card shows whole."""
    shape = describe(shape)
    return str(tuple(map(number_of, shape))) if type(shape) is tuple else shape


def _flows(outputs, right):
    """Whether a pass gave the logits that the model gives without the hooks."""
    seen = [out for out in outputs if out.device == right.device]
    alike = [out.shape == right.shape and torch.allclose(out, right) for out in seen]
    return any(alike) or not seen
