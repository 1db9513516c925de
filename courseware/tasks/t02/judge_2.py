"""02.2: many times, three numbers."""

from __future__ import annotations

from statistics import mean, quantiles

import numpy as np

from courseware.grading.facts import Tolerance, number_of
from courseware.grading.judging import Task, When, Wrong


def solution(times_ms, warmup, shares=(50, 10, 90)):
    return tuple(float(np.percentile(times_ms[warmup:], share)) for share in shares)


def _are_times(it):
    """Each figure that differs from the right one is a time as it was measured."""
    pairs = [(number_of(a), b) for a, b in zip(it.got, it.right, strict=True)]
    odd = [got for got, right in pairs if not np.isclose(got, right, rtol=1e-4)]
    return all(np.isclose(it.case.times, got).any() for got in odd)


def _is_symmetric(it):
    middle, low, high = map(number_of, it.got)
    return np.isclose(middle - low, high - middle, rtol=1e-3)


TASK = Task(
    title="Many times, three numbers",
    points=1,
    hints=(
        "First drop, then compute: `times_ms[warmup:]`.",
        "`np.percentile(kept, 90)` or `torch.tensor(kept).quantile(0.9)` interpolate.",
        "`low, median, high = np.percentile(times_ms[warmup:], [10, 50, 90])`; return "
        "them as a tuple, the median first.",
    ),
    solution=solution,
    tolerance=Tolerance(0, 1e-4),
    mistakes={
        "length": "Three numbers: median, 10th, 90th percentile.",
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
        "ten": Wrong(
            lambda times, n: solution(times, 10),
            "Drop `warmup` of them, not a number of your own.",
        ),
        "order": Wrong(
            lambda times, n: solution(times, n, (10, 50, 90)),
            "The right numbers in another order: median, then 10th, then 90th percentile.",
        ),
        "high-first": Wrong(
            lambda times, n: solution(times, n, (50, 90, 10)),
            "The 10th percentile comes before the 90th.",
        ),
        "mean": Wrong(
            lambda times, n: (mean(times[n:]), *solution(times, n, (10, 90))),
            "That is the mean, which one slow pass pulls up. Take the median.",
        ),
        "range": Wrong(
            lambda times, n: solution(times, n, (50, 0, 100)),
            "These are the fastest and the slowest pass: one odd pass decides them.",
        ),
        "quartiles": Wrong(
            lambda times, n: solution(times, n, (50, 25, 75)),
            "These are quartiles: 25 and 75. Take 10 and 90.",
        ),
        "per-cent": Wrong(
            lambda times, n: solution(times, n, (0.5, 0.1, 0.9)),
            "`np.percentile` counts from 0 to 100, `quantile` from 0 to 1.",
        ),
        "exclusive": Wrong(
            lambda times, n: tuple(quantiles(times[n:], n=10)[i] for i in (4, 0, 8)),
            "`statistics.quantiles` reckons with values beyond those that are there; "
            '`method="inclusive"` interpolates as NumPy and PyTorch do.',
        ),
        "seconds": Wrong(
            lambda times, n: tuple(value / 1000 for value in solution(times, n)),
            "Milliseconds came in, and milliseconds are asked for: do not divide.",
        ),
        "rounded": Wrong(
            lambda times, n: tuple(float(round(value)) for value in solution(times, n)),
            "Return the numbers as they are: rounding is for what you print.",
        ),
        "unsorted": Wrong(
            lambda times, n: tuple(
                times[n:][int(len(times[n:]) * share)] for share in (0.5, 0.1, 0.9)
            ),
            "Sort before you pick by position.",
        ),
        "deviation": When(
            lambda it: it.key == "value" and _is_symmetric(it),
            "Times are not symmetric: take percentiles, not a deviation.",
        ),
        "not-interpolated": When(
            lambda it: it.key == "value" and _are_times(it),
            "Where a percentile falls between two times, interpolate: of an even number "
            "of times, the median is the mean of the two in the middle. (torch.median "
            "takes the lower one.)",
        ),
        "value": "Percentiles 50, 10 and 90 of `times_ms[warmup:]`.",
        "mutated": "The list is to stay as it is: `times_ms[warmup:]` and `sorted(…)` "
        "make another one; `del` and `.sort()` change this one.",
    },
)
