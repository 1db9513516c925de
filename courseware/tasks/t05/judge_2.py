"""05.2: what is frozen holds its BatchNorm still."""

from __future__ import annotations

from functools import partial

from torch.nn.modules.batchnorm import _BatchNorm

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t05.nets import batchnorms, is_in


def solution(model, frozen, layers=lambda stage: stage.modules()):
    for name in frozen:
        for layer in layers(model.get_submodule(name)):
            if isinstance(layer, _BatchNorm):
                layer.eval()


def _those(test):
    """A wrong solution: hold the BatchNorm layers that pass a test(name, layer, frozen)."""
    return lambda model, frozen: [
        m.eval() for n, m in batchnorms(model).items() if test(n, m, frozen)
    ]


def _missed(it):
    """The layers that should be in eval mode and are not."""
    return it.right - it.got if it.fact == "BatchNorm in eval mode" else frozenset()


_BY_GRADIENT = (
    "Go by `frozen`, not by `requires_grad`: a BatchNorm without weights (affine=False) "
    "has none to ask, and a stage may be out of the optimiser instead."
)

TASK = Task(
    title="What is frozen holds its BatchNorm still",
    points=2,
    hints=(
        "Running statistics are buffers: they move in train mode, whatever requires_grad "
        "says. Which layers, of which stages, must not be in train mode?",
        "For each frozen stage go through `model.get_submodule(name).modules()`, which "
        "gives the stage itself and everything inside of it, at any depth.",
        "`if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)): "
        "layer.eval()`",
    ),
    solution=solution,
    mistakes={
        "copy": At(
            "no other model comes back",
            "Set the modes in the model that was given, not in a copy.",
        ),
        "no-weight": Raises("'NoneType' object has no attribute", _BY_GRADIENT),
        "course-freeze": Raises(
            "no stage",
            "freeze(…) of course_utils knows whole stages only, and sets `requires_grad` "
            "as well. Here BatchNorm's mode is asked for: `layer.eval()`.",
        ),
        "removed": At(
            "the BatchNorm layers are still there",
            "BatchNorm layers are gone. They must stay: their statistics are a part of "
            "the pretrained net.",
        ),
        "by-gradient": Wrong(
            _those(lambda n, m, _: not any(p.requires_grad for p in m.parameters())),
            _BY_GRADIENT,
        ),
        "by-weight": Wrong(
            _those(lambda n, m, _: m.affine and not m.weight.requires_grad),
            _BY_GRADIENT,
        ),
        "every": Wrong(
            _those(lambda name, layer, frozen: True),
            "Every BatchNorm holds still. Where a stage learns, its statistics move too.",
        ),
        "inverted": Wrong(
            _those(lambda name, layer, frozen: not is_in(name, frozen)),
            "The other way round: those of the frozen stages hold still.",
        ),
        "dotted": Wrong(
            _those(lambda name, layer, frozen: name.split(".")[0] in frozen),
            "A stage's name may have dots, as in `named_modules()`, and so be a part of a "
            "larger one. `model.get_submodule(name)` finds it.",
        ),
        "train": When(
            lambda it: _missed(it) and not it.got,
            "They are all in train mode, and their statistics go on moving: "
            "`requires_grad` has no say in that, `eval()` has.",
        ),
        "prefix": Wrong(
            _those(lambda name, layer, frozen: name.startswith(tuple(frozen))),
            "A name may begin like another: norm2 begins with norm and is another stage. "
            "Look for the name with a dot behind it, or ask `model.get_submodule(name)`.",
        ),
        "stage-itself": Wrong(
            partial(solution, layers=lambda stage: list(stage.modules())[1:]),
            "A stage may be a BatchNorm layer itself, as bn1 is. `modules()` gives the "
            "stage too, `children()` does not.",
        ),
        "first-stage": Wrong(
            lambda model, frozen: solution(model, frozen[:1]),
            "Only the first stage of `frozen` holds still: go through all of them.",
        ),
        "by-name": Wrong(
            _those(lambda n, layer, frozen: "bn" in n and is_in(n, frozen)),
            "A BatchNorm need not be called bn: look at the type of each layer.",
        ),
        "kinds": When(
            lambda it: _missed(it) and not any("2d" in name for name in _missed(it)),
            "BatchNorm1d and BatchNorm3d are BatchNorm too.",
        ),
        "nested": When(
            _missed,
            "Some were missed. There are several in a stage, at any depth: `modules()` "
            "reaches all, `children()` only the first level.",
        ),
        "learning-eval": At(
            "BatchNorm in eval mode",
            "Only the stages named in `frozen` hold still, the others learn.",
        ),
        "others": At(
            "other layers in eval mode",
            "Only BatchNorm goes into eval mode. Dropout, containers and other norms stay "
            "in train mode, in frozen stages too.",
        ),
        "settings": At(
            "the settings of BatchNorm",
            "momentum, eps and track_running_stats must stay as they are. Without "
            "tracking, or with momentum 0 in train mode, the layer normalises by the "
            "batch.",
        ),
        "changed-requires_grad": "Leave `requires_grad` as it is: BatchNorm's mode alone "
        "is asked for.",
    },
)
