"""02.2: the three numbers that come back."""

from __future__ import annotations

from courseware.grading.observing import Case

TRIED = (
    (
        [60.5, 33.0]
        + [8.1, 7.1, 9.5, 7.5, 31.0, 8.5, 7.2, 7.2, 8.7, 6.7, 12.3, 9.0, 7.7, 10.5],
        2,
    ),
    ([12.0, 3.0, 5.0, 4.0, 90.0, 3.5, 6.0], 1),
    ([21.0, 20.0, 22.5, 35.0, 20.5, 19.75], 0),
)


def cases(seed):
    for times, warmup in TRIED:
        times = [round(t * (1 + seed % 9 / 7), 3) for t in times]
        yield Case(f"{times}, warmup = {warmup}", times=times, warmup=warmup)


def observe(median_latency, case, seen):
    got = seen.call(median_latency, case.times, case.warmup)
    seen.require("the result", got, tuple)
    seen.note("the three numbers", got)
