"""Tasks 05.4, whose check draws, and 05.7, which is held against a measurement."""

import os

import matplotlib.pyplot as plt

from courseware.grading import examine
from tests.answers.t05 import gradually_all_well, gradually_no_title, gradually_pandas


def test_the_check_closes_the_figures_of_an_answer_and_no_other():
    own = plt.figure()
    before = plt.get_fignums()
    for answer in (gradually_all_well, gradually_no_title):
        examine("05.4", answer)
    assert plt.get_fignums() == before
    plt.close(own)


def test_figures_are_shown_and_bars_are_as_before(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", shown.append)
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)
    assert examine("05.4", gradually_pandas).status == "passed"
    assert shown == [] and plt.show == shown.append
    assert "COURSE_PROGRESS" not in os.environ


def test_letters_pass_with_the_measurement_and_reasons_refer_to_it():
    assert examine("05.7", "bcf", moved="bcf").status == "passed"
    assert examine("05.7", "bc", moved="bcf").hint.endswith("Measured above.")


def test_a_measurement_of_something_else_is_refused():
    for other in ("abc", "", ["b", "c", "f"]):
        assert examine("05.7", "bcf", moved=other).key == "count"


def test_an_empty_answer_is_unwritten_whatever_was_measured():
    assert examine("05.7", ..., moved="bcf").status == "unwritten"
    assert examine("05.6", ...).status == "unwritten"
