"""09.3: the temperature, and the entropy that the answers have at it."""

from __future__ import annotations

import math

from course_utils.distillation.loss import entropy_bits
from courseware.grading.facts import Array, describe, number_of
from courseware.grading.observing import Case
from courseware.tasks.t09.logits import peaked


def cases(seed):
    for i, (shape, spread, lift, bits) in enumerate(
        (
            ((4, 6), 2.0, 10.0, 0.4),
            ((4, 6), 2.0, 10.0, 1.8),
            ((3, 5), 0.3, 0.5, 0.4),
            ((5, 3), 30.0, 20.0, 1.2),
            ((1, 8), 3.0, 0.0, 2.5),
            ((16, 4), 12.0, -1e4, 0.05),  # one class has a probability of 0
        )
    ):
        bits = round(bits * (1 - 0.04 * (seed % 4)), 3)
        logits = peaked(100 * seed + max(i, 1), shape, spread=spread, lift=lift)
        given = f"logits of shape {shape}, bits = {bits:g}"
        yield Case(given, hidden=i > 2, logits=logits, bits=bits)


def observe(temperature_for, case, seen):
    got = seen.call(temperature_for, case.logits, case.bits)
    T = number_of(describe(got))
    seen.require("the temperature", got if isinstance(T, Array) else T, (float, int))
    seen.note("the temperature is above 0, and finite", 0 < T < math.inf)
    p = (case.logits.double() / T).softmax(1)
    seen.given = f"{case.given}; your T is {T:.4g}"
    seen.note("the mean entropy in bits at this T", entropy_bits(p).mean().item())
    seen.note("the temperature", T)
