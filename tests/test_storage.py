"""Files: whole or not at all, and where the learner said."""

import hashlib

import pytest

from course_utils.storage import (
    atomic_path,
    course_home,
    data_dir,
    project_root,
    sha256_bytes,
    sha256_file,
)


def test_course_home_follows_the_variable_and_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "a" / "b"))
    assert course_home() == tmp_path / "a" / "b"
    assert course_home().is_dir()


def test_course_home_is_the_users_data_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_HOME", raising=False)
    monkeypatch.setattr(
        "course_utils.storage.user_data_dir", lambda name, appauthor: tmp_path / name
    )
    assert course_home() == tmp_path / "pretrained-vision-course"


def test_the_project_holds_data():
    assert data_dir() == project_root() / "data"
    assert (data_dir() / "images").is_dir()


def test_an_atomic_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "all of it"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"), atomic_path(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_checksums_are_sha256(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"ab")
    expected = hashlib.sha256(b"ab").hexdigest()
    assert sha256_file(path) == sha256_bytes(b"a", b"b") == expected
