"""02.4: the name of the best within two budgets."""

from __future__ import annotations

from courseware.grading.observing import Case
from courseware.tasks.t02.rows import FIGURES, missing, row, scaled, told, varied

# "fit" lies exactly at both budgets of a case; "kin" and "later" are as accurate.
# Of these three "kin" has the fewest parameters; in all else it is not at either end.
SHOP = [
    row("first", 70.0, 9.0, 1.5),
    row("fit", 77.0, 25.0, 4.0),
    row("huge", 84.0, 90.0, 15.0),
    row("thirsty", 81.0, 20.0, 12.0),
    row("broad", 80.5, 60.0, 2.0),
    row("kin", 77.0, 21.0, 4.0),
    row("tiny", 60.0, 2.0, 0.3),
    row("later", 77.0, 22.0, 3.0),
]
# Only the last digits tell which one is better.
NEAR = [
    row("near", 78.11201, 9.0, 1.0),
    row("best", 78.11203, 12.0, 2.0),
    row("far", 78.112, 8.0, 0.9),
]
GAPS = [
    row("mute", None, 4.0, 0.5),
    row("light", 79.0, None, 0.4),
    row("idle", 79.5, 5.0, None),
]
TRIED = (
    ("budgets that all models fit", SHOP, 1000.0, 1000.0),
    ("small budgets", SHOP, 9.5, 3.0),
    ("a model exactly at both budgets", SHOP[:5], 25.0, 4.0),
    ("equal accuracies", SHOP, 30.0, 5.0),
    ("accuracies that differ by little", NEAR, 30.0, 5.0),
    ("a model with 0 operations", [*SHOP, row("free", 78.0, 5.0, 0.0)], 30.0, 5.0),
    ("a model with 0 parameters", [*SHOP, row("rule", 79.0, 0.0, 0.2)], 30.0, 5.0),
    ("a model with an accuracy of 0", [*SHOP, row("blind", 0.0, 0.1, 0.1)], 1.0, 0.2),
    ("no model so small", SHOP, 1.0, 100.0),
    ("no model so quick", SHOP, 100.0, 0.1),
    ("figures that are None", [*GAPS, *SHOP], 10.0, 2.0),
    ("nothing but models with a missing figure", GAPS, 10.0, 2.0),
)


def cases(seed):
    for what, models, params, gflops in TRIED:
        budgets = {"params": scaled(params, seed), "gflops": scaled(gflops, seed)}
        limits = ", ".join(f"max_{name} = {most:g}" for name, most in budgets.items())
        models = varied(models, seed)
        given = f"{what}: {limits}; {told(models, FIGURES)}"
        yield Case(given, models=models, budgets=budgets)


def observe(best_under, case, seen):
    got = seen.call(best_under, case.models, *case.budgets.values())
    names = [got] if isinstance(got, str) else []
    rows = [m for m in case.models if m["name"] in names]
    over = {b for b, most in case.budgets.items() for m in rows if (m[b] or 0) > most}
    facts = {
        "names that no model has": set() if rows else set(names),
        "figures that are missing": {f for m in rows for f in missing(m)},
        "budgets that are exceeded": over,
        "the choice": got,
    }
    seen.notes(facts)
