"""Task 03.5, which is held against a count."""

from courseware.grading import examine

GROWN = {"weights": 0.0, "gradients": 44.6, "optimizer": 89.3, "activations": 485.1}


def test_the_reason_for_a_wrong_letter_quotes_the_count():
    assert "+45 MB" in examine("03.5", "b", grown=GROWN).hint
    assert "+485 MB" in examine("03.5", "c", grown=GROWN).hint


def test_a_right_letter_passes_with_the_count():
    assert examine("03.5", "d", grown=GROWN).status == "passed"


def test_a_count_of_something_else_is_refused():
    for other in (GROWN | {"gradients": 900.0}, {"activations": 485.1}, 485.1):
        assert examine("03.5", "d", grown=other).key == "count"


def test_an_empty_answer_is_unwritten_whatever_was_counted():
    assert examine("03.5", ..., grown=GROWN).status == "unwritten"
