"""Where files live, and how they are written: whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_data_dir

from course_utils.errors import HomeUnavailable


def data_dir() -> Path:
    """Return the folder of the bundled images, weights and figures.

    It lies within the package where that was installed from a wheel, else beside it.

    >>> from course_utils.storage import data_dir
    >>> sorted(path.name for path in data_dir().iterdir() if path.is_dir())
    ['images', 'measured', 'weights']
    """
    package = Path(__file__).resolve().parent
    packaged = package / "data"
    return packaged if packaged.is_dir() else package.parent / "data"


def course_home() -> Path:
    """Return the learner's folder for caches and progress, made on demand.

    `COURSE_HOME` overrides the user's data folder. Raises `HomeUnavailable` (an
    `OSError`) where the folder cannot be made.

    >>> from course_utils.storage import course_home
    >>> course_home().is_dir()
    True
    """
    chosen = os.environ.get("COURSE_HOME")
    home = Path(chosen or user_data_dir("pretrained-vision-course", appauthor=False))
    try:
        home = home.expanduser()
        home.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # the latter: nobody's home is known
        number, why = getattr(error, "errno", 0), getattr(error, "strerror", str(error))
        raise HomeUnavailable(number, why, str(home)) from error
    return home


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path; on success it replaces `path`, on an error it is removed.

    A reader sees the old file or the new one, never half of one.

    >>> from pathlib import Path
    >>> from course_utils.storage import atomic_path
    >>> with atomic_path(Path("notes.txt")) as temporary:
    ...     written = temporary.write_text("whole, or not at all")
    >>> Path("notes.txt").read_text()
    'whole, or not at all'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    >>> from pathlib import Path
    >>> from course_utils.storage import sha256_bytes, sha256_file
    >>> written = Path("notes.txt").write_bytes(b"daisy")
    >>> sha256_file(Path("notes.txt")) == sha256_bytes(b"daisy")
    True
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_bytes(*chunks: bytes) -> str:
    """Return the SHA-256 of the chunks, one after the other, in hexadecimal.

    >>> from course_utils.storage import sha256_bytes
    >>> sha256_bytes(b"dai", b"sy")[:8], sha256_bytes(b"daisy")[:8]
    ('42029ef2', '42029ef2')
    """
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
