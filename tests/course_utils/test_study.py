"""Studies: what is run, what is kept, what happens when it stops."""

import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
import torch

from course_utils.datasets import load_dataset, with_attributes
from course_utils.layer_groups import freeze
from course_utils.multitask import MultiTaskModel, MultiTaskStep
from course_utils.param_groups import param_groups
from course_utils.runtime import seed_everything
from course_utils.study import read_study, run_study, summarise
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import load_backbone

GRID = {"lr": [0.1, 0.01], "seed": range(3)}


def power(lr, seed):
    """A run that costs nothing: its figure tells its options."""
    return {"accuracy": lr * 10 + seed}


def net_and_seed(net, seed):
    return {"accuracy": torch.tensor(seed)}


class Counted:
    """A run that counts its calls, and raises where it is told to."""

    def __init__(self, broken=(), raising=None):
        self.calls, self.broken = [], list(broken)
        self.raising = raising or ZeroDivisionError("by zero")

    def __call__(self, lr, seed):
        self.calls.append((lr, seed))
        if (lr, seed) in self.broken:
            raise self.raising
        return power(lr, seed)


# -- what comes out --------------------------------------------------------------------


def test_every_combination_is_a_row_in_the_order_of_the_grid(tmp_path):
    table = run_study(power, GRID, tmp_path)
    assert list(table) == ["lr", "seed", "accuracy", "seconds", "error"]
    rows = [(0.1, 0), (0.1, 1), (0.1, 2), (0.01, 0), (0.01, 1), (0.01, 2)]
    assert list(table[["lr", "seed"]].itertuples(index=False, name=None)) == rows
    assert table["accuracy"].tolist() == [power(*row)["accuracy"] for row in rows]
    assert table["error"].isna().all() and (table["seconds"] >= 0).all()


def test_points_may_be_listed_and_numpy_s_numbers_are_numbers(tmp_path):
    points = [{"lr": lr, "seed": np.int64(1)} for lr in np.logspace(-3, -1, 3)]
    table = run_study(power, points, tmp_path)
    assert table["lr"].tolist() == pytest.approx([1e-3, 1e-2, 1e-1])
    assert table["seed"].tolist() == [1, 1, 1]


def test_what_is_kept_can_be_read_without_the_function(tmp_path):
    grid = {"net": ["b", "a"], "seed": [10, 9]}
    made = run_study(net_and_seed, grid, tmp_path)
    found = read_study(tmp_path)
    assert found[["net", "seed"]].values.tolist() == [
        ["a", 9], ["a", 10], ["b", 9], ["b", 10]]  # fmt: skip
    same = made.sort_values(["net", "seed"], ignore_index=True)
    pd.testing.assert_frame_equal(found, same)


def test_a_summary_has_intervals_over_the_seeds(tmp_path):
    table = run_study(power, GRID, tmp_path)
    found = summarise(table, "lr", "accuracy")
    assert found.index.tolist() == [0.1, 0.01] and found["n"].tolist() == [3, 3]
    assert found["mean"].tolist() == pytest.approx([2.0, 1.1])
    half = 4.302653 / 3**0.5  # Student's t with two degrees of freedom, deviation 1
    assert (found["high"] - found["mean"]).tolist() == pytest.approx([half, half])
    with pytest.raises(ValueError, match="no column 'rate'; there are lr, seed"):
        summarise(table, ["rate"], "accuracy")
    with pytest.raises(ValueError, match="n = 1: repeat the run with other seeds"):
        summarise(table, ["lr", "seed"], "accuracy")


# -- what is kept ----------------------------------------------------------------------


def test_only_what_is_missing_is_run(tmp_path):
    run = Counted()
    first = run_study(run, GRID, tmp_path)
    assert len(run.calls) == 6
    pd.testing.assert_frame_equal(run_study(run, GRID, tmp_path), first)
    assert len(run.calls) == 6
    run_study(run, {"lr": [0.01, 0.001], "seed": [0]}, tmp_path)
    assert run.calls[6:] == [(0.001, 0)]
    assert len(read_study(tmp_path)) == 7


def test_a_failed_run_stops_no_other_and_is_tried_again(tmp_path, capsys):
    run = Counted(broken=[(0.1, 1)])
    table = run_study(run, GRID, tmp_path)
    assert table["error"].dropna().tolist() == ["ZeroDivisionError: by zero"]
    assert table["accuracy"].isna().sum() == 1 and list(table)[-1] == "error"
    files = [file.read_text() for file in tmp_path.iterdir()]
    assert sum("in __call__" in text for text in files) == 1  # where it was raised
    assert "1 of 6 runs failed, the first with ZeroDivision" in capsys.readouterr().out
    assert summarise(table, "lr", "accuracy")["n"].tolist() == [2, 3]
    run.broken.clear()
    assert run_study(run, GRID, tmp_path)["error"].isna().all()
    assert run.calls[6:] == [(0.1, 1)]


def test_a_first_run_that_fails_leaves_the_columns_in_order(tmp_path):
    table = run_study(Counted(broken=[(0.1, 0)]), GRID, tmp_path)
    assert list(table) == ["lr", "seed", "accuracy", "seconds", "error"]


def test_stopped_by_hand_it_keeps_what_was_reached(tmp_path, capsys):
    run = Counted(broken=[(0.1, 2)], raising=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run_study(run, GRID, tmp_path)
    assert read_study(tmp_path)["seed"].tolist() == [0, 1]
    assert "the runs that ended are kept" in capsys.readouterr().out
    run.broken.clear()
    assert len(run_study(run, GRID, tmp_path)) == 6
    assert run.calls[3:] == [(0.1, 2), (0.01, 0), (0.01, 1), (0.01, 2)]


KILLED = """
import os
from course_utils.study import run_study

def run(seed):
    if seed == 2:
        os._exit(9)  # no handler runs
    return {"accuracy": seed}

run_study(run, {"seed": range(4)}, "kept")
"""


def test_a_killed_study_goes_on_where_it_was(tmp_path):
    command = [sys.executable, "-c", KILLED]
    assert subprocess.run(command, cwd=tmp_path, timeout=120).returncode == 9
    assert read_study(tmp_path / "kept")["seed"].tolist() == [0, 1]
    assert not list((tmp_path / "kept").glob(".*"))
    mended = KILLED.replace("os._exit(9)", "pass")
    subprocess.run(
        [sys.executable, "-c", mended], cwd=tmp_path, check=True, timeout=120
    )
    assert read_study(tmp_path / "kept")["seed"].tolist() == [0, 1, 2, 3]


KILLED_WRITING = """
import os, sys
from pathlib import Path
from course_utils.study import run_study

def run(seed):
    return {"accuracy": seed}

write_text = Path.write_text

def killed(self, text, **options):
    if '"seed": 2' in text:
        write_text(self, text[:20], **options)
        os._exit(9)
    return write_text(self, text, **options)

if "kill" in sys.argv:
    Path.write_text = killed
table = run_study(run, {"seed": range(4)}, "kept")
print(table["seconds"].tolist())
"""


def test_killed_within_a_write_only_that_run_is_lost(tmp_path):
    command, kept = [sys.executable, "-c", KILLED_WRITING], tmp_path / "kept"
    killed = subprocess.run([*command, "kill"], cwd=tmp_path, timeout=120)
    assert killed.returncode == 9 and len(list(kept.iterdir())) == 3
    before = read_study(kept)
    assert before["seed"].tolist() == [0, 1]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    after = read_study(kept)
    assert after["seed"].tolist() == [0, 1, 2, 3]
    assert after["seconds"][:2].tolist() == before["seconds"].tolist()  # not run again
    assert all(file.suffix == ".json" for file in kept.iterdir())


def test_what_older_killed_writes_left_stops_nothing(tmp_path):
    run_study(power, GRID, tmp_path)
    (tmp_path / ".zr7gl0jq.json").touch()
    assert len(run_study(power, GRID, tmp_path)) == len(read_study(tmp_path)) == 6


@pytest.mark.parametrize("text", ["", '{"run": "x', "[" * 99_999, "\x00" * 300, "[]"])
def test_a_damaged_result_is_run_again_with_a_word(tmp_path, capsys, text):
    run = Counted()
    first = run_study(run, GRID, tmp_path)
    damaged = sorted(tmp_path.iterdir())[0]
    damaged.write_text(text)
    assert len(read_study(tmp_path)) == 5
    words = f"{damaged} is damaged and left out: run_study runs its point again\n"
    assert capsys.readouterr().out == words
    table = run_study(run, GRID, tmp_path)
    assert capsys.readouterr().out == words and len(run.calls) == 7
    assert table.drop(columns="seconds").equals(first.drop(columns="seconds"))


# -- side by side ----------------------------------------------------------------------


@pytest.mark.parametrize("other", [5.0, 6.0])
def test_of_two_processes_the_first_result_stays_and_another_is_said(
    tmp_path, capsys, other
):
    inner = {"given": other, "again": True}

    def run(seed):
        if inner.pop("again", False):  # meanwhile another process runs the same point
            run_study(run, {"seed": [1]}, tmp_path)
            return {"accuracy": 5.0}
        return {"accuracy": inner["given"]}

    table = run_study(run, {"seed": [1]}, tmp_path)
    assert table["accuracy"].tolist() == [other]
    said = capsys.readouterr().out
    if other == 5.0:
        assert said == ""
    else:
        assert "another process ran {'seed': 1} too and kept {'accuracy': 6.0}" in said
        assert "this one's {'accuracy': 5.0} is not kept" in said


def test_what_another_process_ran_meanwhile_is_not_run_again(tmp_path):
    calls = []

    def run(seed):
        calls.append(seed)
        if len(calls) == 1:
            run_study(run, {"seed": [2, 3]}, tmp_path)
        return {"accuracy": seed}

    assert len(run_study(run, {"seed": [1, 2, 3]}, tmp_path)) == 3
    assert calls == [1, 2, 3]


def test_on_a_full_disk_the_result_is_said(tmp_path, full_disk):
    run_study(power, {"lr": [1], "seed": [0]}, tmp_path)
    with full_disk(10), pytest.raises(OSError, match="was not written.*'accuracy': 12"):
        run_study(power, {"lr": [1], "seed": [0, 2]}, tmp_path)
    assert len(read_study(tmp_path)) == 1 and len(list(tmp_path.iterdir())) == 1


def test_runs_side_by_side_give_the_same_table(tmp_path):
    expected = run_study(power, GRID, tmp_path / "one").drop(columns="seconds")
    with ThreadPoolExecutor(2) as pool:
        found = run_study(power, GRID, tmp_path / "two", executor=pool)
    pd.testing.assert_frame_equal(found.drop(columns="seconds"), expected)


def test_processes_take_runs(tmp_path):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        table = run_study(_process, {"seed": [0, 1]}, tmp_path, executor=pool)
    assert table["error"].isna().all() and table["process"].nunique() == 1
    assert table["process"][0] != os.getpid()


def _process(seed):
    return {"process": os.getpid()}


def test_a_dask_cluster_takes_runs(tmp_path):
    distributed = pytest.importorskip(
        "distributed", reason="no Dask, the extra `scale`"
    )
    options = {"processes": False, "n_workers": 1, "dashboard_address": None}
    with distributed.Client(**options) as client:
        run = Counted(broken=[(0.1, 1)])
        table = run_study(run, GRID, tmp_path, executor=client.get_executor())
    assert table["error"].notna().tolist() == [False, True] + [False] * 4
    assert table["accuracy"].dropna().tolist() == [1.0, 3.0, 0.1, 1.1, 2.1]


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(("grid", "words"), [
    ({}, "grid is empty"),
    ([1, 2], "a point is a dictionary of options, got 1"),
    ([], "grid is empty"),
    ({"lr": []}, "grid is empty"),
    ({"net": "test_resnet"}, r"net needs a list of values: \['test_resnet'\]"),
    ({"seed": 3}, r"seed needs a list of values: \[3\]"),
    ({"lr": [0.1, 0.1], "seed": [0]}, r"holds .*0\.1.* twice"),
    ([{"lr": 0.1, "seed": 0}, {"lr": 0.1}], "other options than lr, seed"),
    ({"lr": [torch.tensor(0.1)]}, "is a Tensor: options are texts"),
    ({"lr": [(1, 2)]}, "is a tuple: options are texts.*Take a name"),
    ({"error": [1]}, "cannot be named 'error'"),
])  # fmt: skip
def test_grids_that_cannot_be_run_are_named(tmp_path, grid, words):
    with pytest.raises(ValueError, match=words):
        run_study(power, grid, tmp_path)


@pytest.mark.parametrize(("given", "words"), [
    (None, r"TypeError: a run returns \{name: number\}, got None"),
    ({}, "TypeError: a run returns"),
    ({"seed": 1}, "ValueError: the figure 'seed' has the name of another column"),
    ({"accuracy": "high"}, "ValueError: could not convert"),
])  # fmt: skip
def test_a_run_that_gives_no_figures_has_failed(tmp_path, given, words):
    def run(seed):
        return given

    table = run_study(run, {"seed": [0]}, tmp_path)
    assert table["error"].str.match(words).all()


def test_results_of_another_function_are_not_mixed_in(tmp_path):
    run_study(power, GRID, tmp_path)
    with pytest.raises(ValueError, match="results of .*power, not of .*Counted"):
        run_study(Counted(), GRID, tmp_path)
    with pytest.raises(ValueError, match="lambdas have no name.*def"):
        run_study(lambda lr, seed: power(lr, seed), GRID, tmp_path)


def test_what_a_partial_binds_belongs_to_its_name(tmp_path):
    run_study(partial(power, lr=0.1), {"seed": [1]}, tmp_path)
    assert len(run_study(partial(power, lr=0.1), {"seed": [1, 2]}, tmp_path)) == 2
    with pytest.raises(ValueError, match=r"power\(lr=0.1\), not of .*power\(lr=0.2\)"):
        run_study(partial(power, lr=0.2), {"seed": [1]}, tmp_path)


def test_a_file_in_the_folder_s_place_is_named_before_anything_runs(tmp_path):
    (tmp_path / "kept").touch()
    run = Counted()
    with pytest.raises(ValueError, match="kept is a file: name a folder"):
        run_study(run, GRID, tmp_path / "kept")
    assert run.calls == []


def test_a_function_that_workers_cannot_import_is_named(tmp_path):
    def local(seed):
        return {"accuracy": seed}

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(RuntimeError, match="must be importable there"):
            run_study(local, {"seed": [0]}, tmp_path, executor=pool)


def test_a_figure_that_is_not_known_is_left_out_of_a_summary(tmp_path):
    def run(seed):
        return {"accuracy": float("nan") if seed == 1 else seed}

    table = run_study(run, {"seed": range(4)}, tmp_path).assign(arm="a")
    found = summarise(table, "arm", "accuracy").loc["a"]
    assert found["n"] == 3 and found["mean"] == pytest.approx(5 / 3)
    for by, figure in (([], "accuracy"), ("seed", "arm")):
        with pytest.raises(ValueError, match="name options to group by"):
            summarise(table, by, figure)


@pytest.mark.parametrize("text", ["{", "[]", '{"run": "x"}'])
def test_a_file_that_is_no_result_is_named(tmp_path, text):
    (tmp_path / "notes.json").write_text(text)
    with pytest.raises(ValueError, match=r"notes\.json is no result of a study"):
        run_study(power, GRID, tmp_path)


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no results: make some with run_study"):
        read_study(tmp_path / "nothing")


# -- with the rest of the package ------------------------------------------------------


def _two_tasks(weight, until, seed):
    """Train two heads for an epoch at a weight of the colour's loss."""
    data = load_dataset("flowers", seed=seed, per_class=8)
    train, test = (with_attributes(part, ["species", "colour"])
                   for part in (data.train, data.test.subset(range(20))))  # fmt: skip
    seed_everything(seed)
    model = MultiTaskModel(load_backbone("test_resnet", weights="bundled"), train.tasks)
    freeze(model, until=until)
    step = MultiTaskStep(weights={"species": 1.0, "colour": weight})
    loader = make_loader(train, batch_size=16, shuffle=True, seed=seed)
    optimizer = torch.optim.AdamW(param_groups(model, 1e-2))
    fit(model, loader, None, optimizer=optimizer, epochs=2, step=step)
    return evaluate(model, make_loader(test), step=step)


def test_a_study_of_several_tasks_has_a_column_for_each(tmp_path):
    grid = {"weight": [0.01, 1.0], "until": ["backbone.layer4"], "seed": [0, 1]}
    table = run_study(_two_tasks, grid, tmp_path)
    assert table["error"].isna().all(), table["error"].tolist()
    assert {"accuracy_species", "accuracy_colour", "loss_colour"} <= set(table)
    loss = summarise(table, "weight", "loss_colour")["mean"]
    assert loss[1.0] < loss[0.01]  # what counts is learnt
    again = tmp_path / "again"
    run_study(_two_tasks, {name: values[:1] for name, values in grid.items()}, again)
    kept = [json.loads(file.read_text())["figures"] for file in again.iterdir()]
    assert kept == [
        table.loc[0, list(kept[0])].to_dict()
    ]  # the same seed, the same run


def test_a_folder_that_cannot_be_made_is_known_before_the_first_run(tmp_path):
    (tmp_path / "file").touch()
    run = Counted()
    with pytest.raises(OSError, match="results cannot be kept in .*another folder"):
        run_study(run, GRID, tmp_path / "file" / "kept")
    assert run.calls == []


def test_arguments_of_another_type_are_named(tmp_path):
    for arguments, words in (
        ((3, GRID, tmp_path), "run must be a function, got 3"),
        ((power, None, tmp_path), "grid must be a mapping or a sequence, got None"),
        ((power, GRID, None), "folder must be a string or a PathLike, got None"),
    ):
        with pytest.raises(TypeError, match=words):
            run_study(*arguments)
