"""Worth: both arms on the same pictures, summed up exactly, stored beside others."""

import pytest

from course_utils.datasets import load_dataset
from course_utils.measured import read_measured, write_measured
from courseware.making import worth
from courseware.making.pretraining import add_figures
from courseware.making.worth import ARMS, measure_worth, summarise

NAME = "test_resnet"


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", transform=worth._transform(NAME), per_class=20)


@pytest.fixture(scope="module")
def few(digits):
    digits.val = digits.val.sample_per_class(2, seed=0)
    digits.test = digits.test.sample_per_class(2, seed=0)
    return digits


def test_summary_holds_means_and_the_paired_gain_in_points():
    row = summarise(
        [{"pretrained": 0.8, "random": 0.5}, {"pretrained": 0.6, "random": 0.5}]
    )
    assert row["pretrained"] == 0.7 and row["random"] == 0.5 and row["seeds"] == 2
    assert row["gain"] == 20 and row["gain_low"] < 0 < 40 < row["gain_high"]


def test_probes_repeat_for_the_same_seed(few):
    first, again = (worth.probe_both(NAME, few, seed=3, per_class=5) for _ in range(2))
    assert first == again and set(first) == set(ARMS)
    assert all(0 <= value <= 1 for value in first.values())


def test_fine_tuning_trains_both_arms(few):
    found = worth.fine_tune_both(NAME, few, seed=0, epochs=1)
    assert set(found) == set(ARMS)


def test_the_learning_rate_is_chosen_on_val_alone(monkeypatch):
    scores = {1e-3: (0.6, 0.1), 3e-3: (0.6, 0.9)}
    monkeypatch.setattr(worth, "_fine_tuned", lambda *given: scores[given[-1]])
    assert worth.fine_tune_both(NAME, None, seed=0)["random"] == 0.1


def test_every_target_gets_a_row():
    found = measure_worth(NAME, targets=("digits",), seeds=(0, 1))
    assert list(found) == ["digits, probe on 20 a class"]


def test_figures_go_beside_those_that_are_stored(empty_measured):
    write_measured("bundled_weights", {NAME: {"old": 1}, "other": {}}, made_by="x")
    add_figures(NAME, {"new": {"gain": 1.0}})
    assert read_measured("bundled_weights").content == {
        NAME: {"old": 1, "new": {"gain": 1.0}}, "other": {},
    }  # fmt: skip
