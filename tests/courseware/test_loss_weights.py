"""The runs that `LossWeightExplorer` shows: whole, and measured again."""

import pytest

from course_utils import loss_weight_runs, measured
from course_utils.measured import measured_path, read_measured
from courseware.making import loss_weights


def test_the_record_fits_the_settings_of_its_command():
    record = read_measured("loss_weights").content
    assert list(record["runs"]) == loss_weights.names()
    assert list(record["tasks"]) == list(loss_weights.TASKS)
    assert record["seeds"] == list(loss_weights.SEEDS)
    assert (record["net"], record["epochs"]) == (loss_weights.NET, loss_weights.EPOCHS)
    train = record["pictures"]["train"]
    assert train == loss_weights.PER_CLASS * record["tasks"]["species"]
    assert measured_path("loss_weights").stat().st_size < 100_000


def test_the_record_holds_every_epoch_of_every_seed():
    record = read_measured("loss_weights").content
    for name, runs in record["runs"].items():
        assert len(runs) == len(record["seeds"])
        for found in runs:
            kept = [found["share"]]
            for measure in loss_weight_runs.MEASURES:
                kept += [found[f"val_{measure}"][task] for task in record["tasks"]]
            assert {len(values) for values in kept} == {record["epochs"]}
            if name != loss_weight_runs.LEARNT:
                assert set(found["share"]) == {float(name)}


def test_a_recorded_run_comes_out_roughly_again():
    stored = read_measured("loss_weights").content["runs"]["0.5"][0]
    again = loss_weights.measure(["0.5"], seeds=(0,), epochs=1)["runs"]["0.5"][0]
    for task in loss_weights.TASKS:
        first = stored["val_accuracy"][task][0]
        assert again["val_accuracy"][task] == pytest.approx([first], abs=0.1)
        first = stored["val_loss"][task][0]
        assert again["val_loss"][task] == pytest.approx([first], rel=0.15)


def test_learnt_weights_are_learnt_beside_the_net():
    again = loss_weights.measure(["uncertainty"], seeds=(0,), epochs=1)
    (found,) = again["runs"]["uncertainty"]
    assert 0 < found["share"][0] < 1
    assert found["share"][0] != 0.5


def test_the_command_keeps_what_it_measured(monkeypatch, tmp_path, capsys):
    record = read_measured("loss_weights").content
    monkeypatch.setattr(measured, "data_dir", lambda: tmp_path)
    monkeypatch.setattr(loss_weights, "measure", lambda: record)
    assert loss_weights.main([]) == 0
    assert not measured_path("loss_weights").exists()
    assert loss_weights.main(["--write"]) == 0
    assert read_measured("loss_weights").content == record
    assert "uncertainty" in capsys.readouterr().out
