"""A verdict as a card: HTML for notebooks, plain text for terminals.

The card is read without colours (each state has its word), by screen readers (a status
with a heading and a table whose rows have titles) and by keyboard (the last hint is
folded, and opens by Enter or Space).
"""

from __future__ import annotations

from course_utils.widgets.markup import escape, inline_code
from courseware.grading.verdict import Standing, Verdict
from courseware.grading.wording import points, wrong_tries

_STATES = {  # its sign, its words, its colour
    "passed": ("✓", "Passed", "#2a8f5b"),
    "failed": ("✗", "Not yet", "#c2571a"),
    "unwritten": ("…", "Not written yet", "#6b7280"),
    "unjudged": ("○", "Not judged", "#6b7280"),
}
_AGAIN = (
    "This was no try. Run the cell again; if it ends like this again, close what else "
    "keeps the machine busy, and look for something in your answer that waits, such as "
    "`time.sleep`."
)
_WHY = "the machine was too busy, or your function waited"


def card_text(
    verdict: Verdict, value: float, worth: float, standing: Standing | None
) -> str:
    """Write the card as plain text."""
    sign = _STATES[verdict.status][0]
    rows = _rows(verdict, worth, standing)
    if verdict.last_hint:
        call = f'hint("{standing.task}", level={len(verdict.more_hints) + 1})'
        rows.insert(-1, ("last help", f"{call} shows it: it gives the answer away"))
    lines = [f"  {name}: {text}" for name, text in rows if text]
    return "\n".join([f"{sign} {_headline(verdict, value, worth)}", *lines])


def card_html(
    verdict: Verdict, value: float, worth: float, standing: Standing | None
) -> str:
    """Write the card as HTML that needs no style sheet, in light and dark."""
    sign, _, colour = _STATES[verdict.status]
    rows = [(name, inline_code(text)) for name, text in _rows(verdict, worth, standing)]
    if verdict.last_hint:
        rows.insert(-1, ("last help", _folded(verdict.last_hint)))
    return (
        f"<div role='status' style='{_CARD};border-left:5px solid {colour}'>"
        "<div role='heading' aria-level='3' style='font-weight:600'>"
        f"<span aria-hidden='true'>{sign}</span> "
        f"{inline_code(_headline(verdict, value, worth))}</div>"
        f"{_table([row for row in rows if row[1]])}</div>"
    )


def _headline(verdict: Verdict, value: float, worth: float) -> str:
    words = _STATES[verdict.status][1]
    got = "" if verdict.status in ("unwritten", "unjudged") else f"{value:g} of "
    return f"{words}: {verdict.title} ({got}{points(worth)})"


def _rows(
    verdict: Verdict, worth: float, standing: Standing | None
) -> list[tuple[str, str]]:
    """What stands below the headline; an empty text is left out."""
    if verdict.status == "unjudged":
        why = verdict.property or _WHY
        return [("why", why), ("what now", verdict.hint or _AGAIN)]
    rows = [
        ("checked", verdict.property),
        ("with", verdict.given),
        ("expected", verdict.expected),
        ("got", verdict.got),
        ("note", _note(standing)),
        ("hint", verdict.hint),
        *((f"more help {i}", t) for i, t in enumerate(verdict.more_hints, start=1)),
        ("in your progress", _progress(verdict, worth, standing)),
    ]
    return rows


def _note(standing: Standing | None) -> str:
    """Say that the answer is one that has failed before."""
    if not standing or not standing.repeats:
        return ""
    if standing.is_code:
        return (
            f"This is the same function as at {standing.repeats}. If you changed it, run "
            "its cell first. This was no new try."
        )
    return f"This is the same answer as at {standing.repeats}. It was no new try."


def _progress(verdict: Verdict, worth: float, standing: Standing | None) -> str:
    """Say what tries have cost; nothing where they have not."""
    if not standing:
        return ""
    if verdict.status == "failed" and standing.passed:
        return f"passed before, {points(standing.earned)}"
    if not standing.wrong:
        return ""
    if standing.passed:
        return f"{points(standing.earned)}, after {wrong_tries(standing.wrong)}"
    now = f"a pass now gives {standing.earned:g} of {points(worth)}"
    return f"{now}, after {wrong_tries(standing.wrong)}"


# JupyterLab paints table rows by turns and aligns them to the right: each part says no.
_CARD = (
    "padding:8px 14px;margin:4px 0;max-width:46em;overflow-wrap:anywhere;"
    "color:var(--jp-ui-font-color1,inherit);background:var(--jp-layout-color1,none);"
    "border:1px solid var(--jp-border-color1,#9e9e9e)"
)
_CELL = "text-align:left;vertical-align:top;background:none;padding:2px"


def _table(rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f"<tr style='background:none'>"
        f"<th scope='row' style='{_CELL} 12px 2px 0;white-space:nowrap'>{name}</th>"
        f"<td style='{_CELL} 0;white-space:pre-wrap'>{text}</td></tr>"
        for name, text in rows
    )
    style = "margin:6px 0 0;border:none;background:none"
    return f"<table style='{style}'><tbody>{lines}</tbody></table>"


def _folded(hint: str) -> str:
    """The hint behind a line that opens it; the notebook must not take its keys."""
    return (
        "<details onkeydown='event.stopPropagation()'>"
        f"<summary style='cursor:pointer'>{escape('show it: it gives the answer away')}"
        f"</summary>{inline_code(hint)}</details>"
    )
