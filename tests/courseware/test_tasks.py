"""What holds for every task's two files: their size, and what the first may know."""

import re
import subprocess
import sys
from dataclasses import is_dataclass

import pytest

from courseware.grading import find_observing, find_task, task_ids
from courseware.grading.facts import Array, Fact, Raised, Thing
from courseware.grading.judging import At, Mistake
from courseware.grading.observing import observed
from courseware.places import project_root
from tests.answers import banks

FOLDER = project_root() / "courseware" / "tasks"
HALVES = sorted(p for p in FOLDER.glob("t*/*.py") if p.stem[-1].isdigit())
_APART = """\
import sys
from courseware.grading import find_observing, task_ids
for task in task_ids():
    find_observing(task)
words = "judge", "judging", "checking", "choices", "hints", "tests"
known = [n for n in sys.modules if n.startswith(("courseware.", "tests"))]
print([n for n in known if any(word in n.rpartition(".")[2] for word in words)])
"""


def test_observing_loads_nothing_that_judges():
    found = subprocess.run(
        [sys.executable, "-c", _APART], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("path", HALVES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_task_s_half_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 150


def test_every_task_has_two_halves():
    found = {path.parent.name + path.stem for path in HALVES}
    for task in task_ids():
        lesson, number = task.split(".")
        assert {f"t{lesson}{half}_{number}" for half in ("observe", "judge")} <= found


def solved(task, seed=0):
    """The facts that a task's solution shows, over all cases."""
    known = find_task(task)
    cases = list(known.cases(seed))
    return [f for c in cases for f in observed(known.observe, known.solution, c)]


def is_data(value):
    if isinstance(value, (list, tuple, frozenset)):
        return all(map(is_data, value))
    if isinstance(value, dict):
        return all(is_data(k) and is_data(v) for k, v in value.items())
    if is_dataclass(value):
        return type(value) in (Array, Raised, Thing)
    return value is None or type(value) in (bool, int, float, str, bytes, complex)


@pytest.mark.parametrize("task", task_ids())
def test_a_solution_shows_plain_data_and_no_error(task):
    facts = solved(task)
    assert facts and all(type(fact) is Fact and is_data(fact.value) for fact in facts)
    assert not [f for f in facts if isinstance(f.value, (Raised, Thing))]


@pytest.mark.parametrize("task", task_ids())
def test_a_mistake_names_a_fact_that_there_is(task):
    names = {fact.name for fact in solved(task)}
    folder = (
        FOLDER / f"t{task[:2]}"
    )  # some facts are noted of what an exercise measured
    files = [p for p in folder.glob("*.py") if not p.stem.startswith("judge")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    wanted = {m.fact for m in find_task(task).mistakes.values() if isinstance(m, At)}
    assert [fact for fact in wanted - names if f'"{fact}"' not in text] == []


@pytest.mark.parametrize("task", task_ids())
def test_cases_follow_from_their_seed(task):
    cases = find_observing(task).cases
    told = [[case.given for case in cases(seed)] for seed in (0, 0, *banks.SEEDS)]
    assert told[0] == told[1]
    assert {len(each) for each in told} == {len(told[0])}


@pytest.mark.parametrize("task", task_ids())
def test_hints_are_three_and_their_code_is_closed(task):
    known = find_task(task)
    assert len(known.hints) >= 3, "mild, stronger, nearly the answer"
    mistakes = known.mistakes.values()
    told = [m.hint if isinstance(m, Mistake) else m for m in mistakes]
    for text in [*known.hints, *(hint for hint in told if isinstance(hint, str))]:
        assert text.strip() and text.count("`") % 2 == 0, text


def test_points_follow_difficulty():
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((FOLDER.parent / "exercises").glob("*.py"))
    )
    found = re.findall(r"^# ## ([\d.]+) .*\n#\n# \*Difficulty (\d) of 5", text, re.M)
    assert {task for task, _ in found} == set(task_ids()) - {"00.0"}
    for task, difficulty in found:
        known = find_task(task)
        wanted = 1 if known.kind == "choice" else int(difficulty)
        assert known.points == wanted, task
