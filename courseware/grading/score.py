"""The result of a check: a float for graders, a card for people."""

from __future__ import annotations

import sys
from typing import Any

from courseware.grading.card import card_html, card_text
from courseware.grading.verdict import Standing, Verdict

__all__ = ["Score", "Verdict"]


class Score(float):
    """Points, as a float (nbgrader takes a cell's last value); shown as a card.

    A notebook shows the HTML card, IPython in a terminal its text; `print(score)` gives
    the text anywhere. The repr is the bare number, which graders read. What the try
    means in the learner's own progress (`standing`) is on the card only.
    """

    verdict: Verdict
    points: float
    standing: Standing | None

    def __new__(
        cls,
        value: float,
        verdict: Verdict,
        points: float,
        standing: Standing | None = None,
    ) -> Score:
        score = super().__new__(cls, value)
        score.verdict, score.points, score.standing = verdict, points, standing
        return score

    def __getnewargs__(self) -> tuple[float, Verdict, float, Standing | None]:
        return float(self), self.verdict, self.points, self.standing

    def __repr__(self) -> str:
        return float.__repr__(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text if _in_terminal() else repr(self))

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The card as plain text, for terminals and screen readers."""
        return card_text(self.verdict, float(self), self.points, self.standing)

    def _repr_html_(self) -> str:
        return card_html(self.verdict, float(self), self.points, self.standing)


def _in_terminal() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "TerminalInteractiveShell"
