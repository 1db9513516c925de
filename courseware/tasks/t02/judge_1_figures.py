"""02.1: the solution, and what is mistaken in the figures of a row."""

from __future__ import annotations

from functools import partial
from statistics import mean, median, median_high, median_low

import numpy as np

from course_utils.modes import inference
from courseware.grading.facts import number_of
from courseware.grading.judging import At, When, Wrong


def _count(model):
    return sum(p.numel() for p in model.parameters())


def best_five(logits):
    return logits.topk(5).indices.tolist()


def _timed(model, image, clock):
    start = clock()
    logits = model(image[None])[0]
    return clock() - start, logits


def solution(
    models, image, passes, warmup, clock, middle=median, count=_count, best=best_five
):
    rows = []
    for name, model in models.items():
        with inference(model):
            found = [_timed(model, image, clock) for _ in range(warmup + passes)]
        milliseconds = 1000 * middle([seconds for seconds, _ in found[warmup:]])
        figures = {"parameters": count(model), "top5": best(found[-1][1])}
        rows.append({"name": name, "median_ms": milliseconds, **figures})
    return rows


def _in_one_list(*given):
    times = []
    return solution(*given, middle=lambda own: times.extend(own) or median(times))


def _is_rounded(it):
    got = number_of(it.got)
    known = it.fact == '"median_ms"' and type(got) in (int, float)
    return known and any(got == round(it.right, digits) for digits in (0, 1, 2))


def wrong(hint, **variant):
    return Wrong(partial(solution, **variant), hint)


_EVEN = (
    "Of an even number of times, the median is the mean of the two in the middle: take "
    "`statistics.median` or `np.median`; torch.median gives the lower one."
)

MISTAKES = {
    "trainable": wrong(
        "Frozen parameters count too.",
        count=lambda m: sum(p.numel() for p in m.parameters() if p.requires_grad),
    ),
    "buffers": wrong(
        "The state dict also holds buffers: go through `model.parameters()`.",
        count=lambda m: sum(v.numel() for v in m.state_dict().values()),
    ),
    "tensors": wrong(
        "These are tensors; each holds `p.numel()` numbers.",
        count=lambda m: len(list(m.parameters())),
    ),
    "bytes": wrong(
        "These are bytes, four to a float32. How many numbers are they?",
        count=lambda m: 4 * _count(m),
    ),
    "millions": wrong(
        "Parameters are counted one by one: an int, not in millions.",
        count=lambda m: _count(m) / 1e6,
    ),
    "parameters": At('"parameters"', "Add up `p.numel()` over `model.parameters()`."),
    "seconds": wrong(
        "These are seconds: 1000 milliseconds each.",
        middle=lambda times: median(times) / 1000,
    ),
    "mean": wrong(
        "That is the mean, which one slow pass pulls up. Take the median.", middle=mean
    ),
    "microseconds": wrong(
        "These are microseconds: a second holds 1000 milliseconds.",
        middle=lambda times: 1000 * median(times),
    ),
    "last": wrong(
        "That is the last pass alone. Take the median.", middle=lambda times: times[-1]
    ),
    "fastest": wrong("That is the fastest pass. Take the median.", middle=min),
    "slowest": wrong("That is the slowest pass. Take the median.", middle=max),
    "total": wrong("That is the sum. Take the median of the passes.", middle=sum),
    "lower-middle": wrong(_EVEN, middle=median_low),
    "upper-middle": wrong(_EVEN, middle=median_high),
    "warmup-kept": Wrong(
        lambda m, image, p, w, clock: solution(m, image, w + p, 0, clock),
        "The warm-up is among the times: drop the first `warmup` of them.",
    ),
    "one-more": Wrong(
        lambda m, image, p, w, clock: solution(m, image, p + 1, w, clock),
        "There is one time too many: `passes` of them count.",
    ),
    "unsorted": wrong(
        "The one in the middle of the list is the median only once the list is sorted.",
        middle=lambda times: times[len(times) // 2],
    ),
    "start-kept": wrong(
        "These times grow from pass to pass: `start = clock()` belongs into the loop.",
        middle=lambda times: median(np.cumsum(times)),
    ),
    "one-list": Wrong(
        _in_one_list,
        "The times of the models before are among these: a new list for each model.",
    ),
    "rounded": When(_is_rounded, "Do not round: rounding is for what you print."),
    "median": At('"median_ms"', "Median of the timed passes, times 1000."),
}
