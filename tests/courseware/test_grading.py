"""The grading itself, against answers that misbehave."""

import json
import random
import sys
import time

import numpy as np
import pytest
import torch

from courseware.grading import (
    Score,
    check,
    examine,
    export_progress,
    find_task,
    hint,
    progress,
    reset_progress,
)
from courseware.grading import sandbox as guard


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


def right(model):
    return sum(p.numel() for p in model.parameters())


def status(answer, task="00.1"):
    verdict = examine(task, answer)
    return verdict.status, verdict.key


class AlwaysEqual(int):
    __hash__ = int.__hash__

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


class BadRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


def test_the_score_is_the_cell_s_value_and_a_card():
    score = check("00.1", right)
    assert isinstance(score, float) and score == 1.0 and repr(score) == "1.0"
    assert "Passed" in score._repr_html_() and "Passed" in str(score)


def test_a_failed_card_names_property_and_hint_in_words():
    score = check("00.1", lambda model: len(list(model.parameters())))
    assert repr(score) == "0.0" and "role='status'" in score._repr_html_()
    assert "Not yet" in score.text and "numel()" in score.text


def test_html_in_an_answer_is_escaped():
    score = check("00.0", ("<script>", 1, 2, 3))
    assert "<script>" not in score._repr_html_()


@pytest.mark.parametrize("answer", [None, ..., right.__get__ and None])
def test_nothing_written_yet_is_no_try(answer):
    score = check("00.1", answer)
    assert score.verdict.status == "unwritten" and progress().loc["00.1", "tries"] == 0


def test_a_stub_is_not_written_yet():
    def stub(model):
        raise NotImplementedError

    assert status(stub) == ("unwritten", "")


def test_input_is_not_mistaken_for_a_stub():
    assert status(lambda model: int(input("how many?"))) == ("failed", "input")


@pytest.mark.parametrize("leave", [sys.exit, lambda: exit(), lambda: quit()])
def test_leaving_is_reported(leave):
    assert status(lambda model: leave()) == ("failed", "exit")


def test_recursion_is_reported():
    def endless(model):
        return endless(model)

    assert status(endless) == ("failed", "error")


def test_a_number_that_equals_everything_is_refused():
    assert status(lambda model: AlwaysEqual(1))[0] == "failed"


def test_an_object_without_a_repr_is_described_by_its_type():
    verdict = examine("00.1", lambda model: BadRepr())
    assert verdict.key == "type" and "BadRepr" in verdict.got


def test_nan_never_agrees():
    answer = lambda logits, labels: float("nan")  # noqa: E731
    assert status(answer, "00.2") == ("failed", "value")


def test_prints_and_warnings_do_not_reach_the_notebook(capsys):
    def loud(model):
        print("out")
        print("err", file=sys.stderr)
        return right(model)

    assert status(loud) == ("passed", "")
    assert capsys.readouterr() == ("", "")


def test_random_states_are_given_back():
    def reseeds(model):
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        return right(model)

    torch.manual_seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    assert status(reseeds) == ("passed", "")
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert (before[2] == np.random.get_state()[1]).all()


def loop_for_ever():
    while True:
        pass


def loop_that_catches_everything():
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            return "caught once"


def test_loops_end():
    start = time.monotonic()
    outcome = guard.call_safely(loop_for_ever, time_limit=0.3)
    assert isinstance(outcome.error, guard.TookTooLong)
    assert time.monotonic() - start < 5


def test_sleeps_end_without_a_verdict():
    start = time.monotonic()
    with pytest.raises(guard.NotJudged):
        guard.call_safely(time.sleep, 60, time_limit=0.3)
    assert time.monotonic() - start < 5


def test_a_bare_except_cannot_hold_the_notebook():
    start = time.monotonic()
    guard.call_safely(loop_that_catches_everything, time_limit=0.2)
    assert time.monotonic() - start < 5


def test_changed_inputs_are_named():
    outcome = guard.call_safely(lambda x: x.add_(1), torch.zeros(2))
    assert outcome.changed == ("argument 1",)


def test_hint_goes_from_mild_to_strong():
    hints = find_task("00.1").hints
    assert hint("00.1") == hints[0]
    check("00.1", lambda model: 1)
    assert hint("00.1") == hints[1] and hint("00.1", level=9) == hints[-1]


def test_progress_keeps_points_and_tries():
    check("00.1", right)
    check("00.1", lambda model: 1)
    row = progress().loc["00.1"]
    assert (row["earned"], row["tries"], row["state"]) == (1.0, 2, "passed")


def test_progress_is_not_written_while_nbgrader_grades(monkeypatch, home):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    check("00.1", right)
    assert not (home / "progress.json").exists()


def test_damaged_progress_is_set_aside(home, capsys):
    (home / "progress.json").write_text('{"00.1": ')
    assert progress().loc["00.1", "tries"] == 0
    assert (home / "progress.damaged.json").exists()
    assert "set aside" in capsys.readouterr().out


def test_progress_exports_and_resets(home):
    check("00.1", right)
    rows = json.loads(export_progress(home / "p.json").read_text())
    assert next(r for r in rows if r["task"] == "00.1")["earned"] == 1.0
    assert "00.1" in export_progress(home / "p.csv").read_text()
    reset_progress("00.1")
    assert progress().loc["00.1", "state"] == "open"
    with pytest.raises(ValueError, match=".csv or .json"):
        export_progress(home / "p.txt")


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match="no task '04.66'.*04.6"):
        check("04.66", 1)


def test_a_score_survives_arithmetic():
    score = check("00.1", right)
    assert score + check("00.0", (32, 3, 64, 64)) == 2.0 and isinstance(score, Score)
