"""06.5: the rates of all steps, before and from the peak on."""

from __future__ import annotations

from courseware.tasks.t06.inputs import numbered_case


def cases(seed):
    for i, (total, *others) in enumerate(
        (
            (13, 4, 1),  # whole, so that it is 1 with every seed
            (10, 0, 0.4, 0.01),
            (9, 3, 3e-3, 1e-4),
            (7, 1, 2.0),
            (30, 10, 0.06, 0.02),
            (6, 4, 1e-3, 1e-5),
        )
    ):
        names = "total", "warmup", "peak", "final"
        numbers = dict(zip(names, (total + seed % 4, *others), strict=False))
        yield numbered_case(seed, "all steps", numbers, hidden=i > 2)


def observe(lr_at, case, seen):
    total, warmup, *_ = case.numbers
    seen.call(lr_at, 0, *case.numbers)
    rates = seen.call(lambda: [lr_at(step, *case.numbers) for step in range(total)])
    seen.note("the rates in the warm-up", rates[:warmup])
    seen.note("the rates from step warmup on", rates[warmup:])
