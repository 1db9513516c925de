"""06.5: the rates of all steps, before and from the peak on."""

from __future__ import annotations

from courseware.grading.observing import Case
from courseware.tasks.t06.inputs import scaled, told


def cases(seed):
    names = "total", "warmup", "peak", "final"
    for total, warmup, peak, *final in (
        (13, 4, 1.0),
        (10, 0, 0.4, 0.01),
        (9, 3, 3e-3, 1e-4),
        (7, 1, 2.0),
        (30, 10, 0.06, 0.02),
        (6, 4, 1e-3, 1e-5),
    ):
        numbers = (total + seed % 4, warmup, *scaled(seed, peak), *final)
        given = told("all steps", **dict(zip(names, numbers, strict=False)))
        hidden = total in (7, 30, 6)
        yield Case(given, hidden=hidden, numbers=numbers)


def observe(lr_at, case, seen):
    total, warmup, *_ = case.numbers
    seen.call(lr_at, 0, *case.numbers)
    rates = seen.call(lambda: [lr_at(step, *case.numbers) for step in range(total)])
    seen.note("the rates in the warm-up", rates[:warmup])
    seen.note("the rates from step warmup on", rates[warmup:])
