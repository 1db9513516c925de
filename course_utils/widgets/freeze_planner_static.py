"""A plan as a table, for notebooks that are exported or read on GitHub."""

from __future__ import annotations

from typing import Any

from .architecture_static import compact
from .markup import escape, html_table

WAKES, LEARNS, FROZEN = "🔥", "●", "❄"
LEGEND = f"{WAKES} wakes, {LEARNS} learns, {FROZEN} frozen"


def static_table(plan: dict[str, Any]) -> str:
    """Return a plan as a table of stages (head on top) by epochs."""
    head, *rows = _cells(plan)
    return (
        f"<p><strong>{escape(plan['model_name'])}</strong> {escape(_about(plan))}</p>"
        f"{html_table(head, rows, row_titles=True)}"
    )


def static_lines(plan: dict[str, Any]) -> list[str]:
    """Return a plan as lines of text, one a stage, head first."""
    rows = _cells(plan, marks=("wakes", "learns", "–"))
    width = max(len(row[0]) for row in rows)
    lines = [
        f"  {first:<{width}}{''.join(f'{c:>8}' for c in cells)}  {rate}".rstrip()
        for first, *cells, rate in rows
    ]
    return [f"{plan['model_name']} {_about(plan, legend=False)}", *lines]


def _about(plan: dict[str, Any], *, legend: bool = True) -> str:
    words = f"{compact(plan['counts']['total'])} parameters, {plan['epochs']} epochs"
    return f"({words}; {LEGEND})" if legend else f"({words})"


def _cells(
    plan: dict[str, Any], marks: tuple[str, str, str] = (WAKES, LEARNS, FROZEN)
) -> list[list[str]]:
    """Head line, a line for each stage with its rate last, and the line of counts."""
    epochs = range(1, plan["epochs"] + 1)
    rows = [["stage", *(str(epoch) for epoch in epochs), "learning rate"]]
    for stage in reversed(plan["stages"]):
        name = stage["name"]
        states = [_state(plan["wakes"][name], epoch, marks) for epoch in epochs]
        rows.append([name, *states, f"{plan['rates'][name]:.3g}"])
    counts = [compact(n) for n in plan["counts"]["learning"]]
    return [*rows, ["parameters learning", *counts, ""]]


def _state(wakes: int, epoch: int, marks: tuple[str, str, str]) -> str:
    if wakes == 0 or epoch < wakes:
        return marks[2]
    return marks[0] if epoch == wakes else marks[1]
