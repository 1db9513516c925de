"""Ways to wake a stage in an optimiser: the right one, and wrong ones."""

from __future__ import annotations

import operator


def solution(optimizer, parameters, lr, same=operator.is_):
    parameters = [p.requires_grad_() for p in parameters]
    if missing := [p for p in parameters if not is_in(optimizer, p, same)]:
        optimizer.add_param_group({"params": missing, "lr": lr})


def is_in(optimizer, parameter, same=operator.is_):
    known = (p for group in optimizer.param_groups for p in group["params"])
    return any(same(parameter, p) for p in known)


def all_or_none(optimizer, parameters, lr):
    """A wrong solution: where one of them is in, none is added."""
    parameters = [p.requires_grad_() for p in parameters]
    if not any(is_in(optimizer, p) for p in parameters):
        solution(optimizer, parameters, lr)
