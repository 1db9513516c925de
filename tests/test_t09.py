"""Tasks 09.5 and 09.6, which are held against measurements."""

import pytest

from course_utils.grading import examine

FACTS = {"labels": 0.0, "own": 0.81, "raw": 0.42}


def test_a_right_share_passes_with_the_measurement():
    assert examine("09.5", 0.127, measured=0.128).status == "passed"


def test_the_reason_for_a_wrong_share_quotes_the_measurement():
    assert "Measured above: 0.128" in examine("09.5", 0.7, measured=0.128).hint


@pytest.mark.parametrize("measured", [0.7, "0.128", {}])
def test_a_measurement_of_another_share_is_refused(measured):
    assert examine("09.5", 0.127, measured=measured).key == "measurement"


def test_right_letters_pass_with_the_facts():
    assert examine("09.6", {"A": "b", "B": "d"}, measured=FACTS).status == "passed"


def test_the_reasons_for_wrong_letters_quote_the_facts():
    found = examine("09.6", {"A": "c", "B": "d"}, measured=FACTS)
    assert "other labels change nothing" in found.hint
    found = examine("09.6", {"A": "b", "B": "b"}, measured=FACTS)
    assert "81% right when normalised, 42% when not" in found.hint


def test_facts_of_something_else_are_refused():
    right = {"A": "b", "B": "d"}
    for other in ({}, 0.1, FACTS | {"labels": 0.3}, FACTS | {"raw": 0.9}):
        assert examine("09.6", right, measured=other).key == "measurement"


def test_an_empty_answer_is_unwritten_whatever_was_measured():
    assert examine("09.5", ..., measured=None).status == "unwritten"
    assert examine("09.6", ..., measured={}).status == "unwritten"
