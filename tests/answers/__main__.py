"""`python -m tests.answers [TASK …]`: the table of the banks, measured.

For each task: the right answers that pass, the wrong ones that are refused with the hint
that fits (where the bank names it), the mutants of the solution that are killed, and the
CPU-seconds of the slowest check, with one torch thread.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import pandas as pd

from courseware.grading import find_task, task_ids
from tests.answers import banks
from tests.mutants import mutants


def _timed(task: str, answer: Any) -> tuple[Any, float]:
    start = time.process_time()
    verdict = banks.examined(task, answer)
    return verdict, time.process_time() - start


def _row(task: str) -> dict[str, Any]:
    right = [_timed(task, answer) for answer in banks.right_answers(task)]
    known = banks.wrong_answers(task)
    wrong = [(key, *_timed(task, answer)) for answer, key in known]
    fit = [key in (None, v.key) and v.status == "failed" for key, v, _ in wrong]
    return {
        "task": task,
        "kind": find_task(task).kind,
        "right": f"{sum(v.status == 'passed' for v, _ in right)} of {len(right)}",
        "wrong, with the hint that fits": f"{sum(fit)} of {len(fit)}",
        "mutants": _killed(task),
        "slowest, CPU s": max(seconds for *_, seconds in [*right, *wrong]),
    }


def _killed(task: str) -> str:
    source = banks.solutions().get(task)
    if source is None:
        return ""
    found = [m for m in mutants(source) if not banks.is_equivalent(task, m)]
    killed = sum(banks.examined(task, banks.made(m)).status == "failed" for m in found)
    return f"{killed} of {len(found)}"


def main(tasks: list[str]) -> None:
    rows = [_row(task) for task in tasks or task_ids()]
    table = pd.DataFrame(rows).set_index("task")
    print(table.to_string(float_format=lambda s: f"{s:.2f}"))


if __name__ == "__main__":
    main(sys.argv[1:])
