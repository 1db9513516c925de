"""Mistakes that the tasks about parameter groups share."""

from __future__ import annotations

import torch

from courseware.grading.judging import At, When
from courseware.tasks.t06.groups import FOREIGN, NO_DICTS, without


def names(it, fact):
    """The set of names at a fact, if that is what fails; else an empty one."""
    return it.got if it.fact == fact else frozenset()


GROUPS = {
    "optimizer": When(
        lambda it: it.key == "type" and hasattr(torch.optim, str(it.difference.got)),
        "That is an optimiser already. Return the groups, as a list of dicts.",
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
    "foreign": At(
        FOREIGN,
        "This is no parameter of the model. Take the parameters themselves: no "
        "copies, no layers, no buffers, no `.data`.",
    ),
}
