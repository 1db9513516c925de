"""Check an answer: observe it on the task's cases, judge what was seen, note the try."""

from __future__ import annotations

import inspect
from typing import Any

from course_utils.arguments import checked
from courseware.grading.hints import hint_for, key_of_error
from courseware.grading.judging import Task, judge
from courseware.grading.observing import (
    Unwritten,
    described_error,
    is_empty,
    observed,
)
from courseware.grading.progress import hints_asked, tries
from courseware.grading.registry import find_task
from courseware.grading.sandbox import NotJudged, call_safely
from courseware.grading.score import Score
from courseware.grading.trying import note_try
from courseware.grading.values import plain
from courseware.grading.verdict import Verdict

CHECK_LIMIT = 25.0  # CPU-seconds a check in all; nbgrader ends a cell after 30


@checked
def check(task_id: str, answer: Any = None, **more: Any) -> Score:
    """Check an answer; return its points as a float that shows as a card.

    Use it as the last line of a cell, without a semicolon. The try is recorded; more
    tries unfold stronger hints. Nothing is printed and nothing is raised for a wrong
    answer. `more` goes to tasks that ask for it, such as a measurement that a
    prediction is held against.

    >>> from courseware.grading import check
    >>> score = check("01.5", "a")
    >>> float(score), score.verdict.status
    (0.0, 'failed')
    """
    task = find_task(task_id)
    return note_try(task, answer, examine(task, answer, **more))


def examine(task: Task | str, answer: Any, *, seed: int = 0, **more: Any) -> Verdict:
    """Check an answer without recording a try, on the cases of a seed.

    >>> from courseware.grading import examine
    >>> examine("01.5", "a").key
    'a'
    """
    task = find_task(task) if isinstance(task, str) else task
    if is_empty(answer):
        return _unwritten(task)
    inspect.signature(task.observe).bind(answer, None, None, **more)

    # The check itself runs guarded too: an answer may be an object that misbehaves
    # when it is merely looked at.
    def run() -> Verdict:
        cases = list(task.cases(seed))
        facts = (observed(task.observe, plain(answer), case, more) for case in cases)
        return judge(task, cases, facts, more)

    try:
        outcome = call_safely(run, time_limit=CHECK_LIMIT)
    except NotJudged as ended:
        return _unjudged(task, ended)
    if outcome.error is None:
        return outcome.value
    return _unfinished(task, outcome.error)


_WHY = {
    "waiting": "your function waited, or slept, instead of computing",
    "busy": "the machine was too busy to let your function finish",
}


def _unjudged(task: Task, ended: NotJudged) -> Verdict:
    """The verdict on an answer that was ended through no fault of its own."""
    return Verdict(
        "unjudged", task.title, property=_WHY[ended.reason], key=ended.reason
    )


def _unfinished(task: Task, error: BaseException) -> Verdict:
    """The verdict on an answer that ended the check itself."""
    if type(error) is Unwritten:
        return _unwritten(task)
    raised = described_error(error)
    key = key_of_error(raised)
    found = {"property": "the check of your answer ends", "key": key}
    hint = hint_for(key, "", None, raised)
    got = f"{raised.kind}: {raised.text}"[:600]
    return Verdict("failed", task.title, **found, got=got, hint=hint)


@checked
def hint(task_id: str, *, level: int | None = None) -> str:
    """Return a task's next hint: a stronger one each time, or of a level from 1 on.

    Hints that a card has unfolded count as seen.

    >>> from courseware.grading import hint
    >>> hint("01.5", level=2)
    'eval() sets a flag that a few kinds of layer look at.'
    """
    task = find_task(task_id)
    if level is None:
        level = max(tries(task_id) - 1, hints_asked[task_id]) + 1
        level = hints_asked[task_id] = min(level, len(task.hints))
    if level < 1:
        raise ValueError(f"level must be at least 1, got {level}")
    return task.hints[min(level, len(task.hints)) - 1]


def _unwritten(task: Task) -> Verdict:
    how = "Replace the `...` or the `raise NotImplementedError` by your answer."
    return Verdict("unwritten", task.title, hint=how)
