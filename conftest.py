"""What every test gets, notebooks included: bundled weights and a home of its own.

Nothing that a person has set for their own work (weights, data, progress, caches) is
read or changed by the tests.
"""

import os
import shutil
import tempfile

import pytest

OURS = {"COURSE_WEIGHTS": "bundled", "COURSE_PROGRESS": "0"}  # 0: no bars
UNSET = ("COURSE_BACKBONE", "COURSE_DATA")
_HOME = pytest.StashKey[str]()
_WORKERS = os.environ.get("PYTEST_XDIST_WORKER_COUNT")


def pytest_configure(config):
    config.stash[_HOME] = tempfile.mkdtemp(prefix="course-")
    os.environ.update(OURS, COURSE_HOME=config.stash[_HOME])
    if _WORKERS:  # before torch is imported: workers share the cores out
        threads = max(1, (os.cpu_count() or 1) // int(_WORKERS))
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    for name in UNSET:
        os.environ.pop(name, None)


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[_HOME], ignore_errors=True)
