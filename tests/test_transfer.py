"""Transfer: both arms on the same pictures, summed up exactly, written into a card."""

import json
import shutil

import pytest

from course_utils import transfer
from course_utils.datasets import load_dataset
from course_utils.storage import data_dir
from course_utils.transfer import ARMS, add_figures, evaluate_transfer, summarise

NAME = "test_resnet"


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", transform=transfer._transform(NAME), per_class=20)


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
    first, again = (
        transfer.probe_both(NAME, few, seed=3, per_class=5) for _ in range(2)
    )
    assert first == again and set(first) == set(ARMS)
    assert all(0 <= value <= 1 for value in first.values())


def test_fine_tuning_trains_both_arms(few):
    found = transfer.fine_tune_both(NAME, few, seed=0, epochs=1)
    assert set(found) == set(ARMS)


def test_the_learning_rate_is_chosen_on_val_alone(monkeypatch):
    scores = {1e-3: (0.6, 0.1), 3e-3: (0.6, 0.9)}
    monkeypatch.setattr(transfer, "_fine_tuned", lambda *given: scores[given[-1]])
    assert transfer.fine_tune_both(NAME, None, seed=0)["random"] == 0.1


def test_every_target_gets_a_row():
    found = evaluate_transfer(NAME, targets=("digits",), seeds=(0, 1))
    assert list(found) == ["digits, probe on 20 a class"]


def test_figures_go_beside_those_of_the_card(tmp_path, monkeypatch):
    card = data_dir() / "weights" / f"{NAME}.json"
    (tmp_path / "weights").mkdir()
    shutil.copy(card, tmp_path / "weights")
    monkeypatch.setattr(transfer, "data_dir", lambda: tmp_path)
    before = json.loads(card.read_text(encoding="utf-8"))
    after = json.loads(add_figures(NAME, {"new": {"gain": 1.0}}).read_text("utf-8"))
    assert after["figures"].pop("new") == {"gain": 1.0}
    assert {**after, "figures": 0} == {**before, "figures": 0}
