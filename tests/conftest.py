"""What tests share: a disk that is full, figures of their own."""

from contextlib import contextmanager

import pytest

from course_utils import measured


@pytest.fixture
def full_disk():
    """A context in which no file can grow beyond some bytes, as on a full disk."""
    resource = pytest.importorskip(
        "resource", reason="this system has no limits on files"
    )

    @contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture
def empty_measured(monkeypatch, tmp_path):
    """Measurements are read from and written to an empty folder, which is returned."""
    monkeypatch.setattr(measured, "data_dir", lambda: tmp_path)
    return tmp_path / "measured"
