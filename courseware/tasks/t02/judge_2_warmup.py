"""02.2: the solution, and what is mistaken in the times that count."""

from __future__ import annotations

import numpy as np

from courseware.grading.judging import Wrong


def solution(times_ms, warmup, shares=(50, 10, 90)):
    return tuple(float(np.percentile(times_ms[warmup:], share)) for share in shares)


def fixed(number):
    return Wrong(
        lambda times, n: solution(times, number),
        "Drop `warmup` of them, not a number of your own: it is an argument.",
    )


MISTAKES = {
    "warmup-kept": Wrong(
        lambda times, n: solution(times, 0),
        "Drop the warm-up: `times_ms[warmup:]`.",
    ),
    "sorted-first": Wrong(
        lambda times, n: solution(sorted(times), n),
        "Drop the warm-up before you sort: it is the first passes, not the fastest.",
    ),
    "slowest-dropped": Wrong(
        lambda times, n: solution(sorted(times)[::-1], n),
        "The warm-up is the first passes, not the slowest: drop it before you sort.",
    ),
    "wrong-end": Wrong(
        lambda times, n: solution(times[: len(times) - n], 0),
        "These are the last passes dropped. The warm-up comes first.",
    ),
    "only-warmup": Wrong(
        lambda times, n: solution(times[:n], 0),
        "These are of the warm-up itself: `times_ms[warmup:]` is what comes after it.",
    ),
    "one-more": Wrong(
        lambda times, n: solution(times, n + 1),
        "One pass too many is dropped: `times_ms[warmup:]` begins at the right one.",
    ),
    "one-less": Wrong(
        lambda times, n: solution(times, max(n - 1, 0)),
        "A pass of the warm-up is left: `times_ms[warmup:]` drops all of them.",
    ),
    "last-ones": Wrong(
        lambda times, n: solution(times[-n:], 0),
        "These are the last `warmup` times; `times_ms[warmup:]` drops the first.",
    ),
    "median-too-early": Wrong(
        lambda times, n: (*solution(times, 0, (50,)), *solution(times, n, (10, 90))),
        "The median is of all times: drop the warm-up before you take it as well.",
    ),
    "ten": fixed(10),
    "five": fixed(5),
    "two": fixed(2),
}
