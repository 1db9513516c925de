"""The explorer of the zoo in JupyterLab: by mouse, by keyboard, in both themes."""

import json

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.driver import Browser, ink
from tests.browser.test_widgets import change_theme

SHOW = """from course_utils.widgets import ZooExplorer
from course_utils.zoo import zoo_table
heard = []
zoo = ZooExplorer(zoo_table(latency=True))
zoo.on_select(heard.append)
zoo"""
READ = """import json
print(json.dumps({name: getattr(zoo, name) for name in (
    "selected", "selected_weights", "cost", "filter_text", "family", "best_only",
    "sort_by", "descending")} | {"heard": heard}))"""
SET = "zoo.selected, zoo.cost, zoo.best_only = 'vit_b_16', 'gflops', True"


def open_zoo(lab, browser):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(code) for code in (SHOW, READ, SET)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, lab.root / "zoo.ipynb")
    opened = browser.open("zoo.ipynb")
    opened.run_cell(0)
    assert opened.errors() == []
    return opened


@pytest.fixture
def notebook(lab, browser):
    opened = open_zoo(lab, browser)
    yield opened
    assert opened.errors() == []
    assert (browser.errors, browser.external) == ([], [])


@pytest.fixture
def widget(notebook):
    return notebook.output(0).locator(".cw-zoo")


def state(notebook):
    notebook.wait_settled()
    notebook.run_cell(1)
    return json.loads("".join(notebook.outputs()[1][0]["text"]))


def names(widget):
    return widget.locator("tbody .zoo-name > span").all_inner_texts()


def test_the_table_is_sorted_searched_and_filtered(notebook, widget):
    table = widget.get_by_role("grid")
    assert len(names(widget)) == 115 and names(widget)[0] == "vit_h_14"
    params = table.get_by_role("button", name="Params")
    params.click()
    params.click()  # the smallest first
    expect(table.get_by_role("columnheader", name="Params")).to_have_attribute(
        "aria-sort", "ascending"
    )
    assert names(widget)[:2] == ["squeezenet1_1", "squeezenet1_0"]

    widget.get_by_role("searchbox").fill("v2 resnet")
    expect(widget.get_by_role("status")).to_contain_text(" of 115 sets of weights")
    assert set(names(widget)) >= {"resnet50", "wide_resnet50_2"}
    assert "resnet18" not in names(widget)  # has no second weights
    widget.get_by_role("searchbox").fill("")
    widget.get_by_label("Family", exact=True).select_option("ConvNeXt")
    expect(widget.get_by_role("status")).to_have_text("4 of 115 sets of weights")
    widget.get_by_role("button", name="Transformer").click()
    expect(widget.get_by_role("status")).to_have_text("16 of 115 sets of weights")
    widget.get_by_label("Best weights of each architecture only").check()
    expect(widget.get_by_role("status")).to_have_text("11 of 115 sets of weights")
    found = state(notebook)
    assert (found["family"], found["best_only"]) == ("Transformer", True)
    assert (found["sort_by"], found["descending"]) == ("params", False)


def test_a_click_on_a_point_shows_details_and_tells_python(browser, notebook, widget):
    widget.get_by_role("radio", name="Latency").check(force=True)
    expect(widget).to_contain_text("Latency of one image, measured on")
    point = widget.locator(".point[aria-label^='efficientnet_v2_s']")
    point.hover(force=True)
    expect(widget.locator(".zoo-tip")).to_contain_text("84.2 %")
    point.click(force=True)
    details = widget.get_by_label("Details", exact=True)
    expect(details).to_contain_text("EfficientNet v2, 2021")
    expect(details.get_by_role("link")).to_have_attribute(
        "href", "https://arxiv.org/abs/2104.00298"
    )
    details.get_by_role("button", name="Show the code").click()
    code = 'get_model("efficientnet_v2_s", weights=weights)'
    expect(widget.locator(".zoo-code")).to_contain_text(code)
    expect(widget.locator("tbody [aria-selected=true]")).to_contain_text("v2_s")
    found = state(notebook)
    assert (found["selected"], found["cost"]) == ("efficientnet_v2_s", "ms")
    assert found["heard"] == ["efficientnet_v2_s"]

    notebook.run_cell(2)  # and Python tells the browser
    expect(details).to_contain_text("ViT, 2020")
    expect(details).to_contain_text("CC BY-NC 4.0")
    expect(widget.get_by_role("radio", name="GFLOPs")).to_be_checked()
    details.get_by_role("button", name="V1 81.1").click()
    expect(details).to_contain_text("86.6 M")
    details.get_by_role("button", name="Close details").click()
    expect(details).to_contain_text("The Pareto front")
    assert state(notebook)["selected"] == ""


def test_the_keyboard_is_enough_and_stays_in_the_widget(browser, notebook, widget):
    press, cells = browser.page.keyboard.press, len(notebook.outputs())
    widget.get_by_role("button", name="Architecture").press("Enter")
    first = widget.locator("tbody tr").first
    expect(first).to_contain_text("alexnet")
    first.focus()
    for key in ("a", "b", "x", "End", "ArrowUp", "Home", "ArrowDown", "Enter"):
        press(key)  # a, b and x would edit the notebook
    details = widget.get_by_label("Details", exact=True)
    expect(details).to_contain_text("convnext_base")
    assert state(notebook)["selected"] == "convnext_base"

    widget.locator(".point[tabindex='0']").focus()
    press("Home")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert browser.page.evaluate(focused).startswith("squeezenet1_1, ")
    expect(widget.locator(".zoo-tip")).to_be_visible()
    press("ArrowUp")
    press("ArrowDown")
    press("End")
    press("Enter")
    expect(details).to_contain_text("regnet_y_128gf")
    expect(widget.locator(".point[aria-pressed=true]")).to_be_focused()
    press("Escape")
    expect(details).to_contain_text("The Pareto front")
    assert len(notebook.outputs()) == cells


def test_it_is_painted_in_both_themes_and_fits_a_narrow_window(lab):
    with Browser(lab, size=(1000, 1000)) as browser:
        notebook = open_zoo(lab, browser)
        widget = notebook.output(0).locator(".cw-zoo")
        grounds = []
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            change_theme(browser, theme)
            assert ink(widget.locator(".zoo-canvas > svg")) > 0.03
            assert ink(widget.locator(".zoo-table")) > 0.05
            assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
            table = widget.locator(".zoo-table")
            assert table.evaluate("t => t.scrollWidth <= t.clientWidth")
            grounds.append(widget.evaluate("w => getComputedStyle(w).backgroundColor"))
        assert grounds[0] != grounds[1]
        assert (browser.errors, browser.external) == ([], [])
