"""Exercises that grade themselves: `check("04.2", answer)` as the last line of a cell.

How a task is written (in `tasks/tNN.py`, one module an exercise):

    @task("04.9", title="Count to two", points=1, hints=("mild", "stronger", "nearly"))
    def count_to_two(answer, c):
        got = c.call(answer, 2)                        # runs the learner's function safely
        c.same(got, [1, 2], "the numbers", key="off-by-one", hint="range() stops early")

Every property has a `key`. The banks in `tests/answers` hold, for each task, right
answers that must pass and wrong ones that must fail at the key whose hint fits.
"""

from course_utils.grading.checking import Checker, check, examine, hint
from course_utils.grading.progress import (
    export_progress,
    progress,
    reset_progress,
)
from course_utils.grading.registry import Task, find_task, task, task_ids
from course_utils.grading.score import Score

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
