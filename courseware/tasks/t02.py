"""Exercise 02: comparing models, medians, Pareto front, budgets, reading the table."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from torch import Tensor, nn

from courseware.grading.registry import task
from courseware.grading.values import ModelRecord, plain

READING = "a reading of the clock"


@dataclass(frozen=True)
class _Pass:
    """One forward pass: whose, how long on the clock, and how it was called."""

    name: str
    seconds: float
    training: bool
    gradients: bool
    shape: tuple[int, ...]


class _Log:
    """A clock that only forward passes move, and what happened, in order."""

    def __init__(self):
        self.now = 3.0
        self.events: list[_Pass | str] = []

    def __deepcopy__(self, memo: dict) -> _Log:
        return self  # a copied net reports to the same log

    def clock(self) -> float:
        self.events.append(READING)
        return self.now

    def passes(self, name: str) -> list[_Pass]:
        return [e for e in self.events if isinstance(e, _Pass) and e.name == name]

    def timed(self, name: str) -> list[float]:
        """Seconds of the passes that stand alone between two readings."""
        around = zip(self.events, self.events[1:], self.events[2:], strict=False)
        return [
            event.seconds
            for before, event, after in around
            if before == after == READING and event != READING and event.name == name
        ]


class _Net(nn.Module):
    """A net that notes each pass; the first ones are slow, as a real one's are."""

    def __init__(self, name: str, log: _Log, seconds: list[float], width: int):
        super().__init__()
        torch.manual_seed(width)
        self.name, self.log, self.seconds = name, log, seconds
        self.conv, self.norm = nn.Conv2d(3, width, 3), nn.BatchNorm2d(width)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(width, 12)
        self.conv.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        seconds = self.seconds[len(self.log.passes(self.name)) % len(self.seconds)]
        training = any(module.training for module in self.modules())
        known = self.name, seconds, training, torch.is_grad_enabled()
        self.log.events.append(_Pass(*known, tuple(images.shape)))
        self.log.now += seconds
        return self.logits(images.reshape(-1, *images.shape[-3:]))

    def logits(self, images: Tensor) -> Tensor:
        maps = self.norm(self.conv(images)).relu()
        return self.head(self.drop(maps.mean((2, 3))))


@task(
    "02.1",
    title="Compare models",
    points=3,
    hints=(
        "Write it for one model first: remember model.training, call eval(), loop under "
        "torch.inference_mode(), and put the mode back with model.train(remembered).",
        "Inside of the loop: start = clock(); logits = model(image[None]); "
        "times.append(clock() - start). Drop the first `warmup` times.",
        "1000 * statistics.median(times[warmup:]) are milliseconds; "
        "sum(p.numel() for p in model.parameters()); logits[0].topk(5).indices.tolist()",
    ),
)
def compare(answer, c):
    for passes, warmup, side in ((7, 3, 8), (6, 2, 6)):
        log = _Log()
        slow = [0.9, 0.6, 0.5][:warmup]
        quick, slower = _QUICK[::-1][:passes], [2 * s for s in _QUICK[:passes]]
        nets = {
            "wide": _Net("wide", log, [*slow, *slower], 9).train(),
            "narrow": _Net("narrow", log, [*slow, *quick], 6).eval(),
        }
        if passes % 2 == 0:  # the slowest net first, then the fastest
            nets = dict(reversed(nets.items()))
        image = torch.rand(3, side, side, generator=torch.Generator().manual_seed(side))
        logits = {name: _eval_logits(net, image) for name, net in nets.items()}
        records = {name: ModelRecord(net) for name, net in nets.items()}
        given = f"two nets, passes = {passes}, warmup = {warmup}"
        got = c.call(answer, nets, image, passes, warmup, log.clock, given=given)
        _check_rows(c, got, list(nets), given)
        for name, row in zip(nets, got, strict=True):
            _check_passes(c, log, name, passes, warmup, given)
            _check_parameters(c, row["parameters"], nets[name], given)
            _check_median(c, row["median_ms"], log.timed(name), passes, given)
            _check_top5(c, row["top5"], logits[name], given)
        for name, record in records.items():
            _check_kept(c, record.changes(), name, given)


# Of neither six nor seven of these, from either end, is the median the mean, the
# middle one as they come, or the lowest; of six it is none of them at all.
_QUICK = [0.041, 0.043, 0.087, 0.042, 0.118, 0.045, 0.040]
_COLUMNS = ("name", "parameters", "median_ms", "top5")


def _check_rows(c, got, names, given):
    c.type(got, list, "the result")
    c.that(all(type(row) is dict for row in got), "the rows", key="rows", given=given,
           got=got, hint="Each row is a dict with the four names as keys.")  # fmt: skip
    c.that(len(got) == len(names), "the rows", key="count", given=given,
           expected=len(names), got=len(got),
           hint="One row a model: append inside of the loop over the models, and "
           "return after it.")  # fmt: skip
    for row in got:
        missing = [column for column in _COLUMNS if column not in row]
        c.that(not missing, "the rows", key="columns", given=given, got=list(row),
               expected=list(_COLUMNS), hint="A figure is missing, or has another "
               "name.")  # fmt: skip
    c.same([row["name"] for row in got], names, "the names", key="names", given=given,
           hint="One row a model, in the order of the dict: do not sort the rows.",
           )  # fmt: skip


def _check_passes(c, log, name, passes, warmup, given):
    made = log.passes(name)
    c.that(made != [], "the passes", key="not-run", given=given,
           hint="Not every model was run: call model(…) for each.")  # fmt: skip
    c.that(all(len(p.shape) == 4 for p in made), "the batch", key="no-batch",
           given=given, expected="(1, 3, H, W)", got=made[0].shape,
           hint="Models expect a batch: image[None] is a batch of one.")  # fmt: skip
    c.that(all(p.shape[0] == 1 for p in made), "the batch", key="batch-size",
           given=given, expected="(1, 3, H, W)", got=made[0].shape,
           hint="Time a batch of one picture.")  # fmt: skip
    c.that(not any(p.training for p in made), "the mode", key="train-mode", given=given,
           expected="eval", got="train", hint="A model was run in train mode: dropout "
           "is at work, and BatchNorm's statistics move with each pass. Call "
           "model.eval() first.")  # fmt: skip
    c.that(not any(p.gradients for p in made), "gradients", key="gradients",
           given=given, hint="The passes record a graph for gradients, which costs time "
           "and memory: run them under torch.inference_mode().")  # fmt: skip
    c.that(READING in log.events, "the clock", key="own-clock", given=given,
           hint="Take the time from clock(), which your function is given.")  # fmt: skip
    c.that(len(made) not in (passes, passes + 1), "the warm-up", key="no-warmup",
           given=given, expected=f"{warmup} + {passes} passes", got=len(made),
           hint="Each model needs its own warm-up before its timed passes: the first "
           "ones are slow.")  # fmt: skip
    most = warmup + passes + 2  # one for the top 5 may come besides
    c.that(warmup + passes <= len(made) <= most, "the passes", key="passes",
           given=given, expected=f"{warmup} + {passes} passes", got=len(made),
           hint="Run `warmup` passes and then `passes` more.")  # fmt: skip
    c.that(len(log.timed(name)) >= passes, "the timed passes", key="not-alone",
           given=given, hint="Read the clock before and after every single pass: "
           "the time of the whole loop only gives a mean.")  # fmt: skip


def _check_parameters(c, got, net, given):
    sizes = [p.numel() for p in net.parameters()]
    trainable = sum(p.numel() for p in net.parameters() if p.requires_grad)
    c.type(got, int, '"parameters"')
    for key, wrong, hint in (
        ("trainable", trainable, "Frozen parameters count too."),
        ("buffers", sum(v.numel() for v in net.state_dict().values()),
         "The state dict also holds buffers, such as BatchNorm's statistics: go "
         "through model.parameters()."),
        ("tensors", len(sizes), "These are tensors; each holds p.numel() numbers."),
    ):  # fmt: skip
        c.that(got != wrong, "the parameters", key=key, hint=hint, given=given,
               expected=sum(sizes), got=got)  # fmt: skip
    c.same(got, sum(sizes), "the parameters", key="parameters", given=given,
           hint="Add up p.numel() over model.parameters().")  # fmt: skip


def _check_median(c, got, timed, passes, given):
    times = 1000 * np.array(timed[-passes:])
    everything, right = 1000 * np.array(timed), float(np.median(times))
    middle = np.sort(times)[[(passes - 1) // 2, passes // 2]]
    c.type(got, float, '"median_ms"')
    for key, wrong, hint in (
        ("seconds", [right / 1000], "These are seconds: 1000 milliseconds each."),
        ("mean", [times.mean(), everything.mean()],
         "That is the mean, which one slow pass pulls up. Take the median."),
        ("fastest", [times.min()], "That is the fastest pass. Take the median."),
        ("total", [times.sum()], "That is the sum. Take the median of the passes."),
        ("even", middle, "Of an even number of times, the median is the mean of the two "
         "in the middle; torch.median takes the lower one. statistics.median, np.median "
         "and torch.quantile(times, 0.5) do it."),
        ("warmup-kept", [np.median(everything), np.sort(everything)[len(timed) // 2],
                         np.sort(everything)[(len(timed) - 1) // 2]],
         "The warm-up is among the times: drop the first `warmup` of them."),
        ("unsorted", [times[passes // 2]],
         "The one in the middle of the list is the median only once the list is "
         "sorted."),
    ):  # fmt: skip
        same = any(np.isclose(got, value, rtol=1e-4) for value in wrong)
        c.that(not same or np.isclose(right, got, rtol=1e-4).item(), "the median",
               key=key, hint=hint, given=given, expected=right, got=got)  # fmt: skip
    c.close(got, right, "the median", key="median", atol=0, rtol=1e-4, given=given,
            hint="Median of the timed passes, times 1000.")  # fmt: skip


def _eval_logits(net, image):
    with torch.no_grad():
        return deepcopy(net).eval().logits(image[None])[0]


def _check_top5(c, got, logits, given):
    right = logits.topk(5).indices.tolist()
    shown = {"given": given, "expected": right, "got": got}
    c.type(got, list, '"top5"')
    c.that(all(type(item) is int for item in got), "the top 5", key="top5-kind",
           hint="A flat list of positions: take .indices of topk for the one picture "
           "(row 0), then .tolist().", **shown)  # fmt: skip
    c.that(len(got) == 5, "the top 5", key="top5-length", hint="Exactly five positions.",
           **shown)  # fmt: skip
    least = logits.topk(5, largest=False).indices.tolist()
    c.that(got not in (least, least[::-1]), "the top 5", key="top5-least",
           hint="These are the five smallest logits.", **shown)  # fmt: skip
    c.that(sorted(got) != sorted(right) or got == right, "the top 5", key="top5-order",
           hint="The largest logit comes first.", **shown)  # fmt: skip
    c.same(got, right, "the top 5", key="top5", given=given,
           hint="The positions of the five largest logits of this model.")  # fmt: skip


def _check_kept(c, changes, name, given):
    c.that("mode" not in changes, "the models afterwards", key="mode-lost",
           given=given, got=f"{name} is in the other mode now",
           hint="Remember model.training before eval(), and put it back with "
           "model.train(remembered).")  # fmt: skip
    c.that(changes == (), "the models afterwards", key="changed", given=given,
           got=f"{name}: {', '.join(changes)} changed",
           hint="A measurement must leave the model as it was.")  # fmt: skip


_TIMES = [60.5, 33.0, 8.0, 7.0, 9.5, 7.5, 31.0, 8.5, 7.2, 8.7, 6.7, 12.0, 9.0, 7.7]


@task(
    "02.2",
    title="Many times, three numbers",
    points=2,
    hints=(
        "First drop, then compute: times_ms[warmup:].",
        "np.percentile(kept, 90) or torch.tensor(kept).quantile(0.9) interpolate.",
        "low, median, high = np.percentile(times_ms[warmup:], [10, 50, 90]); return "
        "them as plain floats, the median first.",
    ),
)
def median_latency(answer, c):
    cases = [
        (_TIMES, 2),
        ([12.0, 3.0, 5.0, 4.0, 90.0, 3.5, 6.0], 1),
        ([21.0, 20.0, 22.5, 35.0, 20.5, 19.75], 0),
    ]
    for times, warmup in cases:
        given = f"{times}, warmup = {warmup}"
        got = c.call(answer, times, warmup, given=given)
        c.type(got, tuple, "the result")
        c.that(len(got) == 3, "the result", key="length", given=given, got=got,
               hint="Three numbers: median, 10th, 90th percentile.")  # fmt: skip
        got = tuple(plain(value) for value in got)  # NumPy's float64 is a float
        c.that(all(type(value) is float for value in got), "the result", key="floats",
               given=given, got=[type(value).__name__ for value in got],
               hint="Plain floats: float(…), or .item() of a tensor.")  # fmt: skip
        right = _summary(times[warmup:])
        for key, wrong, hint in _misread(times, warmup):
            same = np.allclose(got, wrong, rtol=1e-4)
            c.that(not same or np.allclose(wrong, right, rtol=1e-4), "the values",
                   key=key, hint=hint, given=given, expected=right,
                   got=got)  # fmt: skip
        c.close(got, right, "the result", atol=0, rtol=1e-4, given=given,
                hint="Percentiles 50, 10 and 90 of times_ms[warmup:].")  # fmt: skip


def _summary(times, method="linear", percentiles=(50, 10, 90)):
    return tuple(float(np.percentile(times, q, method=method)) for q in percentiles)


def _misread(times, warmup):
    """(key, what comes of it, hint) of the usual mistakes."""
    kept = times[warmup:]
    mean, spread = float(np.mean(kept)), float(np.std(kept))
    median, low, high = _summary(kept)
    yield "warmup-kept", _summary(times), "Drop the warm-up: times_ms[warmup:]."
    yield (
        "sorted-first",
        _summary(sorted(times)[warmup:]),
        "Drop the warm-up before you sort: it is the first passes, not the fastest.",
    )
    yield (
        "wrong-end",
        _summary(times[: len(times) - warmup]),
        "These are the last passes dropped. The warm-up comes first.",
    )
    yield (
        "order",
        (low, median, high),
        "The right numbers in another order: median, then 10th, then 90th percentile.",
    )
    yield "order", (median, high, low), "The 10th percentile comes before the 90th."
    yield (
        "mean",
        (mean, low, high),
        "That is the mean, which one slow pass pulls up. Take the median.",
    )
    for width in (spread, float(np.std(kept, ddof=1))):
        for middle in (mean, median):
            yield (
                "deviation",
                (middle, middle - width, middle + width),
                "Times are not symmetric: take percentiles, not a deviation.",
            )
    yield (
        "range",
        (median, min(kept), max(kept)),
        "These are the fastest and the slowest pass: one odd pass decides them.",
    )
    yield (
        "quartiles",
        _summary(kept, percentiles=(50, 25, 75)),
        "These are quartiles: 25 and 75. Take 10 and 90.",
    )
    yield (
        "per-cent",
        _summary(kept, percentiles=(0.5, 0.1, 0.9)),
        "np.percentile counts from 0 to 100, quantile from 0 to 1.",
    )
    yield (
        "unsorted",
        tuple(kept[int(len(kept) * q)] for q in (0.5, 0.1, 0.9)),
        "Sort before you pick by position.",
    )
    ordered = sorted(kept)
    picked = tuple(ordered[int(len(kept) * q)] for q in (0.5, 0.1, 0.9))
    steps = [_summary(kept, m) for m in ("lower", "higher", "nearest", "inverted_cdf")]
    lower = (_summary(kept, "lower")[0], low, high)  # what torch.median gives
    for wrong in (picked, *steps, lower):
        yield (
            "not-interpolated",
            wrong,
            "Where a percentile falls between two times, interpolate: of an even "
            "number of times, the median is the mean of the two in the middle. "
            "(torch.median takes the lower one.)",
        )


def _row(name, top1, params, gflops=1.0):
    return {"name": name, "top1": top1, "params": params, "gflops": gflops}


_PLAIN = [
    _row("huge", 84.0, 90.0),
    _row("tiny", 60.0, 2.0),
    _row("heavy", 79.0, 140.0),
    _row("mid", 75.0, 12.0),
    _row("weak", 57.0, 61.0),
    _row("small", 70.5, 5.0),
]
# "slim" beats "late" by its size alone, "sharp" beats "dull" by its accuracy alone.
_CLOSE = [
    _row("dull", 80.0, 30.0),
    _row("late", 71.0, 8.0),
    _row("sharp", 82.0, 30.0),
    _row("slim", 71.0, 3.0),
]
_TIES = [_row("big", 83.0, 50.0), _row("mid", 75.0, 12.0), _row("twin", 75.0, 12.0)]


@task(
    "02.3",
    title="The Pareto front",
    points=3,
    hints=(
        "Write beats(a, b) first: at least as good in both figures, and better in one. "
        "It must be False for a model and itself.",
        "Leave out missing figures first: `value is None or value != value` holds for "
        "None and for NaN. Then keep the rows that no row beats: not any(…).",
        "front = [m for m in rows if not any(beats(other, m) for other in rows)]; then "
        'sort it by m["params"] and return the names.',
    ),
)
def pareto_front(answer, c):
    unknown = [_row("mute", None, 1.0), _row("vague", 99.0, None)]
    empty = [_row("void", nan, 7.0), _row("blur", 98.0, nan), _row("fog", nan, 0.5)]
    cases = (
        (_PLAIN, "six models with different figures"),
        (_CLOSE, "models that are equal in one figure"),
        (_TIES, "two models with equal figures"),
        ([*unknown[:1], *_PLAIN, *unknown[1:]], "figures that are None"),
        ([*empty[:1], *_PLAIN, *empty[1:]], "figures that are NaN"),
    )
    for models, given in cases:
        _known_or_fail(c, models, answer, models, given=given)
        got = c.call(answer, models, given=given)
        right = [m["name"] for m in _front(models)]
        _check_front(c, got, models, right, given)


def _complete(models):
    """The rows without a missing figure."""
    figures = "top1", "params", "gflops"
    return [
        m for m in models if all(m[f] is not None and m[f] == m[f] for f in figures)
    ]


def _front(models):
    rows = sorted(_complete(models), key=lambda m: m["params"])
    return [m for m in rows if not any(_beats(other, m) for other in rows)]


def _beats(a, b):
    pair, other = (a["top1"], -a["params"]), (b["top1"], -b["params"])
    return pair != other and pair[0] >= other[0] and pair[1] >= other[1]


def _known_or_fail(c, models, answer, *args, given):
    """Name the cause where a comparison with None ends the learner's function."""
    outcome = c.attempt(answer, *args)
    absent = any(None in m.values() for m in models)
    c.that(not (absent and type(outcome.error) is TypeError), "missing figures",
           key="none-compared", given=given, got=str(outcome.error),
           hint="None cannot be compared with a number: leave out the models with a "
           "missing figure before you compare.")  # fmt: skip


def _check_front(c, got, models, right, given):
    shown = {"given": given, "expected": right, "got": got}
    rows = _complete(models)
    _check_names(c, got, models, rows, shown)
    for key, wrong, hint in _misjudged(rows):
        c.that(set(got) != wrong or wrong == set(right), "the front", key=key,
               hint=hint, **shown)  # fmt: skip
    figures = {m["name"]: (m["top1"], m["params"]) for m in rows}
    beaten = [name for name in got if name not in right]
    c.that(not beaten, "the front", key="beaten", hint=f"Another model beats "
           f"{', '.join(beaten[:3])}: at least as accurate with no more parameters.",
           **shown)  # fmt: skip
    alike = {figures[name] for name in got} == {figures[name] for name in right}
    c.that(set(got) == set(right) or not alike, "the front", key="ties",
           hint="Models with equal figures do not beat each other: both stay.",
           **shown)  # fmt: skip
    c.that(set(right) <= set(got), "the front", key="lost", hint="A model is missing "
           "that no other beats.", **shown)  # fmt: skip
    c.that(len(got) == len(right), "the front", key="twice", hint="Each model once.",
           **shown)  # fmt: skip
    sizes = [figures[name][1] for name in got]
    c.that(sizes == sorted(sizes), "the order", key="order",
           hint="The model with the fewest parameters comes first.", **shown)  # fmt: skip


def _check_names(c, got, models, rows, shown):
    c.type(got, list, "the front")
    c.that(all(type(name) is str for name in got), "the front", key="names",
           hint="Return the names, not the rows.", **shown)  # fmt: skip
    c.that(got != [], "the front", key="empty", hint="A model does not beat itself: "
           "require that it is better in at least one figure.", **shown)  # fmt: skip
    c.that(set(got) <= {m["name"] for m in models}, "the front", key="unknown",
           hint='Return values of "name", as they are.', **shown)  # fmt: skip
    c.that(set(got) <= {m["name"] for m in rows}, "missing figures", key="missing-kept",
           hint="A model with a missing figure is on the front: None is not 0, and "
           "as comparisons with NaN are always False, nothing beats it. Leave it out "
           "first.", **shown)  # fmt: skip


def _misjudged(rows):
    """(key, the names that come of it, hint) of the usual mistakes."""

    def unbeaten(beats):
        return {m["name"] for m in rows if not any(beats(o, m) for o in rows)}

    yield (
        "strict",
        unbeaten(lambda a, b: a["top1"] > b["top1"] and a["params"] < b["params"]),
        "A model that is equal in one figure and better in the other beats as well.",
    )
    yield (
        "all",
        {m["name"] for m in rows},
        "All models are here: leave out each that another beats.",
    )
    yield (
        "only-best",
        unbeaten(lambda a, b: a["top1"] > b["top1"]),
        "These are the most accurate only. A model that is less accurate but smaller "
        "is not beaten.",
    )
    yield (
        "more-params",
        unbeaten(lambda a, b: _beats(_grown(a), _grown(b))),
        "These are the largest for their accuracy: fewer parameters are better.",
    )


def _grown(row):
    return {**row, "params": -row["params"]}


# "fit" lies exactly at both budgets of a case; "kin" and "later" are as accurate.
# Of these three "kin" has the fewest parameters; in all else it is not at either end.
_SHOP = [
    _row("huge", 84.0, 90.0, 15.0),
    _row("thirsty", 81.0, 20.0, 12.0),
    _row("broad", 80.5, 60.0, 2.0),
    _row("first", 70.0, 9.0, 1.5),
    _row("fit", 77.0, 25.0, 4.0),
    _row("kin", 77.0, 21.0, 4.0),
    _row("later", 77.0, 22.0, 3.0),
    _row("tiny", 60.0, 2.0, 0.3),
]
# All figures after the second decimal tell which one is better.
_NEAR = [
    _row("near", 78.112, 9.0, 1.0),
    _row("best", 78.114, 12.0, 2.0),
    _row("far", 78.111, 8.0, 0.9),
]
_GAPS = [
    _row("mute", None, 4.0, 0.5),
    _row("light", 79.0, None, 0.4),
    _row("idle", 79.5, 5.0, None),
]


@task(
    "02.4",
    title="The best within a budget",
    points=2,
    hints=(
        "First a list of those that fit, then the best of it.",
        "`None <= 10` is an error: check `is not None` first. An empty list has no "
        "largest: return None before you ask for one.",
        'max(fitting, key=lambda m: (m["top1"], -m["params"])) takes the smaller of '
        "two equally accurate models.",
    ),
)
def best_under(answer, c):
    cases = (
        (_SHOP, 1000.0, 1000.0, "budgets that all models fit"),
        (_SHOP, 9.5, 3.0, "small budgets"),
        (_SHOP[:5], 25.0, 4.0, "a model exactly at both budgets"),
        (_SHOP, 30.0, 5.0, "equal accuracies"),
        (_NEAR, 30.0, 5.0, "accuracies that differ by little"),
        (_SHOP, 1.0, 100.0, "no model so small"),
        (_SHOP, 100.0, 0.1, "no model so quick"),
        ([*_GAPS, *_SHOP], 10.0, 2.0, "figures that are None"),
        (_GAPS, 10.0, 2.0, "nothing but models with a missing figure"),
    )
    for models, params, gflops, what in cases:
        given = f"{what}: max_params = {params:g}, max_gflops = {gflops:g}"
        _check_choice(c, answer, models, params, gflops, given)


def _check_choice(c, answer, models, params, gflops, given):
    fitting = [m for m in _complete(models)
               if m["params"] <= params and m["gflops"] <= gflops]  # fmt: skip
    ranked = sorted(fitting, key=lambda m: (-m["top1"], m["params"]))
    right = ranked[0]["name"] if ranked else None
    _known_or_fail(c, models, answer, models, params, gflops, given=given)
    if right is None:
        error = c.attempt(answer, models, params, gflops).error
        c.that(error is None, "nothing fits", key="nothing-fits", given=given,
               expected=None, got=str(error), hint="An empty list has no largest: "
               "return None before you ask for one.")  # fmt: skip
    got = c.call(answer, models, params, gflops, given=given)
    shown = {"given": given, "expected": right, "got": got}
    if right is not None or got is not None:
        c.type(got, str, "the result")
    rows = {m["name"]: m for m in models}
    c.that(got is None or got in rows, "the result", key="unknown",
           hint="Return one of the names, or None itself where no model fits.",
           **shown)  # fmt: skip
    if got is not None:
        _check_budget(c, rows[got], params, gflops, shown)
    at_limit = right is not None and params in rows[right].values()
    c.that(got == right or not at_limit, "the budgets", key="strict",
           hint="A model exactly at a budget fits: <=, not <.", **shown)  # fmt: skip
    equal = right is not None and rows[got]["top1"] == rows[right]["top1"]
    c.that(got == right or not equal, "equal accuracies", key="ties",
           hint="Of equally accurate models, the one with fewer parameters wins.",
           **shown)  # fmt: skip
    near = right is not None and abs(rows[got]["top1"] - rows[right]["top1"]) < 0.1
    c.that(got == right or not near, "the choice", key="rounded", hint="Another one that "
           "fits is more accurate, if by little: compare the figures as they are, without "
           "rounding.", **shown)  # fmt: skip
    c.that(got == right, "the choice", key="not-best", hint="It fits, but another one "
           "that fits is more accurate.", **shown)  # fmt: skip


def _check_budget(c, row, params, gflops, shown):
    c.that(None not in row.values(), "missing figures", key="missing-fits",
           hint="A figure of this model is missing, so nobody knows whether it fits: "
           "leave it out.", **shown)  # fmt: skip
    c.that(row["params"] <= params, "the budgets", key="params-over",
           hint="This model has too many parameters.", **shown)  # fmt: skip
    c.that(row["gflops"] <= gflops, "the budgets", key="gflops-over",
           hint="This model needs too many operations: both budgets must hold.",
           **shown)  # fmt: skip


@task(
    "02.5",
    title="What the table tells",
    points=1,
    hints=(
        "Compare two rows that differ in one thing only.",
        "Which figures are the same for V1 and V2 of a net, and which is not?",
        "Accuracy on ImageNet says what it says: about ImageNet.",
    ),
)
def what_the_table_tells(answer, c):
    c.choice(
        answer,
        "d",
        {
            "a": "Look at resnet101 V1 and resnet50 V2: the smaller net is the more "
            "accurate one.",
            "b": "The table was measured on ImageNet. On other pictures the gap may be "
            "smaller, or turn round; only a measurement there tells.",
            "c": "Two things differ between these rows, depth and recipe. Compare nets "
            "of one recipe: V1 with V1, V2 with V2.",
            "e": "V1 and V2 have the same layers and need the same operations; only the "
            "numbers in the weights differ.",
        },
    )
