"""03.2: a new head for a net that was never seen."""

from __future__ import annotations

from torch import nn

from courseware.grading.judging import At, Raises, Task, When
from courseware.tasks.t03 import judge_2_head as head
from courseware.tasks.t03.families import twice
from courseware.tasks.t03.judge_2_place import (
    LAST_OF_BOTH,
    LEAVES,
    PLACE,
    elsewhere,
    kinds_of,
    replaced,
    runs,
)

_LOST = ("IndexError", "StopIteration", "UnboundLocalError", "KeyError")


def solution(model, images, num_classes):
    name = runs(model, images)[-1]
    old = model.get_submodule(name)
    if isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size)
    else:
        new = nn.Linear(old.in_features, num_classes)
    model.set_submodule(name, new)
    return model


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
        "no-batch": Raises(
            "expected 4D input",
            "`images` is a batch already, of one picture: hand it over as it is.",
        ),
        "all-leaves": When(
            lambda it: any(
                f"'{kind}' object has no attribute 'in_" in it.error for kind in LEAVES
            ),
            LAST_OF_BOTH,
        ),
        "hard-coded": When(
            lambda it: any(
                f"'{kind}' object has no attribute" in it.error for kind in kinds_of(it)
            ),
            "This net has no such layer there, or one of another kind. Find the head by "
            "what runs last, not by a name or a place.",
        ),
        "no-linear": When(
            lambda it: it.error.startswith(_LOST) and "Linear" not in kinds_of(it),
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
        "not-used": When(
            elsewhere(lambda it, gone: not gone),
            "The new layer was added beside the others, where forward never calls it. Put "
            "it in the place of the old head.",
        ),
        "linear-first": When(
            elsewhere(
                lambda it, gone: [*gone.values()] == ["Linear"] != it.wanted(head.HEAD)
            ),
            "A Linear inside of the net was replaced, but here the head is a Conv2d that "
            "runs after it. Note both kinds in one list, and take its last.",
        ),
        "first-call": When(
            elsewhere(lambda it, gone: it.case.family is twice),
            "This net's head runs twice, and its second call is the last of all. Append a "
            "name at every call; a dict leaves it at its first place.",
        ),
        "wrong-layer": At(
            PLACE,
            replaced,
        ),
        **head.MISTAKES,
    },
)
