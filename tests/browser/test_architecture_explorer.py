"""The architecture explorer in JupyterLab: mouse, keyboard, themes, and how fast."""

import json

import nbformat
import pytest
from playwright.sync_api import expect

from course_utils.widgets import ArchitectureExplorer
from tests.browser.driver import Browser, ink
from tests.browser.test_widgets import change_theme

MAKE = """
from course_utils.widgets import ArchitectureExplorer
one = ArchitectureExplorer("resnet18")
one"""
BOTH = 'both = ArchitectureExplorer("resnet18", compare="timm/test_vit")\nboth'
DEEP = 'deep = ArchitectureExplorer("densenet201")\ndeep'
READ = """import json
print(json.dumps({
    "frozen": one.frozen, "selected": one.selected, "scale": one.scale,
    "batch": one.batch_size, "optimizer": one.optimizer, "code": one.code,
    "trainable": one.training["trainable"],
}))"""
ONE, STATE = 0, 3
BACKBONE = ["conv1", "layer1", "layer2", "layer3", "layer4"]
# Milliseconds until what `act` changes is laid out and painted:
TIMED = """async (widget, act) => {
  const button = [...widget.querySelectorAll('button')]
    .find(b => b.textContent === act);
  const start = performance.now();
  button.click();
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return [performance.now() - start, widget.querySelectorAll('[role=treeitem]').length];
}"""
# The same for a second view of the widget, from its script and the traits as they are:
SHOWN = """async ([script, traits]) => {
  const url = URL.createObjectURL(new Blob([script], {type: 'text/javascript'}));
  const view = (await import(url)).default;
  const model = {get: n => traits[n], set() {}, on() {}, off() {}, save_changes() {}};
  const el = document.createElement('div');
  document.querySelector('.cw-arch').parentElement.append(el);
  const start = performance.now();
  const clean = view.render({model, el});
  [...el.querySelectorAll('button')].find(b => b.textContent === 'Expand all').click();
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  const took = [performance.now() - start, el.querySelectorAll('[role=treeitem]').length];
  clean();
  el.remove();
  return took;
}"""
# Two steps down by keyboard; then the kernel's answer to the first one comes in, late.
ANSWERED_LATE = """async ([script, traits]) => {
  const url = URL.createObjectURL(new Blob([script], {type: 'text/javascript'}));
  const view = (await import(url)).default;
  const told = {}, sent = [];
  const tell = name => (told[`change:${name}`] ?? []).forEach(f => f());
  const model = {
    get: n => traits[n],
    set(n, value) { if (traits[n] !== value) { traits[n] = value; tell(n); } },
    on(event, f) { (told[event] ??= []).push(f); },
    off() {},
    save_changes() { sent.push(traits.selected); },
  };
  const el = document.createElement('div');
  document.querySelector('.cw-arch').parentElement.append(el);
  const clean = view.render({model, el});
  el.querySelector('[role=treeitem]').focus();
  const down = () => document.activeElement.dispatchEvent(
    new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}));
  const wait = ms => new Promise(done => setTimeout(done, ms));
  down(); await wait(200); down();
  traits.selected = sent[0]; tell('selected');
  await wait(200);
  const focused = document.activeElement;
  const found = {sent, selected: traits.selected, focused: focused.textContent,
    inside: el.contains(focused), chosen: focused.getAttribute('aria-selected')};
  traits.selected = 'stage:layer3'; tell('selected');
  found.moved = document.activeElement.getAttribute('aria-label');
  clean(); el.remove();
  return found;
}"""
TRAITS = """
import json
names = ArchitectureExplorer.class_trait_names(sync=True)
traits = {n: getattr(deep, n) for n in names if not n.startswith("_")}
print(json.dumps(traits, default=str))"""


def write_notebook(path, cells):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(code) for code in cells]
    nbformat.write(notebook, path)


def open_notebook(lab, browser, cells):
    write_notebook(lab.root / "explorer.ipynb", cells)
    notebook = browser.open("explorer.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    return notebook


@pytest.fixture
def notebook(lab, browser):
    yield open_notebook(lab, browser, [MAKE, BOTH, DEEP, READ])
    assert (browser.errors, browser.external) == ([], [])


def explorer(notebook, index=ONE):
    return notebook.output(index).locator(".cw-arch")


def state(notebook):
    notebook.wait_settled()
    notebook.run_cell(STATE)
    (printed,) = notebook.outputs()[STATE]
    return json.loads("".join(printed["text"]))


def stage(widget, name):
    return widget.get_by_role("button", name=f"{name},")


def layer(widget, name):
    return widget.get_by_role("treeitem", name=f"{name},")


def test_a_stage_that_is_clicked_opens_in_the_tree(notebook):
    widget = explorer(notebook)
    expect(widget.get_by_role("heading", name="resnet18")).to_be_visible()
    stage(widget, "layer3").click()
    expect(stage(widget, "layer3")).to_have_attribute("aria-pressed", "true")
    row = layer(widget, "layer3")
    expect(row).to_have_attribute("aria-selected", "true")
    expect(row).to_have_attribute("aria-expanded", "true")
    details = widget.get_by_role("region", name="Details")
    expect(details).to_contain_text("256 × 14 × 14")
    expect(details).to_contain_text("2,099,712")
    assert state(notebook)["selected"] == "stage:layer3"


def test_the_tree_is_walked_by_keyboard(browser, notebook):
    press, widget = browser.page.keyboard.press, explorer(notebook)
    cells = len(notebook.outputs())
    widget.get_by_role("button", name="Collapse", exact=True).click()
    expect(widget.get_by_role("treeitem")).to_have_count(6)
    layer(widget, "conv1").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        press(key)
    focused = widget.locator('[role="treeitem"]:focus')
    expect(focused).to_have_attribute("aria-level", "3")
    expect(focused).to_contain_text("Conv2d")
    press("b")  # a shortcut of the notebook's; here it finds the next name with a b
    expect(focused).to_contain_text("BatchNorm2d")
    press("ArrowLeft")
    expect(focused).to_contain_text("BasicBlock")
    press("ArrowLeft")
    expect(focused).to_have_attribute("aria-expanded", "false")
    press("End")
    expect(focused).to_contain_text("fc")
    press("Home")
    expect(focused).to_contain_text("conv1")
    for key in ("*", "a", "x", "d", "d"):
        press(key)
    expect(layer(widget, "layer4")).to_have_attribute("aria-expanded", "true")
    assert len(notebook.outputs()) == cells


def test_a_late_answer_of_the_kernel_moves_neither_the_choice_nor_the_focus(
    browser, notebook
):
    one = ArchitectureExplorer("resnet18")
    names = one.trait_names(sync=lambda sync: sync)
    traits = {n: getattr(one, n) for n in names if not n.startswith("_")}
    traits = json.loads(json.dumps(traits, default=str))
    found = browser.page.evaluate(ANSWERED_LATE, [one._esm, traits])
    assert len(set(found["sent"])) == 2
    assert found["selected"] == found["sent"][-1]
    assert (found["inside"], found["chosen"]) == (True, "true")
    assert found["moved"].startswith("layer3,")  # as chosen in Python


def test_arrow_keys_walk_along_the_stages(browser, notebook):
    widget = explorer(notebook)
    stage(widget, "conv1").focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        browser.page.keyboard.press(key)
    expect(stage(widget, "layer2")).to_be_focused()
    expect(layer(widget, "layer2")).to_have_attribute("aria-selected", "true")


def test_search_and_kinds_filter_the_tree(browser, notebook):
    widget = explorer(notebook)
    search = widget.get_by_role("searchbox", name="Search layers")
    search.fill("downsample")
    expect(widget.get_by_role("status").filter(has_text="found")).to_have_text(
        "9 found"
    )
    expect(widget.locator("mark").first).to_have_text("downsample")
    search.press("ArrowDown")
    focused = widget.locator('[role="treeitem"]:focus')
    expect(focused).to_contain_text("downsample")
    search.fill("nothing like it")
    expect(widget).to_contain_text("No layer matches.")
    search.press("Escape")
    expect(search).to_have_value("")
    widget.get_by_role("button", name="pool").click()
    expect(widget.get_by_role("status").filter(has_text="found")).to_have_text(
        "2 found"
    )
    expect(layer(widget, "maxpool")).to_be_visible()


def test_freezing_updates_counts_memory_and_python(notebook):
    widget = explorer(notebook)
    learns = widget.locator(".arch-learns")
    expect(learns).to_contain_text("11.7 M")
    toggle = widget.get_by_role("button", name="Freeze layer4")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(toggle).to_have_text("frozen")
    expect(learns).to_contain_text("3.30 M")
    found = state(notebook)
    assert (found["frozen"], found["trainable"]) == (["layer4"], 3_295_784)
    assert "freeze(model, stages=[" in found["code"]

    widget.get_by_role("button", name="Freeze all but head").click()
    expect(learns).to_contain_text("513 k")
    expect(widget.get_by_role("region", name="Memory of training")).to_contain_text(
        "Freezing saves"
    )
    found = state(notebook)
    assert (found["frozen"], found["trainable"]) == (BACKBONE, 513_000)
    expect(widget.locator(".is-stale")).to_have_count(0)
    widget.get_by_role("button", name="Unfreeze all").click()
    assert state(notebook)["frozen"] == []


def test_batch_size_optimizer_and_scale_reach_python(notebook):
    widget = explorer(notebook)
    batch = widget.get_by_role("spinbutton", name="Batch size")
    batch.fill("8")
    batch.press("Tab")
    widget.get_by_role("radio", name="Adam").check(force=True)
    widget.get_by_role("radio", name="MACs").check(force=True)
    found = state(notebook)
    assert (found["batch"], found["optimizer"], found["scale"]) == (8, "adam", "macs")
    batch.fill("0")
    batch.press("Tab")
    expect(batch).to_have_value("8")
    said = widget.get_by_text("A batch has 1 to 4,096 pictures; it stays at 8.")
    expect(said).to_be_visible()
    batch.fill("9")
    batch.press("Tab")
    expect(said).to_have_count(0)


def test_the_code_shows_what_is_set(notebook):
    widget = explorer(notebook)
    code = widget.get_by_label("Code for what is shown")
    expect(code).to_be_hidden()
    stage(widget, "layer4").click()
    widget.get_by_role("button", name="Freeze all before it").click()
    button = widget.get_by_role("button", name="Show the code")
    button.press("Enter")
    expect(code).to_contain_text('freeze(model, until="layer4")')
    widget.get_by_role("button", name="Copy").click()
    expect(widget.get_by_text("Copied.")).to_be_visible()
    assert code.inner_text().strip() == state(notebook)["code"]


def test_two_models_stand_one_under_the_other(notebook):
    widget = explorer(notebook, 1)
    table = widget.get_by_role("table", name="resnet18 and timm/test_vit")
    expect(table.get_by_role("row", name="Parameters")).to_contain_text("11,689,512")
    expect(table).to_contain_text("× 0.0")
    expect(widget.get_by_role("list", name="Memory of resnet18")).to_be_visible()
    stage(widget, "blocks.2").click()
    expect(layer(widget, "blocks.2")).to_have_attribute("aria-selected", "true")
    expect(widget.get_by_role("radio", name="timm/test_vit")).to_be_checked()
    widget.get_by_role("radio", name="resnet18").check(force=True)
    expect(layer(widget, "layer1")).to_be_visible()


def test_it_is_painted_in_both_themes_and_fits_a_narrow_window(lab):
    with Browser(lab, size=(1000, 900)) as browser:
        notebook = open_notebook(lab, browser, [MAKE, BOTH])
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            change_theme(browser, theme)
            for index in (0, 1):
                widget = explorer(notebook, index)
                assert ink(widget.locator(".arch-flows")) > 0.03
                assert ink(widget.locator(".arch-scroller")) > 0.02
                assert widget.evaluate("w => w.scrollWidth <= w.clientWidth")
                scroller = widget.locator(".arch-scroller")
                assert scroller.evaluate("s => s.scrollWidth <= s.clientWidth")
        assert (browser.errors, browser.external) == ([], [])


def test_six_hundred_layers_are_displayed_at_once(lab, browser, record_property):
    notebook = open_notebook(lab, browser, [MAKE, DEEP, TRAITS])
    (printed,) = notebook.outputs()[2]
    traits = json.loads("".join(printed["text"]))
    widget = explorer(notebook, 1)
    expand, rows = widget.evaluate(TIMED, "Expand all")
    fresh, rows_of_fresh = browser.page.evaluate(
        SHOWN, [ArchitectureExplorer._esm, traits]
    )
    assert rows == rows_of_fresh == len(traits["models"][0]["tree"]["id"]) > 600
    times = {"expand all": round(expand), "render and expand all": round(fresh)}
    record_property("milliseconds", times)
    print(f"densenet201, {rows} rows: {times} ms")
    assert (browser.errors, browser.external) == ([], [])
