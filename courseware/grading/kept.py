"""Put back what a call leaves behind: torch's settings, the process's, its generators.

Threads that it started cannot be ended from outside; they run on.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.modules import module as _module
from torch.overrides import _get_current_function_mode_stack, _pop_mode, _push_mode
from torch.utils import _device

from course_utils.runtime import generators_kept

DEEPEST = 10_000  # calls within calls; a limit far above fills the memory first
_ACCELERATORS = "cpu", "cuda", "mps", "xpu"


@contextlib.contextmanager
def state_kept(*, outermost: bool) -> Iterator[None]:
    """Put all settings back; within the outermost call they start as torch's own.

    So a check means the same whatever a notebook has set: tensors are made on the CPU and
    of float32, with gradients, without autocast, and torch computes in one thread. (The
    threads between operations cannot be changed.)

    >>> import torch
    >>> from courseware.grading.kept import state_kept
    >>> with state_kept(outermost=True):
    ...     torch.set_default_dtype(torch.float64)
    >>> torch.get_default_dtype()
    torch.float32
    """
    settings = [*_PER_CALL, *(_PER_CHECK if outermost else ())]
    with contextlib.ExitStack() as stack:
        for setting in settings:
            stack.callback(_put_back, setting, setting.get())
        if outermost:
            _make_plain()
        stack.enter_context(_gradients_kept(outermost=outermost))
        stack.enter_context(generators_kept())
        yield


class _Setting(NamedTuple):
    get: Callable[[], Any]
    put: Callable[[Any], Any]


def _put_back(setting: _Setting, before: Any) -> None:
    if setting.get() != before:
        setting.put(before)


def _make_plain() -> None:
    modes, _, _ = _modes()
    others = [m for m in modes if not isinstance(m, _device.DeviceContext)]
    if others != modes:
        _put_modes((others, None, None))
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)
    for device in _ACCELERATORS:
        torch.set_autocast_enabled(device, False)
    if sys.getrecursionlimit() > DEEPEST:
        with contextlib.suppress(RecursionError):  # the notebook itself is that deep
            sys.setrecursionlimit(DEEPEST)


@contextlib.contextmanager
def _gradients_kept(*, outermost: bool) -> Iterator[None]:
    grad = outermost or torch.is_grad_enabled()
    inference = torch.is_inference_mode_enabled() and not outermost
    with torch.inference_mode(inference):  # at its end grad mode is put back, too
        torch.set_grad_enabled(grad)
        yield


def _modes() -> tuple[list, Any, Any]:
    """The default device: torch keeps it in a stack of modes and in two more places."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return _get_current_function_mode_stack(), context, _device.CURRENT_DEVICE


def _put_modes(modes: tuple[list, Any, Any]) -> None:
    for _ in _get_current_function_mode_stack():
        _pop_mode()
    for mode in modes[0]:
        _push_mode(mode)
    torch._GLOBAL_DEVICE_CONTEXT.device_context = modes[1]
    _device.CURRENT_DEVICE = modes[2]


def _autocast() -> tuple[list[tuple], int]:
    """What is on, and how deep: torch drops its copies of weights where none is left."""
    enabled, kind = torch.is_autocast_enabled, torch.get_autocast_dtype
    torch.autocast_increment_nesting()
    deep = torch.autocast_decrement_nesting()
    return [(device, enabled(device), kind(device)) for device in _ACCELERATORS], deep


def _put_autocast(before: tuple[list[tuple], int]) -> None:
    kinds, deep = before
    for device, enabled, kind in kinds:
        torch.set_autocast_enabled(device, enabled)
        torch.set_autocast_dtype(device, kind)
    while _autocast()[1] > deep:
        torch.autocast_decrement_nesting()
    while _autocast()[1] < deep:
        torch.autocast_increment_nesting()
    torch.clear_autocast_cache()


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _deterministic() -> tuple[bool, bool]:
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), warn_only


def _put_deterministic(before: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def _cuda_device() -> int:
    return torch.cuda.current_device() if torch.cuda.is_initialized() else -1


def _folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was deleted
        return None


def _put_folder(folder: str | None) -> None:
    if folder is not None and os.path.isdir(folder):
        os.chdir(folder)


def _put_environment(before: dict[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _import_path() -> tuple[list, tuple]:
    return sys.path, tuple(sys.path)


def _put_import_path(before: tuple[list, tuple]) -> None:
    sys.path, sys.path[:] = before


def _hooks_of_the_program() -> tuple:
    return sys.excepthook, sys.displayhook, sys.unraisablehook, sys.stdin


def _put_hooks_of_the_program(before: tuple) -> None:
    sys.excepthook, sys.displayhook, sys.unraisablehook, sys.stdin = before


_GLOBAL_HOOKS = [
    hooks
    for name, hooks in vars(_module).items()
    if name.startswith("_global_") and isinstance(hooks, dict)
]


def _hooks_of_all_modules() -> list[dict]:
    return [dict(hooks) for hooks in _GLOBAL_HOOKS]


def _put_hooks_of_all_modules(before: list[dict]) -> None:
    for hooks, kept in zip(_GLOBAL_HOOKS, before, strict=True):
        hooks.clear()
        hooks.update(kept)


def _log() -> tuple:
    root = logging.root
    return (
        root.level,
        list(root.handlers),
        root.manager.disable,
        logging.raiseExceptions,
    )


def _put_log(before: tuple) -> None:
    level, logging.root.handlers[:], disabled, logging.raiseExceptions = before
    logging.root.setLevel(level)
    logging.disable(disabled)


def _signal_handlers() -> dict[int, Any]:
    """Those that Python knows; torch sets that of SIGCHLD once and for all."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    return {number: handler for number, handler in found.items() if handler is not None}


def _put_signal_handlers(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, handler)


_FIXED = {"SIGKILL", "SIGSTOP", "SIGCHLD"}
_SIGNALS = sorted(
    s for s in signal.valid_signals() if getattr(s, "name", s) not in _FIXED
)


def _blocked_signals() -> set:
    return signal.pthread_sigmask(signal.SIG_BLOCK, [])


def _put_blocked_signals(before: set) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


_OTHER_TIMERS = "ITIMER_VIRTUAL", "ITIMER_PROF"
_TIMERS = [getattr(signal, n) for n in _OTHER_TIMERS if hasattr(signal, n)]


def _timers() -> list[tuple[float, float]]:
    return [signal.getitimer(which) for which in _TIMERS]


def _put_timers(before: list[tuple[float, float]]) -> None:
    for which, timer in zip(_TIMERS, before, strict=True):
        signal.setitimer(which, *timer)


def _plot_settings() -> dict[str, Any] | None:
    """matplotlib's, as they are stored: to ask for the backend would choose one."""
    matplotlib = sys.modules.get("matplotlib")
    if not hasattr(matplotlib, "rcParams"):
        return None
    found = dict(dict.items(matplotlib.rcParams))
    for name in ("backend", "backend_fallback"):
        found.pop(name, None)
    return found


def _put_plot_settings(before: dict[str, Any] | None) -> None:
    if before is not None:
        dict.update(sys.modules["matplotlib"].rcParams, before)


_PER_CALL = [
    _Setting(_modes, _put_modes),
    _Setting(torch.get_default_dtype, torch.set_default_dtype),
    _Setting(torch.get_num_threads, torch.set_num_threads),
    _Setting(_autocast, _put_autocast),
    _Setting(_anomaly, lambda before: torch.set_anomaly_enabled(*before)),
    _Setting(_deterministic, _put_deterministic),
    _Setting(_cuda_device, torch.cuda.set_device),
    _Setting(_hooks_of_all_modules, _put_hooks_of_all_modules),
    _Setting(np.geterr, lambda before: np.seterr(**before)),
    _Setting(_folder, _put_folder),
    _Setting(lambda: dict(os.environ), _put_environment),
    _Setting(_import_path, _put_import_path),
    _Setting(_hooks_of_the_program, _put_hooks_of_the_program),
    _Setting(sys.gettrace, sys.settrace),
    _Setting(sys.getprofile, sys.setprofile),
    _Setting(sys.getrecursionlimit, sys.setrecursionlimit),
    _Setting(sys.getswitchinterval, sys.setswitchinterval),
    _Setting(gc.isenabled, lambda before: gc.enable() if before else gc.disable()),
    _Setting(_log, _put_log),
]
if hasattr(signal, "pthread_sigmask"):
    _PER_CALL.append(_Setting(_blocked_signals, _put_blocked_signals))
_PER_CHECK = [
    _Setting(_signal_handlers, _put_signal_handlers),
    _Setting(_timers, _put_timers),
    _Setting(_plot_settings, _put_plot_settings),
]
