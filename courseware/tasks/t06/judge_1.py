"""06.1: a rate for each depth."""

from __future__ import annotations

import re
from functools import partial

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Task, When, Wrong
from courseware.tasks.t06.groups import MISSING, TWICE, without
from courseware.tasks.t06.mistakes import GROUPS
from courseware.tasks.t06.stages import RATES, solution, within

TASK = Task(
    title="A rate for each depth",
    points=2,
    hints=(
        "Begin with one group: which layers, which parameters, which rate? The head is "
        "0 steps away from the head, the group before it 1 step.",
        "`model.get_submodule(name)` finds a layer by its full name, and its "
        "`.parameters()` are all that lie in it. The rate is "
        "`lr * ratio ** (steps to the head)`.",
        "`for i, (name, layers) in enumerate(stages.items()): params = [p for l in layers "
        "for p in model.get_submodule(l).parameters()]; rate = lr * ratio ** "
        "(len(stages) - 1 - i)`",
    ),
    solution=solution,
    tolerance=Tolerance(1e-15, 1e-6),
    mistakes={
        "dotted": When(
            lambda it: re.search(r"(Attribute|Key)Error.*'\w+\.\w", it.error),
            "A layer's name may have dots, which `getattr` and `named_children()` do not "
            "follow. `model.get_submodule(name)` does.",
        ),
        **GROUPS,
        "count": At(
            "how many groups",
            "One group for each name in `stages`: neither one for each layer, nor one for "
            "each parameter.",
        ),
        "no-name": At(
            without("name"), 'Each group has a `"name"`: the key in `stages`.'
        ),
        "order": When(
            lambda it: (
                it.fact == "the names of the groups"
                and sorted(map(str, it.got)) == sorted(it.right)
            ),
            "Return the groups in the order of `stages`: the stem first, the head last.",
        ),
        "names": At("the names of the groups", '`"name"` is the key in `stages`.'),
        "prefix": Wrong(
            partial(
                solution,
                found=lambda model, layers: [
                    p
                    for n, p in model.named_parameters()
                    if n.startswith(tuple(layers))
                ],
            ),
            'A name may begin like another: `"layer10".startswith("layer1")` is true. '
            "Take the layer by its whole name, with `model.get_submodule(name)`, or look "
            'for `"layer1."` with its dot.',
        ),
        "first-part": Wrong(
            partial(
                solution,
                found=lambda model, layers: [
                    p for n, p in model.named_parameters() if n.split(".")[0] in layers
                ],
            ),
            "A layer's name may have dots: what stands before the first of them is "
            "another layer. `model.get_submodule(name)` follows them.",
        ),
        "twice": At(
            TWICE,
            "These stand in a group more than once, which an optimiser refuses.",
        ),
        "frozen-dropped": Wrong(
            partial(
                solution,
                found=lambda *given: [p for p in within(*given) if p.requires_grad],
            ),
            "Frozen parameters are missing. They may wake later, and an optimiser that "
            "does not know them then will not move them.",
        ),
        "first-layer": Wrong(
            partial(solution, found=lambda model, layers: within(model, layers[:1])),
            "A group may hold several layers: the stem is a convolution, its norm, and "
            "more. Take them all.",
        ),
        "vectors": Wrong(
            partial(
                solution, found=lambda *given: [p for p in within(*given) if p.ndim > 1]
            ),
            "Norms and biases learn too: take all parameters of a layer.",
        ),
        "missing": At(
            MISSING,
            "These are in no group, so they would never learn. `.parameters()` gives all "
            "that lie in a layer, at any depth.",
        ),
        "wrong-group": At(
            "the parameters of each group",
            "These parameters are in another group than `stages` says.",
        ),
        "no-lr": At(without("lr"), 'Each group has a real rate under `"lr"`.'),
        **RATES,
        "mutated": "The caller's `stages` was used up: `pop` and `popitem` take an entry "
        "out. Go through it instead.",
    },
)
