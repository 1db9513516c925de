"""The learner's record: nothing lost, and no check that its file can stop."""

import json
import os
import stat
import subprocess
import sys

import pandas as pd
import pytest

from course_utils.durable import locked
from courseware.course_map import LESSONS
from courseware.grading import find_task, record
from courseware.grading.progress import (
    export_progress,
    hints_asked,
    main,
    progress,
    read_progress,
    record_try,
    reset_progress,
    tries,
)
from courseware.grading.progress_table import notebook_of
from courseware.grading.trying import note_try
from courseware.grading.verdict import Verdict

UNIX = pytest.mark.skipif(os.name == "nt", reason="this system has no mode bits")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


def passes(task_id):
    """A pass of a task, as `check` notes it."""
    return note_try(find_task(task_id), 1, Verdict("passed", "A task"))


def fails(task_id, answer=1):
    return note_try(find_task(task_id), answer, Verdict("failed", "A task"))


TRIES = """
from courseware.grading.progress import record_try
for _ in range(40):
    record_try("00.1", 0.0, passed=False)
"""


def test_two_kernels_at_the_same_moment_lose_no_try(home):
    command = [sys.executable, "-c", TRIES]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate(timeout=120)[0] for process in running] == [b""] * 3
    assert tries("00.1") == 120
    assert sorted(f.name for f in home.iterdir()) == [
        "progress.json", "progress.json.lock"]  # fmt: skip


def test_a_lock_that_is_held_costs_a_line_and_not_the_card(home, monkeypatch, capsys):
    record_try("00.0", 1.0, passed=True)
    monkeypatch.setattr(record, "locked", lambda path: locked(path, timeout=0.05))
    with locked(home / "progress.json"):
        assert passes("00.0") == 1.0
    said = capsys.readouterr().out
    assert said.startswith("progress could not be saved (") and said.count("\n") == 1
    assert tries("00.0") == 1


def _homes(tmp_path):
    """Homes that cannot be made or written, each by its name."""
    (tmp_path / "file").touch()
    return {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "home"}


@pytest.mark.parametrize("name", ["a file", "below a file"])
def test_a_home_that_cannot_be_made_costs_a_line(tmp_path, monkeypatch, capsys, name):
    path = _homes(tmp_path)[name]
    monkeypatch.setenv("COURSE_HOME", str(path))
    assert passes("00.0") == 1.0
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and str(path) in said
    assert said.endswith("set COURSE_HOME to a folder that can be written\n")
    assert (progress()["state"] == "open").all()
    assert "progress could not be read" in capsys.readouterr().out
    reset_progress()
    assert "progress could not be saved" in capsys.readouterr().out
    assert main([]) == 0


@UNIX
@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="this system lets root write"
)
def test_a_home_that_cannot_be_written_costs_a_line(home, capsys):
    record_try("00.0", 1.0, passed=True)
    home.chmod(0o500)
    assert passes("00.0") == 1.0
    home.chmod(0o700)
    assert capsys.readouterr().out.count("\n") == 1 and tries("00.0") == 1


def test_on_a_full_disk_what_was_there_stays(home, full_disk, capsys):
    record_try("00.0", 1.0, passed=True)
    with full_disk(10):
        assert record_try("00.0", 1.0, passed=True) == 2  # as the hints count
    assert "progress could not be saved" in capsys.readouterr().out
    assert tries("00.0") == 1


def test_a_second_damaged_record_leaves_the_first_one_be(home, capsys):
    for text in ("first", "[" * 99_999):
        (home / "progress.json").write_text(text)
        assert read_progress() == {}
    assert (home / "progress.damaged.json").read_text() == "first"
    assert (home / "progress.damaged2.json").is_file()
    assert "set aside as progress.damaged2.json" in capsys.readouterr().out


def test_a_damaged_record_that_cannot_be_moved_costs_a_line(home, monkeypatch, capsys):
    (home / "progress.json").write_text("{")
    monkeypatch.setattr(record.os, "replace", _refuse)
    assert passes("00.0") == 1.0
    assert "Read-only file system" in capsys.readouterr().out
    assert (home / "progress.json").read_text() == "{"


def _refuse(*names):
    raise OSError(30, "Read-only file system", *map(str, names[:1]))


@UNIX
def test_a_link_stays_one_and_the_umask_says_who_may_read(home):
    (home / "elsewhere").mkdir()
    target = home / "elsewhere" / "mine.json"
    (home / "progress.json").symlink_to(target)
    before = os.umask(0o077)
    try:
        record_try("00.1", 1.0, passed=False)
    finally:
        os.umask(before)
    assert (home / "progress.json").is_symlink()
    assert json.loads(target.read_text())["00.1"]["tries"] == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_export_that_cannot_be_written_is_named(home):
    (home / "file").touch()
    with pytest.raises(OSError, match=r"p\.csv was not written \(.*another folder"):
        export_progress(home / "file" / "p.csv")


def test_a_task_is_forgotten_alone_and_so_are_its_hints(home):
    for task in ("00.1", "00.0"):
        record_try(task, 1.0, passed=False)
        hints_asked[task] += 1
    reset_progress("00.1")
    assert (tries("00.1"), tries("00.0")) == (0, 1)
    assert (hints_asked["00.1"], hints_asked["00.0"]) == (0, 1)
    reset_progress()
    assert read_progress() == {} and not hints_asked


@pytest.mark.parametrize(
    "content",
    [
        {"00.1": {"best": 1, "tries": 1, "failed": 3}},
        {"00.1": {"best": 1, "tries": 1, "wrong": "x"}},
        {"quizzes": []}, {"quizzes": {"04": {}}}, {"quizzes": {"04": {"tries": {"a": 1}}}},
    ],
)  # fmt: skip
def test_a_record_of_another_form_is_set_aside(home, capsys, content):
    (home / "progress.json").write_text(json.dumps(content))
    assert read_progress() == {}
    assert "set aside" in capsys.readouterr().out


# -- the table ---------------------------------------------------------------------------


def test_the_table_is_a_data_frame_and_what_is_made_of_it_a_plain_one():
    table = progress()
    assert isinstance(table, pd.DataFrame) and table.index.name == "task"
    assert list(table) == ["title", "state", "earned", "points", "tries", "last tried"]
    for made in (table[table["tries"] > 0], table.reset_index(), table.copy()):
        assert type(made) is pd.DataFrame


def test_the_table_says_what_was_earned():
    fails("00.1")
    passes("00.1")
    row = progress().loc["00.1"]
    assert (row["earned"], row["tries"], row["state"]) == (0.9, 2, "passed")


def test_a_line_says_what_is_reached_left_and_next():
    table = progress()
    count, whole = len(table), f"{table['points'].sum():g}"
    first, second = table.index[:2]
    assert table.summary == (
        f"0 of {whole} points; 0 of {count} tasks passed, {count} left. "
        f"Next: {first} {find_task(first).title}, in {notebook_of(first)}"
    )
    got = passes(first)
    assert progress().summary == (
        f"{float(got):g} of {whole} points; 1 of {count} tasks passed, {count - 1} left. "
        f"Next: {second} {find_task(second).title}, in {notebook_of(second)}"
    )


def test_when_all_is_passed_nothing_is_next():
    table = progress()
    table["state"], table["earned"] = "passed", table["points"]
    assert table.next_task is None and table.summary.endswith("passed, all done.")
    assert "Next" not in table._repr_html_()


def test_a_terminal_shows_the_table_whole_and_the_line(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert shown == f"{progress().to_string()}\n\n{progress().summary}\n"
    assert "..." not in shown and all(title in shown for title in progress()["title"])


def test_a_notebook_shows_the_line_and_opens_the_exercise_that_is_next():
    passes("00.0")
    tasks = progress()
    start = tasks[tasks.index.str.startswith("00")]
    page = tasks._repr_html_()
    assert "<strong>1 of " in page and "Next: 00.1 Count the parameters" in page
    first, second = page.split("<details")[1:3]
    passed = f"1 of {len(start)} tasks passed, 1 of {start['points'].sum():g} points"
    assert first.startswith(" open") and passed in first
    assert not second.startswith(" open") and LESSONS[1].title in second
    assert all(task in page for task in tasks.index) and "…" not in page
    assert page.count("scope='row'") == len(tasks)


def test_a_title_with_marks_is_escaped_on_the_page():
    table = progress()
    table.loc["00.0", "title"] = "a < `b`"
    assert "a &lt; <code>b</code>" in table._repr_html_()


def test_places_of_tasks():
    assert notebook_of("00.0") == "notebooks/00_start_here.ipynb"
    assert notebook_of("00.1") == "exercises/00_start_here.ipynb"


def test_the_notebook_that_is_next_is_a_link_where_it_lies_near(home, monkeypatch):
    file = home / "course" / "notebooks" / "00_start_here.ipynb"
    file.parent.mkdir(parents=True)
    monkeypatch.chdir(file.parent)
    assert "<a " not in progress()._repr_html_()
    file.touch()
    for folder, link in (
        (file.parent, file.name),
        (file.parents[1], f"notebooks/{file.name}"),
    ):
        monkeypatch.chdir(folder)
        assert f'<a href="{link}">notebooks/{file.name}</a>' in progress()._repr_html_()


def test_each_task_has_its_notebook():
    for task in progress().index:
        assert notebook_of(task).rpartition("/")[2].startswith(task[:2])
    assert notebook_of("99.1") is None
