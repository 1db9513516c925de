"""What a call has used of the machine, and when that is too much."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_REFERENCE = 0.25e-3  # CPU-seconds of the reference work on the reference machine
_SLOWEST = 10.0  # no machine gets more than ten times the limit
_IDLE = 0.02  # of a core: who uses less for a while is not computing
_WINDOW = 1.0  # seconds of such a while
_PATIENCE = 20.0  # wall seconds for each second of the limit, on a busy machine
_LEAST_PATIENCE = 60.0


class TookTooLong(BaseException):
    """The call has used up its CPU time.

    >>> from courseware.grading.clocks import TookTooLong
    >>> issubclass(TookTooLong, Exception)  # so that few `except` catch it
    False
    """


class NotJudged(BaseException):
    """The call was ended before its CPU time was used up: that tells nothing of it.

    `reason` is "waiting" where it slept or waited for something, and "busy" where the
    machine hardly let it run.

    >>> from courseware.grading.clocks import NotJudged
    >>> NotJudged("waiting").reason
    'waiting'
    """

    def __init__(self, reason: str = "busy"):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Clocks:
    """Three clocks of one thread, in seconds: all of them only ever go forward.

    >>> from courseware.grading.clocks import Clocks
    >>> clocks = Clocks.of_this_thread()
    >>> before = clocks.cpu()
    >>> total = sum(range(100_000))
    >>> clocks.cpu() > before
    True
    """

    wall: Callable[[], float]
    cpu: Callable[[], float]
    queue: Callable[[], float]  # runnable, but other processes had the processor

    @classmethod
    def of_this_thread(cls, *, read_elsewhere: bool = False) -> Clocks:
        """Return the clocks of the calling thread, also for another thread to read."""
        cpu = _readable_elsewhere() if read_elsewhere else time.thread_time
        return cls(time.monotonic, cpu, _queue_of_this_thread())


def _readable_elsewhere() -> Callable[[], float]:
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.process_time  # Windows, macOS: other threads count as well
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)


def _queue_of_this_thread() -> Callable[[], float]:
    path = f"/proc/self/task/{threading.get_native_id()}/schedstat"

    def read() -> float:
        try:
            with open(path, encoding="ascii") as file:
                return int(file.read().split()[1]) / 1e9
        except (OSError, IndexError):  # no Linux: the windows alone tell who sleeps
            return 0.0

    return read


class Pace:
    """How slow the machine is, from a fixed piece of work that is timed now and again.

    >>> from courseware.grading.clocks import Pace
    >>> pace = Pace()
    >>> pace.measure(times=3)
    >>> 1.0 <= pace.factor() <= 10.0
    True
    """

    def __init__(self):
        self._spent, self._count = 0.0, 0

    def measure(self, times: int = 1) -> None:
        """Time the reference work, in CPU-seconds of the thread that calls this."""
        for _ in range(times):
            start = time.thread_time()
            _reference_work()
            self._spent += time.thread_time() - start
            self._count += 1

    def factor(self) -> float:
        """Return by how much limits are stretched: 1 on a machine that is fast enough."""
        if not self._count:
            self.measure(times=10)
        slow = self._spent / self._count / _REFERENCE
        return min(max(slow, 1.0), _SLOWEST)


def _reference_work() -> int:
    total = 0
    for i in range(5_000):
        total += i * i % 7
    return total


class Usage:
    """What a call has used since it began, held against its limit in CPU-seconds.

    >>> from courseware.grading.clocks import Clocks, Pace, Usage
    >>> usage = Usage(10.0, Clocks.of_this_thread(), Pace())
    >>> usage.late() is None
    True
    """

    def __init__(self, limit: float, clocks: Clocks, pace: Pace):
        self.limit, self._clocks, self._pace = limit, clocks, pace
        self._window = min(_WINDOW, limit / 4)
        self._seen = self._began = clocks.wall(), clocks.cpu(), clocks.queue()
        self._waiting = 0.0

    def look(self) -> None:
        """Count the time since the last look as waiting, if the call hardly ran in it.

        Time in which it would have run, had the machine let it, does not count.
        """
        now = self._clocks.wall(), self._clocks.cpu(), self._clocks.queue()
        wall, cpu, queue = (b - a for a, b in zip(self._seen, now, strict=True))
        if wall < self._window:
            return
        if cpu < _IDLE * wall:
            self._waiting += max(0.0, wall - cpu - queue)
        self._seen = now

    def late(self) -> BaseException | None:
        """Return what the call has to be ended with, or None where it may go on."""
        wall = self._clocks.wall() - self._began[0]
        if wall < self.limit:  # a thread uses no more than that of the processor
            return None
        self.look()
        cpu = self._clocks.cpu() - self._began[1]
        if cpu >= self.limit and cpu >= self.limit * self._pace.factor():
            return TookTooLong()
        if self._waiting >= self.limit:
            return NotJudged("waiting")
        longest = max(_PATIENCE * self.limit, _LEAST_PATIENCE)
        return NotJudged("busy") if wall >= longest else None
