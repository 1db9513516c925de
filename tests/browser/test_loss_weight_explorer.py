"""The loss weight explorer in JupyterLab: slider, dots, curves, themes, narrow windows."""

import json
import re

import pytest
from playwright.sync_api import expect

from course_utils import loss_weight_runs
from course_utils.measured import read_measured
from courseware.making import loss_weights
from tests.browser.driver import Browser, ink
from tests.browser.test_architecture_explorer import write_notebook
from tests.browser.test_widgets import change_theme

MAKE = """from course_utils.measured import read_measured
from course_utils.widgets import LossWeightExplorer
runs = LossWeightExplorer(read_measured("loss_weights").content, weight=0.5)
runs"""
READ = """import json
print(json.dumps({"weight": runs.weight, "measure": runs.measure}))"""
SET = 'runs.weight, runs.measure = 0.9, "loss"'
RUNS, STATE, CHANGE = 0, 1, 2


def open_notebook(lab, browser):
    write_notebook(lab.root / "weights.ipynb", [MAKE, READ, SET])
    notebook = browser.open("weights.ipynb")
    notebook.run_cell(RUNS)
    return notebook


@pytest.fixture
def notebook(lab, browser):
    opened = open_notebook(lab, browser)
    yield opened
    assert opened.errors() == []
    assert (browser.errors, browser.external) == ([], [])


def explorer(notebook):
    return notebook.output(RUNS).locator(".cw-lw")


def state(notebook):
    notebook.wait_settled()
    notebook.run_cell(STATE)
    (printed,) = notebook.outputs()[STATE]
    return json.loads("".join(printed["text"]))


def chosen(widget, name):
    expect(widget.locator(".lw-dot.is-chosen")).to_have_attribute("data-run", name)


def test_the_slider_goes_through_the_stored_weights_by_keyboard(browser, notebook):
    press, widget = browser.page.keyboard.press, explorer(notebook)
    slider = widget.get_by_role("slider", name="Weight w of species")
    slider.focus()
    press("Home")
    for weight in loss_weights.WEIGHTS:
        expect(slider).to_have_attribute("aria-valuetext", f"w = {weight:g}")
        chosen(widget, f"{weight:g}")
        press("ArrowRight")
    assert state(notebook)["weight"] == 1


def test_what_is_chosen_is_told_in_words_and_numbers(notebook):
    widget = explorer(notebook)
    scores = loss_weight_runs.scores(read_measured("loss_weights").content)
    for name in ("0.1", "0.9"):
        widget.locator(f'.lw-dot[data-run="{name}"] .lw-mark').click()
        chosen(widget, name)
        for task, kind in zip(
            loss_weights.TASKS, ("is-first", "is-second"), strict=True
        ):
            mean = f"{100 * scores.loc[name, (task, 'mean')]:.1f} %"
            expect(widget.locator(f".lw-score.{kind} b")).to_have_text(mean)
            expect(widget.get_by_role("status")).to_contain_text(f"{task} {mean}")
        front = scores.loc[name, ("front", "")]
        verdict = "On the front" if front else "Behind the front"
        expect(widget.locator(".lw-verdict")).to_contain_text(verdict)


def test_learnt_weights_are_a_run_like_the_others(browser, notebook):
    widget = explorer(notebook)
    button = widget.get_by_role("button", name="learnt weights")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.focus()
    browser.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    chosen(widget, "uncertainty")
    expect(widget.locator(".lw-value")).to_have_text(re.compile(r"w → 0\.\d\d"))
    assert state(notebook)["weight"] == "uncertainty"
    slider = widget.get_by_role("slider")  # stands where the learnt weights ended
    expect(slider).to_have_attribute("aria-valuetext", "learnt weights")
    assert 0 < int(slider.input_value()) < len(loss_weights.WEIGHTS) - 1
    slider.press("ArrowLeft")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_curves_show_accuracy_or_loss(browser, notebook):
    widget = explorer(notebook)
    curve = widget.get_by_role("img", name=re.compile("^species, validation accuracy"))
    before = curve.locator(".lw-line").get_attribute("d")
    assert before.count("L") == loss_weights.EPOCHS - 1
    widget.get_by_role("radio", name="accuracy").focus()
    browser.page.keyboard.press("ArrowRight")
    curve = widget.get_by_role("img", name=re.compile("^species, validation loss"))
    expect(curve).to_be_visible()
    assert curve.locator(".lw-line").get_attribute("d") != before
    assert state(notebook)["measure"] == "loss"


def test_what_python_sets_is_shown(notebook):
    notebook.run_cell(CHANGE)
    widget = explorer(notebook)
    chosen(widget, "0.9")
    expect(widget.get_by_role("radio", name="loss")).to_be_checked()
    expect(widget.locator(".lw-value")).to_have_text("w = 0.9")


def test_every_run_has_a_dot_and_the_picture_its_words(notebook):
    widget = explorer(notebook)
    expect(widget.locator(".lw-dot")).to_have_count(len(loss_weights.names()))
    plane = widget.get_by_role("img", name=re.compile("On the Pareto front: "))
    box = plane.bounding_box()
    for mark in widget.locator(".lw-dot .lw-mark").all():
        at = mark.bounding_box()
        assert box["x"] <= at["x"] and at["x"] + at["width"] <= box["x"] + box["width"]
        assert (
            box["y"] <= at["y"] and at["y"] + at["height"] <= box["y"] + box["height"]
        )


def test_it_is_painted_in_both_themes_and_fits_a_narrow_window(lab):
    with Browser(lab, size=(1000, 900)) as browser:
        notebook = open_notebook(lab, browser)
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            change_theme(browser, theme)
            widget = explorer(notebook)
            assert ink(widget.locator(".lw-plane")) > 0.02
            assert ink(widget.locator(".lw-curves").first) > 0.02
            assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
            boxes = [widget.locator(part).nth(n).bounding_box()
                     for part, n in ((".lw-curves", 0), (".lw-curves", 1))]  # fmt: skip
            assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]  # side by side
        assert notebook.errors() == []
        assert (browser.errors, browser.external) == ([], [])
