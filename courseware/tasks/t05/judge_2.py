"""05.2: what is frozen holds its BatchNorm still."""

from __future__ import annotations

from functools import partial

from torch import nn

from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t05.judge_2_modes import solution, those
from courseware.tasks.t05.nets import batchnorms, is_in


def _missed(it):
    """The layers that should be in eval mode and are not."""
    return it.right - it.got if it.fact == "BatchNorm in eval mode" else frozenset()


_top_alone = those(lambda name, layer, frozen: name.split(".")[0] in frozen)
_KINDS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
_SETTINGS = "the settings of BatchNorm"
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
            "BatchNorm layers are gone. They belong to the pretrained net.",
        ),
        "settings": When(
            lambda it: it.seen(_SETTINGS) not in (None, it.wanted(_SETTINGS)),
            "momentum, eps and track_running_stats must stay as they are: without "
            "tracking, or with momentum 0, a layer in train mode normalises by the batch.",
        ),
        "by-gradient": When(
            any_of(
                those(lambda n, m, _: not any(p.requires_grad for p in m.parameters())),
                those(lambda n, m, _: m.affine and not m.weight.requires_grad),
            ),
            _BY_GRADIENT,
        ),
        "every": Wrong(
            those(lambda name, layer, frozen: True),
            "Every BatchNorm holds still. Where a stage learns, its statistics move too.",
        ),
        "inverted": Wrong(
            those(lambda name, layer, frozen: not is_in(name, frozen)),
            "The other way round: those of the frozen stages hold still.",
        ),
        "dotted": When(
            lambda it: "'maps.0'" in it.error or it.shows_the_same(_top_alone),
            "A stage's name may have dots, as in `named_modules()`, and so be a part of a "
            "larger one, where neither `getattr` nor `named_children()` finds it, but "
            "`model.get_submodule(name)` does.",
        ),
        "train": When(
            lambda it: _missed(it) and not it.got,
            "They are all in train mode: `requires_grad` has no say in that. Is `eval()` "
            "called, with its brackets, and does no `model.train()` behind it undo it?",
        ),
        "prefix": When(
            any_of(
                those(lambda name, layer, frozen: name.startswith(tuple(frozen))),
                those(lambda name, layer, frozen: any(s in name for s in frozen)),
            ),
            "A name may begin like another, or be found in it: norm2 begins with norm, and "
            "layer3.0.bn1 ends with bn1, and are other layers. Ask "
            "`model.get_submodule(name)` of each stage.",
        ),
        "stage-itself": Wrong(
            partial(solution, layers=lambda stage: list(stage.modules())[1:]),
            "A stage may be a BatchNorm itself, as bn1 is: `modules()` gives it too.",
        ),
        "first-layer": Wrong(
            lambda model, frozen: [
                m.eval()
                for m in [*batchnorms(model.get_submodule(frozen[0])).values()][:1]
            ],
            "The first BatchNorm alone holds still: a `return` in the loop ends it there.",
        ),
        "first-stage": Wrong(
            lambda model, frozen: solution(model, frozen[:1]),
            "Only the first stage of `frozen` holds still: go through all of them.",
        ),
        "by-name": Wrong(
            those(lambda n, layer, frozen: "bn" in n and is_in(n, frozen)),
            "A BatchNorm need not be called bn: look at the type of each layer.",
        ),
        "subclass": Wrong(
            those(lambda name, m, frozen: type(m) in _KINDS and is_in(name, frozen)),
            "A subclass of BatchNorm is BatchNorm too: ask `isinstance(m, …)`, not `type`.",
        ),
        "kinds": When(
            lambda it: _missed(it) and not any("2d" in name for name in _missed(it)),
            "BatchNorm1d and BatchNorm3d are BatchNorm too.",
        ),
        "nested": When(
            _missed,
            "Some were missed. `modules()` reaches all of a stage, at any depth.",
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
        "changed-statistics": "Leave the statistics alone: in eval mode they stay.",
        "changed-requires_grad": "Leave `requires_grad` as it is: the mode alone counts.",
    },
)
