"""Every check against its bank: right and wrong answers, mutants of the solution."""

import ast
import importlib
import pkgutil
import re
from functools import cache

import pytest

from courseware.grading import examine, find_task, sandbox, task_ids
from courseware.places import project_root
from tests import answers
from tests.mutants import mutants

NUMBERS = sorted({task[:2] for task in task_ids()})
BANKS = {n: importlib.import_module(f"tests.answers.t{n}") for n in NUMBERS}
_SOLUTION = re.compile(
    r"^(def (\w+)\((?:(?!^# %%).)*?)^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION",
    re.S | re.M,
)
# Written from the tasks' text alone.
UNSEEN = [
    importlib.import_module(f"{answers.__name__}.{module.name}")
    for module in pkgutil.iter_modules(answers.__path__)
    if module.name.startswith("blind_")
]
EQUIVALENT = {
    task: lines for bank in BANKS.values()
    for task, lines in getattr(bank, "EQUIVALENT", {}).items()
}  # fmt: skip
BLIND_RIGHT = {task: found for part in UNSEEN for task, found in part.RIGHT.items()}
BLIND_WRONG = {task: found for part in UNSEEN for task, found in part.WRONG.items()}


def bank(task):
    return BANKS[task[:2]]


def cases(table):
    tables = [getattr(bank, table) for bank in BANKS.values()]
    return [(task, item) for t in tables for task, items in t.items() for item in items]


def name_of(value):
    item = value[0] if isinstance(value, tuple) and len(value) == 2 else value
    if isinstance(item, set):  # each process has an order of its own for them
        return f"set of {sorted(item)}"
    return getattr(item, "__name__", str(item))


def solutions():
    """(task, source) of every function among the solutions."""
    for path in sorted((project_root() / "courseware" / "exercises").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        order = re.findall(r'^check\("([\d.]+)", (\w+)[,)]', text, re.M)
        tasks = {name: task for task, name in order}
        for head, name, body in _SOLUTION.findall(text):
            yield tasks[name], head + body


@cache
def imported():
    """What the exercises import in their first cells."""
    found = {}
    for path in (project_root() / "courseware" / "exercises").glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        imports = [n for n in body if isinstance(n, (ast.Import, ast.ImportFrom))]
        exec(compile(ast.Module(imports, []), str(path), "exec"), found)  # noqa: S102
    return found


def made(source):
    """The function that a source of ours defines."""
    namespace = dict(imported())
    exec(source, namespace)  # noqa: S102  (our own solution, changed by us)
    return namespace[re.match(r"def (\w+)", source)[1]]


def lines(source):
    return [line.strip() for line in source.splitlines()]


@pytest.mark.parametrize(("task", "answer"), cases("RIGHT"), ids=name_of)
def test_right_answers_pass(task, answer):
    verdict = examine(task, answer)
    assert verdict.status == "passed", verdict


@pytest.mark.parametrize(("task", "pair"), cases("WRONG"), ids=name_of)
def test_wrong_answers_fail_with_the_hint_that_fits(task, pair):
    answer, key = pair
    verdict = examine(task, answer)
    assert (verdict.status, verdict.key) == ("failed", key), verdict
    assert verdict.hint and verdict.property


def blind_cases(table):
    return [(task, answer) for task, answers in table.items() for answer in answers]


@pytest.mark.parametrize(("task", "answer"), blind_cases(BLIND_RIGHT), ids=name_of)
def test_right_answers_written_without_sight_of_the_checks_pass(task, answer):
    verdict = examine(task, answer)
    assert verdict.status == "passed", verdict


@pytest.mark.parametrize(("task", "answer"), blind_cases(BLIND_WRONG), ids=name_of)
def test_wrong_answers_written_without_sight_of_the_checks_fail(task, answer):
    verdict = examine(task, answer)
    assert verdict.status == "failed" and verdict.hint, verdict


@pytest.mark.parametrize("task", task_ids())
def test_banks_are_large_enough_and_a_third_is_blind(task):
    known = bank(task)
    right, wrong = len(known.RIGHT[task]), len(known.WRONG[task])
    assert right >= 3 and wrong >= 6
    unseen = len(BLIND_RIGHT[task]) + len(BLIND_WRONG[task])
    assert 3 * unseen >= right + wrong + unseen
    hints = find_task(task).hints
    assert len(hints) >= 3, "staged hints: mild, stronger, nearly the answer"


@pytest.mark.parametrize(("task", "source"), list(solutions()), ids=lambda v: v[:4])
def test_mutants_of_the_solution_fail(task, source, monkeypatch):
    monkeypatch.setattr(sandbox, "TIME_LIMIT", 2.0)
    passing = [m for m in mutants(source) if examine(task, made(m)).status == "passed"]
    same = EQUIVALENT.get(task, ())
    survivors = [m for m in passing if not any(line in lines(m) for line in same)]
    assert not survivors, "\n\n".join(survivors)
    stale = [line for line in same if not any(line in lines(m) for m in passing)]
    assert not stale, "listed as equivalent, but no mutant that passes has this line"


def test_every_task_has_a_solution_that_passes():
    for task, source in solutions():
        assert examine(task, made(source)).status == "passed"
