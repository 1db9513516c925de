"""06.4: the rates and losses of a range test, and what it left behind."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from courseware.grading.facts import describe, number_of
from courseware.grading.observing import generator
from courseware.grading.values import ModelRecord
from courseware.tasks.t06.inputs import numbered_case
from courseware.tasks.t06.nets import overflowing, small

LISTS = "how many lists"
NO_GRAPH = "the losses carry no graph"
FINITE = "the losses are finite"
PAIRED = "each loss has its rate"


def cases(seed):
    steps = 7 + seed % 3
    training, resting = (partial(small, seed + 4, mode) for mode in (True, False))
    few, many, some, broken = (_batches(count, seed) for count in (3, 5, 4, 6))
    broken[3][0][0, 0, 0, 0] = math.nan
    # The third loss is high, the fifth infinite.
    sizes = 0.5, 0.8, 9.0, 0.9, 3e38, 0.4
    huge = [(torch.full((1, 1), x), torch.ones(1, dtype=torch.long)) for x in sizes]
    for what, make, batches, *numbers in (
        ("a small net in train mode, 3 batches", training, few, 1e-3, 0.5, steps),
        ("a small net in eval mode, 5 batches, and the defaults", resting, many),
        ("6 batches, a NaN in the fourth", resting, broken, 0.01, 0.1, 6),
        ("", overflowing, huge, 1e-4, 1e-2, 6),
        ("", training, some, 1e-5, 1e-1, 3),
    ):
        named = dict(zip(("start_lr", "end_lr", "num_iter"), numbers, strict=False))
        needed = {"make": make, "batches": batches, "hidden": not what}
        needed["stops"] = batches is broken or batches is huge
        needed["count"] = numbers[2] if numbers else 40
        yield numbered_case(seed, what, named, **needed)


def _batches(count, seed):
    """Batches of six pictures."""
    draw = generator(count + seed)
    images = torch.rand(count, 6, 3, 5, 5, generator=draw)
    labels = torch.randint(3, (count, 6), generator=draw)
    return list(zip(images, labels, strict=True))


def observe(range_test, case, seen):
    given = case.make(), case.batches, *case.numbers
    got = seen.call(range_test, *given, keeps=ModelRecord.KINDS)
    seen.require("what your function returns", got, (tuple, list))
    seen.note(LISTS, len(got))
    if len(got) != 2:
        seen.end()
    for name, values in zip(("the rates", "the losses"), got, strict=True):
        seen.require(name, values, (list, tuple))
    graphs = (isinstance(loss, Tensor) and loss.requires_grad for loss in got[1])
    seen.note(NO_GRAPH, not any(graphs))
    rates, losses = ([number_of(describe(x)) for x in values] for values in got)
    finite = (math.isfinite(loss) for loss in losses if type(loss) is float)
    seen.note(FINITE, all(finite))
    seen.note(PAIRED, len(rates) == len(losses))
    seen.note("the rates", rates)
    seen.note("the losses", losses)
