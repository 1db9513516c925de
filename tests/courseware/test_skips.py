"""In CI nothing is skipped but what a bare machine may lack (conftest.py)."""

import os
import subprocess
import sys

import pytest

from courseware.places import project_root

TESTS = """
import pytest

def test_gpu():
    pytest.skip("no GPU")

@pytest.mark.skipif(True, reason="no Chromium")
def test_browser():
    pass

@pytest.mark.xfail
def test_known():
    assert False
"""
MODULE = "import pytest\npytest.importorskip('no_such_tool', reason='no such tool')\n"


@pytest.fixture
def run(tmp_path):
    def run(text, ci):
        (tmp_path / "test_it.py").write_text(text)
        options = [
            "-c",
            os.devnull,
            "--rootdir",
            str(tmp_path),
            "-ra",
            "-p",
            "conftest",
        ]
        found = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_it.py")],
            env=os.environ | {"CI": ci, "PYTHONPATH": str(project_root())},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        return found.returncode, found.stdout

    return run


def test_in_ci_a_skip_fails_unless_a_bare_machine_may_lack_that(run):
    code, shown = run(TESTS, "true")
    assert code == 1 and "1 skipped, 1 xfailed, 1 error" in shown
    assert "test_browser - CI allows no skip here: no Chromium" in shown
    assert "no GPU" in shown


def test_elsewhere_it_does_not(run):
    code, shown = run(TESTS, "")
    assert code == 0 and "2 skipped, 1 xfailed" in shown


def test_in_ci_a_module_that_is_skipped_fails(run):
    code, shown = run(MODULE, "true")
    assert code == 2 and "CI allows no skip here: no such tool" in shown


def test_elsewhere_it_is_skipped(run):
    assert "1 skipped" in run(MODULE, "")[1]
