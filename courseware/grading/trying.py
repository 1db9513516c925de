"""A verdict becomes a score: the try is noted, hints unfold, and the card says both."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from courseware.grading.earning import earned
from courseware.grading.fingerprints import fingerprint
from courseware.grading.progress import Noted, Try, note
from courseware.grading.record import is_graded
from courseware.grading.score import Score
from courseware.grading.verdict import NO_TRY, Standing, Verdict

if TYPE_CHECKING:
    from courseware.grading.judging import Task

_MISREAD = {"none", "type", "unknown"}  # keys of what was no choice at all


def note_try(task: Task, answer: Any, verdict: Verdict) -> Score:
    """Note a try of a task, where it is one, and return it as a score with its card.

    It is none where nothing was written or judged, nor where the same answer has failed
    here before: the same function, not run anew, or the same choice. While nbgrader
    executes a notebook nothing is read, noted or unfolded.
    """
    points = task.points if verdict.status == "passed" else 0.0
    if verdict.status in NO_TRY or is_graded():
        return Score(points, verdict, task.points)
    tried = Try(
        points,
        passed=verdict.status == "passed",
        mark=_mark(answer, verdict),
        costs=task.kind != "choice" or verdict.key not in _MISREAD,
        keeps=_price(task),
    )
    noted = note(task.id, tried)
    verdict = _helped(verdict, task.hints, noted.wrong)
    return Score(points, verdict, task.points, _standing(task, answer, noted))


def _price(task: Task) -> Callable[[int], float]:
    """What a pass of the task keeps, by the wrong tries before it."""
    return functools.partial(earned, task.points, kind=task.kind, options=task.options)


def _standing(task: Task, answer: Any, noted: Noted) -> Standing:
    return Standing(
        task.id,
        passed=noted.passed,
        wrong=noted.wrong,
        earned=noted.earned if noted.passed else _price(task)(noted.wrong),
        repeats=("", "your last try", "an earlier try")[min(noted.repeats, 2)],
        is_code=issubclass(type(answer), (FunctionType, type)),
    )


def _mark(answer: Any, verdict: Verdict) -> str | None:
    """Short for an answer and what was wrong with it; None where it is not known again."""
    found = fingerprint(answer)
    return f"{found[:16]} {verdict.property}: {verdict.key}" if found else None


def _helped(verdict: Verdict, hints: Sequence[str], wrong: int) -> Verdict:
    """Add the hints that so many wrong tries unfold; the last one stays folded."""
    if verdict.status == "passed":
        return verdict
    unfolded = tuple(hints[: max(0, wrong - 1)])
    if unfolded and len(unfolded) == len(hints):
        *unfolded, last = unfolded
        return dataclasses.replace(verdict, more_hints=tuple(unfolded), last_hint=last)
    return dataclasses.replace(verdict, more_hints=unfolded)
