"""Tell a person's interrupt (Ctrl+C, the notebook's ■) from one that the answer raises."""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_INTERRUPTING = (_thread, "interrupt_main"), (signal, "raise_signal")


@contextlib.contextmanager
def interrupts_told_apart() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether a person has interrupted since.

    A person's comes as a signal from outside. `raise KeyboardInterrupt` brings no signal,
    and the functions that make one here are counted.

    >>> from courseware.grading.interrupts import interrupts_told_apart
    >>> with interrupts_told_apart() as by_person:
    ...     by_person()
    False
    """
    signals, own = _Count(), _Count()
    with _noting(signals), _counting(own):
        yield lambda: signals.value > own.value


class _Count:
    value = 0


@contextlib.contextmanager
def _noting(signals: _Count) -> Iterator[None]:
    handler = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not (main and callable(handler)):
        yield  # an interrupt of a person does not come here
        return

    def note(signum: int, frame: FrameType | None) -> Any:
        signals.value += 1
        return handler(signum, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def _counting(own: _Count) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for module, name in _INTERRUPTING:
            original = getattr(module, name)
            stack.callback(setattr, module, name, original)
            setattr(module, name, _counted(original, own))
        yield


def _counted(function: Callable, own: _Count) -> Callable:
    def call(*args: Any) -> Any:
        number = args[0] if args else signal.SIGINT
        own.value += number == signal.SIGINT
        return function(*args)

    return call
