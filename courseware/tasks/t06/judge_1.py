"""06.1: a rate for each depth."""

from __future__ import annotations

import re
from functools import partial

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t06.groups import MISSING, TWICE, without
from courseware.tasks.t06.mistakes import GROUPS
from courseware.tasks.t06.stages import RATES, by_name, solution, within

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
        "fixed-names": Raises(
            "KeyError: 'stem'",
            "The groups have other names here: go through `stages`, not through the names "
            "of the example.",
        ),
        "no-weight": Raises(
            "has no attribute 'weight'",
            "That holds other layers, and has no weight of its own: `.parameters()` gives "
            "all that lie in a layer, at any depth.",
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
        "prefix": When(
            any_of(
                by_name(lambda name, layers: name.startswith(tuple(layers))),
                by_name(lambda name, layers: any(each in name for each in layers)),
            ),
            'A name may begin like another, or hold it: "layer10" begins with "layer1", '
            '"layer2.conv1" holds "conv1". Take the layer by its whole name, with '
            '`model.get_submodule(name)`, or look for a beginning with its dot, "layer1.".',
        ),
        "first-part": Wrong(
            by_name(lambda name, layers: name.split(".")[0] in layers),
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
