"""Exercises that grade themselves: `check("04.2", answer)` as the last line of a cell.

How a task is written (in `tasks/tNN.py`, one module an exercise):

    @task("04.9", title="Count to n", points=1, hints=("mild", "stronger", "nearly"))
    def count_to(answer, c):
        for n in c.cases([2, 5], hidden=[1, 7]):
            got = c.call(answer, n, given=f"n = {n}")   # runs the learner's function
            c.type(got, list, "the result")
            c.that(got != list(range(n)) or n == 0, "the numbers", key="off-by-one",
                   hint="range(n) stops before n.", got=got)
            c.same(got, list(range(1, n + 1)), "the numbers", hint="From 1 to n.")

Properties are asked for in this order: type, shape, dtype, known misconceptions, value.
A changed argument is reported after them all, without a line in the task. Every
property has a `key`: the banks in `tests/answers` hold, for each task, right answers
that must pass and wrong ones that must fail at the key whose hint fits.
"""

from courseware.grading.checking import Checker, check, examine, hint
from courseware.grading.progress import (
    export_progress,
    progress,
    reset_progress,
)
from courseware.grading.registry import Task, find_task, task, task_ids
from courseware.grading.score import Score

__all__ = [
    "Checker",
    "Score",
    "Task",
    "check",
    "examine",
    "export_progress",
    "find_task",
    "hint",
    "progress",
    "reset_progress",
    "task",
    "task_ids",
]
