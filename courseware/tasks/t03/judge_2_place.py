"""03.2: which layer was replaced, and which one runs last."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from courseware.tasks.t03.nets import made

PLACE = "the layer there is another one"


@torch.inference_mode()
def runs(model, images):
    """The names of the Linear and Conv2d layers, at each call."""
    twin, ran = deepcopy(model).eval(), []
    for name, layer in twin.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            layer.register_forward_hook(lambda *_, name=name: ran.append(name))
    twin(images)
    return ran


def kinds_of(it):
    """The classes of the layers of the net that was given."""
    model = made(it.case.family, it.case.training, it.case.seed)
    return {type(module).__name__ for module in model.modules()}


def elsewhere(test):
    """A test of the kinds of the layers that went, where the head itself did not."""
    return lambda it: it.fact == PLACE and test(it, it.seen("layers that are gone"))


def replaced(it):
    """Say which layer was replaced, and what becomes of it in the pass."""
    gone = ", ".join(it.seen("layers that are gone"))
    model = made(it.case.family, it.case.training, it.case.seed)
    if gone in runs(model, torch.rand(1, 3, 16, 16)):
        return (
            f"{gone} was replaced, and {it.case.path} runs after it: of the names that "
            "your hooks note, take the last."
        )
    return (
        f"{gone} was replaced, which never runs. It was registered last: go by the order "
        "in which layers run, and see that each hook has its own name (`name=name`), for "
        "a function looks a variable up when it runs."
    )


LEAVES = {"Flatten", "AdaptiveAvgPool2d", "ReLU", "Tanh", "Sigmoid", "Identity"}
LAST_OF_BOTH = (
    "Of the Linear and Conv2d layers, the last one that runs counts; others may run after "
    "it. (If your hooks stand on these two only, each noted the loop's last name: bind it, "
    "`name=name`.)"
)
