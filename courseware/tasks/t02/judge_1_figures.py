"""02.1: the solution, and what is mistaken in the figures of a row."""

from __future__ import annotations

from functools import partial
from statistics import mean, median, median_high, median_low

import numpy as np

from course_utils.modes import inference
from courseware.grading.judging import At, When, Wrong


def _count(model):
    return sum(p.numel() for p in model.parameters())


def _best(logits):
    return logits.topk(5).indices.tolist()


def _timed(model, image, clock):
    start = clock()
    logits = model(image[None])[0]
    return clock() - start, logits


def solution(
    models, image, passes, warmup, clock, middle=median, count=_count, best=_best
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


def wrong(hint, **variant):
    return Wrong(partial(solution, **variant), hint)


_EVEN = (
    "Of an even number of times, the median is the mean of the two in the middle: take "
    "`statistics.median` or `np.median`; torch.median gives the lower one."
)
_FLAT = "A flat list of positions: topk's `.indices` for the one picture, as a list."

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
    "median": At('"median_ms"', "Median of the timed passes, times 1000."),
    "top5-values": wrong(
        "These are the logits themselves. topk gives both: take `.indices`.",
        best=lambda logits: logits.topk(5).values.tolist(),
    ),
    "top5-tensor": wrong(_FLAT, best=lambda logits: logits.topk(5).indices),
    "top5-nested": When(
        lambda it: isinstance(it.got, list) and list in map(type, it.got), _FLAT
    ),
    "top5-length": When(
        lambda it: it.fact == '"top5"' and it.key == "length", "Exactly five positions."
    ),
    "top5-least": wrong(
        "These are the five smallest logits.",
        best=lambda logits: logits.topk(5, largest=False).indices.tolist(),
    ),
    "top5-ascending": wrong(
        "The largest logit comes first.", best=lambda logits: _best(logits)[::-1]
    ),
    "top5-sorted": wrong(
        "These are sorted by position. The largest logit comes first.",
        best=lambda logits: sorted(_best(logits)),
    ),
    "top5-size": wrong(
        "A logit far below 0 is a small one, not a large one: no abs().",
        best=lambda logits: _best(logits.abs()),
    ),
    "top5-from-one": wrong(
        "Positions count from 0.", best=lambda logits: [i + 1 for i in _best(logits)]
    ),
    "top5": At('"top5"', "The positions of the five largest logits of this model."),
}
