"""End a call that takes too long: loops, sleeps, and bare `except:` around them.

In the main thread a signal timer ends loops and sleeps. A loop such as
`while True: try: sleep(1) except: pass` swallows what is raised inside of its `try`,
and the moment between `except` and the next `try` is too short to be hit by a clock.
Therefore an alarm that is swallowed sounds again: the death of the exception, at the
end of the `except`, trips the signal once more, which is handled at the jump that
follows, outside of that `try`. Elsewhere (Windows, other threads) a watching thread
raises in the same way; it ends loops, but no sleep.
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
    if _is_guarded(frame) and time.monotonic() >= min(_deadlines):
        raise _echoing(signum)  # not a variable here: its traceback would keep it alive


def _echoing(signum: int) -> TookTooLong:
    global _echo
    error = TookTooLong()
    # The callback must be C code: Python code would handle the signal in itself.
    _echo = weakref.ref(error, functools.partial(_trip, signum))
    return error


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
        self.echo: weakref.ref | None = None
        self.alarm = self._make_alarm()

    def _make_alarm(self) -> type[TookTooLong]:
        watcher = self

        class Alarm(TookTooLong):  # the interpreter makes the object when it raises
            def __init__(self):
                if not watcher.done.is_set():
                    raise_again = functools.partial(_raise_in, watcher.target, Alarm)
                    watcher.echo = weakref.ref(self, raise_again)

        return Alarm

    def _watch(self) -> None:
        wait = self.seconds
        while not self.done.wait(wait):
            with self.lock:
                if not self.done.is_set():
                    _raise_in(self.target, self.alarm, None)
            wait = _REPEAT

    def stop(self) -> None:
        self.done.set()
        with self.lock:
            self.echo = None
            _raise_in(self.target, _NOTHING, None)


def _make_raise_in() -> Callable:
    # No Python code, for it serves as a callback as well: (thread, error or _NOTHING to
    # take back one that is on its way, the dead reference).
    kinds = ctypes.c_ulong, ctypes.py_object, ctypes.py_object
    return ctypes.PYFUNCTYPE(ctypes.c_int, *kinds)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )


_raise_in = _make_raise_in()
_NOTHING = ctypes.py_object()  # a null pointer
