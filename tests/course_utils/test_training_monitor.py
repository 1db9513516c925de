import math
import re
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
import torch
from nbclient import NotebookClient
from torch import nn
from torch.utils.data import TensorDataset

from course_utils.layer_groups import UnfreezeSchedule
from course_utils.training import EarlyStopping, EpochState, fit, make_loader
from course_utils.widgets import TrainingMonitor, training_monitor
from course_utils.widgets.training_monitor import (
    best_epoch,
    plain_rows,
    rate_lines,
    time_left,
)
from course_utils.widgets.training_monitor_static import monitor_figure

VIEW = "application/vnd.jupyter.widget-view+json"


def _net():
    torch.manual_seed(0)
    layers = [("stem", nn.Linear(4, 6)), ("act", nn.ReLU()), ("fc", nn.Linear(6, 2))]
    net = nn.Sequential()
    for name, layer in layers:
        net.add_module(name, layer)
    return net


def _loader(n=16):
    generator = torch.Generator().manual_seed(n)
    images = torch.randn(n, 4, generator=generator)
    return make_loader(TensorDataset(images, (images[:, 0] > 0).long()), batch_size=8)


def _run(monitor, *, epochs=3, model=None, optimizer=None, callbacks=(), **options):
    model = model or _net()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
    return fit(model, _loader(), _loader(10), optimizer=optimizer, epochs=epochs,
               callbacks=[*callbacks, monitor], progress=False, **options)  # fmt: skip


def _state(epoch, history, *, epochs=5, lrs=(0.1,)):
    groups = [{"name": f"g{i}", "lr": lr} for i, lr in enumerate(lrs)]
    optimizer = SimpleNamespace(param_groups=groups)
    return EpochState(epoch, None, optimizer, pd.DataFrame(history), epochs)


# -- during a run ----------------------------------------------------------------------


def test_rows_and_history_are_those_of_fit():
    monitor = TrainingMonitor()
    history = _run(monitor)
    pd.testing.assert_frame_equal(monitor.history, history)
    assert [row["epoch"] for row in monitor.rows] == [1, 2, 3]
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr"):
        assert [row[name] for row in monitor.rows] == history[name].tolist()
    assert (monitor.running, monitor.epochs) == (False, 3)


def test_it_grows_while_fit_runs():
    monitor, seen = TrainingMonitor(), []
    monitor.observe(lambda change: seen.append((len(change["new"]), monitor.running)),
                    "rows")  # fmt: skip
    _run(monitor)
    assert [count for count, _ in seen] == [1, 2, 3]
    assert monitor.timing["left"] == 0
    assert monitor.timing["spent"] == pytest.approx(monitor.history["seconds"].sum())


def test_each_epoch_reaches_the_browser_in_one_message(monkeypatch):
    monitor, sent = TrainingMonitor(epochs=5), []
    monkeypatch.setattr(monitor, "send_state", lambda key: sent.append(set(key)))
    row = {"epoch": 1, "train_loss": 1.0, "val_loss": 1.0, "lr": 0.1, "seconds": 2.0}
    monitor.on_epoch_start(_state(1, []))
    monitor.on_epoch_end(_state(1, [row]))
    assert sent == [{"running"}, {"rows", "rates", "best", "timing"}]


def test_the_monitor_changes_nothing_of_the_run():
    plain, watched = _net(), _net()
    expected = _run(SimpleNamespace(on_fit_end=print), model=plain)
    found = _run(TrainingMonitor(schedule={1: "fc"}), model=watched)
    exact = ["train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr"]
    pd.testing.assert_frame_equal(found[exact], expected[exact])
    for name, value in plain.state_dict().items():
        assert torch.equal(value, watched.state_dict()[name])


def test_a_second_run_starts_anew_and_a_resumed_one_goes_on():
    monitor = TrainingMonitor()
    first = _run(monitor, epochs=2)
    _run(monitor, epochs=2)
    assert [row["epoch"] for row in monitor.rows] == [1, 2]
    resumed = TrainingMonitor()
    _run(resumed, epochs=4, history=first)
    assert [row["epoch"] for row in resumed.rows] == [1, 2, 3, 4]
    assert resumed.rates[-1]["values"] == [0.1] * 4


def test_early_stopping_and_errors_end_the_run_before_its_time():
    monitor = TrainingMonitor()
    stop = EarlyStopping(
        patience=1, monitor="lr", mode="min"
    )  # never better than the first
    _run(monitor, epochs=9, callbacks=[stop])
    assert (monitor.running, len(monitor.rows), monitor.epochs) == (False, 2, 9)

    monitor = TrainingMonitor()
    with pytest.raises(ValueError, match="no stage 'layer9'"):
        _run(monitor, callbacks=[UnfreezeSchedule({1: "layer9"})])
    assert (monitor.running, monitor.rows) == (False, [])


def test_fit_says_how_many_epochs_there_are():
    monitor = TrainingMonitor(epochs=7)
    assert monitor.epochs == 7
    _run(monitor, epochs=2)
    assert monitor.epochs == 2


# -- what is shown ---------------------------------------------------------------------


def test_marks_are_the_schedules_and_follow_its_edits():
    schedule = UnfreezeSchedule({2: ["stem"], 1: ["fc"]})
    monitor = TrainingMonitor(schedule=schedule)
    assert monitor.marks == [
        {"epoch": 1, "stages": ["fc"]},
        {"epoch": 2, "stages": ["stem"]},
    ]
    del schedule[2]
    schedule[3] = ["stem"]
    _run(monitor, callbacks=[schedule])
    assert [mark["epoch"] for mark in monitor.marks] == [1, 3]


def test_a_plain_mapping_does_as_schedule():
    assert TrainingMonitor(schedule={4: "fc"}).marks == [{"epoch": 4, "stages": ["fc"]}]


def test_the_best_epoch_has_the_least_val_loss_and_is_the_first_of_equals():
    losses = [3.0, None, 1.0, 1.0, 2.0]
    rows = [{"epoch": i, "val_loss": loss} for i, loss in enumerate(losses, start=1)]
    assert best_epoch(rows) == 3
    assert best_epoch([{"epoch": 1, "val_loss": None}]) is None
    assert best_epoch([{"epoch": 1, "train_loss": 0.5}]) is None


def test_time_left_is_that_of_the_last_three_epochs():
    rows = [{"seconds": s} for s in (100.0, 1.0, 2.0, 3.0)]
    assert time_left(rows, 10) == {"spent": 106.0, "pace": 2.0, "left": 12.0}
    assert time_left(rows, None)["left"] is None
    assert time_left([], 10) == {"spent": 0, "pace": None, "left": None}


def test_what_is_not_finite_becomes_none_for_json_has_no_nan():
    history = pd.DataFrame({"epoch": [1.0, 2.0], "val_loss": [math.nan, math.inf]})
    assert plain_rows(history) == [
        {"epoch": 1, "val_loss": None},
        {"epoch": 2, "val_loss": None},
    ]


def test_groups_of_one_rate_are_one_line():
    rows = [{"epoch": 1, "lr": 1.0}, {"epoch": 2, "lr": 1.0}, {"epoch": 3, "lr": 0.5}]
    late = {"stem": 0.1, "fc": 1.0, "fc, no decay": 1.0}
    groups = {2: late, 3: {name: lr / 2 for name, lr in late.items()}}
    # Epoch 1 is known by the history alone, which holds the last group's rate.
    assert rate_lines(rows, groups) == [
        {"names": ["stem"], "values": [None, 0.1, 0.05]},
        {"names": ["fc"], "values": [None, 1.0, 0.5]},
        {"names": ["fc, no decay"], "values": [1.0, 1.0, 0.5]},
    ]
    assert [line["names"] for line in rate_lines(rows[1:], groups)] == [
        ["stem"],
        ["fc", "fc, no decay"],
    ]


@pytest.mark.parametrize("per", ["epoch", "batch"])
def test_rates_are_those_that_the_history_holds(per):
    model, monitor = _net(), TrainingMonitor()
    layers = [{"params": m.parameters(), "lr": lr}
              for m, lr in ((model.stem, 0.2), (model.fc, 0.4))]  # fmt: skip
    optimizer = torch.optim.SGD(layers)
    halve = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    name = "scheduler" if per == "epoch" else "batch_scheduler"
    history = _run(monitor, model=model, optimizer=optimizer, **{name: halve})
    stem, fc = monitor.rates
    assert fc == {"names": ["group 1"], "values": history["lr"].tolist()}
    assert stem["values"] == [lr / 2 for lr in fc["values"]]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"epochs": 0}, ValueError, "at least 1, got 0"),
        ({"schedule": ["fc"]}, TypeError, "schedule must be a mapping.*, got a list"),
        ({"schedule": {}}, ValueError, "needs at least one entry"),
        ({"schedule": {0: "fc"}}, ValueError, "epochs count from 1"),
    ],
)
def test_bad_input_is_named(options, error, says):
    with pytest.raises(error, match=says):
        TrainingMonitor(**options)


# -- the static form -------------------------------------------------------------------


def test_before_training_the_static_form_says_so():
    html = TrainingMonitor(title="a <b>").static_html()
    assert "no epoch has ended yet" in html and "<img" not in html
    assert "a &lt;b&gt;" in html


def test_the_static_form_is_a_described_picture_and_the_last_epochs():
    monitor = TrainingMonitor(schedule={1: "fc", 4: "stem"}, title="Run <1>")
    history = _run(monitor, epochs=7)
    html = monitor.static_html()
    assert 'src="data:image/png;base64,' in html
    (alt,) = re.findall('alt="([^"]*)"', html)
    assert "Run &lt;1&gt;: epoch 7 of 7; best epoch" in alt
    assert "fc from epoch 1; stem from epoch 4" in alt
    assert f"val loss {history['val_loss'].iloc[-1]:.3f}" in alt
    first_cells = re.findall(r"<tr><td>(?:★ )?(\d+)</td>", html)
    assert first_cells == ["3", "4", "5", "6", "7"]
    assert "<script" not in html and "<style" not in html
    assert len(html) < 60_000


def test_the_picture_shows_curves_marks_and_rates():
    rows = [{"epoch": e, "train_loss": 2 / e, "val_loss": 3 / e, "train_accuracy": 0.5,
             "val_accuracy": 0.25, "lr": 0.1 / e} for e in (1, 2, 3)]  # fmt: skip
    rates = [{"names": ["fc"], "values": [row["lr"] for row in rows]}]
    marks = [{"epoch": 2, "stages": ["layer4"]}, {"epoch": 9, "stages": ["stem"]}]
    figure = monitor_figure(rows, rates=rates, marks=marks, best=3)
    loss, accuracy, rate = figure.axes
    train, val, star, mark = loss.get_lines()
    assert list(train.get_ydata()) == [2 / e for e in (1, 2, 3)]
    assert list(val.get_ydata()) == [3 / e for e in (1, 2, 3)]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (3, 1.0)
    assert list(mark.get_xdata()) == [1.5, 1.5]  # where epoch 2 begins
    assert [text.get_text() for text in loss.texts] == ["layer4"]
    assert list(accuracy.get_lines()[1].get_ydata()) == [25, 25, 25]
    assert rate.get_yscale() == "log"
    assert train.get_linestyle() != val.get_linestyle()
    assert train.get_marker() != val.get_marker()


def test_one_constant_rate_and_no_validation_need_no_panel_and_no_star():
    rows = [{"epoch": 1, "train_loss": 2.0, "train_accuracy": 0.5, "lr": 0.1}]
    rates = [{"names": ["group 0"], "values": [0.1]}]
    figure = monitor_figure(rows, rates=rates)
    assert len(figure.axes) == 2
    assert [len(ax.get_lines()) for ax in figure.axes] == [1, 1]


def test_a_title_is_taken_as_it_is_and_never_costs_a_run():
    monitor = TrainingMonitor(title="$\\frac{6$ < 7", schedule={1: "fc", 9: "stem"})
    _run(monitor, epochs=1)
    html = monitor.static_html()
    assert 'alt="$\\frac{6$ &lt; 7: epoch 1 of 1' in html
    assert "Stages that learn: fc from epoch 1." in html  # epoch 9 was not reached


def test_the_plain_text_tells_the_same():
    monitor = TrainingMonitor(title="Run")
    _run(monitor, epochs=2)
    first, *rows = monitor.static_text().splitlines()
    assert first.startswith("Run: epoch 2 of 2; best epoch")
    assert rows[0].startswith("  epoch 1, train loss ") and len(rows) == 2


# -- what a notebook keeps -------------------------------------------------------------


def test_every_place_that_shows_it_gets_the_final_picture(monkeypatch):
    updates = []

    class Handle:
        def update(self, data, **options):
            updates.append((data, options["raw"]))

    monkeypatch.setattr(training_monitor, "display", lambda *a, **k: Handle())
    monitor = TrainingMonitor()
    monitor._ipython_display_()
    monitor._ipython_display_()
    _run(monitor)
    assert len(updates) == 2
    for data, raw in updates:
        assert raw and VIEW in data
        assert "<img" in data["text/html"] and "epoch 3 of 3" in data["text/plain"]


NOTEBOOK = [
    """import torch
from torch import nn
from torch.utils.data import TensorDataset
from course_utils.training import fit, make_loader
from course_utils.widgets import TrainingMonitor
x = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
data = make_loader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8)
class Break:
    def on_epoch_end(self, state):
        if state.epoch == 2:
            raise ValueError
def run(*callbacks):
    model = nn.Sequential(nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(model, data, data, optimizer=optimizer, epochs=3, callbacks=callbacks)""",
    "monitor = TrainingMonitor(title='shown before')\nmonitor",
    "run(monitor)",
    "other = TrainingMonitor(title='in one cell')\ndisplay(other)\nrun(other)",
    "broken = TrainingMonitor(title='broken')\nbroken",
    "try:\n    run(broken, Break())\nexcept ValueError:\n    print('stopped')",
]


def test_the_saved_notebook_holds_the_final_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", "0")
    cells = [nbformat.v4.new_code_cell(code) for code in NOTEBOOK]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    client = NotebookClient(notebook, timeout=120, store_widget_state=False,
                            resources={"metadata": {"path": str(tmp_path)}})  # fmt: skip
    client.execute()
    shown = {}
    for cell in (cells[1], cells[3], cells[4]):
        (output,) = [out for out in cell.outputs if "data" in out]
        assert output.output_type == "display_data"
        shown[cells.index(cell)] = output["data"]
    done = {1: "shown before: epoch 3", 3: "in one cell: epoch 3", 4: "broken: epoch 2"}
    for index, said in done.items():
        html = shown[index]["text/html"]
        assert 'src="data:image/png;base64,' in html
        assert f'alt="{said} of 3; best epoch' in html
    assert cells[5].outputs[0].text == "stopped\n"
