"""End a call that takes too long: loops, sleeps, and bare `except:` around them.

What counts is the CPU time of the thread that runs the call, so that neither other
processes nor other threads of the kernel use it up, and a machine on which a fixed piece
of work takes longer gives more of it. A call that waits, that is hardly runs although the
machine would let it, is ended after as many wall seconds, and one that the machine keeps
from running after twenty times as many: both are not judged. In the main thread a signal
timer looks at the clocks five times a second and raises; elsewhere (Windows, other
threads) a watching thread does, which ends loops, but no sleep. An alarm that is swallowed
sounds again (below), and when the call returns the clocks decide, so that one that
swallowed or switched off all alarms is late all the same. Alarms sound only while the
call's own code runs, so that what it left behind is always put back in full.

A loop such as `while True: try: sleep(1) except: pass` swallows what is raised inside of
its `try`, and the moment between `except` and the next `try` is too short to be hit by a
clock. But the death of the exception, at the end of the `except`, trips the signal once
more, which is handled at the jump that follows, outside of that `try`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from courseware.grading.clocks import Clocks, NotJudged, Pace, TookTooLong, Usage

_TICK = 0.2  # seconds from one look at the clocks to the next, and between alarms
_MANY = 20  # alarms that were swallowed


def call_within(function: Callable[[], Any], seconds: float) -> Any:
    """Call a function and return its value; end it when its time is up.

    Raise TookTooLong when it has used `seconds` of CPU time, on a slow machine more, and
    NotJudged when it was ended for another reason. Calls nest: an inner one leaves the
    limits of the outer ones in force. A timer that somebody else had set
    (pytest-timeout's) runs on afterwards.
    """
    guard = _this_guard()
    with held():
        usage = guard.begin(seconds)
        try:
            return guard.run(function)
        finally:
            late = guard.end(usage)
            if late is not None:
                raise late from None


@contextlib.contextmanager
def held() -> Iterator[bool]:
    """Hold all alarms back but in what `call_within` calls; tell if it is the outermost.

    State that must be put back is put back within this. An outer call whose time is up
    is ended on entering.
    """
    guard = _this_guard()
    was = guard.open
    try:
        guard.shut()
        guard.raise_if_late()
        yield not guard.calls
    finally:
        guard.open = was


class _Guard:
    """The nested calls of one thread; alarms sound only while it is open."""

    def __init__(self):
        self.calls: list[Usage] = []  # the innermost last
        self.open = False

    def begin(self, seconds: float) -> Usage:
        if not self.calls:
            signals = hasattr(signal, "setitimer") and _in_main_thread()
            self.clocks = Clocks.of_this_thread(read_elsewhere=not signals)
            self.pace, self._paced = Pace(), 0.0
            self.bell = _Signals() if signals else _Watcher(self, min(_TICK, seconds))
        usage = Usage(seconds, self.clocks, self.pace)
        self.calls.append(usage)
        self.bell.arm(min(_TICK, seconds))
        return usage

    def run(self, function: Callable[[], Any]) -> Any:
        # An alarm is raised where Python calls or jumps back. It does neither between
        # `open = True` and the `try`, nor from the end of the call to `open = False`.
        self.open = True
        try:
            return function()
        finally:
            self.open = False
            while True:
                try:
                    self.shut()
                    break
                except (TookTooLong, NotJudged):  # a watcher had raised it before that
                    self.bell.echo = None

    def shut(self) -> None:
        """Let no alarm through from here on, not even one that is on its way."""
        self.open = False
        if self.calls:
            self.bell.hush()

    def end(self, usage: Usage) -> BaseException | None:
        late = usage.late()
        del self.calls[self.calls.index(usage) :]
        if self.calls:
            self.bell.arm(_TICK)  # the call may have switched it off
        else:
            self.bell.stop()
        return late

    def look(self) -> BaseException | None:
        """Look at the clocks of all calls; return why one of them has to end, or None."""
        cpu = self.clocks.cpu()
        if cpu - self._paced >= _TICK:  # on a starved machine a tick has no time for it
            self._paced = cpu
            self.pace.measure()
        for usage in self.calls:
            usage.look()
        return self.late()

    def late(self) -> BaseException | None:
        found = (usage.late() for usage in self.calls)
        return next((late for late in found if late is not None), None)

    def raise_if_late(self) -> None:
        late = self.late()
        if late is not None:
            raise late


class _Guards(threading.local):
    def __init__(self):
        self.guard = _Guard()


_guards = _Guards()


def _this_guard() -> _Guard:
    return _guards.guard


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


class _Signals:
    """A timer whose signal raises in the main thread."""

    def __init__(self):
        self.echo: weakref.ref | None = None  # of the alarm raised last
        self._raised = self._skip = 0
        self._began = time.monotonic()
        self._old_handler = signal.getsignal(signal.SIGALRM) or signal.SIG_DFL
        self._old_timer = signal.getitimer(signal.ITIMER_REAL)

    def arm(self, first: float) -> None:
        signal.signal(signal.SIGALRM, _alarm)
        signal.setitimer(signal.ITIMER_REAL, max(first, 1e-3), _TICK)

    def hush(self) -> None:
        self.echo = None

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._old_handler)
        left, interval = self._old_timer
        if left:
            elapsed = time.monotonic() - self._began
            signal.setitimer(signal.ITIMER_REAL, max(left - elapsed, 1e-3), interval)

    def next(self, kind: type[BaseException]) -> BaseException | _Fuse:
        """Return what sounds again at its death: an alarm, or a fuse to sound later.

        Python 3.12 may handle an echo within the very `try` that it has left, for ever
        (its issue 108214); one, two or three jumps later it does not.
        """
        if self._skip:
            self._skip -= 1
            found = _Fuse()
        else:
            self._raised += 1
            turns, rest = divmod(self._raised, _MANY)
            self._skip = 0 if rest else 1 + turns % 3
            found = kind()
        # The callback must be C code: Python code would handle the signal in itself.
        self.echo = weakref.ref(found, functools.partial(_trip, signal.SIGALRM))
        return found


class _Fuse:
    pass


def _alarm(signum: int, frame: FrameType | None) -> None:
    guard = _this_guard()
    if not guard.open:
        return
    guard.open = False  # on a starved machine the next tick may come before this ends
    try:
        late = guard.look()
        error = None if late is None else guard.bell.next(type(late))
        is_fuse = error is None or type(error) is _Fuse
    finally:
        guard.open = True
    if is_fuse:  # it dies with this frame
        return
    try:  # no call since `open = True`: the next alarm might sound within it
        raise error
    finally:
        del error  # its traceback holds this frame, and would keep it alive


def _make_trip() -> Callable:
    trip = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.py_object)
    return trip(("PyErr_SetInterruptEx", ctypes.pythonapi))


_trip = _make_trip()  # (signal, the dead reference, which it ignores)


class _Watcher:
    """A thread that raises in the thread that made it."""

    def __init__(self, guard: _Guard, first: float):
        self._guard, self._target = guard, threading.get_ident()
        self.echo: weakref.ref | None = None
        self._wait, self._rang, self._raised = first, False, 0
        self._done, self._lock = threading.Event(), threading.Lock()
        self._alarms = {kind: self._alarm(kind) for kind in (TookTooLong, NotJudged)}
        threading.Thread(target=self._watch, daemon=True).start()

    def arm(self, first: float) -> None:
        self._wait = min(self._wait, first)

    def _alarm(self, kind: type[BaseException]) -> type[BaseException]:
        watcher = self

        class Alarm(kind):  # the interpreter makes the object when it raises
            def __init__(self):
                super().__init__()
                watcher._raised += 1
                # Now and then the next one comes with a tick, elsewhere: see _Signals.
                if watcher._guard.open and watcher._raised % _MANY:
                    again = functools.partial(_raise_in, watcher._target, Alarm)
                    watcher.echo = weakref.ref(self, again)

        return Alarm

    def _watch(self) -> None:
        while not self._done.wait(self._wait):
            self._wait = _TICK if self._raised < _MANY else _TICK / 20
            with self._lock:
                late = self._guard.look() if self._is_open() else None
                if late is not None and self._is_open():
                    self._rang = True
                    _raise_in(self._target, self._alarms[type(late)], None)

    def _is_open(self) -> bool:
        return self._guard.open and not self._done.is_set()

    def hush(self) -> None:
        with self._lock:
            self.echo = None
            if self._rang:
                self._rang = False
                # It takes the place of an alarm that is on its way, and arrives. (To
                # take one back leaves Python 3.11 waiting for it, for ever if it traces.)
                with contextlib.suppress(_Arrived):
                    _raise_in(self._target, _Arrived, None)
                    while True:
                        pass

    def stop(self) -> None:
        self._done.set()


class _Arrived(BaseException):
    pass


def _make_raise_in() -> Callable:
    # No Python code, for it serves as a callback as well: (thread, error, the dead
    # reference).
    kinds = ctypes.c_ulong, ctypes.py_object, ctypes.py_object
    return ctypes.PYFUNCTYPE(ctypes.c_int, *kinds)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )


_raise_in = _make_raise_in()
