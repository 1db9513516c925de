"""What a call leaves behind: put back, named, closed or ended."""

import builtins
import gc
import logging
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
import timeit

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from courseware.grading import checking, examine, finding, score
from courseware.grading.sandbox import TookTooLong, call_safely

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no signal timer"
)
needs_children = pytest.mark.skipif(
    not os.path.exists("/proc/self/task"), reason="this system lists no children"
)
KEPT_ALIVE = []  # of what puts itself back when it is let go


def enter(context):
    KEPT_ALIVE.append(context)
    context.__enter__()


def autocast():
    torch.autocast_increment_nesting()
    deep = torch.autocast_decrement_nesting()
    return torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), deep


def hook_count():
    return len(nn.modules.module._global_forward_hooks)


SETTINGS = {
    "device": (lambda: torch.set_default_device("meta"), torch.get_default_device),
    "device of a context": (
        lambda: enter(torch.device("meta")),
        torch.get_default_device,
    ),
    "dtype": (
        lambda: torch.set_default_dtype(torch.float64),
        torch.get_default_dtype,
    ),
    "gradients": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "inference": (
        lambda: enter(torch.inference_mode()),
        torch.is_inference_mode_enabled,
    ),
    "threads": (lambda: torch.set_num_threads(7), torch.get_num_threads),
    "autocast": (lambda: enter(torch.autocast("cpu", torch.float16)), autocast),
    "anomaly": (
        lambda: torch.set_anomaly_enabled(True),
        torch.is_anomaly_enabled,
    ),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True),
        torch.are_deterministic_algorithms_enabled,
    ),
    "hooks": (
        lambda: nn.modules.module.register_module_forward_hook(print),
        hook_count,
    ),
    "numpy": (lambda: np.seterr(all="raise"), np.geterr),
    "folder": (lambda: os.chdir("/"), os.getcwd),
    "environment": (
        lambda: (os.environ.update(NEW="1"), os.environ.pop("COURSE_HOME")),
        lambda: dict(os.environ),
    ),
    "path": (lambda: sys.path.insert(0, "/nowhere"), lambda: list(sys.path)),
    "another path": (lambda: setattr(sys, "path", []), lambda: id(sys.path)),
    "trace": (lambda: sys.settrace(lambda *_: None), sys.gettrace),
    "profile": (lambda: sys.setprofile(lambda *_: None), sys.getprofile),
    "recursion": (lambda: sys.setrecursionlimit(5000), sys.getrecursionlimit),
    "switches": (lambda: sys.setswitchinterval(1.0), sys.getswitchinterval),
    "garbage": (gc.disable, gc.isenabled),
    "log": (
        lambda: logging.basicConfig(level=1, force=True),
        lambda: (logging.root.level, list(logging.root.handlers)),
    ),
    "excepthook": (lambda: setattr(sys, "excepthook", print), lambda: sys.excepthook),
    "figures' style": (
        lambda: plt.rcParams.update({"font.size": 33.0}),
        lambda: dict(dict.items(matplotlib.rcParams)),
    ),
    "generators": (
        lambda: (random.seed(1), np.random.seed(1), torch.manual_seed(1)),
        lambda: (random.getstate(), str(np.random.get_state()), torch.initial_seed()),
    ),
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield
    KEPT_ALIVE.clear()
    plt.close("all")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_put_back(name):
    change, get = SETTINGS[name]
    before = get()
    outcome = call_safely(lambda: (change(), get())[1])
    assert outcome.error is None
    assert get() == before and (outcome.value != before)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_put_back_after_an_error(name):
    change, get = SETTINGS[name]

    def careless():
        change()
        raise OSError("after all")

    before = get()
    assert isinstance(call_safely(careless).error, OSError)
    assert get() == before


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - {"figures' style"}))
def test_one_call_of_a_check_does_not_see_what_another_set(name):
    change, get = SETTINGS[name]

    def check():
        before = get()
        call_safely(change)
        return get() == before

    assert call_safely(check).value is True


@needs_signals
@pytest.mark.parametrize(
    "number", ["SIGINT", "SIGTERM", "SIGALRM", "SIGUSR1", "SIGPROF"]
)
def test_signal_handlers_are_put_back(number):
    number = getattr(signal, number)
    before = signal.getsignal(number)
    assert call_safely(lambda: signal.signal(number, lambda *_: None)).error is None
    assert signal.getsignal(number) == before


@needs_signals
def test_blocked_signals_and_timers_are_put_back():
    def careless():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        signal.signal(signal.SIGPROF, lambda *_: None)
        signal.setitimer(signal.ITIMER_PROF, 60)

    assert call_safely(careless).error is None
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0


def test_a_folder_that_was_deleted_stops_nothing(tmp_path):
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    assert call_safely(lambda: os.chdir("/")).error is None


# ---------------------------------------------------------- torch as a check begins


SET_BEFORE = {
    "device": lambda: torch.set_default_device("meta"),
    "context": lambda: enter(torch.device("meta")),
    "both": lambda: (torch.set_default_device("meta"), enter(torch.device("meta"))),
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "no gradients": lambda: torch.set_grad_enabled(False),
    "autocast": lambda: enter(torch.autocast("cpu")),
}


@pytest.fixture
def own_torch():
    """torch's settings, however a test leaves them."""
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    yield
    for context in reversed(KEPT_ALIVE):
        context.__exit__(None, None, None)
    torch.set_default_device(None)
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(grad)


def facts_of_torch():
    made = torch.nn.Linear(2, 2)(torch.ones(1, 2))
    threads = torch.get_num_threads()
    return made.device.type, made.dtype, made.requires_grad, threads


@pytest.mark.parametrize("name", SET_BEFORE)
def test_a_check_begins_with_torch_s_own_settings(name, own_torch):
    SET_BEFORE[name]()
    before = facts_of_torch(), torch.get_default_device()
    found = call_safely(facts_of_torch)
    assert (found.error, found.value) == (None, ("cpu", torch.float32, True, 1))
    assert (facts_of_torch(), torch.get_default_device()) == before


@pytest.mark.parametrize("change", ["device", "context"])
@pytest.mark.parametrize("set_before", ["device", "context", "both"])
def test_an_answer_may_set_a_device_on_top_of_a_person_s(change, set_before, own_torch):
    SET_BEFORE[set_before]()
    assert call_safely(SETTINGS["device"][0]).error is None
    with torch.device("cpu"):
        pass
    assert torch.get_default_device().type == "meta"


def test_a_check_within_inference_mode_can_ask_for_gradients():
    with torch.inference_mode():
        outcome = call_safely(
            lambda: torch.ones(1, requires_grad=True).sum().backward()
        )
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
    assert outcome.error is None


def test_a_check_may_set_what_its_calls_see():
    def check():
        with torch.no_grad():
            return call_safely(torch.is_grad_enabled).value

    assert call_safely(check).value is False


def test_right_answers_pass_on_another_default_device(own_torch):
    def count(model):
        return sum(p.numel() for p in model.parameters())

    torch.set_default_device("meta")
    assert examine("00.1", count).status == "passed"
    assert torch.zeros(1).device.type == "meta"


# ------------------------------------------------------------------------- leftovers


def test_figures_of_the_answer_are_closed_and_a_person_s_stay():
    own = plt.figure()
    call_safely(lambda: [plt.figure() for _ in range(3)])
    assert plt.get_fignums() == [own.number]


def test_a_check_can_look_at_a_figure_that_its_call_made():
    def check():
        figure = call_safely(plt.figure).value
        return plt.fignum_exists(figure.number)

    assert call_safely(check).value is True and plt.get_fignums() == []


SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def starts_a_process():
    return subprocess.Popen(SLEEPER).pid


def starts_a_shell_that_starts_one():
    shell = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True
    )
    with shell.stdout:
        return int(shell.stdout.readline())


def starts_a_worker():
    worker = multiprocessing.get_context("fork").Process(target=signal.pause)
    worker.start()
    return worker.pid


def starts_one_in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(starts_a_process()))
    thread.start()
    thread.join()
    return found[0]


def runs(process):
    """Tell whether a process runs, and is no zombie."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def has_ended(process):
    end = time.monotonic() + 20
    while runs(process) and time.monotonic() < end:
        time.sleep(0.01)
    return not runs(process)


STARTERS = [
    starts_a_process,
    starts_a_shell_that_starts_one,
    starts_a_worker,
    starts_one_in_a_thread,
]


@needs_children
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("start", STARTERS)
def test_processes_of_the_answer_are_ended_and_a_person_s_run_on(start):
    with subprocess.Popen(SLEEPER) as own:
        outcome = call_safely(start)
        survived = own.poll() is None
        own.kill()
    assert outcome.error is None and has_ended(outcome.value) and survived


# -------------------------------------------------------- the code that checks rely on


def patch(owner, name, new=lambda *_, **__: True):
    setattr(owner, name, new)


PATCHES = {
    "courseware.grading.checking.check": (checking, "check"),
    "courseware.grading.checking.CHECK_LIMIT": (checking, "CHECK_LIMIT"),
    "courseware.grading.finding.Finding.seen": (finding.Finding, "seen"),
    "courseware.grading.score.Score.text": (score.Score, "text"),
    "torch.equal": (torch, "equal"),
    "torch.allclose": (torch, "allclose"),
    "torch.nn.functional.cross_entropy": (nn.functional, "cross_entropy"),
    "torch.Tensor.all": (torch.Tensor, "all"),
    "torch.Tensor.__eq__": (torch.Tensor, "__eq__"),
    "torch.nn.Module.eval": (nn.Module, "eval"),
    "numpy.allclose": (np, "allclose"),
    "builtins.len": (builtins, "len"),
}


@pytest.mark.parametrize("name", PATCHES)
def test_what_a_call_replaces_is_put_back_and_named(name):
    owner, attribute = PATCHES[name]
    before, own = getattr(owner, attribute), attribute in vars(owner)
    outcome = call_safely(patch, owner, attribute)
    assert (outcome.error, outcome.patched) == (None, (name,))
    assert getattr(owner, attribute) == before and (attribute in vars(owner)) is own


def test_what_a_call_deletes_is_put_back_and_named():
    before = torch.equal
    assert call_safely(delattr, torch, "equal").patched == ("torch.equal",)
    assert torch.equal is before


def test_one_who_patches_and_puts_back_has_changed_nothing():
    def times_it():
        before = nn.Module.__call__
        nn.Module.__call__ = lambda *a: before(*a)
        nn.Module.__call__ = before

    assert call_safely(times_it).patched == ()


def test_new_names_are_a_person_s_own():
    def names():
        torch.my_own = 1
        nn.Module.my_own = 1

    try:
        assert call_safely(names).patched == () and torch.my_own == 1
    finally:
        del torch.my_own, nn.Module.my_own


COMPILES = """
import torch
from courseware.grading.sandbox import call_safely

def compiles():
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1))
    torch.export.export(torch.nn.Linear(1, 1), (torch.ones(1, 1),))

before = torch.manual_seed, torch.nn.Module.__init__
outcome = call_safely(compiles)
print(outcome.error, outcome.patched, before[1] is not torch.nn.Module.__init__)
"""


def test_what_torch_does_to_itself_when_it_first_compiles_is_no_patch():
    command = [sys.executable, "-W", "ignore", "-c", COMPILES]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.stdout == "None () True\n", run.stderr


def test_a_function_of_torch_s_in_the_place_of_another_is_a_patch():
    assert call_safely(patch, nn.Module, "eval", nn.Module.train).patched == (
        "torch.nn.Module.eval",
    )


@needs_signals
def test_what_an_ended_call_replaced_is_put_back():
    def loops():
        torch.equal = print
        while True:
            pass

    outcome = call_safely(loops, time_limit=0.1)
    assert isinstance(outcome.error, TookTooLong) and outcome.patched == (
        "torch.equal",
    )


# ------------------------------------------------------------------------------ costs


def test_a_call_costs_about_a_millisecond():
    call_safely(int)
    best = min(timeit.repeat(lambda: call_safely(int), number=20, repeat=5)) / 20
    assert best < 10e-3  # 1 ms on an idle machine
