import hashlib
import os
import stat
import sys
from pathlib import Path

import pytest

import course_utils
from course_utils import storage
from course_utils.errors import HomeUnavailable
from course_utils.storage import (
    atomic_path,
    course_home,
    data_dir,
    sha256_bytes,
    sha256_file,
)


def test_in_a_checkout_the_data_lies_beside_the_package():
    assert data_dir() == Path(course_utils.__file__).resolve().parents[1] / "data"
    assert (data_dir() / "images" / "SHA256SUMS").is_file()


def test_in_an_installed_package_the_data_lies_within(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(storage, "__file__", str(tmp_path / "storage.py"))
    assert data_dir() == tmp_path.resolve() / "data"


def test_the_environment_moves_the_learners_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "a" / "b"))
    assert course_home() == tmp_path / "a" / "b"
    assert course_home().is_dir()


def test_a_home_may_start_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("COURSE_HOME", "~/course")
    assert course_home() == tmp_path / "course"


def test_without_it_the_folder_is_the_systems_own(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_HOME", raising=False)
    place = tmp_path / "pretrained-vision-course"
    monkeypatch.setattr(
        "course_utils.storage.user_data_dir", lambda name, appauthor: tmp_path / name
    )
    assert course_home() == place and place.is_dir()


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_home_that_cannot_be_made_is_named_with_the_way_out(
    monkeypatch, tmp_path, below
):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file" / below))
    with pytest.raises(
        HomeUnavailable, match=r"file.* cannot be made .* set COURSE_HOME"
    ):
        course_home()


def test_nobodys_home_is_named(monkeypatch):
    monkeypatch.setenv("COURSE_HOME", "~nobody-of-this-name/course")
    with pytest.raises(HomeUnavailable, match=r"cannot be made .* set COURSE_HOME"):
        course_home()


def test_a_whole_file_takes_its_place_and_folders_are_made(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no mode bits")
def test_others_may_read_what_was_written(tmp_path):
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert stat.S_IMODE(os.stat(tmp_path / "a.txt").st_mode) == 0o644


def test_checksums_are_sha256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert sha256_file(path) == sha256_bytes(b"a", b"bc") == expected
