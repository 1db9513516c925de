"""06.2: the head that is listed twice."""

from __future__ import annotations

from functools import partial

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Task, When, Wrong, any_of
from courseware.tasks.t06.groups import MISSING, TWICE, without
from courseware.tasks.t06.mistakes import GROUPS, LOOSE, names

RATES = "the rate of each parameter"


def solution(model, lr, head_lr, is_head=lambda name: name.startswith("fc.")):
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in named if not is_head(n)], "lr": lr},
        {"params": [p for n, p in named if is_head(n)], "lr": head_lr},
    ]


def _last_child(model, lr, head_lr):
    *_, (last, _) = model.named_children()
    return solution(model, lr, head_lr, lambda name: name.startswith(f"{last}."))


BY_NAME = [
    partial(solution, is_head=lambda name: name[:2] == "fc"),
    partial(solution, is_head=lambda name: "fc" in name),
    partial(solution, is_head=lambda name: "fc." in name),
    partial(solution, is_head=lambda name: name.split(".")[-2:-1] == ["fc"]),
]
SINGLE = partial(solution, is_head=lambda name: name in ("fc.weight", "fc.bias"))


def _namesakes_missing(it):
    return names(it, MISSING) and all("fc" in n and n[:3] != "fc." for n in it.got)


TASK = Task(
    title="Find the bug: the head that is listed twice",
    points=2,
    hints=(
        "`named_parameters()` gives the head's parameters as well, and they are added "
        "again after the loop. And does each parameter need a group of its own?",
        "Make two lists, one of the backbone's parameters, one of the head's. What tells "
        'them apart is the name\'s beginning, `"fc."` with its dot.',
        '`mine = head if name.startswith("fc.") else body; mine.append(parameter)`; and '
        'after the loop `[{"params": body, "lr": lr}, {"params": head, "lr": head_lr}]`',
    ),
    solution=solution,
    tolerance=Tolerance(1e-15, 1e-9),
    mistakes={
        "tensor-in": When(
            lambda it: (
                "Boolean value of Tensor" in it.error or "must match" in it.error
            ),
            "`p in a_list` and `p == q` compare the numbers in two tensors. Go by names, "
            "or by `id(p)`, or with `is`.",
        ),
        "single-layer": When(
            lambda it: (
                "'Sequential' object has no attribute" in it.error
                or it.shows_the_same(SINGLE)
            ),
            "The head may be several layers: `model.fc.parameters()` gives all of theirs.",
        ),
        **GROUPS,
        "woken": At(
            "frozen parameters that were woken",
            "What was frozen learns now: leave `requires_grad` as it is.",
        ),
        "head-twice": When(
            lambda it: it.fact == TWICE and all(n[:3] == "fc." for n in it.got),
            "The head's parameters still stand in two groups: leave them out of the "
            "loop, or do not add them after it.",
        ),
        "twice": At(
            TWICE, "These stand in more than one place, which an optimiser refuses."
        ),
        "by-name": When(
            lambda it: any_of(*BY_NAME)(it) or _namesakes_missing(it),
            'Another layer may be called fc1 or block.fc, so `"fc" in name`, or a name '
            'that begins with `"fc"`, is no test. The head\'s names begin with `"fc."` '
            "and its dot.",
        ),
        "head-missing": Wrong(
            lambda *given: solution(*given)[:1],
            "Now the head stands in no group at all, and would never learn.",
        ),
        "body-missing": Wrong(
            lambda *given: solution(*given)[1:],
            "Only the head is in a group: the backbone is to learn too, with `lr`.",
        ),
        "bias-missing": When(
            lambda it: names(it, MISSING) and all(n.endswith("bias") for n in it.got),
            "Biases learn too: take all parameters, not the weights alone.",
        ),
        **LOOSE,
        "missing": At(
            MISSING,
            "These parameters learn, but are in no group. Ask for all, at any depth, and "
            "tell the head's apart by their names or by `id`: others may have the same "
            "shape.",
        ),
        "count": At(
            "no more than two groups",
            "A group for each parameter does no harm but is needless: all that share a "
            "rate fit into one.",
        ),
        "frozen-in": At(
            "frozen parameters in a group",
            "These are frozen. Keep the condition `parameter.requires_grad`, for the head "
            "too.",
        ),
        "no-lr": At(without("lr"), 'Each group has its rate under `"lr"`.'),
        "swapped": Wrong(
            lambda model, lr, head_lr: solution(model, head_lr, lr),
            "The rates are swapped: `head_lr` belongs to `fc`.",
        ),
        "one-rate": Wrong(
            lambda model, lr, head_lr: solution(model, lr, lr),
            "All have the rate `lr`: the head's parameters belong in a group of their own, "
            "with `head_lr`.",
        ),
        "fixed-rate": Wrong(
            lambda model, lr, head_lr: solution(model, lr, 10 * lr),
            "That is ten times `lr`: take the rate `head_lr` as it is given.",
        ),
        "last": Wrong(
            _last_child,
            "The head is `model.fc`. It need not be the last layer, or hold just two "
            "parameters.",
        ),
        "head-lr": When(
            lambda it: it.fact == RATES and it.path[:5] == "['fc.",
            "The head, or a part of it, has not the rate `head_lr`: `model.fc` may be "
            "several layers, each with a weight and a bias.",
        ),
        "body-lr": At(
            RATES,
            "What is not in `model.fc` has the rate `lr`, even a layer of the same kind or "
            'shape. Go by `id`, or by names that begin with `"fc."`.',
        ),
    },
)
