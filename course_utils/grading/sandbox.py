"""Call a learner's function so that nothing it does harms the notebook.

It may print, ask for input, exit, loop, sleep, recurse, reseed or change its inputs:
all of it is caught, reported or undone. This keeps a notebook alive; it is no security
boundary (classroom grading runs in processes of its own).
"""

from __future__ import annotations

import _thread
import builtins
import contextlib
import copy
import io
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

TIME_LIMIT = 10.0  # seconds a call


class TookTooLong(BaseException):
    """Raised inside the learner's code, again and again, until it ends."""


class AskedForInput(BaseException):
    """The learner's code called input()."""


@dataclass
class Outcome:
    """What a call gave: a value, or the error that ended it; and what it changed."""

    value: Any = None
    error: BaseException | None = None
    changed: tuple[str, ...] = ()


def call_safely(
    function: Callable, *args: Any, time_limit: float = TIME_LIMIT, **kwargs: Any
) -> Outcome:
    """Call a function; report instead of raising. `changed` names mutated inputs."""
    before = {name: _frozen(value) for name, value in _named(args, kwargs)}
    outcome = Outcome()
    with _random_state_kept(), _quiet(), _no_way_out():
        try:
            with _timer(time_limit):
                outcome.value = function(*args, **kwargs)
        except KeyboardInterrupt as error:
            if not _interrupted_by_timer():
                raise
            outcome.error = TookTooLong(str(error))
        except BaseException as error:  # exit(), recursion and all else: it is reported
            outcome.error = error
    outcome.changed = tuple(
        name
        for name, value in _named(args, kwargs)
        if before[name] is not None and not _unchanged(before[name], value)
    )
    return outcome


def _named(args: tuple, kwargs: dict) -> list[tuple[str, Any]]:
    numbered = [(f"argument {i}", value) for i, value in enumerate(args, start=1)]
    return [*numbered, *kwargs.items()]


_DATA = (torch.Tensor, np.ndarray, list, dict)


def _frozen(value: Any) -> Any:
    """Copy data to compare with later; None for what is not compared (models, ...)."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return copy.deepcopy(value) if isinstance(value, _DATA) else None


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        same = before.shape == after.shape and before.dtype == after.dtype
        return same and torch.equal(before, after.detach())
    if isinstance(before, np.ndarray):
        return before.shape == after.shape and np.array_equal(before, after)
    if isinstance(before, dict):
        keys = list(before) == list(after)
        return keys and all(_unchanged(before[k], after[k]) for k in before)
    if isinstance(before, (list, tuple)):
        pairs = zip(before, after, strict=False)
        return len(before) == len(after) and all(_unchanged(a, b) for a, b in pairs)
    return type(before) is type(after) and before == after


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """Turn input() into an error and IPython's exit() into SystemExit."""

    def ask(*_: object) -> str:
        raise AskedForInput

    def leave(*_: object) -> None:
        raise SystemExit

    replaced = {"input": ask, "exit": leave, "quit": leave}
    kept = {name: getattr(builtins, name, None) for name in replaced}
    user = _user_namespace()
    shadowed = {name: user[name] for name in ("exit", "quit") if name in user}
    for name, function in replaced.items():
        setattr(builtins, name, function)
    user.update({name: leave for name in shadowed})
    try:
        yield
    finally:
        user.update(shadowed)
        for name, function in kept.items():
            if function is None:
                delattr(builtins, name)
            else:
                setattr(builtins, name, function)


def _user_namespace() -> dict[str, Any]:
    shell = getattr(builtins, "get_ipython", lambda: None)()
    return shell.user_ns if shell is not None else {}


_timer_fired = threading.Event()


def _interrupted_by_timer() -> bool:
    return _timer_fired.is_set()


@contextlib.contextmanager
def _timer(seconds: float) -> Iterator[None]:
    """Interrupt the block after `seconds`, repeatedly, against bare `except:` loops."""
    _timer_fired.clear()
    main = threading.current_thread() is threading.main_thread()
    if main and hasattr(signal, "setitimer"):
        yield from _signal_timer(seconds)
    else:
        yield from _thread_timer(seconds)


def _signal_timer(seconds: float) -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise TookTooLong

    old = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def _thread_timer(seconds: float) -> Iterator[None]:
    """Without signals: interrupt the main thread, which stops loops but not sleeps."""

    def interrupt() -> None:
        _timer_fired.set()
        _thread.interrupt_main()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
