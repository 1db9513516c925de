"""The learner's record: nothing lost, and no check that its file can stop."""

import importlib
import json
import os
import stat
import subprocess
import sys

import pytest

from course_utils.durable import locked
from courseware.grading import check
from courseware.grading.progress import (
    export_progress,
    main,
    progress,
    read_progress,
    record_try,
    reset_progress,
    tries,
)

records = importlib.import_module("courseware.grading.progress")  # not the function
UNIX = pytest.mark.skipif(os.name == "nt", reason="this system has no mode bits")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


TRIES = """
from courseware.grading.progress import record_try
for _ in range(40):
    record_try("00.1", 0.0, passed=False)
"""


def test_two_kernels_at_the_same_moment_lose_no_try(home):
    command = [sys.executable, "-c", TRIES]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate(timeout=120)[0] for process in running] == [b""] * 3
    assert tries("00.1") == 120
    assert sorted(f.name for f in home.iterdir()) == [
        "progress.json", "progress.json.lock"]  # fmt: skip


def test_a_lock_that_is_held_costs_a_line_and_not_the_card(home, monkeypatch, capsys):
    record_try("01.5", 1.0, passed=True)
    monkeypatch.setattr(records, "locked", lambda path: locked(path, timeout=0.05))
    with locked(home / "progress.json"):
        assert check("01.5", "c") == 1.0
    said = capsys.readouterr().out
    assert said.startswith("progress could not be saved (") and said.count("\n") == 1
    assert tries("01.5") == 1


def _homes(tmp_path):
    """Homes that cannot be made or written, each by its name."""
    (tmp_path / "file").touch()
    return {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "home"}


@pytest.mark.parametrize("name", ["a file", "below a file"])
def test_a_home_that_cannot_be_made_costs_a_line(tmp_path, monkeypatch, capsys, name):
    path = _homes(tmp_path)[name]
    monkeypatch.setenv("COURSE_HOME", str(path))
    assert check("01.5", "c") == 1.0
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and str(path) in said
    assert said.endswith("set COURSE_HOME to a folder that can be written\n")
    assert (progress()["state"] == "open").all()
    assert "progress could not be read" in capsys.readouterr().out
    reset_progress()
    assert "progress could not be saved" in capsys.readouterr().out
    assert main([]) == 0


@UNIX
@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="this system lets root write"
)
def test_a_home_that_cannot_be_written_costs_a_line(home, capsys):
    record_try("01.5", 1.0, passed=True)
    home.chmod(0o500)
    assert check("01.5", "c") == 1.0
    home.chmod(0o700)
    assert capsys.readouterr().out.count("\n") == 1 and tries("01.5") == 1


def test_on_a_full_disk_what_was_there_stays(home, full_disk, capsys):
    record_try("01.5", 1.0, passed=True)
    with full_disk(10):
        assert record_try("01.5", 1.0, passed=True) == 2  # as the hints count
    assert "progress could not be saved" in capsys.readouterr().out
    assert tries("01.5") == 1


def test_a_second_damaged_record_leaves_the_first_one_be(home, capsys):
    for text in ("first", "[" * 99_999):
        (home / "progress.json").write_text(text)
        assert read_progress() == {}
    assert (home / "progress.damaged.json").read_text() == "first"
    assert (home / "progress.damaged2.json").is_file()
    assert "set aside as progress.damaged2.json" in capsys.readouterr().out


def test_a_damaged_record_that_cannot_be_moved_costs_a_line(home, monkeypatch, capsys):
    (home / "progress.json").write_text("{")
    monkeypatch.setattr(records.os, "replace", _refuse)
    assert check("01.5", "c") == 1.0
    assert "Read-only file system" in capsys.readouterr().out
    assert (home / "progress.json").read_text() == "{"


def _refuse(*names):
    raise OSError(30, "Read-only file system", *map(str, names[:1]))


@UNIX
def test_a_link_stays_one_and_the_umask_says_who_may_read(home):
    (home / "elsewhere").mkdir()
    target = home / "elsewhere" / "mine.json"
    (home / "progress.json").symlink_to(target)
    before = os.umask(0o077)
    try:
        record_try("00.1", 1.0, passed=False)
    finally:
        os.umask(before)
    assert (home / "progress.json").is_symlink()
    assert json.loads(target.read_text())["00.1"]["tries"] == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_export_that_cannot_be_written_is_named(home):
    (home / "file").touch()
    with pytest.raises(OSError, match=r"p\.csv was not written \(.*another folder"):
        export_progress(home / "file" / "p.csv")


def test_a_task_is_forgotten_alone_and_so_are_its_hints(home):
    for task in ("00.1", "01.5"):
        record_try(task, 1.0, passed=False)
        records.hints_asked[task] += 1
    reset_progress("00.1")
    assert (tries("00.1"), tries("01.5")) == (0, 1)
    assert (records.hints_asked["00.1"], records.hints_asked["01.5"]) == (0, 1)
    reset_progress()
    assert read_progress() == {} and not records.hints_asked
