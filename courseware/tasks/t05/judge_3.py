"""05.3: wake a stage in a running optimiser."""

from __future__ import annotations

from functools import partial

import torch

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t05.judge_3_waking import all_or_none, is_in, solution


def _at(fact, test):
    return lambda it: it.fact == fact and test(it)


_OLD, _NEW = "the groups that were there", "the new groups"
_RATES, _LEARNS = "the rates", "what learns"

TASK = Task(
    title="Wake a stage in a running optimiser",
    points=3,
    hints=(
        "A new optimiser would begin without momentum. The running one can take a group "
        "more: `optimizer.add_param_group({...})`.",
        "Collect what is already in: `{id(p) for group in optimizer.param_groups for p in "
        'group["params"]}`. Add the parameters whose id is not among them, if there are '
        "any. Tensors are compared by id, not by `==`.",
        "`parameters = list(parameters)`; set `requires_grad` of each; `missing = [p for p "
        "in parameters if id(p) not in known]`; `if missing: optimizer.add_param_group("
        '{"params": missing, "lr": lr})`',
    ),
    solution=solution,
    mistakes={
        "twice": Raises(
            "more than one parameter group",
            "A parameter that the optimiser has already was added again. Look each one up "
            "in the `params` of every group: neither `requires_grad`, nor "
            "`optimizer.state`, nor the first group alone tells what it has.",
        ),
        "compared": When(
            lambda it: "Boolean value" in it.error or "must match" in it.error,
            "`in` a list compares tensors by their values: compare `id(p)` with a set of "
            "ids.",
        ),
        "new-optimizer": At(
            "no new optimiser comes back",
            "This is a new optimiser, which has lost the momentum of the head. Change the "
            "one that runs.",
        ),
        "lost": When(
            _at(_OLD, lambda it: "head.weight" not in sum(it.got, [])),
            "Some of the optimiser's parameters are gone. Add a group, and leave the "
            "others alone.",
        ),
        "moved": When(
            _at(_OLD, lambda it: [] in it.got),
            "Parameters were taken out of their group. Those that are in keep their group "
            "and its rate.",
        ),
        "old-group": At(
            _OLD,
            "The stage's parameters were put into a group that was there, and share its "
            "rate. Add a group of their own.",
        ),
        "empty-group": When(
            _at(_NEW, lambda it: [] in it.got),
            "All of the parameters are in already, and an empty group was added. Add one "
            "only where something is missing.",
        ),
        "all-or-none": Wrong(
            all_or_none,
            "Some of the parameters are in the optimiser, and so none was added. Ask for "
            "each by itself, and add those that are missing: their number, or one of them, "
            "does not tell.",
        ),
        "nothing-added": When(
            _at(_NEW, lambda it: not it.got),
            "The optimiser does not know the woken parameters, so they would never move: "
            "`optimizer.add_param_group`. (A generator that you have gone through once is "
            "empty: make a list first. And neither their number tells what is in, nor "
            "whether they learn.)",
        ),
        "many-groups": When(
            _at(_NEW, lambda it: len(it.got) > 1),
            "One group for all of the stage's parameters.",
        ),
        "by-value": Wrong(
            partial(solution, same=torch.equal),
            "Two parameters may hold equal numbers and be two all the same: go by `id(p)`.",
        ),
        "frozen-only": Wrong(
            lambda o, ps, lr: solution(o, [p for p in ps if not p.requires_grad], lr),
            "A parameter that learns already may be missing in the optimiser. Go by what "
            "is in its groups, not by `requires_grad`.",
        ),
        "part": At(
            _NEW,
            "Some of the stage's parameters are missing: weights and biases belong to it.",
        ),
        "head-lr": When(
            _at(_RATES, lambda it: it.got[0] != it.right[0]),
            "The new rate is for the new group only; a group that is there keeps its own.",
        ),
        "lr": At(
            _RATES,
            'The new group has its own rate: `{"params": ..., "lr": lr}`. Those that were '
            "there keep theirs.",
        ),
        "options": At(
            "the other options of the groups",
            "`momentum`, `weight_decay` and the rest are what the optimiser was made with, "
            "not what one of its groups has: `add_param_group` fills them in.",
        ),
        "defaults": At(
            "the optimiser's own options are as before",
            "`optimizer.defaults` changed, which groups added later will take. Give the "
            "rate to the new group alone.",
        ),
        "weights": At(
            "the weights are as before", "Waking changes no weight: take no step in it."
        ),
        "state-lost": At(
            "the optimiser's state",
            "The momentum of what learns already is lost or changed. Leave "
            "`optimizer.state` alone, and do not initialise the optimiser again.",
        ),
        "stopped": When(
            _at(_LEARNS, lambda it: "head.weight" not in it.got),
            "The head was frozen: what the optimiser has goes on learning.",
        ),
        "missing-only": Wrong(
            lambda o, ps, lr: solution(o, [p for p in ps if not is_in(o, p)], lr),
            "Those that are in the optimiser may be frozen too: set `requires_grad = True` "
            "for all of the parameters.",
        ),
        "asleep": At(
            _LEARNS,
            "The optimiser has them, but they get no gradient: set `requires_grad = True` "
            "for each of the parameters. (They may come as a generator, which can be gone "
            "through only once: make a list first.)",
        ),
    },
)
