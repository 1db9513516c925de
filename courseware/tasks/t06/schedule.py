"""06.5: the schedule, and what goes wrong in its warm-up or in all of it."""

from __future__ import annotations

import math
from functools import partial

from courseware.grading.judging import When, Wrong, any_of


def half_wave(done):
    return (1 + math.cos(math.pi * done)) / 2


def solution(
    step,
    total,
    warmup,
    peak,
    final=0.0,
    climb=lambda s, w, peak, final: peak * (s + 1) / (w + 1),
    done=lambda s, n, w: (s - w) / (n - 1 - w),
    wave=half_wave,
    between=lambda peak, final, share: final + (peak - final) * share,
):
    if step < warmup:
        return climb(step, warmup, peak, final)
    return between(peak, final, wave(done(step, total, warmup)))


def _rounded(digits, *given):
    return round(solution(*given), digits)


RISE = {
    "no-warmup": Wrong(
        lambda step, total, warmup, *rates: solution(step, total, 0, *rates),
        "The warm-up is missing.",
    ),
    "flat-warmup": Wrong(
        partial(solution, climb=lambda s, w, peak, final: peak),
        "In the warm-up the rate is at its peak already: it should climb.",
    ),
    "from-zero": Wrong(
        partial(solution, climb=lambda s, w, peak, final: peak * s / w),
        "Step 0 has a rate of 0, so it would do nothing. It is one stride high "
        "already; there are warmup + 1 strides up to the peak.",
    ),
    "from-one": Wrong(
        partial(solution, climb=lambda s, w, peak, final: peak * s / (w + 1)),
        "Step 0 has a rate of 0, so it would do nothing. Steps count from 0, so that "
        "step `step` is step + 1 strides high.",
    ),
    "peak-early": Wrong(
        partial(solution, climb=lambda s, w, peak, final: peak * (s + 1) / w),
        "The peak is reached one step too early: step warmup - 1 is one stride below "
        "it, and step warmup is at the peak.",
    ),
    "whole": Wrong(
        partial(solution, climb=lambda s, w, peak, final: peak * ((s + 1) // (w + 1))),
        "`//` cuts off what is behind the point, and little is left of a share: divide "
        "with `/`.",
    ),
    "example": When(
        any_of(
            partial(solution, climb=lambda s, w, peak, final: 0.2 * (s + 1)),
            partial(solution, climb=lambda s, w, peak, final: 0.2 * peak * (s + 1)),
        ),
        "0.2 is the stride of the example. In general it is `peak / (warmup + 1)`.",
    ),
    "cosine-warmup": Wrong(
        partial(
            solution,
            climb=lambda s, w, peak, final: peak * half_wave(1 - (s + 1) / (w + 1)),
        ),
        "The warm-up climbs in equal strides, along a straight line. Only the fall is "
        "a cosine.",
    ),
    "from-final": Wrong(
        partial(solution, climb=lambda s, w, p, f: f + (p - f) * (s + 1) / (w + 1)),
        "The warm-up climbs from 0, not from `final`.",
    ),
    "product": Wrong(
        lambda s, n, w, *rates: min(1, (s + 1) / (w + 1)) * solution(s, n, 0, *rates),
        "The cosine is at work in the warm-up already: it begins at step warmup, with "
        "its peak.",
    ),
    "factor": When(
        any_of(
            lambda *given: solution(*given) / given[3],
            lambda s, n, w, *rates: solution(s, n, w, 1.0),
        ),
        "That is the share of peak. Return the rate itself.",
    ),
    "unit-peak": Wrong(
        lambda s, n, w, peak, *final: solution(s, n, w, 1.0, *final),
        "`peak` is ignored: it is not always 1.",
    ),
    "rounded": When(
        any_of(*(partial(_rounded, digits) for digits in range(1, 6))),
        "Return the rate as it is, without rounding it.",
    ),
    "warmup": When(
        lambda it: it.fact == "the rates in the warm-up" and it.key == "value",
        "Steps 0 to warmup - 1 climb in equal strides; step 0 is one stride high, step "
        "warmup at peak.",
    ),
}
