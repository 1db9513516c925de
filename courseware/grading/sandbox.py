"""Call a learner's function so that nothing it does harms the notebook.

It may print, ask for input, exit, loop, sleep, recurse, reseed or change its inputs:
all of it is caught, reported or undone. This keeps a notebook alive; it is no security
boundary (classroom grading runs in processes of its own).
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

import torch

from course_utils.runtime import generators_kept
from courseware.grading.alarms import TookTooLong, call_within
from courseware.grading.values import copied, plain, unchanged

__all__ = ["AskedForInput", "Outcome", "TIME_LIMIT", "TookTooLong", "call_safely"]

TIME_LIMIT = 10.0  # seconds a call


class AskedForInput(BaseException):
    """The learner's code asked the keyboard: input(), getpass() or breakpoint()."""


@dataclass
class Outcome:
    """What a call gave: a value, or the error that ended it; and what it changed."""

    value: Any = None
    error: BaseException | None = None
    changed: tuple[str, ...] = ()


def call_safely(
    function: Callable, *args: Any, time_limit: float | None = None, **kwargs: Any
) -> Outcome:
    """Call a function with copies of its data; report instead of raising.

    `changed` names the arguments that it changed: tensors, arrays, lists and dicts.
    Other objects, such as models, are handed over themselves and are not compared.
    A person's own interrupt is raised as ever.
    """
    limit = TIME_LIMIT if time_limit is None else time_limit
    handed = [copied(value) for value in args]
    named = {name: copied(value) for name, value in kwargs.items()}
    outcome = Outcome()
    with _state_kept(), _quiet(), _no_way_out():
        try:
            value = call_within(lambda: function(*handed, **named), limit)
            outcome.value = plain(value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # exit(), recursion and all else: it is reported
            outcome.error = error
    before = {f"argument {i}": value for i, value in enumerate(args, start=1)} | kwargs
    after = dict(zip(before, [*handed, *named.values()], strict=True))
    changed = (name for name in before if not unchanged(before[name], after[name]))
    outcome.changed = tuple(changed)
    return outcome


@contextlib.contextmanager
def _state_kept() -> Iterator[None]:
    """Undo reseeding, a switched-off autograd and another default dtype."""
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        with generators_kept():
            yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what is printed, logged or warned, by C code too.

    A word on stderr makes nbgrader give no points at all.
    """
    silenced = logging.root.manager.disable
    with (
        open(os.devnull, "w", encoding="utf-8") as sink,
        _descriptors_to(sink.fileno()),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(silenced)


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


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """Turn input() into an error and IPython's exit() into SystemExit."""
    shadowed = {n: _leave for n in ("exit", "quit") if n in _user_namespace()}
    with (
        _replaced(vars(builtins), {"input": _ask, "exit": _leave, "quit": _leave}),
        _replaced(_user_namespace(), shadowed),
        _replaced(vars(getpass), {"getpass": _ask}),
        _replaced(vars(sys), {"breakpointhook": _ask}),
    ):
        yield


@contextlib.contextmanager
def _replaced(namespace: dict[str, Any], new: dict[str, Any]) -> Iterator[None]:
    kept = {name: namespace[name] for name in new if name in namespace}
    namespace.update(new)
    try:
        yield
    finally:
        for name in new:
            namespace.pop(name, None)
        namespace.update(kept)


def _user_namespace() -> dict[str, Any]:
    shell = getattr(builtins, "get_ipython", lambda: None)()
    return shell.user_ns if shell is not None else {}
