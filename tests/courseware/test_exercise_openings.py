"""The first lines of an exercise say what its learner must know of the checks."""

import re

import pytest

from courseware.grading import find_task, task_ids
from courseware.places import project_root

SOURCES = sorted((project_root() / "courseware" / "exercises").glob("[0-9]*.py"))


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def source(request):
    return request.param.read_text(encoding="utf-8")


def opening(source):
    """The text of the first cell, its lines joined."""
    cell = source.partition("# %% [markdown]\n")[2].partition("\n# %%\n")[0]
    return " ".join(line.removeprefix("#").strip() for line in cell.splitlines())


def test_it_says_where_the_check_is_and_to_run_a_changed_cell_first(source):
    assert "The cell below it is the check" in opening(source)
    assert "After a change run your own cell *first*" in opening(source)


def test_it_says_that_tries_cost_a_little_in_ones_own_progress(source):
    assert "costs a little, in your own progress only" in opening(source)


def test_it_says_what_a_check_cannot_stop(source):
    assert re.search("It cannot end one long computation .*: restart the kernel then.",
                     opening(source))  # fmt: skip


def test_its_hint_is_of_a_task_that_there_is(source):
    (task,) = re.findall(r'`hint\("([\d.]+)"\)`', opening(source))
    assert task in task_ids() and find_task(task).hints
    assert f'check("{task}"' in source
