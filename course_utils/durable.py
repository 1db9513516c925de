"""Files that outlive a kill and a power cut, and that two processes may share."""

from __future__ import annotations

import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

__all__ = ["durable_path", "locked"]

_DAY = 24 * 3600  # seconds, after which a write that did not end is over
_PART = re.compile(r"\.(?P<name>.+)\.(?P<host>\w+)-(?P<process>\d+)-[0-9a-f]{8}\.part")


@contextmanager
def durable_path(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it replaces it, synced to disk.

    A reader sees the old file or the new one, also after a power cut; the mode is what
    the umask asks for. On an error nothing is left. What killed writes to the same path
    had left is removed first. Folders are made. Raises `OSError` as the system does, and
    without `replace` `FileExistsError` where another process was first.

    >>> from pathlib import Path
    >>> from course_utils.durable import durable_path
    >>> with durable_path(Path("results/one.txt")) as temporary:
    ...     written = temporary.write_text("0.93")
    >>> [path.name for path in Path("results").iterdir()]
    ['one.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    temporary = path.with_name(_part_name(path.name))
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    try:
        yield temporary
        sync(temporary)
        (os.replace if replace else _name_once)(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove temporary files of `durable_path` whose writer was killed, here or long ago.

    `name` takes those of one file only. A write that goes on is left alone.
    """
    for path in Path(folder).glob(".*.part"):
        found = _PART.fullmatch(path.name)
        if found and name in (None, found["name"]) and _is_left(path, found):
            path.unlink(missing_ok=True)


def keep_as(path: Path, other: Path) -> None:
    """Let a file be found under another name too, in place of what was there.

    Where the file system has no second names, the file is moved.
    """
    second = path.with_name(_part_name(other.name))
    try:
        os.link(path, second)
    except OSError:
        os.replace(path, other)
        return
    try:
        os.replace(second, other)
    finally:
        second.unlink(missing_ok=True)  # stays where both names were one file's already


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, written to disk.

    Does nothing for a folder where the system cannot (Windows).
    """
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, timeout: float = 10.0) -> Iterator[None]:
    """Keep other processes and threads that lock `path` out meanwhile.

    The lock is the file `<name>.lock`, which stays there, and is let go when its process
    ends, however. Raises `TimeoutError` after `timeout` seconds, and `OSError` where the
    folder cannot be written. Where the file system has no locks, there is none.

    >>> from pathlib import Path
    >>> from course_utils.durable import locked
    >>> with locked(Path("progress.json")):  # others wait here, for 10 seconds
    ...     written = Path("progress.json").write_text("{}")
    """
    lock = FileLock(path.with_name(path.name + ".lock"), timeout=timeout)
    try:
        lock.acquire()
    except NotImplementedError:
        pass
    try:
        yield
    finally:
        lock.release()


def _name_once(temporary: Path, path: Path) -> None:
    """Give a file its name unless that is taken; of two processes one succeeds."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # no second names here: between these two lines another may come
        if path.exists():
            raise FileExistsError(f"{path} is there already") from None
        os.replace(temporary, path)


def _part_name(name: str) -> str:
    """A name no other write has, which tells whose it is."""
    return f".{name}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}.part"


def _host() -> str:
    return re.sub(r"\W", "_", platform.node()) or "here"


def _is_left(path: Path, found: re.Match) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:  # its writer has just ended
        return False
    if age > _DAY:
        return True
    return found["host"] == _host() and not _runs(int(found["process"]))


def _runs(process: int) -> bool:
    if os.name == "nt":  # there os.kill ends a process, whatever the signal
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
