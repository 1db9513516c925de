"""02.4: the best within a budget."""

from __future__ import annotations

from functools import partial
from math import inf
from operator import le, lt

from courseware.grading.judging import At, Task, When, Wrong
from courseware.tasks.t02.judge_3 import compares_none, complete

OVER = "budgets that are exceeded"


def _rank(m):
    return m["top1"], -m["params"]


def solution(models, max_params, max_gflops, within=le, rank=_rank):
    small = [m for m in complete(models) if within(m["params"], max_params)]
    fitting = [m for m in small if within(m["gflops"], max_gflops)]
    best = max(fitting, key=rank, default=None)
    return best and best["name"]


def _behind(it):
    """By how much the right one is more accurate, where both are models."""
    top1 = {m["name"]: m["top1"] for m in it.case.models}
    both = [top1.get(str(name)) for name in (it.got, it.right)]
    return inf if None in both else both[1] - both[0]


def _chosen(it):
    return it.seen("the choice")


TASK = Task(
    title="The best within a budget",
    points=2,
    hints=(
        "First a list of those that fit, then the best of it.",
        "`None <= 10` is an error: check `is not None` first. An empty list has no "
        "largest: return None before you ask for one.",
        '`max(fitting, key=lambda m: (m["top1"], -m["params"]))` takes the smaller of '
        "two equally accurate models.",
    ),
    solution=solution,
    mistakes={
        "none-compared": When(
            compares_none,
            "None cannot be compared with a number: leave out the models with a missing "
            "figure before you compare.",
        ),
        "nothing-fits": When(
            lambda it: it.error and it.wanted("the choice") is None,
            "An empty list has no largest, and no first: return None before you ask for "
            "one.",
        ),
        "unknown": At(
            "names that no model has",
            "Return one of the names, or None itself where no model fits.",
        ),
        "missing-fits": At(
            "figures that are missing",
            lambda it: (
                f"A figure of {_chosen(it)} is missing, so nobody knows whether it fits: "
                "leave it out."
            ),
        ),
        "params-over": When(
            lambda it: it.fact == OVER and "params" in it.got,
            lambda it: (
                f"{_chosen(it)} has too many parameters: both budgets must hold (`and`), "
                "and a budget is in the unit of its figure."
            ),
        ),
        "gflops-over": At(
            OVER,
            lambda it: (
                f"{_chosen(it)} needs too many operations: both budgets must hold (`and`)."
            ),
        ),
        "swapped": Wrong(
            lambda models, params, gflops: solution(models, gflops, params),
            "The two budgets are mixed up: params against max_params, gflops against "
            "max_gflops.",
        ),
        "best-first": Wrong(
            lambda models, *budgets: solution(
                [m for m in models if m["name"] == solution(models, inf, inf)], *budgets
            ),
            "The best of all was chosen first, and does not fit. Keep those that fit, "
            "and choose the best of them.",
        ),
        "strict": Wrong(
            lambda models, *budgets: solution(models, *budgets, within=lt),
            "A model exactly at a budget fits: `<=`, not `<`.",
        ),
        "zero-missing": Wrong(
            lambda models, *budgets: solution(
                [m for m in models if all(m.values())], *budgets
            ),
            "A figure of 0 is a figure and no gap: ask `is not None`, for `if value` is "
            "False for 0 as well.",
        ),
        "from-zero": Wrong(
            lambda models, *budgets: solution(
                [m for m in models if m["top1"]], *budgets
            ),
            "An accuracy of 0 is one as well: a search that begins with `best = 0` never "
            "finds it. Begin with None.",
        ),
        "none": "It is None, though a model fits: is a `return` missing, or a comparison "
        "turned round? At most is `<=`, and a budget and its figure are in the same unit.",
        "type": 'Return the `"name"` of the model alone; where no model fits, None.',
        "ties": When(
            lambda it: _behind(it) == 0,
            "Of equally accurate models, the one with fewer parameters wins. Both belong "
            "into the key as a pair: `a or b` is `a` alone, unless that is 0.",
        ),
        "rounded": When(
            lambda it: _behind(it) < 0.1,
            "Another one that fits is more accurate, if by little: compare the figures "
            "as they are, without rounding.",
        ),
        "fewest": Wrong(
            partial(solution, rank=lambda m: -m["params"]),
            "That is the one with the fewest parameters. Accuracy counts first, and they "
            "where it is equal: a key is a pair of both, for `a and b` is `b` alone.",
        ),
        "not-best": When(
            lambda it: _behind(it) < inf,
            "It fits, but another one that fits is more accurate.",
        ),
        "mutated": "The list is to stay as it is: `sorted(…)` and a comprehension make "
        "another one; `.sort()` and `.reverse()` change this one.",
    },
)
