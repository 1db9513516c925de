"""A right answer passes on a machine that has no time for it."""

import json
import multiprocessing
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from courseware.grading import task_ids
from courseware.places import project_root
from tests.answers import banks

BUSY = 20  # processes; a machine has two or four cores
PARTS = 16  # that judge at the same time, so that all of it takes minutes
JUDGE = """
import json
from tests.courseware.test_busy_machine import judge_all
print(json.dumps(judge_all()))
"""


def every_one():
    """(task, place) of each right answer of the banks; those that train begin."""
    order = sorted(task_ids(), key=lambda task: (task != "05.4", task))
    sizes = {task: len(banks.right_answers(task)) for task in order}
    return [(task, i) for task, size in sizes.items() for i in range(size)]


def judged(which):
    """(task, answer, status, key, what was seen) of one."""
    task, place = which
    answer = banks.right_answers(task)[place]
    verdict = banks.examined(task, answer)
    return task, banks.name_of(answer), verdict.status, verdict.key, verdict.got


def judge_all():
    """Judge beside busy processes; what is imported is so before they begin."""
    forked = multiprocessing.get_context("fork")
    with forked.Pool(PARTS) as pool, busy_machine():
        return pool.map(judged, every_one(), chunksize=1)


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
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_right_answers_pass_on_a_busy_machine():
    command = [sys.executable, "-c", JUDGE]
    environment = os.environ | {"PYTHONPATH": str(project_root())}
    run = subprocess.run(
        command, cwd=project_root(), env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert [row for row in found if row[2] != "passed"] == []
    assert len(found) == len(every_one())
