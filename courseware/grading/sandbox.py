"""Call a learner's function so that nothing it does harms the notebook.

It may print, ask for input, exit, loop, sleep, recurse, reseed or change its inputs:
all of it is caught, reported or undone. This keeps a notebook alive; it is no security
boundary (classroom grading runs in processes of its own).

Each call has a limit of CPU time, which a busy machine does not use up (`alarms`).
Settings of torch and of the process are put back after each call (`kept`), figures and
child processes when the outermost call ends (`leftovers`). Within the outermost call
torch starts from its own defaults, on the CPU and in one thread. What a call replaces in
the course's own code or in torch's is put back and named (`patches`). Threads that it
started, and what it does within one long call of C code, cannot be stopped from here.
"""

from __future__ import annotations

import builtins
import contextlib
import getpass
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from courseware.grading.alarms import call_within, held
from courseware.grading.clocks import NotJudged, TookTooLong
from courseware.grading.interrupts import interrupts_told_apart
from courseware.grading.kept import DEEPEST, state_kept
from courseware.grading.leftovers import leftovers_cleared
from courseware.grading.patches import code_kept
from courseware.grading.values import copied, plain, unchanged

__all__ = [
    "AskedForInput",
    "NotJudged",
    "Outcome",
    "TIME_LIMIT",
    "TookTooLong",
    "call_safely",
]

TIME_LIMIT = 10.0  # CPU-seconds a call, on a machine that is fast enough


class AskedForInput(BaseException):
    """The learner's code asked the keyboard: input(), getpass() or breakpoint().

    >>> from courseware.grading.sandbox import call_safely
    >>> type(call_safely(lambda: input("?")).error).__name__
    'AskedForInput'
    """


@dataclass
class Outcome:
    """What a call gave: a value, or the error that ended it; and what it changed.

    `changed` names its arguments; `patched` what it replaced in the code that checks rely
    on, such as "torch.equal". Both are as before again.

    >>> from courseware.grading.sandbox import Outcome
    >>> Outcome(value=3)
    Outcome(value=3, error=None, changed=(), patched=())
    """

    value: Any = None
    error: BaseException | None = None
    changed: tuple[str, ...] = ()
    patched: tuple[str, ...] = ()


def call_safely(
    function: Callable, *args: Any, time_limit: float | None = None, **kwargs: Any
) -> Outcome:
    """Call a function with copies of its data; report instead of raising.

    `changed` names the arguments that it changed: tensors, arrays, lists and dicts.
    Other objects, such as models, are handed over themselves and are not compared.
    A person's own interrupt is raised as ever, and NotJudged where the call was ended
    although it had CPU time left (of `time_limit` seconds, TIME_LIMIT by default): it
    slept, or the machine was too busy.

    >>> import torch
    >>> from courseware.grading.sandbox import call_safely
    >>> data = torch.zeros(2)
    >>> outcome = call_safely(lambda x: x.add_(1), data)
    >>> outcome.value, outcome.changed, data
    (tensor([1., 1.]), ('argument 1',), tensor([0., 0.]))
    """
    limit = TIME_LIMIT if time_limit is None else time_limit
    handed = [copied(value) for value in args]
    named = {name: copied(value) for name, value in kwargs.items()}
    outcome = _call(lambda: function(*handed, **named), limit)
    before = {f"argument {i}": value for i, value in enumerate(args, start=1)} | kwargs
    after = dict(zip(before, [*handed, *named.values()], strict=True))
    changed = (name for name in before if not unchanged(before[name], after[name]))
    outcome.changed = tuple(changed)
    return outcome


def _call(function: Callable[[], Any], limit: float) -> Outcome:
    outcome = Outcome()
    with held() as outermost, code_kept() as patched:
        with _surroundings(outermost=outermost), interrupts_told_apart() as by_person:
            try:
                outcome.value = plain(call_within(_ended_with(function), limit))
            except NotJudged:
                raise
            except KeyboardInterrupt as error:
                if by_person():
                    raise
                outcome.error = error
            except BaseException as error:  # exit(), recursion and all else: reported
                outcome.error = error
    outcome.patched = tuple(patched)
    return outcome


@contextlib.contextmanager
def _surroundings(*, outermost: bool) -> Iterator[None]:
    cleared = leftovers_cleared() if outermost else contextlib.nullcontext()
    with state_kept(outermost=outermost), cleared, _quiet(), _no_way_out():
        yield


def _ended_with(function: Callable[[], Any]) -> Callable[[], Any]:
    """Let a child that the function forks end with it: the notebook is its parent's."""
    process = os.getpid()

    def run() -> Any:
        try:
            return function()
        finally:
            if os.getpid() != process:
                os._exit(0)

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what is printed, logged or warned, by C code too.

    A word on stderr makes nbgrader give no points at all.
    """
    with (
        open(os.devnull, "w", encoding="utf-8") as sink,
        _descriptors_to(sink.fileno()),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
        warnings.catch_warnings(),
        _log_disabled(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _log_disabled() -> Iterator[None]:
    before = logging.root.manager.disable
    if before < logging.CRITICAL:  # to set it clears the cache of every logger
        logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        if logging.root.manager.disable != before:
            logging.disable(before)


@contextlib.contextmanager
def _descriptors_to(target: int) -> Iterator[None]:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = {}
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # a program without a console has none
            kept[descriptor] = os.dup(descriptor)
            os.dup2(target, descriptor)
    try:
        yield
    finally:
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def _ask(*_: object, **__: object) -> str:
    raise AskedForInput


def _leave(*_: object) -> None:
    raise SystemExit


def _set_recursion_limit(limit: int) -> None:
    _unbounded(min(limit, DEEPEST))


_unbounded = sys.setrecursionlimit


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """Turn input() into an error, IPython's exit() into SystemExit; bound recursion."""
    bounded = {"setrecursionlimit": _set_recursion_limit}
    shadowed = {n: _leave for n in ("exit", "quit") if n in _user_namespace()}
    with (
        _replaced(vars(builtins), {"input": _ask, "exit": _leave, "quit": _leave}),
        _replaced(_user_namespace(), shadowed),
        _replaced(vars(getpass), {"getpass": _ask}),
        _replaced(vars(sys), {"breakpointhook": _ask, **bounded}),
    ):
        yield


@contextlib.contextmanager
def _replaced(namespace: dict[str, Any], new: dict[str, Any]) -> Iterator[None]:
    kept = {name: namespace[name] for name in new if name in namespace}
    namespace.update(new)
    try:
        yield
    finally:
        for name in new.keys() - kept.keys():
            namespace.pop(name, None)
        namespace.update(kept)


def _user_namespace() -> dict[str, Any]:
    shell = getattr(builtins, "get_ipython", lambda: None)()
    return shell.user_ns if shell is not None else {}
