"""The result of a check: a float for graders, a card for people."""

from __future__ import annotations

import html
import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What a check found: passed, not written yet, or the property that failed."""

    status: str  # "passed", "failed" or "unwritten"
    title: str
    property: str = ""
    key: str = ""
    given: str = ""
    expected: str = ""
    got: str = ""
    hint: str = ""
    more_hints: tuple[str, ...] = field(default=())


class Score(float):
    """Points, as a float (nbgrader takes a cell's last value); shown as a card.

    A notebook shows the HTML card, IPython in a terminal its text; `print(score)` gives
    the text anywhere. The repr is the bare number, which graders read.
    """

    verdict: Verdict
    points: float

    def __new__(cls, value: float, verdict: Verdict, points: float) -> Score:
        score = super().__new__(cls, value)
        score.verdict, score.points = verdict, points
        return score

    def __getnewargs__(self) -> tuple[float, Verdict, float]:
        return float(self), self.verdict, self.points

    def __repr__(self) -> str:
        return float.__repr__(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text if _in_terminal() else repr(self))

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The card as plain text, for terminals and screen readers."""
        return "\n".join([_headline(self), *(f"  {k}: {v}" for k, v in _rows(self))])

    def _repr_html_(self) -> str:
        colour = _COLOURS[self.verdict.status]
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left;vertical-align:top;"
            f"padding:2px 12px 2px 0'>{html.escape(name)}</th>"
            "<td style='text-align:left;vertical-align:top;padding:2px 0;"
            "white-space:pre-wrap'>"
            f"{html.escape(value)}</td></tr>"
            for name, value in _rows(self)
        )
        table = (
            f"<table style='margin:6px 0 0;background:none'>{rows}</table>"
            if rows
            else ""
        )
        return (
            f"<div role='status' style='border-left:5px solid {colour};"
            "padding:8px 14px;margin:4px 0;max-width:46em;"
            "color:var(--jp-ui-font-color1,inherit);"
            "background:var(--jp-layout-color2,transparent)'>"
            f"<strong>{html.escape(_headline(self))}</strong>{table}</div>"
        )


def _in_terminal() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "TerminalInteractiveShell"


_COLOURS = {"passed": "#2a8f5b", "failed": "#c2571a", "unwritten": "#6b7280"}


def _headline(score: Score) -> str:
    title = score.verdict.title
    if score.verdict.status == "passed":
        return f"✓ Passed: {title} ({float(score):g} of {_worth(score)})"
    if score.verdict.status == "unwritten":
        return f"… Not written yet: {title} ({_worth(score)})"
    return f"✗ Not yet: {title} (0 of {_worth(score)})"


def _worth(score: Score) -> str:
    return "1 point" if score.points == 1 else f"{score.points:g} points"


def _rows(score: Score) -> list[tuple[str, str]]:
    verdict = score.verdict
    rows = [
        ("checked", verdict.property),
        ("with", verdict.given),
        ("expected", verdict.expected),
        ("got", verdict.got),
        ("hint", verdict.hint),
    ]
    rows += [(f"more help {i}", text) for i, text in enumerate(verdict.more_hints, 1)]
    return [(name, value) for name, value in rows if value]
