"""A right answer passes on a machine that has no time for it.

Those of exercises 00 and 04, for time's sake; COURSE_BUSY=all tries all exercises. It takes
many minutes, so it runs where COURSE_BUSY is set.
"""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from courseware.grading import task_ids
from courseware.places import project_root
from tests.answers import banks

BUSY = 20  # processes; a machine has two or four cores
PARTS = 3  # that judge at the same time, so that all of it takes minutes
JUDGE = """
import json, sys
from tests.courseware.test_busy_machine import judged
print(json.dumps([row for task in sys.argv[1:] for row in judged(task)]))
"""


def tried():
    """The tasks whose right answers are tried."""
    everything = os.environ.get("COURSE_BUSY") == "all"
    return [t for t in task_ids() if everything or t[:2] in ("00", "04")]


def judged(task):
    """(task, answer, status, key, what was seen) of each right answer."""
    for answer in banks.right_answers(task):
        verdict = banks.examined(task, answer)
        name = banks.name_of(answer)
        yield task, name, verdict.status, verdict.key, verdict.got


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


def started(tasks):
    command = [sys.executable, "-c", JUDGE, *tasks]
    environment = os.environ | {"PYTHONPATH": str(project_root())}
    return subprocess.Popen(
        command, cwd=project_root(), env=environment, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    "COURSE_BUSY" not in os.environ,
    reason="this system is kept busy by COURSE_BUSY only",
)
def test_right_answers_pass_on_a_busy_machine():
    parts = [tried()[i::PARTS] for i in range(PARTS)]
    with busy_machine():
        judges = [started(part) for part in parts]
        told = [judge.communicate()[0] for judge in judges]
    assert [judge.returncode for judge in judges] == [0] * PARTS
    found = [row for text in told for row in json.loads(text.splitlines()[-1])]
    assert [row for row in found if row[2] != "passed"] == []
    assert len(found) == sum(len(banks.right_answers(task)) for task in tried())
