"""The widgets in JupyterLab: by keyboard, in both themes, and before a first run."""

import json

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.driver import Browser, ink

MAKE = """
import numpy as np
from course_utils.weights import load_backbone
from course_utils.widgets import (
    FeatureMapViewer, FlowSwitcher, PictureSwitcher, Question, Quiz)
image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
model = load_backbone("test_resnet", weights="random")
"""
SHOW = [
    """quiz = Quiz([
    Question("2 + 2?", ["3", "4"], answer=1, why=["Count again.", "Right: four."]),
    Question("`eval()`?", ["yes", "no"], answer=0, why=["Right.", "It is."]),
])
quiz""",
    "flow = FlowSwitcher([('stem', 900), ('layer1', 9_000), ('fc', 50)])\nflow",
    "viewer = FeatureMapViewer(model, image, layers=['layer1', 'layer4'])\nviewer",
    "pictures = PictureSwitcher({'plain': image, 'dark': image // 3}, label='Shade')\n"
    "pictures",
]
READ = """import json
print(json.dumps({
    "tries": quiz.tries, "score": quiz.score, "position": quiz.position,
    "mode": flow.mode, "layer": viewer.layer, "opacity": round(viewer.opacity, 2),
    "channel": viewer.channel, "colormap": viewer.colormap,
    "picture": pictures.selected,
}))"""
QUIZ, FLOW, VIEWER, PICTURES, STATE = range(1, 6)


def write_notebook(path, *, outputs=()):
    """Write the widgets' notebook; `outputs` are the bundles of cells that have run."""
    cells = [nbformat.v4.new_code_cell(code) for code in [MAKE, *SHOW, READ]]
    for cell, data in zip(cells[1:], outputs, strict=False):
        cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


def change_theme(browser, name):
    browser.page.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name
    )
    expect(browser.page.locator("body")).to_have_attribute("data-jp-theme-name", name)


def state(notebook):
    notebook.wait_settled()
    notebook.run_cell(STATE)
    (printed,) = notebook.outputs()[STATE]
    return json.loads("".join(printed["text"]))


def number_of_cells(notebook):
    return len(notebook.outputs())


@pytest.fixture
def notebook(lab, browser):
    write_notebook(lab.root / "widgets.ipynb")
    notebook = browser.open("widgets.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    yield notebook
    assert (browser.errors, browser.external) == ([], [])


def test_every_widget_obeys_the_keyboard_and_tells_python(browser, notebook):
    press, cells = browser.page.keyboard.press, number_of_cells(notebook)

    quiz = notebook.output(QUIZ)
    quiz.get_by_role("radio", name="3").focus()
    for key in ("ArrowDown", "a", "b", "x", "Space"):  # a, b, x would edit the notebook
        press(key)
    expect(quiz.get_by_role("status")).to_have_text("Right. Four.")
    quiz.get_by_role("button", name="Next").press("Enter")
    quiz.get_by_role("radio", name="no").press("Enter")
    expect(quiz.get_by_role("status")).to_have_text("Not this one. It is.")
    expect(quiz).to_contain_text("1 of 2 right at the first try")

    notebook.output(FLOW).get_by_role("radio", name="Feature extraction").focus()
    press("ArrowRight")
    expect(notebook.output(FLOW)).to_contain_text("every stage, back to stem")

    viewer = notebook.output(VIEWER)
    viewer.get_by_role("radio", name="layer1").focus()
    press("ArrowRight")
    expect(viewer.locator("figcaption")).to_contain_text("layer4")
    viewer.get_by_role("slider", name="Map over image").press("End")
    viewer.get_by_label("Colours").select_option("magma")
    channel = viewer.get_by_role("spinbutton", name="Channel")
    channel.fill("95")
    channel.press("Tab")
    expect(viewer.locator("figcaption")).to_contain_text("channel 95 of 96")

    notebook.output(PICTURES).get_by_role("radio", name="plain").focus()
    press("ArrowRight")
    expect(notebook.output(PICTURES).get_by_alt_text("Shade: dark")).to_be_visible()

    assert number_of_cells(notebook) == cells
    assert state(notebook) == {
        "tries": [[1], [1]], "score": 1, "position": 1, "mode": "fine_tuning",
        "layer": "layer4", "opacity": 1.0, "channel": 95, "colormap": "magma",
        "picture": "dark",
    }  # fmt: skip


def test_widgets_are_painted_in_both_themes_and_fit_a_narrow_window(lab):
    write_notebook(lab.root / "widgets.ipynb")
    with Browser(lab, size=(1000, 900)) as browser:
        notebook = browser.open("widgets.ipynb")
        notebook.run_all()
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            change_theme(browser, theme)
            for index in (QUIZ, FLOW, VIEWER, PICTURES):
                widget = notebook.output(index).locator(".cw")
                assert ink(widget) > 0.02
                assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
            assert ink(notebook.output(FLOW).locator(".cw svg")) > 0.05
            assert ink(notebook.output(VIEWER).locator(".cw-big")) > 0.5
        assert (browser.errors, browser.external) == ([], [])


def test_a_notebook_that_has_not_run_here_shows_the_static_forms(lab, browser):
    names = {}
    exec(MAKE, names)
    outputs = []
    for code in SHOW:
        exec(code, names)
        widget = names[code.rsplit("\n", 1)[-1]]
        outputs.append(widget._repr_mimebundle_()[0])
    write_notebook(lab.root / "static.ipynb", outputs=outputs)
    notebook = browser.open("static.ipynb")
    expect(notebook.output(QUIZ)).to_contain_text("2 + 2?")
    expect(notebook.output(QUIZ)).to_contain_text("run this cell in JupyterLab")
    expect(notebook.output(QUIZ)).not_to_contain_text("Four")
    expect(notebook.output(FLOW)).to_contain_text("frozen, nothing kept")
    expect(notebook.output(PICTURES).get_by_alt_text("Shade: dark")).to_be_visible()
    assert ink(notebook.output(VIEWER).locator("img")) > 0.3
    assert (browser.errors, browser.external) == ([], [])
