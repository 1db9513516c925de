"""Exercise 10: classes half written, and what its predictions are held against."""

import torch
from torch import nn

from courseware.grading import examine

COUNTED = {"one": 11_182_155, "two": 22_358_667}
MEASURED = {"A": 0.6, "B": -0.2, "C": 1.0}
MEANS = {"A": "b", "B": "d", "C": "a", "D": "f"}


def test_a_class_that_is_not_written_yet_is_no_wrong_answer():
    class Unwritten(nn.Module):
        def __init__(self, *arguments):
            super().__init__()
            raise NotImplementedError

    for task in ("10.1", "10.4"):
        assert examine(task, Unwritten).status == "unwritten"


def test_a_class_whose_forward_is_not_written_yet_is_no_wrong_answer():
    class Unfinished(nn.Module):
        def __init__(self, tasks):
            super().__init__()
            self.s = nn.Parameter(torch.zeros(len(tasks)))

        def forward(self, losses):
            raise NotImplementedError

    assert examine("10.4", Unfinished).status == "unwritten"


def test_the_right_numbers_pass_with_the_count():
    assert examine("10.6", dict(COUNTED), counted=COUNTED).status == "passed"


def test_the_reason_for_a_wrong_number_quotes_the_count():
    wrong = COUNTED | {"one": 12_000_000}
    assert "11,182,155" in examine("10.6", wrong, counted=COUNTED).hint
    assert "11,182,155" not in examine("10.6", wrong).hint


def test_a_count_of_another_net_is_refused():
    for other in (COUNTED | {"one": 5}, {}, 11_182_155):
        assert examine("10.6", dict(COUNTED), counted=other).key == "measurement"


def test_the_right_letters_pass_with_the_measurement():
    assert examine("10.7", MEANS, measured=MEASURED).status == "passed"


def test_the_reason_for_a_wrong_letter_quotes_the_measurement():
    hint = examine("10.7", MEANS | {"B": "b"}, measured=MEASURED).hint
    assert "-20% of the fall alone" in hint


def test_a_measurement_of_something_else_is_refused():
    for other in ({}, 0.6, MEASURED | {"B": 0.2}, {"A": 0.6}):
        assert examine("10.7", MEANS, measured=other).key == "measurement"


def test_an_empty_answer_is_unwritten_whatever_was_measured():
    assert examine("10.6", ..., counted=COUNTED).status == "unwritten"
    assert examine("10.7", ..., measured=MEASURED).status == "unwritten"
