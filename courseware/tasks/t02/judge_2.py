"""02.2: many times, three numbers."""

from __future__ import annotations

from statistics import mean, quantiles

import numpy as np

from courseware.grading.facts import Tolerance, number_of
from courseware.grading.judging import Raises, Task, When, Wrong
from courseware.tasks.t02.judge_2_warmup import MISTAKES, solution


def _are_times(it):
    """Each figure that differs from the right one is a time as it was measured."""
    pairs = [(number_of(a), b) for a, b in zip(it.got, it.right, strict=True)]
    odd = [got for got, right in pairs if not np.isclose(got, right, rtol=1e-4)]
    return all(np.isclose(it.case.times, got).any() for got in odd)


def _is_rounded(it):
    """The right figures, with no, one or two digits behind the point."""
    return any(
        all(
            np.isclose(number_of(a), round(b, digits), rtol=1e-6)
            for a, b in zip(it.got, it.right, strict=True)
        )
        for digits in (0, 1, 2)
    )


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
        **MISTAKES,
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
        "rounded": When(
            lambda it: it.key == "value" and _is_rounded(it),
            "Return the numbers as they are: rounding is for what you print.",
        ),
        "unsorted": Wrong(
            lambda times, n: tuple(
                times[n:][int(len(times[n:]) * share)] for share in (0.5, 0.1, 0.9)
            ),
            "Sort before you pick by position.",
        ),
        "unsorted-median": Wrong(
            lambda times, n: (
                times[n:][len(times[n:]) // 2],
                *solution(times, n, (10, 90)),
            ),
            "The one in the middle of the list is the median only once the list is "
            "sorted: sort first.",
        ),
        "range-of-shares": Raises(
            "in the range [0, 1]",
            "`quantile` counts from 0 to 1 (0.5, 0.1, 0.9), `np.percentile` from 0 to 100.",
        ),
        "half-a-place": Raises(
            "indices must be integers",
            "A position is a whole number: `/` gives a float, `//` an int. Sort first, and "
            "of an even number take the mean of the two in the middle.",
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
