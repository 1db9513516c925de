"""From a verdict to a score: what is a try, what it costs, which hints it unfolds."""

import dataclasses
import json

import pytest

from courseware.grading import Task
from courseware.grading.earning import earned
from courseware.grading.progress import read_progress, record_try, tries
from courseware.grading.trying import note_try
from courseware.grading.verdict import Verdict

HINTS = ("mild", "more", "all")
TASK = Task("Count", 2.0, HINTS, solution=None, mistakes={}, id="98.1")
PASSED = Verdict("passed", "Count")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


def failed(key="value"):
    return Verdict("failed", "Count", property="the count", key=key, hint="Look.")


def fail(answer, task=TASK, key="value"):
    return note_try(task, answer, failed(key))


def choice(options=3):
    return dataclasses.replace(TASK, kind="choice", options=options)


def made(body, **around):
    """A function as a cell of the notebook defines it."""
    names = {"__name__": "__main__", **around}
    exec(f"def answer(n):\n    {body}", names)  # noqa: S102
    return names["answer"]


# -- what it costs -----------------------------------------------------------------------


def test_a_wrong_try_costs_a_tenth_and_at_most_half():
    assert [earned(3, wrong) for wrong in (0, 1, 2, 5, 50)] == [3, 2.7, 2.4, 1.5, 1.5]
    assert earned(1, 2, kind="value") == 0.8


@pytest.mark.parametrize("options", [2, 3, 4, 7])
def test_whoever_clicks_through_a_choice_gets_nothing(options):
    kept = [earned(1, n, kind="choice", options=options) for n in range(options)]
    assert kept[0] == 1 and kept[-1] == 0 and kept == sorted(kept, reverse=True)


@pytest.mark.parametrize("options", [None, 1])
def test_a_choice_without_options_is_refused(options):
    with pytest.raises(ValueError, match="at least 2 options"):
        earned(1, 0, kind="choice", options=options)


def test_the_score_knows_nothing_of_the_cost_and_the_card_does():
    fail(1)
    score = note_try(TASK, 2, PASSED)
    assert score == 2.0 and score.standing.earned == 1.8
    assert "1.8 points, after one wrong try" in score.text
    assert read_progress()["98.1"]["earned"] == 1.8


def test_what_was_earned_stays_whatever_is_tried_later():
    note_try(TASK, 1, PASSED)
    for answer in (2, 3):
        fail(answer)
    score = note_try(TASK, 1, PASSED)
    assert (score.standing.earned, score.standing.wrong) == (2.0, 0)


def test_a_choice_costs_by_its_options():
    fail("a", choice(4))
    assert note_try(choice(4), "b", PASSED).standing.earned == 1.33


@pytest.mark.parametrize("key", ["unknown", "type", "none"])
def test_what_was_no_choice_at_all_costs_nothing(key):
    fail("z", choice(2), key=key)
    assert note_try(choice(2), "b", PASSED).standing.earned == 2.0


def test_an_entry_from_before_tries_cost_keeps_its_points(home):
    old = {"98.1": {"best": 2.0, "tries": 4, "passed": True, "last": 2.0, "time": ""}}
    (home / "progress.json").write_text(json.dumps(old))
    assert fail(1).standing.earned == 2.0


# -- what is no try ----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["unwritten", "unjudged"])
def test_nothing_written_or_judged_is_no_try(home, status):
    score = note_try(TASK, 1, Verdict(status, "Count"))
    assert score == 0.0 and score.standing is None
    assert not (home / "progress.json").exists()


def test_the_same_function_not_run_anew_is_no_try_and_the_card_says_why():
    answer = made("return n")
    assert fail(answer).standing.repeats == ""
    again = fail(answer)
    assert (
        again.standing.repeats == "your last try" and "run its cell first" in again.text
    )
    assert again.standing.wrong == tries("98.1") == 1


def test_a_changed_function_is_a_try():
    for body in ("return n", "return n + 1", "return n + 2"):
        score = fail(made(body))
    assert score.standing.wrong == 3 and score.standing.repeats == ""


def test_the_same_choice_twice_is_no_second_try():
    found = [fail(letter, choice()).standing for letter in ("a", " A ", "b", "a")]
    assert [one.wrong for one in found] == [1, 1, 2, 2]
    assert [one.repeats for one in found] == ["", "your last try", "", "an earlier try"]


def test_the_same_function_with_another_fault_is_a_try():
    answer = made("return n")
    fail(answer)
    assert fail(answer, key="shape").standing.repeats == ""


def test_a_function_that_passes_now_has_passed():
    answer = made("return n")
    fail(answer)
    assert note_try(TASK, answer, PASSED).standing.passed


def test_a_notebook_that_is_run_again_costs_nothing_more():
    for _ in range(2):  # as in another kernel: the function is another object
        score = fail(made("return n"))
    assert score.standing.wrong == 1


# -- hints -------------------------------------------------------------------------------


def test_each_wrong_try_unfolds_a_hint_and_the_last_one_stays_folded():
    found = [fail(n).verdict for n in range(5)]
    assert [v.more_hints for v in found] == [
        (), ("mild",), ("mild", "more"), ("mild", "more"), ("mild", "more")]  # fmt: skip
    assert [v.last_hint for v in found] == ["", "", "", "all", "all"]


def test_a_repeated_answer_unfolds_nothing():
    found = [fail(7).verdict for _ in range(4)]
    assert {v.more_hints for v in found} == {()}


def test_after_a_pass_no_hint_is_shown():
    for n in range(5):
        fail(n)
    verdict = note_try(TASK, 5, PASSED).verdict
    assert (verdict.more_hints, verdict.last_hint) == ((), "")


# -- nbgrader ----------------------------------------------------------------------------


def test_grading_reads_nobodys_progress(home, monkeypatch):
    for n in range(6):
        fail(n)
    before = (home / "progress.json").read_bytes()
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    score = fail(0)
    assert (score.verdict.more_hints, score.verdict.last_hint) == ((), "")
    assert score.standing is None and "progress" not in score.text
    assert note_try(TASK, 9, PASSED).text == "✓ Passed: Count (2 of 2 points)"
    assert record_try("98.1", 0.0, passed=False) == 1 and tries("98.1") == 0
    assert (home / "progress.json").read_bytes() == before


def test_grading_moves_no_damaged_file(home, monkeypatch, capsys):
    (home / "progress.json").write_text("{")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    fail(1)
    assert [p.name for p in home.iterdir()] == ["progress.json"]
    assert capsys.readouterr() == ("", "")
