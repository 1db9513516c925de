"""What the learner has reached: each try noted, all of it as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from course_utils.durable import durable_path
from courseware.grading.progress_table import ProgressTable
from courseware.grading.record import QUIZZES, changed_record, read_record, say

# Hints asked for with hint(), a task; they start anew with each kernel.
hints_asked: Counter[str] = Counter()

_MARKS = 50  # failed answers that are known again, a task


@dataclass(frozen=True)
class Try:
    """One try of a task.

    A failed answer whose `mark` has failed before is no new try, and one that `costs`
    nothing is none of the wrong ones. `keeps` gives the points that a pass keeps after so
    many wrong tries, without it all of them.
    """

    points: float
    passed: bool
    mark: str | None = None
    costs: bool = True
    keeps: Callable[[int], float] | None = None


@dataclass(frozen=True)
class Noted:
    """A task's entry after a try.

    `wrong` are the wrong tries before the pass, `earned` the points kept since. `repeats`
    counts back to the failed try of the same mark: 1 for the last, 0 for none.
    """

    tries: int
    wrong: int
    passed: bool
    earned: float
    repeats: int = 0


def read_progress() -> dict[str, dict]:
    """Read the entries of all tasks that were tried."""
    return {id: entry for id, entry in read_record().items() if id != QUIZZES}


def note(task_id: str, tried: Try) -> Noted:
    """Note one try; return the task's entry.

    Two kernels that note tries at the same moment lose none. Nothing is read or written
    while nbgrader executes a notebook. Where the file cannot be written, a line says so,
    and the try does not count.
    """
    noted = None
    try:
        with changed_record() as record:
            noted = _noted(record, task_id, tried)
    except OSError as error:
        say("saved", error)
    return noted or _noted({}, task_id, tried)


def record_try(task_id: str, points: float, *, passed: bool) -> int:
    """Note one try and its points; return how many tries there were."""
    return note(task_id, Try(points, passed)).tries


def _noted(record: dict[str, dict], task_id: str, tried: Try) -> Noted:
    """Add a try to a task's entry, in place."""
    entry = record.setdefault(task_id, {"best": 0.0, "tries": 0})
    failed = entry.get("failed", [])
    if not tried.passed and tried.mark in failed:
        return _as_noted(entry, repeats=len(failed) - failed.index(tried.mark))
    before = entry.get("passed", False)
    entry["tries"] += 1
    entry["best"] = max(entry["best"], tried.points)
    entry["last"] = tried.points
    entry["passed"] = before or tried.passed
    entry["time"] = datetime.now().isoformat(timespec="seconds")
    if tried.passed and not before:
        wrong = entry.get("wrong", 0)
        entry["earned"] = tried.keeps(wrong) if tried.keeps else tried.points
    if not tried.passed:
        entry["wrong"] = entry.get("wrong", 0) + (tried.costs and not before)
        entry["failed"] = [*failed, tried.mark][-_MARKS:] if tried.mark else failed
    return _as_noted(entry)


def _as_noted(entry: dict, *, repeats: int = 0) -> Noted:
    return Noted(
        tries=entry["tries"],
        wrong=entry.get("wrong", 0),
        passed=entry.get("passed", False),
        earned=entry.get("earned", entry["best"]),
        repeats=repeats,
    )


def tries(task_id: str) -> int:
    """Return how often a task was tried."""
    return read_progress().get(task_id, {}).get("tries", 0)


def progress() -> ProgressTable:
    """Tabulate all tasks: title, state, points earned and to earn, tries, last try's time.

    A line says what that comes to, and which task is next.
    """
    from courseware.grading.registry import find_task, task_ids

    record = read_progress()
    tasks = [find_task(task_id) for task_id in task_ids()]
    rows = [_row(task, record.get(task.id, {})) for task in tasks]
    columns = ["task", "title", "state", "earned", "points", "tries", "last tried"]
    return ProgressTable(rows, columns=columns).as_indexed("task")


def _row(task, entry: dict) -> tuple:
    state = "passed" if entry.get("passed") else "tried" if entry else "open"
    earned = entry.get("earned", entry.get("best", 0.0))
    tried = entry.get("tries", 0), entry.get("time", "")
    return task.id, task.title, state, earned, task.points, *tried


def export_progress(path: str | Path) -> Path:
    """Write the table to a .csv or .json file; return its path.

    Raises `ValueError` for another kind, `OSError` where it cannot be written.
    """
    path = Path(path)
    table = progress().reset_index()
    if path.suffix == ".csv":
        text = table.to_csv(index=False)
    elif path.suffix == ".json":
        text = table.to_json(orient="records", indent=1, force_ascii=False)
    else:
        raise ValueError(f"export to a .csv or .json file, not {path.name!r}")
    try:
        with durable_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"{path} was not written ({why}): take another folder") from error
    return path


def reset_progress(task_id: str | None = None) -> None:
    """Forget one task, or everything, quizzes too.

    Where that cannot be written, a line says so.
    """
    forgotten = hints_asked if task_id is None else [task_id]
    for name in list(forgotten):
        hints_asked.pop(name, None)
    try:
        with changed_record() as record:
            for name in list(record) if task_id is None else [task_id]:
                record.pop(name, None)
    except OSError as error:
        say("saved", error)


def main(argv: list[str] | None = None) -> int:
    """Command line: show, export or reset progress."""
    import argparse

    parser = argparse.ArgumentParser(prog="course progress")
    parser.add_argument("--export", metavar="FILE", help="write a .csv or .json file")
    parser.add_argument("--reset", action="store_true", help="forget everything")
    options = parser.parse_args(argv)
    if options.reset:
        reset_progress()
    if options.export:
        print(export_progress(options.export).name)
    else:
        print(progress())
    return 0
