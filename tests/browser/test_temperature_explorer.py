"""The temperature explorer in JupyterLab: slider, pictures, themes, narrow windows."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.driver import Browser, ink
from tests.browser.test_architecture_explorer import write_notebook
from tests.browser.test_widgets import change_theme

MAKE = """import torch
from course_utils.datasets import load_dataset
from course_utils.widgets import TemperatureExplorer
class Teacher(torch.nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)
    def forward(self, images):
        return self.logits[:len(images)]
flowers = load_dataset("flowers", per_class=2).test
generator = torch.Generator().manual_seed(0)
soft = TemperatureExplorer(
    Teacher(3 * torch.randn(8, 5, generator=generator)), flowers, T=4)
soft"""
READ = """import json
print(json.dumps({"T": soft.T, "picture": soft.picture,
    "shares": soft.pictures[soft.picture]["steps"][0]["shares"]}))"""
SET = "soft.T, soft.picture = 20, 3"
MANY = """many = Teacher(torch.randn(8, 1000, generator=generator))
TemperatureExplorer(many, flowers, classes=[f"a longish name {i}" for i in range(1000)])"""
SOFT, STATE, CHANGE, WIDE = 0, 1, 2, 3
# Milliseconds from a change of the slider until the page is painted anew:
TIMED = """async (slider) => {
  const start = performance.now();
  slider.value = 2;
  slider.dispatchEvent(new Event('input'));
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""


def open_notebook(lab, browser, cells):
    write_notebook(lab.root / "soft.ipynb", cells)
    notebook = browser.open("soft.ipynb")
    notebook.run_cell(SOFT)
    return notebook


@pytest.fixture
def notebook(lab, browser):
    opened = open_notebook(lab, browser, [MAKE, READ, SET])
    yield opened
    assert opened.errors() == []
    assert (browser.errors, browser.external) == ([], [])


def explorer(notebook, index=SOFT):
    return notebook.output(index).locator(".cw-soft")


def state(notebook):
    notebook.wait_settled()
    notebook.run_cell(STATE)
    (printed,) = notebook.outputs()[STATE]
    return json.loads("".join(printed["text"]))


def widths(widget, kind):
    bars = widget.locator(f".soft-bars .{kind}")
    return bars.evaluate_all("bars => bars.map(b => b.getBoundingClientRect().width)")


def test_the_slider_is_worked_by_keyboard_and_the_bars_follow(browser, notebook):
    press, widget = browser.page.keyboard.press, explorer(notebook)
    slider = widget.get_by_role("slider", name="Temperature")
    expect(slider).to_have_attribute("aria-valuetext", "T = 4")
    slider.focus()
    press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "T = 1")
    assert widths(widget, "soft-now") == pytest.approx(widths(widget, "soft-before"))
    press("End")
    now = widths(widget, "soft-now")
    assert max(now) - min(now) < max(widths(widget, "soft-before")) / 2
    press("ArrowLeft")
    expect(widget.locator(".soft-T")).to_have_text("T = 18")
    expect(widget.get_by_role("status")).to_contain_text("T = 18: the student is told")
    assert state(notebook)["T"] == 18
    assert slider.evaluate(TIMED) < 1000


def test_bars_and_numbers_are_the_soft_targets(notebook):
    widget, found = explorer(notebook), state(notebook)
    before = widths(widget, "soft-before")
    whole = sum(before)
    shown = [width / whole for width in before]
    assert shown == pytest.approx(found["shares"], abs=0.02)
    numbers = widget.locator(".soft-number.is-one").all_inner_texts()
    assert numbers[0] == f"{found['shares'][0]:.1%}".replace("%", " %")
    expect(widget.get_by_role("row")).to_have_count(6)


def test_pictures_are_chosen_by_mouse_and_keyboard(browser, notebook):
    widget = explorer(notebook)
    names = widget.get_by_role("radio")
    expect(names).to_have_count(8)
    first = widget.get_by_role("rowheader").all_inner_texts()
    names.nth(2).click()
    expect(names.nth(2)).to_be_checked()
    browser.page.keyboard.press("ArrowRight")
    expect(names.nth(3)).to_be_checked()
    assert widget.get_by_role("rowheader").all_inner_texts() != first
    assert state(notebook)["picture"] == 3
    picture = widget.get_by_role("img", name=re.compile("^The picture: "))
    assert picture.evaluate("image => image.naturalWidth") == 64


def test_what_python_sets_is_shown(notebook):
    notebook.run_cell(CHANGE)
    widget = explorer(notebook)
    expect(widget.locator(".soft-T")).to_have_text("T = 20")
    expect(widget.get_by_role("radio").nth(3)).to_be_checked()


def test_it_is_painted_in_both_themes_and_fits_a_narrow_window(lab):
    with Browser(lab, size=(1000, 900)) as browser:
        notebook = open_notebook(lab, browser, [MAKE, READ, SET, MANY])
        notebook.run_cell(WIDE)
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            change_theme(browser, theme)
            for index in (SOFT, WIDE):
                widget = explorer(notebook, index)
                assert ink(widget.locator(".soft-table")) > 0.05
                assert ink(widget.locator(".soft-chart").first) > 0.02
                assert ink(widget.locator(".soft-picture")) > 0.5
                assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
        boxes = [explorer(notebook).locator(part).bounding_box()
                 for part in (".soft-look", ".soft-main")]  # fmt: skip
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
        assert notebook.errors() == []
        assert (browser.errors, browser.external) == ([], [])
