"""The banks as tables: answers by task, the solutions of the exercises, and mutants."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from courseware.grading import examine, find_task, task_ids
from courseware.grading.judging import Wrong
from courseware.grading.verdict import Verdict
from courseware.places import project_root
from tests import answers

SEEDS = (1, 2, 3)  # beside 0, which a learner's check uses
_CELL = re.compile(r"^(?:def|class) (\w+).*?(?=^# %%|\Z)", re.S | re.M)
_MARK = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n", re.M)
_PARTS = [
    importlib.import_module(f"{answers.__name__}.{module.name}")
    for module in pkgutil.iter_modules(answers.__path__)
    if re.match(r"t\d|blind_", module.name)
]
_KNOWN = [part for part in _PARTS if "blind" not in part.__name__]
_BLIND = [part for part in _PARTS if "blind" in part.__name__]


def _joined(parts: list, table: str) -> dict[str, list]:
    found = {}
    for part in parts:
        for task, items in getattr(part, table, {}).items():
            found[task] = found.get(task, []) + list(items)
    return found


RIGHT = _joined(_KNOWN, "RIGHT")  # task -> answers
WRONG = _joined(_KNOWN, "WRONG")  # task -> (answer, key)
BLIND_RIGHT = _joined(_BLIND, "RIGHT")
BLIND_WRONG = _joined(_BLIND, "WRONG")  # task -> answers
EQUIVALENT = _joined(_KNOWN, "EQUIVALENT")  # task -> lines of mutants


def examined(task: str, answer: Any, seed: int = 0) -> Verdict:
    """Examine an answer of a bank, with what belongs to it."""
    if isinstance(answer, answers.With):
        return examine(task, answer.answer, seed=seed, **answer.more)
    return examine(task, answer, seed=seed)


def right_answers(task: str) -> list:
    """All answers that must pass."""
    return RIGHT[task] + BLIND_RIGHT.get(task, [])


def own_mistakes(task: str) -> list[tuple[Callable, str]]:
    """The wrong solutions of a task's own table, each with its key."""
    table = find_task(task).mistakes
    return [(m.solution, key) for key, m in table.items() if isinstance(m, Wrong)]


def wrong_answers(task: str) -> list[tuple[Any, str | None]]:
    """All answers that must fail, with the key that they must meet where it is known."""
    blind = [(answer, None) for answer in BLIND_WRONG.get(task, [])]
    return WRONG[task] + own_mistakes(task) + blind


def code_tasks() -> list[str]:
    """The tasks that are answered by a function or a class."""
    return [task for task in task_ids() if find_task(task).kind == "code"]


@cache
def solutions() -> dict[str, str]:
    """The source of every function and class among the exercises' solutions, by task."""
    found = {}
    for path in sorted((project_root() / "courseware" / "exercises").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        order = re.findall(r'^check\("([\d.]+)", (\w+)[,)]', text, re.M)
        tasks = {name: task for task, name in order}
        for cell in _CELL.finditer(text):
            if _MARK.search(cell[0]):
                found[tasks[cell[1]]] = _MARK.sub("", cell[0]).rstrip() + "\n"
    return found


@cache
def _imported() -> dict[str, Any]:
    """What the exercises import in their first cells."""
    found = {}
    for path in (project_root() / "courseware" / "exercises").glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        imports = [n for n in body if isinstance(n, (ast.Import, ast.ImportFrom))]
        exec(compile(ast.Module(imports, []), str(path), "exec"), found)  # noqa: S102
    return found


def made(source: str) -> Callable:
    """The function or the class that a source of ours defines."""
    namespace = dict(_imported())
    exec(source, namespace)  # noqa: S102  (our own solution, changed by us)
    return namespace[_CELL.match(source)[1]]


def is_equivalent(task: str, mutant: str) -> bool:
    """Tell whether a mutant is listed as meaning the same as the solution."""
    return any(line in lines_of(mutant) for line in EQUIVALENT.get(task, ()))


def lines_of(source: str) -> list[str]:
    return [line.strip() for line in source.splitlines()]


def name_of(value: Any) -> str:
    """A name for an answer, the same in every process."""
    item = value[0] if isinstance(value, tuple) and len(value) == 2 else value
    if isinstance(item, set):  # each process has an order of its own for them
        return f"set of {sorted(item)}"
    return getattr(item, "__name__", str(item))


def pairs(table: dict[str, list]) -> list[tuple[str, Any]]:
    """(task, item) for every item of a table."""
    return [(task, item) for task, items in table.items() for item in items]
