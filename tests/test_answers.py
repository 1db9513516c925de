"""Every check against its bank: right answers, wrong answers, mutants of the solution."""

import importlib
import re

import pytest
import torch
from torch import nn

from course_utils.grading import examine, find_task, task_ids
from course_utils.storage import project_root
from tests.mutants import mutants

BANKS = {n: importlib.import_module(f"tests.answers.t{n}") for n in ("00", "01", "04")}
_SOLUTION = re.compile(
    r"^(def (\w+)\(.*?)^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION", re.S | re.M
)
# Mutants that mean the same as the solution, with the reason.
EQUIVALENT = {
    "01.2": ("strict=False",),  # topk gives as many values as positions
    "04.4": ("query * query.norm()",),  # the query's length does not change the order
}


def bank(task):
    return BANKS[task[:2]]


def cases(table):
    return [(task, item) for b in BANKS.values() for task, items in getattr(b, table).items()
            for item in items]  # fmt: skip


def name_of(value):
    item = value[0] if isinstance(value, tuple) and len(value) == 2 else value
    return getattr(item, "__name__", str(item))


def solutions():
    """(task, source) of every function among the solutions."""
    for path in sorted((project_root() / "sources" / "exercises").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        order = re.findall(r'^check\("([\d.]+)", (\w+)\)', text, re.M)
        tasks = {name: task for task, name in order}
        for head, name, body in _SOLUTION.findall(text):
            yield tasks[name], head + body


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


@pytest.mark.parametrize("task", task_ids())
def test_banks_are_large_enough(task):
    known = bank(task)
    right = len(known.RIGHT[task])
    wrong = len(known.WRONG[task])
    assert right >= 3 and wrong >= 6
    hints = find_task(task).hints
    assert len(hints) >= 3, "staged hints: mild, stronger, nearly the answer"


@pytest.mark.parametrize(("task", "source"), list(solutions()), ids=lambda v: v[:4])
def test_mutants_of_the_solution_fail(task, source):
    survivors = []
    for mutant in mutants(source):
        namespace = {"torch": torch, "nn": nn}
        exec(mutant, namespace)  # noqa: S102  (our own solution, changed by us)
        function = next(v for k, v in namespace.items() if k in mutant.split("(")[0])
        same = any(text in mutant for text in EQUIVALENT.get(task, ()))
        if examine(task, function).status == "passed" and not same:
            survivors.append(mutant)
    assert not survivors, "\n\n".join(survivors)


def test_every_task_has_a_solution_that_passes():
    for task, source in solutions():
        namespace = {"torch": torch, "nn": nn}
        exec(source, namespace)  # noqa: S102
        name = re.match(r"def (\w+)", source)[1]
        assert examine(task, namespace[name]).status == "passed"
