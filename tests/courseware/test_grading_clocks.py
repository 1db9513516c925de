"""When a call is too late: what counts as computing, as waiting, and as kept waiting."""

import threading
import time

import pytest

from courseware.grading import clocks
from courseware.grading.clocks import Clocks, NotJudged, Pace, TookTooLong, Usage
from courseware.grading.sandbox import NotJudged as exported
from courseware.grading.sandbox import call_safely


class Machine:
    """A thread's clocks, moved by hand."""

    def __init__(self, *, tells_queue=True):
        self.now, self.used, self.queued = 100.0, 5.0, 3.0
        queue = (lambda: self.queued) if tells_queue else (lambda: 0.0)
        self.clocks = Clocks(lambda: self.now, lambda: self.used, queue)

    def pass_time(self, wall, *, used=0.0, queued=0.0):
        self.now += wall
        self.used += used
        self.queued += queued


class Steady(Pace):
    def __init__(self, factor=1.0):
        self.factor = lambda: factor


def ends(machine, limit=10.0, *, tick, pace=1.0, **spent):
    """(kind of end, wall seconds until then) of a call that goes on in the same way."""
    usage = Usage(limit, machine.clocks, Steady(pace))
    for ticks in range(1, 100_000):
        machine.pass_time(tick, **spent)
        usage.look()
        late = usage.late()
        if late is not None:
            return getattr(late, "reason", type(late)), pytest.approx(
                ticks * tick, abs=2
            )


def test_who_computes_has_the_limit_in_cpu_seconds():
    assert ends(Machine(), tick=0.2, used=0.2) == (TookTooLong, 10)
    crowded = ends(Machine(), tick=0.2, used=0.02, queued=0.18)
    assert crowded == (TookTooLong, 100)


def test_a_slow_machine_gets_more():
    assert ends(Machine(), tick=0.2, used=0.2, pace=3.0) == (TookTooLong, 30)


def test_who_sleeps_or_polls_has_the_limit_in_wall_seconds():
    assert ends(Machine(), tick=0.2) == ("waiting", 10)
    assert ends(Machine(), tick=0.2, used=0.002) == ("waiting", 10)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.001])
def test_who_is_kept_from_the_processor_does_not_wait(share):
    found = ends(Machine(), tick=0.2, used=0.2 * share, queued=0.2 * (1 - share))
    assert found[0] == (TookTooLong if share > 0.05 else "busy")
    assert found[1].expected == pytest.approx(min(10 / share, 200), abs=2)


def test_without_a_clock_of_the_queue_a_busy_machine_is_told_by_its_progress():
    crowded = ends(Machine(tells_queue=False), tick=0.2, used=0.02, queued=0.18)
    assert crowded == (TookTooLong, 100)
    assert ends(Machine(tells_queue=False), tick=0.2) == ("waiting", 10)


def test_sleeps_of_several_cases_add_up():
    machine = Machine()
    usage = Usage(25, machine.clocks, Steady())
    late = []
    for _ in range(4):
        machine.pass_time(1.0, used=1.0)
        usage.look()
        machine.pass_time(8.0)
        usage.look()
        late.append(usage.late())
    assert late[:3] == [None] * 3 and late[3].reason == "waiting"


def test_a_hypervisor_that_takes_time_away_is_not_the_answer_s_sleep():
    assert ends(Machine(), tick=0.2, used=0.04) == (TookTooLong, 50)


def test_pace_is_measured_once_a_tick_and_bounded(monkeypatch):
    assert 1.0 <= Pace().factor() <= 10.0
    monkeypatch.setattr(clocks, "_REFERENCE", 1e-9)
    assert Pace().factor() == 10.0
    monkeypatch.setattr(clocks, "_REFERENCE", 1.0)
    assert Pace().factor() == 1.0


def test_a_loop_has_more_time_on_a_slow_machine(monkeypatch):
    monkeypatch.setattr(clocks, "_REFERENCE", 1e-9)

    def loops():
        while True:
            pass

    start = time.thread_time()
    assert isinstance(call_safely(loops, time_limit=0.1).error, TookTooLong)
    assert time.thread_time() - start >= 1.0


def test_other_threads_cannot_use_up_a_call_s_time():
    stop = threading.Event()

    def computes():
        while not stop.is_set():
            sum(range(1000))

    others = [threading.Thread(target=computes) for _ in range(3)]
    for thread in others:
        thread.start()
    began = time.process_time()

    def until_the_others_used_a_second():
        while time.process_time() - began < 1:
            sum(range(1000))
        return 1

    outcome = call_safely(until_the_others_used_a_second, time_limit=0.9)
    stop.set()
    for thread in others:
        thread.join()
    assert outcome.value == 1


def test_the_names_that_checks_use():
    assert exported is NotJudged and NotJudged().reason == "busy"
    assert not issubclass(NotJudged, Exception) and not issubclass(
        NotJudged, TookTooLong
    )
