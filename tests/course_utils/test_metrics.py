import json

import numpy as np
import pytest
import torch
from scipy import stats

from course_utils.metrics import (
    Interval,
    accuracy,
    confusion_matrix,
    mean_interval,
    paired_interval,
)


def test_mean_interval_is_students_t():
    values = [0.80, 0.82, 0.79, 0.85, 0.81]
    interval = mean_interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval.mean == pytest.approx(0.814)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert interval.n == 5


def test_equal_values_have_an_interval_of_no_width():
    assert mean_interval([0.5, 0.5, 0.5]).half_width == 0


def test_more_confidence_is_wider():
    values = torch.tensor([0.1, 0.4, 0.2])
    wide = mean_interval(values, confidence=0.99)
    assert wide.half_width > mean_interval(values).half_width
    assert wide.confidence == 0.99


@pytest.mark.parametrize("values", [[], [0.5]])
def test_too_few_values_are_named(values):
    with pytest.raises(ValueError, match=f"n = {len(values)}"):
        mean_interval(values)


def test_a_failed_run_is_named():
    with pytest.raises(ValueError, match=r"values\[1\] is nan"):
        mean_interval([0.5, float("nan"), 0.6])


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidence_is_a_share(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([0.1, 0.2], confidence=confidence)


def test_paired_interval_cancels_what_pairs_share():
    seeds = np.array([0.1, 0.5, 0.9])
    interval = paired_interval(seeds + 0.02, seeds)
    assert interval.mean == pytest.approx(0.02)
    assert interval.half_width == pytest.approx(0, abs=1e-9)
    assert interval.low > 0


def test_unequal_pairs_are_refused():
    with pytest.raises(ValueError, match="3 and 2 values"):
        paired_interval([1, 2, 3], [1, 2])


def test_intervals_read_well():
    assert str(Interval(0.812, 0.799, 0.825, 5)) == "0.812 ± 0.013"
    assert f"{Interval(0.05, 0.04, 0.06, 5):+.1%}" == "+5.0% ± 1.0%"
    assert str(Interval(0.9, 0.7, 0.95, 10)) == "0.900 [0.700, 0.950]"


def test_intervals_become_json():
    fields = json.loads(json.dumps(mean_interval([0.1, 0.3]).as_dict()))
    assert set(fields) == {"mean", "low", "high", "n", "confidence"}


def test_accuracy_takes_logits_or_indices():
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 1.0], [0.0, 1.0]])
    labels = torch.tensor([0, 1, 1, 1])
    assert accuracy(logits, labels) == 0.75
    assert accuracy(logits.argmax(dim=1).numpy(), [0, 1, 1, 1]) == 0.75


@pytest.mark.parametrize("score", [accuracy, confusion_matrix])
def test_unequal_lengths_are_refused(score):
    with pytest.raises(ValueError, match="3 predictions do not fit 2 labels"):
        score(torch.zeros(3, 2), [0, 1])


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="no images"):
        accuracy(torch.zeros(0, 2), torch.zeros(0))


def test_one_column_of_logits_is_refused():
    with pytest.raises(ValueError, match="threshold"):
        accuracy(torch.zeros(3, 1), [0, 1, 0])


def test_confusion_has_true_rows_and_predicted_columns():
    table = confusion_matrix([0, 1, 1], [0, 0, 1], classes=["ant", "bee"])
    assert table.loc["ant", "bee"] == 1
    assert table.loc["bee", "ant"] == 0
    assert table.index.name == "true"


def test_confusion_names_an_index_without_a_class():
    with pytest.raises(ValueError, match="class index 2"):
        confusion_matrix([0, 2], [0, 1], classes=["ant", "bee"])


BAD = {
    "logits of too few classes": (
        torch.zeros(2, 2), [0, 5], r"index 5 among the labels has no column .*\(2, 2\)"),
    "NaN in a logit": (
        torch.tensor([[0.0, float("nan")], [1, 2]]), [0, 1],
        r"predictions\[0\] holds NaN, and so do 1 of 2 rows: .*lower the learning rate"),
    "sigmoid scores": (
        torch.tensor([0.2, 0.9]), [0, 1],
        r"predictions\[0\] is 0\.2, which is no class index \(2 of 2 .*scores > 0\.5"),
    "one logit a picture": (torch.tensor([-3.0, 2.0]), [0, 1], r"logits > 0\)\.long"),
    "NaN as an index": ([0.0, float("nan")], [0, 1], r"predictions\[1\] is nan"),
    "no class predicted": ([0, -1], [0, 1], r"predictions\[1\] is -1"),
    "a label is missing": (
        [0, 1], [0, -1], r"labels\[1\] is -1, .*keep = labels >= 0"),
    "a label is NaN": ([0, 1], [0, float("nan")], r"labels\[1\] is nan.*missing label"),
    "a label between two": ([0, 1], [0.4, 0.6], r"labels\[0\] is 0\.4"),
    "several labels a picture": (
        torch.rand(2, 3), torch.tensor([[1, 0, 1], [0, 1, 1]]),
        r"\(N, C\) = \(2, 3\)\. One-hot rows: .*Several labels a picture: .*column c"),
    "one-hot rows": ([0, 1], torch.eye(2), r"labels\.argmax\(dim=1\)"),
    "a column of labels": ([0, 1], [[0], [1]], r"shape \(2, 1\): labels\.flatten"),
    "one label for all": ([0, 1], 1, r"shape \(\)"),
    "segmentation": (torch.zeros(2, 3, 4, 4), [0, 1], r"shape \(2, 3, 4, 4\)"),
    "no classes": (torch.zeros(2, 0), [0, 1], r"shape \(2, 0\)"),
    "names": ([0, 1], ["ant", "bee"], r"labels must be numbers.*classes\.index"),
    "ragged rows": ([[0.1, 0.9], [1.0]], [0, 1], "predictions must be .*one length"),
}  # fmt: skip


@pytest.mark.parametrize("score", [accuracy, confusion_matrix])
@pytest.mark.parametrize(("given", "labels", "words"), BAD.values(), ids=BAD.keys())
def test_what_would_give_a_wrong_number_is_refused(score, given, labels, words):
    with pytest.raises(ValueError, match=words):
        score(given, labels)


@pytest.mark.parametrize("kind", [torch.tensor, np.array, list])
def test_indices_may_be_of_any_kind_of_whole_number(kind):
    for guessed in ([0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0], [False, True, True, False]):
        assert accuracy(kind(guessed), kind([0, 1, 0, 0])) == 0.75
        assert accuracy(kind([0, 1, 0, 0]), kind(guessed)) == 0.75


def test_scores_may_be_masked_by_infinity_and_one_hot_by_truth():
    scores = torch.tensor([[float("-inf"), 1.0], [float("inf"), 0.0]])
    assert accuracy(scores, [1, 0]) == 1.0
    assert accuracy(scores.half(), torch.tensor([1, 1], dtype=torch.uint8)) == 0.5
    assert accuracy(torch.eye(2, dtype=torch.bool), [0, 1]) == 1.0
