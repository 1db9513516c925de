"""03.2: a new head for a net that was never seen."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from courseware.grading.judging import At, Task, When
from courseware.tasks.t03 import judge_2_head as head
from courseware.tasks.t03.families import twice
from courseware.tasks.t03.nets import made

GONE = "layers that are gone"
_LOST = ("IndexError", "StopIteration", "UnboundLocalError", "KeyError")


@torch.inference_mode()
def _runs(model, images):
    """The names of the Linear and Conv2d layers, at each call."""
    twin, ran = deepcopy(model).eval(), []
    for name, layer in twin.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            layer.register_forward_hook(lambda *_, name=name: ran.append(name))
    twin(images)
    return ran


def solution(model, images, num_classes):
    name = _runs(model, images)[-1]
    old = model.get_submodule(name)
    if isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size)
    else:
        new = nn.Linear(old.in_features, num_classes)
    model.set_submodule(name, new)
    return model


def _kinds(it):
    """The classes of the layers of the net that was given."""
    model = made(it.case.family, it.case.training, it.case.seed)
    return {type(module).__name__ for module in model.modules()}


TASK = Task(
    title="A new head for a net that you have never seen",
    points=4,
    hints=(
        "Names and the order of registration tell nothing. Put a forward hook on each "
        "Linear and Conv2d, run the images in eval mode, and see which one came last.",
        "The last one's name splits into its parent's and its own; "
        "`model.set_submodule(name, new)` puts a layer there. A Linear has in_features, a "
        "Conv2d in_channels and kernel_size.",
        "`old = model.get_submodule(name)`; `new = nn.Conv2d(old.in_channels, num_classes, "
        "old.kernel_size) if isinstance(old, nn.Conv2d) else nn.Linear(old.in_features, "
        "num_classes)`. Remove the hooks, and put the mode back.",
    ),
    solution=solution,
    mistakes={
        "conv-width": When(
            lambda it: "'Conv2d' object has no attribute" in it.error,
            "This net's head is a Conv2d: it has in_channels and kernel_size where a "
            "Linear has in_features.",
        ),
        "hard-coded": When(
            lambda it: any(
                f"'{kind}' object has no attribute" in it.error for kind in _kinds(it)
            ),
            "This net has no such layer there, or one of another kind. Find the head by "
            "what runs last, not by a name or a place.",
        ),
        "no-linear": When(
            lambda it: it.error.startswith(_LOST) and "Linear" not in _kinds(it),
            "This net holds no Linear: its head is a convolution. Look for both kinds of "
            "layer.",
        ),
        "wrapped": At(
            "no module stands around the model",
            "A layer behind the whole model learns from its logits. Replace the head "
            "inside, and return the model itself.",
        ),
        "copy": At(
            "the model that was given comes back",
            "Change the model that was given, and return it.",
        ),
        "dotted": At(
            "layers with a dot in their own name",
            "setattr takes a name without dots: here it made a second layer of that name "
            "beside the old one. Use `model.set_submodule(name, new)`, or setattr on the "
            "parent.",
        ),
        "nothing-new": At(
            "a layer of the model is new",
            "No layer of the model is new. It is not enough to make one, or to change "
            "numbers of the old one: put a new layer into its parent.",
        ),
        "gone": At(
            "a layer stands at the head's place",
            lambda it: (
                f"There is no layer {it.case.path} any more; the new one belongs there."
            ),
        ),
        "on-logits": At(
            "the old head stands in front of the new layer",
            "The old head is still there, in front of the new layer, which learns from "
            "its logits. Replace it.",
        ),
        "not-used": When(
            lambda it: it.fact == GONE and not it.got,
            "The new layer was added beside the others, where forward never calls it. Put "
            "it in the place of the old head.",
        ),
        "other-layers": When(
            lambda it: it.fact == GONE and it.got.items() > it.right.items(),
            "More than the head was replaced or lost. Leave the other layers alone.",
        ),
        "linear-first": When(
            lambda it: (
                it.fact == GONE
                and [*it.got.values(), "Conv2d"] == ["Linear", *it.right.values()]
            ),
            "A Linear inside of the net was replaced, but here the head is a Conv2d that "
            "runs after it. Note both kinds in one list, and take its last.",
        ),
        "first-call": When(
            lambda it: it.fact == GONE and it.case.family is twice,
            "This net's head runs twice, and its second call is the last of all. Append a "
            "name at every call; a dict leaves it at its first place.",
        ),
        "wrong-layer": At(
            GONE,
            "Another layer was replaced. The last one *registered* need not be the one "
            "that runs last: run the images and see.",
        ),
        **head.MISTAKES,
    },
)
