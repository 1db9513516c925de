"""End the processes and close the figures that a check leaves behind.

Only those: a person's own processes and figures stay. Threads cannot be ended from
outside.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_THREADS = Path("/proc/self/task")
_KEPT_BY_PYTHON = (  # (module, object, attribute): processes that serve all others
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
)


@contextlib.contextmanager
def leftovers_cleared() -> Iterator[None]:
    """Close new figures and end new child processes, with their own children.

    >>> import matplotlib.pyplot as plt
    >>> from courseware.grading.leftovers import leftovers_cleared
    >>> with leftovers_cleared():
    ...     figure = plt.figure()
    >>> figure.number in plt.get_fignums()
    False
    """
    figures, workers = _figures(), set(multiprocessing.active_children())
    threads, children = _threads(), _children(_threads())
    try:
        yield
    finally:
        _close_figures(keep=figures)
        new = (_threads() - threads) | {_this_thread()}
        found = _children(new) - children - _kept_by_python()
        with _no_word_of_children():
            _end_workers(set(multiprocessing.active_children()) - workers)
            for process in found:
                _end(process)


def _figures() -> list[int]:
    plt = sys.modules.get("matplotlib.pyplot")
    return plt.get_fignums() if hasattr(plt, "get_fignums") else []


def _close_figures(keep: list[int]) -> None:
    for number in set(_figures()) - set(keep):
        sys.modules["matplotlib.pyplot"].close(number)


def _this_thread() -> str:
    return str(threading.get_native_id())


def _threads() -> set[str]:
    return set(os.listdir(_THREADS)) if _THREADS.is_dir() else set()


def _children(threads: set[str]) -> set[int]:
    """Children that these threads started, where the system says so (Linux)."""
    if not _has_children():
        return set()
    return {child for thread in threads for child in _listed(_THREADS / thread)}


def _has_children() -> bool:
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _listed(thread: Path) -> list[int]:
    try:
        return [int(n) for n in (thread / "children").read_text().split()]
    except OSError:  # it has ended, or the system keeps no such list
        return []


def _kept_by_python() -> set[int]:
    found = (
        getattr(getattr(sys.modules.get(module), name, None), attribute, None)
        for module, name, attribute in _KEPT_BY_PYTHON
    )
    return {process for process in found if process is not None}


def _end_workers(workers: set) -> None:
    for worker in workers:
        worker.kill()
        worker.join()


def _end(process: int) -> None:
    """End a child and its descendants, who would else be nobody's."""
    family = [process, *_descendants(process)]
    for member in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, 0)


def _descendants(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task").glob("*")
    children = [child for thread in threads for child in _listed(thread)]
    return [*children, *(d for child in children for d in _descendants(child))]


@contextlib.contextmanager
def _no_word_of_children() -> Iterator[None]:
    """Leave out handlers of SIGCHLD: torch's raises when a worker was killed."""
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "SIGCHLD")):
        yield
        return
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)
