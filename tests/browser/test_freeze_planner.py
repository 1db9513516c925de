"""The freeze planner in JupyterLab: mouse, keyboard, rates, themes and narrow windows."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.driver import Browser, ink
from tests.browser.test_architecture_explorer import write_notebook
from tests.browser.test_widgets import change_theme

MAKE = """
from course_utils.widgets import FreezePlanner
plan = FreezePlanner("resnet18", epochs=8, schedule={1: ["fc"], 4: ["layer4"]})
plan"""
READ = """import json
print(json.dumps({
    "schedule": {e: list(names) for e, names in plan.schedule.items()},
    "lrs": plan.lrs, "ratio": plan.ratio, "code": plan.code,
    "learning": plan.counts["learning"],
}))"""
SET = 'plan.schedule = {2: ["fc", "layer4"], 3: ["conv1"]}'
FULL = 'FreezePlanner("densenet121", epochs=10, ratio=0.5)'
LONG = 'FreezePlanner("vit_b_16", epochs=40, ratio=0.5)'
PLAN, STATE, CHANGE = 0, 1, 2


def open_notebook(lab, browser, cells):
    write_notebook(lab.root / "planner.ipynb", cells)
    notebook = browser.open("planner.ipynb")
    notebook.run_cell(0)
    return notebook


@pytest.fixture
def notebook(lab, browser):
    opened = open_notebook(lab, browser, [MAKE, READ, SET])
    yield opened
    assert opened.errors() == []
    assert (browser.errors, browser.external) == ([], [])


def planner(notebook, index=PLAN):
    return notebook.output(index).locator(".cw-plan")


def cell(widget, stage, epoch):
    name = re.compile(rf"^{re.escape(stage)}, epoch {epoch}: ")
    return widget.get_by_role("gridcell", name=name)


def says(found, state):
    expect(found).to_have_attribute("aria-label", re.compile(f": {state}$"))


def state(notebook):
    notebook.wait_settled()
    notebook.run_cell(STATE)
    (printed,) = notebook.outputs()[STATE]
    return json.loads("".join(printed["text"]))


def test_a_clicked_cell_wakes_a_stage_and_lets_it_sleep_again(notebook):
    widget = planner(notebook)
    says(cell(widget, "layer3", 6), "frozen")
    cell(widget, "layer3", 6).click()
    for epoch, expected in ((5, "frozen"), (6, "wakes"), (7, "learns"), (8, "learns")):
        says(cell(widget, "layer3", epoch), expected)
    expect(widget.get_by_text("layer3 wakes in epoch 6.")).to_be_visible()
    found = state(notebook)
    assert found["schedule"] == {"1": ["fc"], "4": ["layer4"], "6": ["layer3"]}
    expect(widget.locator(".plan-count").nth(5)).to_have_text("11.0M")

    cell(widget, "layer3", 8).click()  # later
    assert state(notebook)["schedule"]["8"] == ["layer3"]
    cell(widget, "layer3", 8).click()
    says(cell(widget, "layer3", 8), "frozen")
    assert state(notebook)["schedule"] == {"1": ["fc"], "4": ["layer4"]}


def test_a_count_stands_on_one_line_in_its_column(notebook):
    for count in planner(notebook).locator(".plan-count").all():
        column = count.bounding_box()
        value, unit = (count.locator(part).bounding_box() for part in ("b", "small"))
        assert column["x"] <= value["x"] and value["y"] <= unit["y"]
        assert unit["y"] + unit["height"] <= value["y"] + value["height"] + 1
        assert unit["x"] + unit["width"] <= column["x"] + column["width"]


def test_the_grid_is_worked_by_keyboard(browser, notebook):
    press, widget = browser.page.keyboard.press, planner(notebook)
    cells = len(notebook.outputs())
    expect(widget.locator('[role="gridcell"][tabindex="0"]')).to_have_count(1)
    cell(widget, "fc", 1).focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        press(key)
    expect(cell(widget, "layer3", 3)).to_be_focused()
    says(cell(widget, "layer3", 3), "wakes")
    press("Home")
    press("ArrowLeft")  # stays in the row
    expect(cell(widget, "layer3", 1)).to_be_focused()
    press("Control+End")
    expect(cell(widget, "conv1", 8)).to_be_focused()
    press(" ")
    press("ArrowUp")
    for key in ("a", "b", "x", "d", "d"):  # the notebook's shortcuts
        press(key)
    expect(cell(widget, "layer1", 8)).to_be_focused()
    assert len(notebook.outputs()) == cells
    assert state(notebook)["schedule"] == {
        "1": ["fc"], "3": ["layer3"], "4": ["layer4"], "8": ["conv1"],
    }  # fmt: skip
    cell(widget, "layer4", 7).focus()
    press("Delete")
    assert "4" not in state(notebook)["schedule"]


def test_rates_are_set_by_slider_and_number(browser, notebook):
    widget = planner(notebook)
    slider = widget.get_by_role("slider", name="Learning rate of layer4", exact=True)
    slider.focus()
    for _ in range(10):
        browser.page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "1e-4")
    field = widget.get_by_role("textbox", name="Learning rate of fc, as a number")
    field.fill("0.02")
    field.press("Enter")
    found = state(notebook)
    assert (found["lrs"]["layer4"], found["lrs"]["fc"]) == (1e-4, 0.02)
    assert found["lrs"]["layer3"] == 1e-3
    assert found["ratio"] is None
    assert '"layer4": 0.0001,' in found["code"]
    field.fill("-1")
    field.press("Enter")
    expect(field).to_have_value("0.02")
    assert state(notebook)["lrs"]["fc"] == 0.02


def test_one_ratio_sets_all_rates(browser, notebook):
    widget = planner(notebook)
    ratio = widget.get_by_role("textbox", name="Ratio between neighbouring stages")
    ratio.fill("0.1")
    ratio.press("Enter")
    lowest = widget.get_by_role("slider", name="Learning rate of conv1", exact=True)
    expect(lowest).to_have_attribute("aria-valuetext", "1e-8, frozen throughout")
    found = state(notebook)
    assert found["ratio"] == 0.1
    assert list(found["lrs"].values()) == [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3]
    slider = widget.get_by_role("slider", name="Ratio between neighbouring stages")
    slider.focus()
    browser.page.keyboard.press("End")
    assert set(state(notebook)["lrs"].values()) == {1e-3}
    lowest.focus()
    browser.page.keyboard.press("ArrowLeft")
    expect(ratio).to_have_value("")
    ratio.fill("7")
    ratio.press("Enter")
    expect(ratio).to_have_value("")
    assert state(notebook)["ratio"] is None


def test_a_schedule_set_from_python_is_shown_with_a_warning(notebook):
    widget = planner(notebook)
    notebook.run_cell(CHANGE)
    says(cell(widget, "conv1", 3), "wakes")
    says(cell(widget, "layer4", 1), "frozen")
    says(cell(widget, "layer4", 2), "wakes")
    expect(widget.locator(".plan-count").first).to_have_text("⚠ 0")
    expect(widget.locator(".plan-said")).to_contain_text("Nothing learns in epoch 1")
    widget.get_by_role("button", name="Head only").click()
    expect(widget.locator(".plan-said")).not_to_contain_text("Nothing learns")
    found = state(notebook)
    assert found["schedule"] == {"1": ["fc"]}
    assert found["learning"] == [513_000] * 8


def test_the_code_is_shown_and_copied(notebook):
    widget = planner(notebook)
    code = widget.get_by_label("Code for what is shown")
    expect(code).to_be_hidden()
    widget.get_by_role("button", name="Show the code").press("Enter")
    cell(widget, "layer2", 5).click()
    expect(code).to_contain_text('5: ["layer2"]')
    widget.get_by_role("button", name="Copy").click()
    expect(widget.get_by_text("Copied.")).to_be_visible()
    assert code.inner_text().strip() == state(notebook)["code"]


def test_it_is_painted_in_both_themes_and_fits_a_narrow_window(lab):
    with Browser(lab, size=(1000, 900)) as browser:
        notebook = open_notebook(lab, browser, [MAKE, FULL, LONG])
        notebook.run_cell(1)
        notebook.run_cell(2)
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            change_theme(browser, theme)
            for index in (0, 1, 2):
                widget = planner(notebook, index)
                assert ink(widget.locator(".plan-grid")) > 0.3
                assert ink(widget.locator(".plan-rate-rows")) > 0.1
                assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
            for index in (0, 1):  # the rates stand beside the stages
                parts = (".plan-row >> nth=0", ".plan-rates")
                grid, rates = (
                    planner(notebook, index).locator(part).bounding_box()
                    for part in parts
                )
                assert grid["x"] + grid["width"] <= rates["x"]
        assert notebook.errors() == []
        assert (browser.errors, browser.external) == ([], [])
