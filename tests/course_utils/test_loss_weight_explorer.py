import copy
import math

import pytest
from traitlets import TraitError

from course_utils import loss_weight_runs
from course_utils.widgets import LossWeightExplorer
from tests.course_utils.test_widgets import VIEW, TagChecker

FINAL = {  # left and right task, of the first seed; the second is 0.02 better
    "0": (0.2, 0.96),
    "0.5": (0.8, 0.9),
    "0.75": (0.78, 0.88),
    "1": (0.9, 0.1),
    "uncertainty": (0.85, 0.7),
}


def run(left, right, share):
    both = {"left": left, "right": right}
    return {
        "test": both,
        "val_accuracy": {task: [0.5 * x, x] for task, x in both.items()},
        "val_loss": {task: [2 * (1 - x), 1 - x] for task, x in both.items()},
        "share": [share, share],
    }


@pytest.fixture
def record():
    shares = {name: 0.4 if name == "uncertainty" else float(name) for name in FINAL}
    return {
        "net": "tiny",
        "data": "pictures",
        "pictures": {"train": 20, "val": 10, "test": 30},
        "tasks": {"left": 5, "right": 3},
        "epochs": 2,
        "seeds": [0, 1],
        "runs": {
            name: [run(a + extra, b + extra, shares[name]) for extra in (0, 0.02)]
            for name, (a, b) in FINAL.items()
        },
    }


@pytest.fixture
def explorer(record):
    return LossWeightExplorer(record)


def run_of(explorer, name):
    return next(run for run in explorer.runs if run["name"] == name)


# -- what is shown ---------------------------------------------------------------------


def test_each_run_has_mean_and_range_of_its_seeds(explorer):
    scores = run_of(explorer, "0.5")["scores"]
    assert scores["left"] == pytest.approx({"mean": 0.81, "min": 0.8, "max": 0.82})
    curve = run_of(explorer, "0.5")["curves"]["accuracy"]["right"]
    assert curve["mean"] == pytest.approx([0.455, 0.91])
    assert (curve["min"], curve["max"]) == ([0.45, 0.9], [0.46, 0.92])


def test_runs_stand_by_their_weight_and_the_learnt_one_last(explorer):
    assert [run["weight"] for run in explorer.runs] == [0, 0.5, 0.75, 1, None]
    assert (explorer.runs[-1]["label"], explorer.runs[-1]["share"]) == ("learnt", 0.4)


def test_the_front_is_what_no_other_run_beats(explorer):
    front = {run["name"] for run in explorer.runs if run["front"]}
    assert front == {"0", "0.5", "uncertainty", "1"}
    lefts, rights = zip(*explorer.front, strict=True)
    assert list(lefts) == sorted(lefts)
    assert list(rights) == sorted(rights, reverse=True)


def test_runs_of_a_task_alone_are_known_and_leave_the_others_room(explorer):
    assert explorer.alone == {"left": "1", "right": "0"}
    assert 0.7 < explorer.window["left"][0] < 0.78
    assert 0.9 < explorer.window["left"][1] < 1
    assert 0.5 < explorer.window["right"][0] < 0.7


def test_without_runs_of_a_task_alone_all_runs_are_in_the_window(record):
    record["runs"] = {name: record["runs"][name] for name in ("0.5", "0.75")}
    explorer = LossWeightExplorer(record)
    assert explorer.alone == {}
    assert explorer.window["left"][0] < 0.78


def test_the_table_is_the_modules(explorer, record):
    assert explorer.table.equals(loss_weight_runs.table(record))
    assert explorer.table.loc["0.75", "on the front"] == ""
    assert explorer.table.loc["0.5", "left"] == "0.810 (0.800 to 0.820)"


def test_runs_without_an_error_have_a_window_too(record):
    perfect = {"left": 1.0, "right": 1.0}
    record["runs"]["0.5"] = [{**run, "test": perfect} for run in record["runs"]["0.5"]]
    explorer = LossWeightExplorer(record)
    assert 0.98 < explorer.window["left"][1] < 1
    assert "w = 0.5: 100.0 and 100.0 %" in explorer.static_html()


# -- choosing --------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0, 0.75, 1.0, "uncertainty"])
def test_any_stored_weight_can_be_chosen(explorer, record, weight):
    explorer.weight = weight
    assert explorer.weight == weight
    assert LossWeightExplorer(record, weight=weight).weight == weight


@pytest.mark.parametrize("weight", [0.2, -1, "learned", math.nan])
def test_a_weight_that_is_not_stored_is_refused_with_those_that_are(explorer, weight):
    message = "is stored; there are 0, 0.5, 0.75, 1, 'uncertainty'"
    with pytest.raises(ValueError, match=message):
        explorer.weight = weight
    assert explorer.weight == 0.5


def test_the_browser_sends_whole_numbers_too(explorer):
    explorer.set_state({"weight": 1, "measure": "loss"})
    assert (explorer.weight, explorer.measure) == (1.0, "loss")


def test_another_measure_is_refused(explorer):
    with pytest.raises(TraitError, match="accuracy"):
        explorer.measure = "f1"


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": {"left": 5}}, "two tasks are weighed .* got left"),
        ({"tasks": {}}, "got none"),
        ({"runs": {}}, "holds no runs"),
        ({"runs": {"much": []}}, "run 'much' is neither a weight from 0 to 1"),
        ({"runs": {"1.5": []}}, "run '1.5' is neither a weight from 0 to 1"),
        ({"runs": {"0.5": []}}, "run '0.5' has 0 seeds of 2"),
    ],
)
def test_a_record_that_cannot_be_shown_is_refused(record, change, message):
    with pytest.raises(ValueError, match=message):
        LossWeightExplorer({**record, **change})


def test_what_a_record_lacks_is_named(record):
    del record["seeds"]
    with pytest.raises(ValueError, match="lacks 'seeds'. See loss_weight_runs"):
        LossWeightExplorer(record)


def test_the_record_is_not_changed(record):
    before = copy.deepcopy(record)
    LossWeightExplorer(record, weight="uncertainty").static_html()
    assert record == before


# -- the static form -------------------------------------------------------------------


def test_the_static_form_has_a_picture_with_words_and_all_runs(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert VIEW in data
    checker = TagChecker()
    checker.feed(data["text/html"])
    assert (checker.open, checker.undescribed) == ([], 0)
    assert "w = 0.75: 79.0 and 89.0 %" in data["text/html"]
    assert "<td>81.0 % (80.0 to 82.0)</td>" in data["text/html"]
    lines = data["text/plain"].splitlines()
    assert [line.split("  ")[1].strip() for line in lines[2:]] == [
        "w = 0", "w = 0.5", "w = 0.75", "w = 1", "learnt",
    ]  # fmt: skip
    assert "yes" in lines[3] and "yes" not in lines[4]


# -- the course's own runs -------------------------------------------------------------
