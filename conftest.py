"""What every test gets, notebooks included: the install's weights, a home of its own.

Nothing that a person has set for their own work (weights, data, progress, caches) is
read or changed by the tests. And what may be skipped where nothing must be missing.
"""

import os
import shutil
import tempfile

import pytest

OURS = {"COURSE_PROGRESS": "0"}  # 0: no bars
HOMES = ("COURSE_HOME", "HF_HOME", "TORCH_HOME")
UNSET = ("COURSE_BACKBONE", "COURSE_DATA", "COURSE_WEIGHTS", "HF_HUB_CACHE")
_HOME = pytest.StashKey[str]()
# With CI=true a skip fails, unless its reason holds one of these: what a bare machine may
# lack, whatever is installed on it.
MAY_LACK = (
    "real photographs",
    "real weights",
    "GPU",
    "AMX",
    "isolation",  # bubblewrap and the like
    "git checkout",
    "this system",  # Windows, or Unix
)
_WORKERS = os.environ.get("PYTEST_XDIST_WORKER_COUNT")


def pytest_configure(config):
    config.stash[_HOME] = tempfile.mkdtemp(prefix="course-")
    os.environ.update(OURS | dict.fromkeys(HOMES, config.stash[_HOME]))
    if _WORKERS:  # before torch is imported: workers share the cores out
        threads = max(1, (os.cpu_count() or 1) // int(_WORKERS))
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    for name in UNSET:
        os.environ.pop(name, None)


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[_HOME], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _strict((yield))


def _strict(report):
    """Turn a skip that is not allowed in CI into a failure; in place."""
    if os.environ.get("CI") != "true" or not report.skipped:
        return report
    if hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2].removeprefix("Skipped: ")
    if not any(words in reason for words in MAY_LACK):
        report.outcome = "failed"
        report.longrepr = f"CI allows no skip here: {reason}"
    return report
