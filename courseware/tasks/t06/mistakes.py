"""Mistakes that the tasks about parameter groups share."""

from __future__ import annotations

import torch

from courseware.grading.judging import At, When
from courseware.tasks.t06.groups import FOREIGN, MISSING, NO_DICTS, without


def names(it, fact):
    """The set of names at a fact, if that is what fails; else an empty one."""
    return it.got if it.fact == fact else frozenset()


GROUPS = {
    "optimizer": When(
        lambda it: it.key == "type" and hasattr(torch.optim, str(it.difference.got)),
        "That is an optimiser already. Return the groups, as a list of dicts.",
    ),
    "tuple": When(
        lambda it: it.key == "type" and it.difference.got == "tuple",
        "That is a tuple. Return a list of groups, each of them a dict.",
    ),
    "no-dict": At(
        NO_DICTS,
        "Each group is a dict, with its parameters and what applies to them.",
    ),
    "no-params": At(
        without("params"),
        'An optimiser looks for a group\'s parameters under the key `"params"`.',
    ),
    "set": When(
        lambda it: "set" in names(it, FOREIGN),
        "A set has no order, which an optimiser refuses: its state is saved by position. "
        "Use a list.",
    ),
    "text": When(
        lambda it: "str" in names(it, FOREIGN),
        "These are names. An optimiser needs the parameters themselves.",
    ),
    "nested": When(
        lambda it: names(it, FOREIGN) & {"list", "tuple", "generator"},
        "The parameters of a layer stand in a list of their own in there, where an "
        "optimiser expects parameters: `params.extend(...)` in place of `append`, or a "
        "second `for` in the comprehension.",
    ),
    "foreign": At(
        FOREIGN,
        "This is no parameter of the model. Take the parameters themselves: no "
        "copies, no layers, no buffers, no `.data`.",
    ),
}

LOOSE = {
    "loose": When(
        lambda it: names(it, MISSING) and not any("." in name for name in it.got),
        "A net may hold parameters that are in no layer, such as a class token. "
        "`model.parameters()` and `model.named_parameters()` have them, the children "
        "do not.",
    ),
}
