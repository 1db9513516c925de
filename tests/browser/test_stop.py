"""Stop in the middle of a loop of fits: the loop ends, whole epochs are kept."""

import nbformat
from playwright.sync_api import expect

LOOP = """
import torch
from course_utils.datasets import load_dataset
from course_utils.training import fit, make_loader
from course_utils.weights import load_backbone

loader = make_loader(load_dataset("flowers", per_class=8).train, batch_size=8)
begun = []
class Told:
    def on_epoch_end(self, state):
        if state.epoch == 3:
            print("three epochs", flush=True)
for rate in (1e-4, 1e-3, 1e-2):
    begun.append(rate)
    model = load_backbone("test_resnet", num_classes=5)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    fit(model, loader, None, optimizer=optimizer, epochs=100_000, callbacks=[Told()])"""
NEXT = 'print("the next cell ran")'
LOOK = """import sys
history = sys.last_value.history
print(begun, len(history) >= 3, list(history["epoch"]) == [*range(1, len(history) + 1)])"""


def test_stop_ends_a_loop_of_fits_and_what_is_queued_behind_it(lab, browser):
    cells = [nbformat.v4.new_code_cell(code) for code in (LOOP, NEXT, LOOK)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, lab.root / "stop.ipynb")
    opened = browser.open("stop.ipynb")
    opened.menu("Run", "Run All Cells")
    expect(opened.output(0)).to_contain_text("three epochs", timeout=60_000)
    browser.page.get_by_role("button", name="Interrupt the kernel").click()
    expect(opened.output(0)).to_contain_text("KeyboardInterrupt", timeout=30_000)
    expect(opened.output(0)).to_contain_text("stopped by hand after")
    opened.wait_settled()
    assert opened.outputs()[1] == []
    opened.run_cell(2)
    (printed,) = opened.outputs()[2]
    assert "".join(printed["text"]) == "[0.0001] True True\n"
