"""Task 06.6, which is held against a measurement."""

from courseware.grading import examine

MEASURED = {
    0.1: {"move": 0.1, "accuracy": 0.2},
    0.001: {"move": 0.001, "accuracy": 0.85},
    1e-5: {"move": 1e-5, "accuracy": 0.29},
}


def test_the_reason_for_a_wrong_letter_quotes_the_measurement():
    assert "0.100 for the median weight" in examine("06.6", "a", measured=MEASURED).hint
    assert "20% right, against 85%" in examine("06.6", "e", measured=MEASURED).hint


def test_a_right_letter_passes_with_the_measurement():
    assert examine("06.6", "d", measured=MEASURED).status == "passed"


def test_a_measurement_of_something_else_is_refused():
    better = {"move": 0.1, "accuracy": 0.9}
    for other in ({}, 0.1, MEASURED | {0.1: 0.2}, MEASURED | {0.1: better}):
        assert examine("06.6", "d", measured=other).key == "measurement"


def test_an_empty_answer_is_unwritten_whatever_was_measured():
    assert examine("06.6", ..., measured={}).status == "unwritten"
