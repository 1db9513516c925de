"""End a call that takes too long: loops, sleeps, and bare `except:` around them.

In the main thread a signal timer ends loops and sleeps. A loop such as
`while True: try: sleep(1) except: pass` swallows what is raised inside of its `try`, and
the moment between `except` and the next `try` is too short to be hit by a clock.
Therefore an alarm that is swallowed sounds again: the death of the exception, at the end
of the `except`, trips the signal once more, which is handled at the jump that follows,
outside of that `try`. Elsewhere (Windows, other threads) a watching thread raises
repeatedly; it ends loops, but no sleep.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import signal
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

_REPEAT = 0.2  # seconds from one alarm to the next
_SOON = 1e-3  # the same, for the watching thread, which has no echo
_PATIENCE = 3  # alarms of the watching thread before they come soon


class TookTooLong(BaseException):
    """Raised inside a call again and again, from its time limit on until it ends."""


def call_within(function: Callable[[], Any], seconds: float) -> Any:
    """Call a function and return its value; raise TookTooLong when time is up.

    Calls nest: an inner one leaves the limits of the outer ones in force. A timer that
    somebody else had set (pytest-timeout's) runs on afterwards.
    """
    main = threading.current_thread() is threading.main_thread()
    if main and hasattr(signal, "setitimer"):
        return _with_signal(function, seconds)
    return _with_watcher(function, seconds)


def _guarded(function: Callable[[], Any]) -> Any:
    # A name to look for on the stack: an alarm is raised only below this frame, never
    # in the code of ours that cleans up.
    return function()


def _is_guarded(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is _guarded.__code__:
            return True
        frame = frame.f_back
    return False


_deadlines: list[float] = []  # of the nested calls in the main thread, innermost last
_echo: weakref.ref | None = None  # of the alarm raised last


def _with_signal(function: Callable[[], Any], seconds: float) -> Any:
    depth, began = len(_deadlines), time.monotonic()
    if depth == 0:
        old_handler = signal.signal(signal.SIGALRM, _alarm)
        old_timer = signal.getitimer(signal.ITIMER_REAL)
    _deadlines.append(began + seconds)
    _arm()
    try:
        return _guarded(function)
    finally:
        del _deadlines[depth:]
        _arm()
        if depth == 0:
            signal.signal(signal.SIGALRM, old_handler)
            _resume(old_timer, time.monotonic() - began)


def _arm() -> None:
    """Set the timer to the next deadline, or off where there is none."""
    global _echo
    _echo = None
    if _deadlines:
        wait = max(min(_deadlines) - time.monotonic(), 1e-3)
        signal.setitimer(signal.ITIMER_REAL, wait, _REPEAT)
    else:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _alarm(signum: int, frame: FrameType | None) -> None:
    global _echo
    if not _is_guarded(frame) or time.monotonic() < min(_deadlines):
        return
    error = TookTooLong()
    # The callback must be C code: Python code would handle the signal in itself.
    _echo = weakref.ref(error, functools.partial(_trip, signum))
    raise error


def _make_trip() -> Callable:
    trip = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.py_object)
    return trip(("PyErr_SetInterruptEx", ctypes.pythonapi))


_trip = _make_trip()  # (signal, the dead reference, which it ignores)


def _resume(timer: tuple[float, float], elapsed: float) -> None:
    left, interval = timer
    if left:
        signal.setitimer(signal.ITIMER_REAL, max(left - elapsed, 1e-3), interval)


def _with_watcher(function: Callable[[], Any], seconds: float) -> Any:
    watcher = _Watcher(seconds)
    watcher.thread.start()
    try:
        return _guarded(function)
    finally:
        stopped = False
        while not stopped:  # an alarm that is on its way may still arrive here
            with contextlib.suppress(TookTooLong):
                watcher.stop()
                stopped = True


class _Watcher:
    """A thread that raises TookTooLong in the thread that made it."""

    def __init__(self, seconds: float):
        self.seconds, self.target = seconds, threading.get_ident()
        self.done, self.lock = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        wait, fired = self.seconds, 0
        while not self.done.wait(wait):
            with self.lock:
                if not self.done.is_set():
                    _raise_in(self.target, TookTooLong)
            fired += 1
            wait = _REPEAT if fired < _PATIENCE else _SOON

    def stop(self) -> None:
        self.done.set()
        with self.lock:
            _raise_in(self.target, None)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
