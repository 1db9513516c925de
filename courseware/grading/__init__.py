"""Exercises that grade themselves: `check("04.2", answer)` as the last line of a cell.

A task has two halves, in two files: `tasks/t04/observe_2.py` calls the answer on seeded
cases and notes what happens as plain data (see `observing`); `tasks/t04/judge_2.py` knows
the solution, and holds a table of mistakes with the hint that fits each (see `judging`).
The first can be imported without the second: names here are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from courseware.grading.progress import (  # noqa: F401 (named in __all__)
    export_progress,
    progress,
    reset_progress,
)

_HOLDS = {
    "checking": ("check", "examine", "hint"),
    "registry": ("find_observing", "find_task", "task_ids"),
    "judging": ("At", "Raises", "Task", "When", "Wrong"),
    "observing": ("Case",),
    "score": ("Score",),
}
_MODULE_OF = {name: module for module, names in _HOLDS.items() for name in names}
__all__ = sorted([*_MODULE_OF, "export_progress", "progress", "reset_progress"])


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
    globals()[name] = getattr(module, name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
