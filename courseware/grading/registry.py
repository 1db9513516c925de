"""The tasks by their id: `tasks/t04/judge_2.py` and `observe_2.py` are task 04.2.

A task is imported when it is first asked for; the ids are read off the files' names.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from difflib import get_close_matches
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from courseware import tasks as _tasks

if TYPE_CHECKING:
    from courseware.grading.judging import Task


@cache
def find_task(id: str) -> Task:
    """Return a task by its id, such as "04.2"; an unknown one names the nearest.

    >>> from courseware.grading import find_task
    >>> find_task("04.2").points
    3.0
    """
    judge, observe = _half(id, "judge"), find_observing(id)
    return dataclasses.replace(
        judge.TASK,
        id=id,
        points=float(judge.TASK.points),
        observe=observe.observe,
        cases=observe.cases,
    )


def find_observing(id: str) -> ModuleType:
    """Return the half of a task that knows no right answer: `cases` and `observe`."""
    return _half(id, "observe")


def _half(id: str, which: str) -> ModuleType:
    if id not in task_ids():
        near = get_close_matches(str(id), task_ids(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see progress()"
        raise ValueError(f"no task {id!r}; {hint}")
    lesson, number = id.split(".")
    return importlib.import_module(f"{_tasks.__name__}.t{lesson}.{which}_{number}")


@cache
def task_ids() -> tuple[str, ...]:
    """List the ids of all tasks, in the order of the course."""
    names = (
        m.name for m in pkgutil.walk_packages(_tasks.__path__, f"{_tasks.__name__}.")
    )
    found = (re.search(r"\.t(\d\d)\.judge_(\d+)$", name) for name in names)
    ids = sorted((match[1], int(match[2])) for match in found if match)
    return tuple(f"{lesson}.{number}" for lesson, number in ids)
