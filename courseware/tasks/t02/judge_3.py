"""02.3: the Pareto front."""

from __future__ import annotations

from courseware.grading.judging import At, Task, When, Wrong
from courseware.tasks.t02.rows import missing

MODELS = "the models on the front"


def _as_good(a, b):
    return a["top1"] >= b["top1"] and a["params"] <= b["params"]


def _beats(a, b):
    return _as_good(a, b) and not _as_good(b, a)


def complete(models):
    """The rows without a missing figure."""
    return [m for m in models if not missing(m)]


def solution(models, beats=_beats):
    rows = sorted(complete(models), key=lambda m: m["params"])
    return [m["name"] for m in rows if not any(beats(other, m) for other in rows)]


def unbeaten(beats, hint):
    return Wrong(lambda models: solution(models, beats), hint)


def compares_none(it):
    """None met a comparison: until these rows came, no TypeError ended the answer."""
    return "TypeError" in it.error and any(None in m.values() for m in it.case.models)


def _without_twins(it):
    sides = [
        {(m["top1"], m["params"]) for m in it.case.models if m["name"] in side}
        for side in (it.got, it.right)
    ]
    return sides[0] == sides[1]


TASK = Task(
    title="The Pareto front",
    points=3,
    hints=(
        "Write `beats(a, b)` first: at least as good in both figures, and better in one. "
        "It must be False for a model and itself.",
        "Leave out missing figures first: `value is None or value != value` holds for "
        "None and for NaN. Then keep the rows that no row beats: `not any(…)`.",
        "`front = [m for m in rows if not any(beats(other, m) for other in rows)]`; then "
        'sort it by `m["params"]` and return the names.',
    ),
    solution=solution,
    mistakes={
        "none-compared": When(
            compares_none,
            "None cannot be compared with a number: leave out the models with a missing "
            "figure before you compare.",
        ),
        "empty": When(
            lambda it: it.fact == "what the front holds" and not it.got,
            "No model is left. Better in one figure is not enough to beat: the other must "
            "be as good. And equal in both is not enough either, or each beats itself.",
        ),
        "strict": unbeaten(
            lambda a, b: a["top1"] > b["top1"] and a["params"] < b["params"],
            "A model that is equal in one figure and better in the other beats as well.",
        ),
        "all": unbeaten(
            lambda a, b: False,
            "All models are here: leave out each that another beats.",
        ),
        "the-beaten": Wrong(
            lambda models: [
                m["name"] for m in complete(models) if m["name"] not in solution(models)
            ],
            "These are the ones that are beaten. Keep the others: `not any(…)`.",
        ),
        "twins": unbeaten(
            lambda a, b: a is not b and _as_good(a, b),
            "Two equal models do not beat each other: to beat, a model must be better in "
            "at least one figure.",
        ),
        "only-best": unbeaten(
            lambda a, b: a["top1"] > b["top1"],
            "These are the most accurate only. A model that is less accurate but smaller "
            "is not beaten.",
        ),
        "more-params": unbeaten(
            lambda a, b: _beats(
                a | {"params": b["params"]}, b | {"params": a["params"]}
            ),
            "These are the largest for their accuracy: fewer parameters are better.",
        ),
        "zero-missing": Wrong(
            lambda models: solution([m for m in models if m["top1"] and m["params"]]),
            "A figure of 0 is a figure and no gap: ask `is not None`, for `if value` is "
            "False for 0 as well.",
        ),
        "rows": At("what the front holds", "Return the names: a list of str, no rows."),
        "unknown": At(
            "names that no model has", 'Return values of `"name"`, as they are.'
        ),
        "missing-kept": At(
            "models with a missing figure",
            "A model with a missing figure is on the front: None is not 0, and as "
            "comparisons with NaN are always False, nothing beats it. Leave it out first.",
        ),
        "ties": When(
            lambda it: it.fact == MODELS and _without_twins(it),
            "Models with equal figures do not beat each other: both stay.",
        ),
        "beaten": When(
            lambda it: it.fact == MODELS and it.got - it.right,
            lambda it: (
                f"Another model beats {', '.join(sorted(it.got - it.right)[:3])}: at least "
                "as accurate with no more parameters."
            ),
        ),
        "lost": At(MODELS, "A model is missing that no other beats."),
        "twice": When(lambda it: it.key == "length", "Each model once."),
        "order": At("the front", "The model with the fewest parameters comes first."),
        "mutated": "The list is to stay as it is: `sorted(…)` and a comprehension make "
        "another one; `.sort()` and `.remove()` change this one.",
    },
)
