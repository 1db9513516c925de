"""The lowest versions that pyproject.toml allows do work: they are installed and tried."""

import subprocess
import tempfile

import pytest

from courseware.places import project_root
from tests.courseware.environments import new_environment, pip, tail, without
from tests.courseware.requirements import LEARNERS, floor_lines

MODULES = (  # those that too low versions broke, and those that lean on them most
    "architectures",
    "datasets",
    "features",
    "fetch",
    "heads",
    "inspection",
    "meta_tensors",
    "probe",
    "training",
    "weights",
    "widgets",
)


@pytest.fixture
def lowest():
    """The Python of a new environment with the lowest versions; gone afterwards (6 GB)."""
    with tempfile.TemporaryDirectory() as folder:
        lines = floor_lines(*LEARNERS)
        (small,) = [line for line in lines if line.startswith("packaging==")]
        if pip("download", "--no-deps", "--dest", folder, small).returncode:
            pytest.skip("no index of packages can be reached")
        python = new_environment(f"{folder}/venv")
        ended = pip("--python", python, "install", "--quiet", *lines, timeout=1800)
        assert ended.returncode == 0, tail(ended)
        yield python


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_unit_tests_pass_with_the_lowest_versions(lowest):
    tests = [f"tests/course_utils/test_{name}.py" for name in MODULES]
    tests.append("notebooks/00_start_here.ipynb")
    ended = subprocess.run(
        [lowest, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", *tests],
        cwd=project_root(),
        # Extras beyond the learner's are missing; the course is not installed there.
        env=without("CI") | {"PYTHONPATH": str(project_root())},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, tail(ended)
