"""What keeps a notebook whole while a learner's code runs; what a check believes."""

import contextlib
import copy
import getpass
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from courseware.grading import Task, check, examine, hint, progress
from courseware.grading.alarms import call_within
from courseware.grading.observing import one_case
from courseware.grading.sandbox import NotJudged, TookTooLong, call_safely
from courseware.grading.score import Score, Verdict
from courseware.grading.values import ModelRecord, plain

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no signal timer"
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


def judge(answer, observe=lambda answer, case, seen: seen.call(answer)):
    """Examine an answer with a check that is in no exercise."""
    task = Task(title="A task", points=1, hints=("mild",), solution=lambda: None,
                mistakes={}, cases=one_case, observe=observe)  # fmt: skip
    verdict = examine(task, answer)
    return verdict.status, verdict.key


def seconds(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start


# ----------------------------------------------------------------- loops and sleeps


def sleeps_in_a_bare_except():
    while True:
        try:
            time.sleep(30)
        except:  # noqa: E722
            pass


def sleeps_in_three():
    while True:
        try:
            while True:
                try:
                    sleeps_in_a_bare_except()
                except BaseException:
                    continue
        except:  # noqa: E722
            pass


def never_leaves_finally():
    while True:
        try:
            time.sleep(30)
        finally:
            continue  # noqa: B012


def loops_in_a_bare_except():
    while True:
        try:
            while True:
                try:
                    sum(range(50))
                except:  # noqa: E722
                    pass
        except:  # noqa: E722
            pass


STUBBORN = [sleeps_in_a_bare_except, sleeps_in_three, never_leaves_finally]


@needs_signals
@pytest.mark.parametrize("function", STUBBORN)
def test_no_sleeper_that_swallows_alarms_outlives_its_time(function):
    with pytest.raises(NotJudged) as ended:
        call_safely(function, time_limit=0.1)
    assert ended.value.reason == "waiting"


def test_no_loop_that_swallows_alarms_outlives_its_time():
    outcome = call_safely(loops_in_a_bare_except, time_limit=0.1)
    assert isinstance(outcome.error, TookTooLong)


def test_a_loop_in_another_thread_ends_too():
    found = []
    limited = lambda: found.append(call_safely(loops_in_a_bare_except, time_limit=0.1))  # noqa: E731
    thread = threading.Thread(target=limited)
    thread.start()
    thread.join(timeout=20)
    assert isinstance(found[0].error, TookTooLong)


@needs_signals
def test_an_inner_call_leaves_the_outer_limit_in_force():
    def outer():
        call_safely(lambda: 1, time_limit=5)
        time.sleep(30)

    with pytest.raises(NotJudged):
        call_safely(outer, time_limit=0.2)


def test_an_outer_call_that_is_late_begins_no_other():
    begun = []

    def outer():
        with contextlib.suppress(TookTooLong):
            loops_in_a_bare_except()
        while True:
            call_safely(begun.append, 1)

    assert isinstance(call_safely(outer, time_limit=0.1).error, TookTooLong)
    assert begun == []


def test_one_who_waits_in_another_thread_is_not_judged():
    found = []

    def limited():
        try:
            call_safely(lambda: [time.sleep(0.05) for _ in range(600)], time_limit=0.2)
        except NotJudged as ended:
            found.append(ended.reason)

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join(timeout=20)
    assert found == ["waiting"]


@needs_signals
def test_somebody_else_s_timer_runs_on():
    fired = []
    old = signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    timer = signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        assert call_safely(lambda: 1).value == 1
        time.sleep(0.6)
    finally:
        signal.signal(signal.SIGALRM, old)
        signal.setitimer(signal.ITIMER_REAL, *timer)
    assert fired == [1]


@needs_signals
def test_no_alarm_sounds_after_the_call():
    for _ in range(50):
        with pytest.raises(TookTooLong):
            call_within(loops_in_a_bare_except, 0.002)
    assert sum(range(100_000)) == 4_999_950_000


def works(seconds):
    """Use CPU time, whatever the limit."""
    start = time.thread_time()
    while time.thread_time() - start < seconds:
        pass


def ignores_the_alarm():
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def stops_the_timer():
    signal.setitimer(signal.ITIMER_REAL, 0)


def blocks_the_alarm():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])


DISARM = [ignores_the_alarm, stops_the_timer, blocks_the_alarm]


@needs_signals
@pytest.mark.parametrize("disarm", DISARM)
def test_who_returns_too_late_has_not_passed(disarm):
    outcome = call_safely(lambda: (disarm(), works(0.3)), time_limit=0.1)
    assert isinstance(outcome.error, TookTooLong)
    with pytest.raises(NotJudged):
        call_safely(lambda: (disarm(), time.sleep(0.5)), time_limit=0.1)


def test_who_swallows_the_alarm_and_returns_is_late_too():
    def careful():
        with contextlib.suppress(TookTooLong):
            works(30)
        return 1

    outcome = call_safely(careful, time_limit=0.1)
    assert isinstance(outcome.error, TookTooLong) and outcome.value is None


@needs_signals
@pytest.mark.parametrize("disarm", DISARM)
def test_an_alarm_switched_off_by_one_call_is_on_for_the_next(disarm):
    def cases():
        call_safely(disarm)
        loops_in_a_bare_except()

    assert isinstance(call_safely(cases, time_limit=0.2).error, TookTooLong)
    assert isinstance(call_safely(cases, time_limit=0.2).error, TookTooLong)


def test_recursion_without_a_limit_ends():
    def deeper(n):
        return deeper(n + 1)

    def unlimited(_):
        sys.setrecursionlimit(10**9)
        return deeper(0)

    assert judge(lambda: unlimited(0)) == ("failed", "error")


@needs_signals
def test_an_alarm_sounds_at_any_depth():
    unbounded = sys.setrecursionlimit  # by another name, it is

    def deeper(n):
        return deeper(n - 1) if n else loops_in_a_bare_except()

    def deep():
        unbounded(300_000)
        deeper(200_000)

    outcomes = []
    taken = seconds(lambda: outcomes.append(call_safely(deep, time_limit=0.3)))
    assert isinstance(outcomes[0].error, TookTooLong) and taken < 10


def test_no_alarm_sounds_after_a_call_in_another_thread():
    ended = []

    def calls():
        for _ in range(30):
            outcome = call_safely(loops_in_a_bare_except, time_limit=0.002)
            ended.append(type(outcome.error))
        ended.append(sum(range(100_000)))

    thread = threading.Thread(target=calls)
    thread.start()
    thread.join(timeout=60)
    assert ended == [TookTooLong] * 30 + [4_999_950_000]


TRACED_LATER = """
import sys, threading
from courseware.grading.sandbox import call_safely

def loops():
    while True:
        pass

thread = threading.Thread(target=lambda: call_safely(loops, time_limit=0.01))
thread.start()
thread.join()
sys.settrace(lambda *_: None)
print(call_safely(int).value)
"""


def test_no_alarm_is_left_pending_in_the_interpreter():
    command = [sys.executable, "-c", TRACED_LATER]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.stdout == "0\n", run.stderr


def test_an_answer_that_loops_when_looked_at_ends(monkeypatch):
    monkeypatch.setattr("courseware.grading.checking.CHECK_LIMIT", 0.2)

    class Endless:
        @property
        def shape(self):
            while True:
                pass

    assert judge(Endless(), lambda answer, case, seen: answer.shape) == (
        "failed",
        "too-long",
    )


# ------------------------------------------------------------ nothing reaches stderr


def writes_to_the_descriptor():
    os.write(1, b"out\n")
    os.write(2, b"err\n")


def warns_and_logs():
    warnings.warn("careful", UserWarning, stacklevel=1)
    logging.getLogger("x").error("broken")


@pytest.mark.parametrize("loud", [writes_to_the_descriptor, warns_and_logs])
def test_not_a_word_comes_through(loud, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call_safely(loud).error is None
    assert capfd.readouterr() == ("", "")


def test_a_handler_of_the_log_set_up_before_is_silent_too(capfd):
    handler = logging.StreamHandler()
    logger = logging.getLogger("course-test")
    logger.addHandler(handler)
    try:
        call_safely(lambda: logger.error("broken"))
        assert capfd.readouterr().err == ""
        logger.error("heard")
    finally:
        logger.removeHandler(handler)
    assert "heard" in capfd.readouterr().err


# --------------------------------------------------------------- interrupts, and forks


def raises_an_interrupt():
    raise KeyboardInterrupt


def interrupts_the_main_thread():
    import _thread

    _thread.interrupt_main()
    time.sleep(0.1)


OWN = [raises_an_interrupt, interrupts_the_main_thread]


@pytest.mark.parametrize("interrupt", OWN)
def test_an_interrupt_that_the_answer_raises_is_reported(interrupt):
    assert isinstance(call_safely(interrupt).error, KeyboardInterrupt)
    assert judge(interrupt) == ("failed", "interrupt")


@needs_signals
def test_a_person_s_interrupt_is_raised_as_ever():
    person = ["sh", "-c", f"sleep 0.5; kill -INT {os.getpid()}"]
    handler = signal.getsignal(signal.SIGINT)
    with subprocess.Popen(person):
        with pytest.raises(KeyboardInterrupt):
            call_safely(time.sleep, 20)
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_never_comes_back_into_the_notebook():
    found = []

    def forks():
        child = os.fork()
        found.append(os.waitpid(child, 0)[1] if child else None)

    assert call_safely(forks).error is None
    assert found == [0]  # and this line was reached by one process


# ------------------------------------------------------------------ what is asked of it


@pytest.mark.parametrize("ask", [lambda: getpass.getpass(), lambda: breakpoint()])
def test_asking_the_keyboard_is_reported(ask):
    assert judge(ask) == ("failed", "input")


def test_a_function_gets_copies_so_that_the_check_keeps_its_data():
    data = {"x": torch.zeros(2), "list": [1, [2]]}

    def changes(data):
        data["x"].add_(1)
        data["list"][1].append(3)

    assert call_safely(changes, data).changed == ("argument 1",)
    assert data["x"].tolist() == [0, 0] and data["list"] == [1, [2]]


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([float("nan")]),
        np.array([np.nan, 1.0]),
        [float("nan")],
        [nn.Linear(1, 1)],
        (1, torch.zeros(1)),
        {"a": None},
    ],
)
def test_data_that_is_only_read_is_not_called_changed(value):
    assert call_safely(lambda x: 1, value).changed == ()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda m: m.eval(), "mode"),
        (lambda m: m[0].weight.data.add_(1), "weights"),
        (lambda m: m(torch.rand(4, 2)), "statistics"),
        (lambda m: m.requires_grad_(False), "requires_grad"),
        (lambda m: m.register_forward_hook(print), "hooks"),
        (lambda m: m.__setitem__(1, nn.Identity()), "layers"),
    ],
)
def test_what_became_of_a_model_is_named(change, kind):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    record = ModelRecord(model)
    assert record.changes() == ()
    change(model)
    assert kind in record.changes()


# ------------------------------------------------------------- what a check believes


class SaysItIsC(str):
    def __str__(self):
        return "c"

    def strip(self, *_):
        return "c"


def test_a_subclass_cannot_speak_for_its_value():
    assert examine("01.5", SaysItIsC("a")).key == "a"
    assert type(plain(np.float64(0.5))) is float and plain(True) is True


def test_an_error_whose_text_misbehaves_is_still_reported():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def fails(model):
        raise Mute

    verdict = examine("00.1", fails)
    assert verdict.key == "error" and verdict.got.startswith("Mute")


def test_a_huge_answer_makes_a_small_card():
    score = check("00.1", lambda model: "x" * 10_000_000)
    assert len(score._repr_html_()) < 5000
    score = check("00.0", list(range(1_000_000)))
    assert len(score._repr_html_()) < 5000


# --------------------------------------------------------------- written, or not yet


def documented(model):
    """Count."""


def dotted(model): ...


def test_an_empty_function_is_not_written_yet():
    found = [examine("00.1", f).status for f in (documented, dotted, lambda m: None)]
    assert found == ["unwritten"] * 3


@pytest.mark.parametrize("value", [0, 3, True, "x"])
def test_a_function_that_returns_a_constant_is_an_answer(value):
    constant = eval(f"lambda model: {value!r}")
    assert examine("00.1", constant).status == "failed"


def test_torch_s_own_not_implemented_is_an_error_not_a_stub():
    def softmax_of_integers(logits, labels):
        return torch.tensor([1, 2]).softmax(0)

    verdict = examine("00.2", softmax_of_integers)
    assert (verdict.status, verdict.key) == ("failed", "error")
    assert "not implemented for" in verdict.got


def test_brackets_too_many_are_explained():
    assert examine("00.1", 12).key == "not-callable"


# ------------------------------------------------------------------ cards and records


def test_a_score_can_be_pickled_and_copied():
    score = check("01.5", "a")
    for twin in (pickle.loads(pickle.dumps(score)), copy.deepcopy(score)):
        assert (twin, twin.text) == (score, score.text)


class Printer:
    def __init__(self):
        self.said = ""

    def text(self, words):
        self.said += words


def test_a_terminal_shows_the_text_and_a_kernel_the_number(monkeypatch):
    score, shown = Score(1.0, Verdict("passed", "A task"), 1.0), []
    for terminal in (True, False):
        monkeypatch.setattr(
            "courseware.grading.score._in_terminal", lambda t=terminal: t
        )
        printer = Printer()
        score._repr_pretty_(printer, False)
        shown.append(printer.said)
    assert shown == ["✓ Passed: A task (1 of 1 point)", "1.0"]


def test_hint_goes_on_each_time_and_skips_none():
    asked = [hint("00.2") for _ in range(4)]
    assert len(set(asked)) == 3 and asked[2] == asked[3]


@pytest.mark.parametrize("text", ['{"00.1": 3}', '{"00.1": {}}', "[]", "\x00"])
def test_a_record_of_another_form_is_set_aside(home, text, capsys):
    (home / "progress.json").write_text(text)
    assert check("00.1", 12).verdict.status == "failed"
    assert progress().loc["00.1", "tries"] == 1
    assert "set aside" in capsys.readouterr().out


def test_a_record_that_cannot_be_written_costs_no_card(home, capsys):
    (home / "progress.json").mkdir()
    assert check("01.5", "c") == 1.0
    assert "could not be saved" in capsys.readouterr().out
