"""03.3: the solution, and what is mistaken in the names."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import partial

import torch

from courseware.grading.judging import At, When, Wrong

NAMES = "the names"


def _leaves(model):
    return [(name, m) for name, m in model.named_modules() if not m._modules]


def solution(model, images, layers=_leaves, shape=None, note=dict.setdefault):
    twin, shapes, ran = deepcopy(model).eval(), {}, []
    for name, layer in layers(twin):
        layer.register_forward_hook(lambda *run, name=name: ran.append((name, *run)))
    with torch.inference_mode():
        twin(images)
    for name, layer, inputs, output in ran:
        found = shape(layer, inputs[0]) if shape else output.shape
        note(shapes, name, tuple(found))
    return shapes


def _moved(shapes, name, shape):
    shapes.pop(name, None)
    shapes[name] = shape


def wrong(hint, **variant):
    return Wrong(partial(solution, **variant), hint)


def _names(test):
    """A test of the names that came, the right ones, and the layers of the net."""

    def explains(it):
        layers = dict(it.case.family(5).named_modules())
        return it.fact == NAMES and test({*map(str, it.got)}, it.right, layers)

    return explains


def _bare(name):
    """A name without a number at its end, such as act_2."""
    return re.sub(r"[^a-zA-Z0-9]?\(?\d+\)?$", "", name)


MISTAKES = {
    "empty": When(
        _names(lambda got, right, layers: not got),
        "No hook wrote anything: register them before you run the model, and remove "
        "them after.",
    ),
    "closure": When(
        _names(lambda got, right, layers: got == {[*layers][-1]}),
        "Every hook wrote under the same name: the loop's last. A function looks a "
        "variable up when it runs; bind the name with a default argument, `name=name`.",
    ),
    "numbered": When(
        _names(lambda got, right, layers: {_bare(n) for n in got - {*layers}} & right),
        "A layer that runs twice stands once, under its own name.",
    ),
    "names": When(
        _names(lambda got, right, layers: not got <= layers.keys()),
        "The keys are the full names of `named_modules()`, such as block.0: a layer "
        "itself, its class or a short name will not do.",
    ),
    "children": wrong(
        "These are the model's direct children. `named_modules()` goes to any depth, "
        "`named_children()` does not.",
        layers=lambda model: list(model.named_children()),
    ),
    "containers": When(
        _names(
            lambda got, right, layers: any(
                layers[n]._modules for n in got if n in layers
            )
        ),
        "Containers are among them: leave out layers that have children.",
    ),
    "train-mode": When(
        _names(lambda got, right, layers: got == right | {"helper"}),
        "The layer helper works in train mode only. Call `eval()` before you run the "
        "model.",
    ),
    "idle": When(
        _names(lambda got, right, layers: got > right),
        "There are layers that never ran. Let the hooks fill the dict, not the loop "
        "over the modules.",
    ),
    "missing": When(
        _names(lambda got, right, layers: got < right),
        "Leaves are missing. A leaf is any layer without children, of whatever class.",
    ),
    "last-run": wrong(
        "A layer that runs twice keeps the shape of its first run: "
        "`shapes.setdefault(name, output.shape)`.",
        note=dict.__setitem__,
    ),
    "moved": wrong(
        "Each layer stands where it *first* ran: leave a name that is there already.",
        note=_moved,
    ),
    "order": At(
        "the order",
        "That is not the order in which the layers ran, but perhaps the one in which "
        "they were registered. Fill the dict in the hooks, while the layers run.",
    ),
}
