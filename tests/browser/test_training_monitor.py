"""The training monitor in JupyterLab: it grows while the cell runs, in both themes."""

import re

import nbformat
import pytest
import torch
from playwright.sync_api import expect
from torch import nn
from torch.utils.data import TensorDataset

from course_utils.training import fit, make_loader
from course_utils.widgets import TrainingMonitor
from tests.browser.driver import Browser, ink
from tests.browser.test_widgets import change_theme

MAKE = """import pathlib
import time
import torch
from torch.utils.data import TensorDataset
from course_utils.layer_groups import UnfreezeSchedule
from course_utils.training import fit, make_loader
from course_utils.weights import load_backbone
from course_utils.widgets import TrainingMonitor
x = torch.randn(48, 3, 32, 32, generator=torch.Generator().manual_seed(0))
data = make_loader(TensorDataset(x, torch.arange(48) % 3), batch_size=16)
model = load_backbone("test_resnet", weights="random", num_classes=3)
schedule = UnfreezeSchedule({1: "fc", 3: ["layer4", "layer3"], 6: "layer2"})
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
halve = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
class Gate:
    def on_epoch_end(self, state):
        while state.epoch == 4 and not pathlib.Path("go").exists():
            time.sleep(0.05)"""
SHOW = "monitor = TrainingMonitor(schedule=schedule, title='A run')\nmonitor"
FIT = """history = fit(model, data, data, optimizer=optimizer, epochs=6, scheduler=halve,
    callbacks=[schedule, monitor, Gate()], progress=False)"""
SHOWN, RUN = 1, 2
TOPS = """widget => [...widget.querySelectorAll('.axis-title')]
  .filter(t => t.textContent.startsWith('↑')).map(t => t.getBoundingClientRect().y)"""


def write_notebook(path, *, code=(MAKE, SHOW, FIT), outputs=()):
    cells = [nbformat.v4.new_code_cell(source) for source in code]
    if outputs:
        cells[SHOWN].outputs = list(outputs)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


def start(lab, browser):
    """Open a notebook, show the monitor, and let `fit` run up to its gate."""
    (lab.root / "go").unlink(missing_ok=True)
    write_notebook(lab.root / "monitor.ipynb")
    notebook = browser.open("monitor.ipynb")
    notebook.run_cell(0)
    notebook.run_cell(SHOWN)
    assert notebook.errors() == []
    return notebook, notebook.output(SHOWN).locator(".cw-tm")


def run_to_the_gate(browser, notebook, widget):
    notebook.cell(RUN).locator(".jp-InputPrompt").click()
    browser.page.keyboard.press("Shift+Enter")
    notebook.output(SHOWN)
    expect(widget.locator(".end.val").first).to_be_visible()
    expect(widget.locator(".curve.val").first).to_be_attached()
    expect(points(widget)).to_have_count(4)


def finish(lab, notebook):
    (lab.root / "go").touch()
    notebook.wait_settled()
    assert notebook.errors() == []


def points(widget):
    """The validation loss, a dot an epoch."""
    return widget.locator('.tm-chart .dot.val[data-of="loss"]')


@pytest.fixture
def running(lab, browser):
    notebook, widget = start(lab, browser)
    expect(widget.locator(".tm-phase")).to_have_text("Waiting for fit")
    run_to_the_gate(browser, notebook, widget)
    yield notebook, widget
    assert notebook.errors() == []
    assert (browser.errors, browser.external) == ([], [])


def test_curves_grow_while_the_cell_runs(lab, running):
    notebook, widget = running
    expect(widget.locator(".tm-phase")).to_have_text("Training")
    expect(widget.locator(".tm-facts")).to_contain_text("of 6")
    assert notebook.outputs()[RUN] == []  # the cell is still at work
    woken = widget.locator('.mark[data-epoch="3"]')
    expect(woken.locator(".mark-name")).to_have_text("layer4, layer3")
    assert "to-come" not in woken.get_attribute("class")
    assert "to-come" in widget.locator('.mark[data-epoch="6"]').get_attribute("class")
    early = ink(widget.locator(".tm-chart"))
    finish(lab, notebook)
    notebook.output(SHOWN)
    expect(widget).to_have_count(1)
    expect(points(widget)).to_have_count(6)
    expect(widget.locator(".tm-phase")).to_have_text("Finished")
    expect(widget.get_by_role("status")).to_contain_text("Finished after 6 of 6 epochs")
    expect(widget.locator(".tm-chart .star")).to_have_count(2)
    expect(widget.locator(".tm-chart .rate")).to_have_count(1)
    assert ink(widget.locator(".tm-chart")) > early > 0.01


def test_the_saved_output_holds_the_final_picture(lab, running):
    notebook, _ = running
    finish(lab, notebook)
    (output,) = notebook.outputs()[SHOWN]
    html = "".join(output["data"]["text/html"])
    assert 'alt="A run: epoch 6 of 6; best epoch' in html


def test_it_obeys_the_keyboard_and_keeps_the_focus_when_fit_ends(lab, browser, running):
    notebook, widget = running
    cells = len(notebook.outputs())
    press = browser.page.keyboard.press
    reader = widget.get_by_role("slider", name="Epoch to read")
    reader.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "a", "b"):  # a, b would add cells
        press(key)
    expect(reader).to_have_attribute("aria-valuenow", "3")
    expect(reader).to_have_attribute(
        "aria-valuetext", re.compile("Epoch 3: .*layer4, layer3 begin to learn")
    )
    expect(widget.locator(".tm-tip")).to_contain_text("wakes: layer4, layer3")
    finish(lab, notebook)
    expect(reader).to_be_focused()
    assert len(notebook.outputs()) == cells

    widget.get_by_role("radio", name="Both").focus()
    heights = {}
    for view in ("loss", "accuracy"):
        press("ArrowRight")
        expect(widget).to_have_attribute("data-view", view)
        tops = widget.evaluate(TOPS)
        heights[view] = tops[1] - tops[0]  # of the loss
    assert heights["loss"] > 1.9 * heights["accuracy"]
    press("ArrowRight")
    table = widget.get_by_role("region", name="Table of epochs")
    expect(table.locator("tbody tr")).to_have_count(6)
    expect(table).to_contain_text("★ best")
    expect(widget.locator(".tm-chart")).to_be_hidden()


def test_it_is_painted_in_both_themes_and_fits_a_narrow_window(lab):
    with Browser(lab, size=(1000, 900)) as browser:
        notebook, widget = start(lab, browser)
        run_to_the_gate(browser, notebook, widget)
        finish(lab, notebook)
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            change_theme(browser, theme)
            notebook.output(SHOWN)
            for view in ("Loss", "Accuracy", "Table", "Both"):
                widget.get_by_role("radio", name=view).check()
                assert ink(widget) > 0.03
                assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
            overlaps = widget.locator(".tm-chart svg").evaluate(
                "s => [...s.querySelectorAll('text')].filter(t =>"
                " t.getBoundingClientRect().right > s.getBoundingClientRect().right + 1"
                ").map(t => t.textContent)"
            )
            assert overlaps == []
        assert (browser.errors, browser.external) == ([], [])


ODD = """from course_utils.widgets import TrainingMonitor
def show(title, losses, rates=(), **traits):
    monitor = TrainingMonitor(title=title)
    monitor.rows = [{"epoch": e, "train_loss": v, "train_accuracy": 1.0, "lr": 0.1}
                    for e, v in enumerate(losses, start=1)]
    monitor.rates = [{"names": ["g"], "values": list(rates)}] if rates else []
    for name, value in traits.items():
        setattr(monitor, name, value)
    display(monitor)
show("negative", [-1.0, -2.5, -3.0], [0.1, 0.0999, 0.0998])
show("one epoch", [0.7], running=True)
show("gaps", [None, 1.0, None, None, 0.5], [None, 0.0, 0.1, 0.1, 0.1])
show("flat", [0.0, 0.0], epochs=2)
show("nothing finite", [None, None], epochs=9)
show("long", [1 / e for e in range(1, 301)], epochs=300, marks=[
    {"epoch": 1 + 2 * i, "stages": [f"features.denseblock{i}.layers"]}
    for i in range(40)])"""


def test_odd_runs_are_drawn_too(lab, browser):
    write_notebook(lab.root / "odd.ipynb", code=[ODD])
    notebook = browser.open("odd.ipynb")
    notebook.run_cell(0)
    assert notebook.errors() == []
    widgets = notebook.output(0).locator(".cw-tm")
    expect(widgets).to_have_count(6)
    for widget in widgets.all():
        assert ink(widget) > 0.02
        assert "NaN" not in widget.inner_html()
        assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
    assert (browser.errors, browser.external) == ([], [])


def test_a_notebook_that_has_not_run_here_shows_the_picture(lab, browser):
    data = make_loader(TensorDataset(torch.randn(8, 4), torch.arange(8) % 2))
    model, monitor = nn.Sequential(nn.Linear(4, 2)), TrainingMonitor()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(model, data, data, optimizer=optimizer, epochs=3, callbacks=[monitor])
    bundle = monitor._repr_mimebundle_()[0]
    output = nbformat.v4.new_output("display_data", data=bundle)
    write_notebook(lab.root / "kept.ipynb", outputs=[output])
    notebook = browser.open("kept.ipynb")
    expect(notebook.output(SHOWN)).to_contain_text("epoch 3 of 3; best epoch")
    assert ink(notebook.output(SHOWN).locator("img")) > 0.01
    assert (browser.errors, browser.external) == ([], [])
