import os
import stat
import subprocess
import sys
import time

import pytest

from course_utils import durable
from course_utils.durable import durable_path, keep_as, locked, remove_leftovers


def _write(path, text):
    with durable_path(path) as temporary:
        temporary.write_text(text)
    return path


def test_a_whole_file_takes_its_place_and_folders_are_made(tmp_path):
    path = tmp_path / "new" / "a.txt"
    _write(path, "old")
    with durable_path(path) as temporary:
        temporary.write_text("whole")
        assert path.read_text() == "old" and temporary.parent == path.parent
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, error):
    path = _write(tmp_path / "a.txt", "old")
    with pytest.raises(error), durable_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda f: done.append("sync") or sync(f))
    monkeypatch.setattr(os, "replace", lambda *a: done.append("name") or replace(*a))
    _write(tmp_path / "a.txt", "x")
    assert done[:2] == ["sync", "name"]
    assert done[2:] == ([] if os.name == "nt" else ["sync"])  # the folder


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no mode bits")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644)])
def test_the_umask_says_who_may_read(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        path = _write(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


KILLED = """
import os, sys
from pathlib import Path
from course_utils.durable import durable_path

with durable_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os._exit(9)  # no handler runs
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system tells no processes")
def test_what_a_killed_write_left_goes_with_the_next(tmp_path):
    path = _write(tmp_path / "a.txt", "old")
    for name in ("a.txt", "b.txt"):
        command = [sys.executable, "-c", KILLED, str(tmp_path / name)]
        assert subprocess.run(command, timeout=120).returncode == 9
    assert len(list(tmp_path.iterdir())) == 3 and path.read_text() == "old"
    _write(path, "new")
    left = [file.name for file in tmp_path.iterdir()]
    assert len(left) == 2 and any(name.startswith(".b.txt.") for name in left)
    remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_that_goes_on_is_left_alone_and_so_are_other_files(tmp_path):
    (tmp_path / ".mine.part").touch()
    (tmp_path / ".settings.json").touch()
    with durable_path(tmp_path / "a.txt") as temporary:
        remove_leftovers(tmp_path)
        assert temporary.exists()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_day_later_it_is_left_over_wherever_it_was_written(tmp_path):
    old = tmp_path / ".a.txt.elsewhere-1-0123abcd.part"
    old.touch()
    remove_leftovers(tmp_path)
    assert old.exists()
    os.utime(old, (0, time.time() - 2 * 24 * 3600))
    remove_leftovers(tmp_path)
    assert not old.exists()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_kept_under_another_name(tmp_path, monkeypatch, links):
    path, other = _write(tmp_path / "a", "new"), _write(tmp_path / "b", "old")
    if not links:
        monkeypatch.setattr(os, "link", _raise)
    for _ in range(2 if links else 1):
        keep_as(path, other)
        assert other.read_text() == "new" and path.exists() == links
    assert len(list(tmp_path.iterdir())) == 1 + links


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_given_once_stays_with_the_first(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", _raise)
    path = tmp_path / "a"
    for text in ("first", "second"):
        try:
            with durable_path(path, replace=False) as temporary:
                temporary.write_text(text)
        except FileExistsError:
            assert text == "second"
    assert path.read_text() == "first" and len(list(tmp_path.iterdir())) == 1


def _raise(*args):
    raise PermissionError


def test_a_lock_keeps_others_out_until_the_time_is_over(tmp_path):
    path = tmp_path / "a.json"
    with locked(path):
        with pytest.raises(TimeoutError), locked(path, timeout=0.05):
            pass
    with locked(path, timeout=0.05):
        pass


def test_without_locks_there_is_none(tmp_path, monkeypatch):
    class None_(durable.FileLock):
        def acquire(self, *args, **kwargs):
            raise NotImplementedError

    monkeypatch.setattr(durable, "FileLock", None_)
    with locked(tmp_path / "a.json"):
        pass
