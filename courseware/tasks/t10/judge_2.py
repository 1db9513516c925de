"""10.2: find the bug, nothing is shared."""

from __future__ import annotations

import torch
from torch import nn

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t10.heads_judged import AGREE, HEADS


def solution(make_backbone, num_features, tasks, lr, bias=True):
    backbone, nets = make_backbone(), nn.ModuleDict()
    for task, classes in tasks.items():
        nets[task] = nn.Sequential(
            backbone, nn.Linear(num_features, classes, bias=bias)
        )
    return nets, torch.optim.SGD(nets.parameters(), lr=lr)


def _is_type(name, *kinds):
    return lambda it: it.fact == f"type of {name}" and it.difference.got in kinds


TASK = Task(
    title="Find the bug: nothing is shared",
    points=3,
    hints=(
        "How many backbones does the loop build? Compare `id(nets[t][0])` of two tasks.",
        "Build the backbone once, before the loop. Then look at the list of parameters: "
        "how often does it hold each weight of the backbone now?",
        "`nets = nn.ModuleDict()`; the same backbone in each nn.Sequential; "
        "`torch.optim.SGD(nets.parameters(), lr=lr)`, for a module gives a shared "
        "parameter once.",
    ),
    solution=solution,
    agree=AGREE,
    mistakes={
        "not-called": When(
            lambda it: "is not a Module" in it.error or "'function' object" in it.error,
            "make_backbone is a function, and the backbone what it returns: `backbone = "
            "make_backbone()`, once, before the loop.",
        ),
        "compared": When(
            lambda it: "must match" in it.error or "Boolean value" in it.error,
            "`p in a_list` compares tensors by their numbers. Go by `id(p)`, or take "
            "`nn.ModuleDict(nets).parameters()`, which gives each parameter once.",
        ),
        "plain-dict": Raises(
            "'dict' object has no attribute",
            "A plain dict has no parameters(): `nn.ModuleDict(nets)` has, and gives each "
            "once.",
        ),
        "two-things": When(
            lambda it: (
                it.fact == "how many things it returns"
                or _is_type("what share returns", "dict", "Module", "SGD")(it)
            ),
            "Return two things: the nets, and the optimiser.",
        ),
        "no-module": When(
            lambda it: it.fact.startswith("type of the net of"),
            "A net is an nn.Module: `nn.Sequential(backbone, head)`.",
        ),
        "swapped": When(
            _is_type("the nets", "SGD"), "The nets come first, then the optimiser."
        ),
        "twice": When(
            lambda it: (
                it.fact == "entries that come once more"
                or "more than one parameter group" in it.error
            ),
            "The optimiser is given the shared parameters once for each task: SGD would "
            "move them several times a step. (PyTorch warns of that; here warnings are "
            "silent.) `nn.ModuleDict(nets).parameters()` gives each once.",
        ),
        "width": Raises(
            "cannot be multiplied",
            "A net cannot take the pictures: it is the backbone with a head behind it, "
            "which expects `num_features` features.",
        ),
        "tasks": At("the tasks", "One net for each task, by the task's name."),
        "not-built": When(
            lambda it: it.fact == "backbones that were built" and it.got == 0,
            "make_backbone() was never called.",
        ),
        "built-twice": At(
            "backbones that were built",
            "make_backbone() is called more than once. Each call gives other weights in "
            "other memory; equal values at the start, as after load_state_dict, are not "
            "shared either. Call it before the loop.",
        ),
        "copy": At(
            "nets that hold the backbone that was built",
            "A copy begins with the same values and then learns alone. Put the very object "
            "into each net: it is no copy to use it twice.",
        ),
        "optimizers": When(
            _is_type("the optimiser", "dict", "list", "tuple"),
            "One optimiser for all nets. Several would each move the shared backbone.",
        ),
        "strangers": At(
            "entries that are in none of the nets",
            "The optimiser holds parameters of something else, such as a copy: it would "
            "move what nobody uses. Give it those of the very nets that you return.",
        ),
        "no-backbone": When(
            lambda it: (
                it.fact == "values of the backbone that the optimiser holds"
                and it.got == 0
            ),
            "The optimiser does not have the shared backbone: it would never learn.",
        ),
        "missing": When(
            lambda it: "that the optimiser holds" in it.fact,
            "The optimiser must hold all parameters of all nets, weights and biases.",
        ),
        "rate": At("the rates", "The rate is `lr`, for every parameter."),
        "options": At(
            "options that are not the usual ones",
            "Plain SGD: leave the other options alone.",
        ),
        "bias": Wrong(
            lambda *given: solution(*given, bias=False), "A head has a bias."
        ),
        **HEADS,
    },
)
