"""02.3: the names on the front."""

from __future__ import annotations

from itertools import groupby
from math import nan

from courseware.grading.observing import Case
from courseware.grading.values import plain
from courseware.tasks.t02.rows import missing, row, told, varied

SIX = [
    row("huge", 84.0, 90.0),
    row("tiny", 60.0, 2.0),
    row("heavy", 79.0, 140.0),
    row("mid", 75.0, 12.0),
    row("weak", 57.0, 61.0),
    row("small", 70.5, 5.0),
]
EMPTY = [row("void", nan, 7.0), row("blur", 98.0, nan), row("fog", nan, 0.5)]
TRIED = {
    "six models with different figures": SIX,
    # "slim" beats "late" by size alone, "sharp" beats "dull" by accuracy alone.
    "models that are equal in one figure": [
        row("dull", 80.0, 30.0),
        row("late", 71.0, 8.0),
        row("sharp", 82.0, 30.0),
        row("slim", 71.0, 3.0),
    ],
    "two models with equal figures": [
        row("big", 83.0, 50.0),
        row("mid", 75.0, 12.0),
        row("twin", 75.0, 12.0),
    ],
    "a model whose figures are 0": [*SIX, row("blind", 0.0, 0.0)],
    "figures that are None": [row("mute", None, 1.0), *SIX, row("vague", 99.0, None)],
    "figures that are NaN": [*EMPTY[:1], *SIX, *EMPTY[1:]],
}


def cases(seed):
    for given, models in TRIED.items():
        models = varied(models, seed)
        yield Case(f"{given}; {told(models)}", models=models)


def observe(pareto_front, case, seen):
    got = seen.call(pareto_front, case.models)
    seen.require("the front", got, list)
    rows = {m["name"]: m for m in case.models}
    texts = [name for name in got if isinstance(name, str)]
    gaps = {name for name in texts if name in rows and missing(rows[name])}
    unknown = {name for name in texts if name not in rows}
    facts = {
        "what the front holds": {type(plain(name)).__name__ for name in got},
        "names that no model has": unknown,
        "models with a missing figure": gaps,
        "the models on the front": set(texts),
        "the front": _ties_as_given(got, rows) if texts == got and not unknown else got,
    }
    seen.notes(facts)


def _ties_as_given(names, rows):
    """Models with equal parameters may stand in any order: put them in the list's."""
    runs = groupby(names, key=lambda name: rows[name]["params"])
    return [name for _, run in runs for name in sorted(run, key=[*rows].index)]
