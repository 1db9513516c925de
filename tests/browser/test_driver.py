"""The driver itself: it must see a blank figure, a broken cell, a foreign request."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.browser.driver import ink

CELLS = (
    new_markdown_cell("# A page"),
    new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);"),
    new_code_cell("plt.subplots()[1].axis('off');"),
    new_code_cell("1 / 0"),
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}


@pytest.fixture
def notebook(lab, browser):
    page = new_notebook(cells=list(CELLS), metadata=KERNEL)
    nbformat.write(page, lab.root / "page.ipynb")
    return browser.open("page.ipynb")


def test_painted_and_blank_figures_and_errors_are_told_apart(notebook, browser):
    notebook.run_all()
    assert notebook.errors() == ["ZeroDivisionError: division by zero"]
    assert notebook.figures() == [1, 2]
    assert ink(notebook.output(1).locator("img")) > 0.005
    assert ink(notebook.output(2).locator("img")) == 0
    browser.page.evaluate(
        "console.error('oh'); fetch('http://127.0.0.2:9/x').catch(() => 0)"
    )
    browser.page.wait_for_timeout(200)
    assert "oh" in browser.errors
    assert browser.external == ["http://127.0.0.2:9/x"]


def test_a_cell_is_written_by_the_keyboard_and_run(notebook):
    notebook.write(3, "def f(x):\n    return [x]\n\nf(2)")
    notebook.run_cell(3)
    assert notebook.output(3).inner_text().strip().endswith("[2]")
