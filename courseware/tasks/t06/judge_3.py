"""06.3: no weight decay on norms and biases."""

from __future__ import annotations

import re
from functools import partial

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t06.groups import MISSING, TWICE, without
from courseware.tasks.t06.mistakes import GROUPS, LOOSE, names

DECAYING = "vectors and numbers that decay"
SPARED = "weights that do not decay"


def solution(model, weight_decay, decays=lambda name, p: p.ndim > 1):
    named = list(model.named_parameters())
    return [
        {"params": [p for n, p in named if decays(n, p)], "weight_decay": weight_decay},
        {"params": [p for n, p in named if not decays(n, p)], "weight_decay": 0.0},
    ]


def _emptied(which, *given):
    groups = solution(*given)
    groups[which]["params"] = []
    return groups


TASK = Task(
    title="No weight decay on norms and biases",
    points=2,
    hints=(
        "Names differ from net to net, shapes do not. What is the shape of a bias, of a "
        "norm's scale, of a convolution's weight?",
        "`parameter.ndim` counts the dimensions: 4 for a Conv2d's weight, 2 for a "
        "Linear's, 1 for a bias, 0 for a single number.",
        "`weights = [p for p in model.parameters() if p.ndim >= 2]`, the others likewise; "
        'two dicts, with `"weight_decay": weight_decay` and `"weight_decay": 0.0`',
    ),
    solution=solution,
    tolerance=Tolerance(1e-12, 1e-6),
    mistakes={
        "no-shape": Raises(
            "tuple index out of range",
            "A single number has no dimensions: its shape is `()`, so that `shape[0]` "
            "does not exist. Ask `ndim`.",
        ),
        **GROUPS,
        "count": At(
            "how many groups",
            "Two groups: one with weight decay, one without it. Together they hold every "
            "parameter, for what is in neither would never learn.",
        ),
        "twice": At(
            TWICE,
            "These stand in more than one place. Go through `model.parameters()`, which "
            "gives each parameter once, also one that two layers share.",
        ),
        "frozen-spared": Wrong(
            partial(solution, decays=lambda name, p: p.ndim > 1 and p.requires_grad),
            "A frozen weight decays by this rule too: it may wake later.",
        ),
        "frozen-dropped": Wrong(
            lambda *given: [
                {**group, "params": [p for p in group["params"] if p.requires_grad]}
                for group in solution(*given)
            ],
            "Frozen parameters belong to a group too: they may wake later.",
        ),
        "used-up": When(
            any_of(partial(_emptied, 0), partial(_emptied, 1)),
            "One group is empty. `model.parameters()` is a generator, which gives its "
            "items once: make a list of it first, or ask for it a second time.",
        ),
        **LOOSE,
        "missing": At(
            MISSING,
            "These are in no group, so they would never learn. Whatever has not two "
            "dimensions or more belongs to the other group, of whatever layer it is.",
        ),
        "no-key": At(
            without("weight_decay"),
            'Both groups say `"weight_decay"`; without it the optimiser\'s own value '
            "applies, which for AdamW is not 0.",
        ),
        "values": At(
            "the values of weight_decay",
            "One group has `weight_decay` as it was given, the other 0.",
        ),
        "swapped": When(
            lambda it: it.fact == DECAYING and not it.seen("some weights decay"),
            "The groups are swapped: vectors decay, weights do not.",
        ),
        "norms": Wrong(
            partial(solution, decays=lambda n, p: not re.search("bn|norm|bias", n)),
            "Scales of norms decay here: a norm may go by any name. Look at the number of "
            "dimensions, not at names.",
        ),
        "only-biases": Wrong(
            partial(solution, decays=lambda name, p: not name.endswith("bias")),
            "Biases are without, but the norms' scales still decay: they are called "
            "weight, as a convolution's weights are. Look at the number of dimensions.",
        ),
        "vectors": Wrong(
            partial(solution, decays=lambda name, p: p.ndim >= 1),
            "A vector has one dimension, and gets none: two or more are asked for.",
        ),
        "scalar": Wrong(
            partial(solution, decays=lambda name, p: p.ndim != 1),
            "A single number, such as a temperature, has 0 dimensions: less than two.",
        ),
        "biases": When(
            lambda it: (
                names(it, DECAYING)
                and all("bias of" in name and "Norm" not in name for name in it.got)
            ),
            "Biases of convolutions or linear layers still decay.",
        ),
        "other-norms": When(
            lambda it: any("Norm" in name for name in names(it, DECAYING)),
            "Some norms decay: there are many kinds of them. Look at the number of "
            "dimensions, not at classes.",
        ),
        "lone-vectors": At(
            DECAYING,
            "These have less than two dimensions: no weight decay, wherever they belong.",
        ),
        "by-name": Wrong(
            partial(solution, decays=lambda name, p: p.ndim > 1 and "bn" not in name),
            "These are matrices, whatever their names say: a layer called bn_out may be a "
            "Linear. Look at the number of dimensions.",
        ),
        "embedding": When(
            lambda it: (
                names(it, SPARED)
                and all("Embedding" in n or "token" in n for n in it.got)
            ),
            "An embedding's table or a class token has two dimensions or more: by this "
            "rule it decays.",
        ),
        "spared": At(
            SPARED,
            "These have two dimensions or more and need weight decay, whatever their "
            "layer, their name and their size.",
        ),
    },
)
