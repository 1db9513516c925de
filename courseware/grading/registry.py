"""The tasks by their id; a task's module is imported when it is first asked for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from courseware import tasks as _modules


@dataclass(frozen=True)
class Task:
    """One graded task: what it is called, what it is worth, and how it is checked."""

    id: str
    title: str
    points: float
    hints: tuple[str, ...]
    check: Callable


_TASKS: dict[str, Task] = {}


def task(id: str, *, title: str, points: float, hints: tuple[str, ...]) -> Callable:
    """Register the decorated function `(answer, c)` as the check of a task.

    Raise ValueError where another function already checks a task of this id.
    """

    def register(function: Callable) -> Callable:
        known = _TASKS.get(id)
        if known is not None and _name(known.check) != _name(function):
            raise ValueError(f"task {id!r} is already {_name(known.check)}")
        _TASKS[id] = Task(id, title, float(points), tuple(hints), function)
        return function

    return register


def _name(function: Callable) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def find_task(id: str) -> Task:
    """Return a task by its id, such as "04.2"; an unknown one names the nearest."""
    number = str(id).partition(".")[0]
    if f"t{number}" in _module_names():
        importlib.import_module(f"{_modules.__name__}.t{number}")
    if id not in _TASKS:
        near = get_close_matches(str(id), task_ids(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see progress()"
        raise ValueError(f"no task {id!r}; {hint}")
    return _TASKS[id]


def task_ids() -> list[str]:
    """List the ids of all tasks, in the order of the course."""
    for name in _module_names():
        importlib.import_module(f"{_modules.__name__}.{name}")
    return sorted(_TASKS)


def _module_names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(_modules.__path__)]
