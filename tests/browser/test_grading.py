"""Cards and quizzes in JupyterLab: what is folded opens by keyboard, tries stay."""

import nbformat
import pytest
from playwright.sync_api import expect

from courseware.quizzes import read_quiz
from tests.browser.driver import ink
from tests.browser.test_widgets import change_theme

FAIL = """
from courseware.grading import find_task
from courseware.grading.trying import note_try
from courseware.grading.verdict import Verdict
for answer in range(4):
    score = note_try(find_task("00.2"), answer, Verdict("failed", "Accuracy", hint="`x`"))
score"""
CELLS = [
    FAIL,
    'from courseware.quizzes import Quiz\nQuiz("04")',
    "from courseware.grading import progress\nprogress()",
]
CARD, QUIZ, PROGRESS = range(3)


@pytest.fixture
def notebook(lab, browser):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(page, lab.root / "notebooks" / "grading.ipynb")
    notebook = browser.open("notebooks/grading.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    yield notebook
    assert (browser.errors, browser.external) == ([], [])


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_last_hint_opens_by_keyboard_and_the_notebook_stays_as_it_is(
    browser, notebook, key
):
    card = notebook.output(CARD)
    expect(card.locator("details")).not_to_have_attribute("open", "")
    card.locator("summary").focus()
    for pressed in (key, "b", "a", "x"):  # b, a, x would edit the notebook
        browser.page.keyboard.press(pressed)
    expect(card.locator("details")).to_have_attribute("open", "")
    assert len(notebook.outputs()) == len(CELLS)


def test_no_row_of_a_card_is_striped_in_either_theme(browser, notebook):
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        change_theme(browser, theme)
        card = notebook.output(CARD)
        painted = card.locator("tr, th, td").evaluate_all(
            "all => all.map(e => getComputedStyle(e).backgroundColor)"
        )
        assert set(painted) == {"rgba(0, 0, 0, 0)"}
        assert ink(card) > 0.02


def test_progress_leads_to_the_notebook_that_is_next(browser, notebook):
    expect(notebook.output(PROGRESS).locator("details[open]")).to_have_count(1)
    link = notebook.output(PROGRESS).get_by_role("link")
    name = link.inner_text().rpartition("/")[2]
    link.click()
    tab = browser.page.locator(".lm-TabBar-tab.lm-mod-current")
    expect(tab.last).to_contain_text(name)


def test_a_quiz_keeps_its_tries_when_its_cell_runs_again(browser, notebook):
    first = read_quiz("04")[0]
    wrong = (first.answer + 1) % len(first.choices)
    quiz = notebook.output(QUIZ)
    for reason in first.why:
        assert reason not in browser.page.content()
    for choice, verdict in ((wrong, "Not this one."), (first.answer, "Right.")):
        quiz.get_by_role("radio").nth(choice).press("Space")
        expect(quiz.get_by_role("status")).to_contain_text(verdict)
    notebook.run_cell(CARD)
    notebook.run_cell(QUIZ)
    quiz = notebook.output(QUIZ)
    expect(quiz).to_contain_text("0 of 3 right at the first try")
    quiz.get_by_role("button", name="Back").click()
    expect(quiz.locator(".cw-option.is-right")).to_have_count(1)
    expect(quiz.locator(".cw-option.is-wrong")).to_have_count(1)
    quiz.get_by_role("button", name="Start again").click()
    expect(quiz).to_contain_text("The first try counts")


def test_a_quiz_says_when_the_kernel_is_silent(browser, notebook):
    notebook.menu("Kernel", "Shut Down Kernel")
    quiz = notebook.output(QUIZ)
    quiz.get_by_role("radio").first.press("Space")
    expect(quiz.locator(".cw-silent")).to_be_visible()
    expect(quiz.get_by_role("status")).to_contain_text("has not judged this yet")
