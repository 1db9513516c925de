"""06.5: warm up, then cosine."""

from __future__ import annotations

import math
from functools import partial

from courseware.grading.facts import Tolerance
from courseware.grading.judging import Raises, Task, When, Wrong, any_of
from courseware.tasks.t06.schedule import RISE, half_wave, solution


def counting(*ways):
    return any_of(*(partial(solution, done=done) for done in ways))


TASK = Task(
    title="Warm up, then cosine",
    points=3,
    hints=(
        "Two cases: step < warmup, and the rest. Write down by hand what the first and "
        "the last step of each case must give.",
        "Warm-up: `peak * (step + 1) / (warmup + 1)`. For the rest, let `done` go from 0 "
        "at step warmup to 1 at step total - 1; `(1 + math.cos(math.pi * done)) / 2` then "
        "goes from 1 to 0.",
        "`done = (step - warmup) / (total - 1 - warmup); return final + (peak - final) * "
        "(1 + math.cos(math.pi * done)) / 2`",
    ),
    solution=solution,
    tolerance=Tolerance(3e-7, 1e-5),
    mistakes={
        "torch-cos": Raises(
            "must be Tensor, not",
            "`torch.cos` takes a tensor. For a number there is `math.cos`.",
        ),
        "list": When(
            lambda it: it.key == "type" and it.difference.got in ("list", "ndarray"),
            "Return one rate, that of `step`.",
        ),
        "type": "The rate is a number, a `float`.",
        "over-total": When(
            counting(
                lambda s, n, w: s / (n - 1),
                lambda s, n, w: s / n,
                lambda s, n, w: (s - w) / (n - 1),
                lambda s, n, w: (s - w) / n,
            ),
            "The cosine counts its steps from step 0, or out of total. It begins at step "
            "warmup and has total - 1 - warmup strides.",
        ),
        "end-late": When(
            counting(
                lambda s, n, w: (s - w) / (n - w),
                lambda s, n, w: (s - w + 1) / (n - w),
                lambda s, n, w: (s - w) / (n - w) if s < n - 1 else 1,
            ),
            "The cosine has one stride too many: from step warmup to the last step, which "
            "is total - 1 since steps count from 0, there are total - 1 - warmup.",
        ),
        "fall-late": When(
            counting(
                lambda s, n, w: max(s - w - 1, 0) / (n - w - 2),
                lambda s, n, w: max(s - w - 1, 0) / (n - w - 1),
            ),
            "The fall begins one step late: step warmup is at the peak, and the next is "
            "below it already.",
        ),
        "full-wave": Wrong(
            partial(solution, wave=lambda t: half_wave(2 * t)),
            "That is a whole wave, down and up again: the angle goes from 0 to pi.",
        ),
        "quarter-wave": Wrong(
            partial(solution, wave=lambda t: math.cos(math.pi * t / 2)),
            "That is a quarter of a wave: the angle goes to pi, and `(1 + cos) / 2` from "
            "1 to 0.",
        ),
        "rising": Wrong(
            partial(solution, wave=lambda t: half_wave(1 - t)),
            "After the warm-up the rate rises: the cosine begins at 1, so it is 1 + cos, "
            "not 1 - cos.",
        ),
        "no-half": Wrong(
            partial(solution, wave=lambda t: 2 * half_wave(t)),
            "1 + cos goes from 2 to 0: halve it.",
        ),
        "bare-cosine": Wrong(
            partial(solution, wave=lambda t: math.cos(math.pi * t)),
            "cos goes from 1 to -1, which would be a negative rate: `(1 + cos) / 2` goes "
            "from 1 to 0.",
        ),
        "degrees": Wrong(
            partial(solution, wave=lambda t: (1 + math.cos(180 * t)) / 2),
            "`math.cos` takes radians: half a turn is `math.pi`, not 180.",
        ),
        "straight": Wrong(
            partial(solution, wave=lambda t: 1 - t),
            "That falls in a straight line; a cosine falls slowly at first, then fast, "
            "then slowly.",
        ),
        "above-peak": Wrong(
            partial(solution, between=lambda peak, final, share: final + peak * share),
            "The rate at step warmup is peak + final: scale the cosine by `peak - final`.",
        ),
        "no-final": Wrong(
            partial(solution, between=lambda peak, final, share: peak * share),
            "`final` is ignored: that is where the last step ends, not at 0.",
        ),
        "clipped": Wrong(
            partial(
                solution, between=lambda peak, final, share: max(final, peak * share)
            ),
            "The curve falls to 0 and is cut off at `final`. The whole cosine lies between "
            "`peak` and `final`.",
        ),
        "final-share": Wrong(
            partial(
                solution,
                between=lambda peak, final, share: peak * (final + (1 - final) * share),
            ),
            "`final` is a rate itself, not a share of `peak`.",
        ),
        **RISE,
        "cosine": When(
            lambda it: it.fact == "the rates from step warmup on" and it.key == "value",
            "From peak at step warmup to final at step total - 1, along half a cosine.",
        ),
    },
)
