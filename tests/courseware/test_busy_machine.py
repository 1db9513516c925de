"""A right answer passes on a machine that has no time for it."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from courseware.grading import task_ids
from courseware.places import project_root
from tests import answers

BUSY = 20  # processes; a machine has two or four cores
BANKS = sorted(module.name for module in pkgutil.iter_modules(answers.__path__))
LESSONS = sorted({task[:2] for task in task_ids()})
JUDGE = """
import json, sys
from tests.courseware.test_busy_machine import judged
print(json.dumps(judged(sys.argv[1])))
"""


def right_answers(lesson):
    """(task, answer) of all banks: tables RIGHT, by task."""
    for name in BANKS:
        bank = importlib.import_module(f"{answers.__name__}.{name}")
        for task, right in getattr(bank, "RIGHT", {}).items():
            yield from ((task, answer) for answer in right if task[:2] == lesson)


def judged(lesson):
    """(task, answer, status, key, what was seen) of each."""
    from courseware.grading import examine

    found = ((task, str(a), examine(task, a)) for task, a in right_answers(lesson))
    return [(task, name, v.status, v.key, v.got) for task, name, v in found]


@contextmanager
def busy_machine():
    loop = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(loop) for _ in range(BUSY)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lesson", LESSONS)
def test_right_answers_pass_on_a_busy_machine(lesson):
    environment = os.environ | {"PYTHONPATH": str(project_root())}
    command = [sys.executable, "-c", JUDGE, lesson]
    with busy_machine():
        run = subprocess.run(
            command, cwd=project_root(), env=environment, capture_output=True, text=True
        )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert [row for row in found if row[2] != "passed"] == []
    assert len(found) == len(list(right_answers(lesson))) >= 3
