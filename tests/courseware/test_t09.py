"""Tasks 09.5 to 09.7: what is held against a measurement, and a prediction."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from courseware.grading import examine
from tests.answers.t09 import share_by_jacobian, share_ratio

FACTS = {"labels": 0.0, "own": 0.81, "raw": 0.42}


def test_a_right_share_passes_with_the_measurement():
    assert examine("09.5", 0.127, measured=0.128).status == "passed"


def test_the_reason_for_a_wrong_share_quotes_the_measurement():
    assert "Measured above: 0.128" in examine("09.5", 0.7, measured=0.128).hint


@pytest.mark.parametrize("measured", [0.7, "0.128", {}])
def test_a_measurement_of_another_share_is_refused(measured):
    assert examine("09.5", 0.127, measured=measured).key == "measurement"


def test_what_the_cells_measure_is_not_told_as_what_is_expected():
    found = examine("09.5", 0.127, measured=0.7)
    assert found.got == "0.7" and not found.expected


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


TIMES = {"A": 5, "B": 100, "C": 1000, "D": 1000}


@pytest.mark.parametrize(
    "given", [TIMES, {case: float(n) for case, n in TIMES.items()}]
)
def test_a_right_prediction_passes_with_the_function(given):
    assert examine("09.7", share_by_jacobian, predicted=given).status == "passed"


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"A": 160}, "both-counted"),
        ({"D": 8000}, "both-counted"),
        ({"A": 32}, "pictures"),
        ({"D": 8}, "pictures"),
        ({"A": 0.2}, "inverse"),
        ({"C": 0.001}, "inverse"),
        ({"B": 1}, "nothing"),
        ({"D": 250}, "batch"),
        ({"D": 4000}, "batch"),
        ({"C": 200}, "number"),
        ({"B": float("nan")}, "number"),
        ({"B": True}, "type"),
        ({"B": "100"}, "type"),
        ({"E": 3}, "cases"),
    ],
)
def test_a_wrong_prediction_fails_with_the_hint_that_fits(wrong, key):
    found = examine("09.7", share_by_jacobian, predicted=TIMES | wrong)
    assert (found.status, found.key) == ("failed", key) and found.hint


@pytest.mark.parametrize(
    ("given", "key"), [(..., "not-predicted"), ({}, "cases"), (1000, "type")]
)
def test_the_function_alone_is_half_of_the_task(given, key):
    assert examine("09.7", share_by_jacobian, predicted=given).key == key


def test_a_prediction_may_hold_numbers_of_any_kind_and_order():
    given = {"D": np.int64(1000), "C": 1e3, "B": torch.tensor(100), "A": np.float32(5)}
    assert examine("09.7", share_by_jacobian, predicted=given).status == "passed"


def test_the_card_of_a_wrong_prediction_names_its_case():
    found = examine("09.7", share_by_jacobian, predicted=TIMES | {"D": 8})
    assert found.property == "the prediction for case D"
    assert found.got == "8" and not found.expected


def test_a_wrong_function_is_told_of_before_the_prediction():
    assert examine("09.7", share_ratio, predicted=...).key == "ratio"


def test_the_classes_are_what_torch_divides_by_in_excess():
    def value(reduction):
        p = torch.randn(4, 7).log_softmax(1)
        return F.kl_div(p.roll(1, 0), p, reduction=reduction, log_target=True)

    torch.manual_seed(0)
    right = value("batchmean")
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="support size"):
        assert torch.isclose(7 * value("mean"), right)
