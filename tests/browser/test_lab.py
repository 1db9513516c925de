"""The course as a learner meets it: the start, a lesson, an exercise."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.driver import ink

START = "notebooks/00_start_here.ipynb"
LESSON = "notebooks/04_feature_extraction.ipynb"
EXERCISE = "exercises/04_feature_extraction.ipynb"

FROZEN_TOO = """\
def freeze_backbone(model, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model"""
RIGHT = """\
def freeze_backbone(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model"""


def assert_painted(notebook):
    assert notebook.errors() == []
    figures = notebook.figures()
    assert figures
    for index in figures:
        for image in notebook.output(index).locator("img").all():
            assert ink(image) > 0.01, f"cell {index} shows an empty picture"


def assert_silent(browser):
    assert browser.errors == []
    assert browser.external == []


def test_the_start_command_opens_lesson_00(browser):
    browser.start()
    notebook = browser.notebook(START)
    expect(notebook.panel.locator("h1").first).to_contain_text("Start here")
    expect(browser.page.locator(".jp-Notification-List")).to_have_count(0)
    assert_silent(browser)


@pytest.mark.parametrize(
    ("plugin", "name", "value"),
    [
        ("apputils-extension:kernels-settings", "commsOverSubshells", "disabled"),
        ("apputils-extension:notification", "fetchNews", "false"),
        ("apputils-extension:notification", "checkForUpdates", False),
    ],
)
def test_the_courses_settings_reach_jupyterlab(lab, plugin, name, value):
    setting = json.loads(lab.get(f"/lab/api/settings/@jupyterlab/{plugin}"))
    assert setting["schema"]["properties"][name]["default"] == value


def test_lesson_00_runs_and_paints_its_figures(browser):
    notebook = browser.open(START)
    notebook.run_all()
    assert_painted(notebook)
    assert_silent(browser)


def test_lesson_04_runs_paints_its_figures_and_its_viewer_answers(browser):
    notebook = browser.open(LESSON)
    notebook.run_all()
    assert_painted(notebook)
    output = notebook.output(notebook.find("FeatureMapViewer("))
    viewer = output.get_by_role("group", name="Feature maps")
    big = viewer.get_by_role("img", name=re.compile("^Feature map of"))
    caption = viewer.locator("figcaption")
    assert ink(big) > 0.5
    first = caption.inner_text()
    viewer.get_by_role("radio", name=re.compile("^channel")).nth(1).click()
    expect(caption).not_to_have_text(first)
    before = big.screenshot()
    slider = viewer.get_by_role("slider", name="Map over image")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0 percent")
    assert big.screenshot() != before
    assert_silent(browser)


def test_an_exercise_reads_a_wrong_answer_and_then_a_right_one(browser):
    notebook = browser.open(EXERCISE)
    notebook.run_all()
    assert notebook.errors() == []
    answer = notebook.find("def freeze_backbone(")
    check = notebook.find('check("04.1"')
    card = notebook.output(check).get_by_role("status")
    expect(card).to_contain_text("Not written yet")

    notebook.write(answer, FROZEN_TOO)
    notebook.run_cell(answer)
    notebook.run_cell(check)
    expect(card).to_contain_text("Not yet")
    expect(card).to_contain_text("freeze first, replace it after")

    notebook.write(answer, RIGHT)
    notebook.run_cell(answer)
    notebook.run_cell(check)
    expect(card).to_contain_text("Passed")
    assert_silent(browser)
