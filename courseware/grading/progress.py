"""What the learner has reached: kept on this machine, whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from datetime import datetime
from pathlib import Path

import pandas as pd

from course_utils.storage import atomic_path, course_home

# Hints asked for with hint(), a task; they start anew with each kernel.
hints_asked: Counter[str] = Counter()


def _path() -> Path:
    return course_home() / "progress.json"


def read_progress() -> dict[str, dict]:
    """Read the record; a damaged one is set aside, with a word, and begun anew."""
    path = _path()
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        _validate(record)
        return record
    except ValueError:
        if _is_graded():
            return {}
        aside = path.with_suffix(".damaged.json")
        os.replace(path, aside)
        print(f"progress was unreadable; it is set aside as {aside.name}")
        return {}


def _validate(record: object) -> None:
    if not isinstance(record, dict):
        raise ValueError("not a table")
    for entry in record.values():
        if not isinstance(entry, dict):
            raise ValueError("not an entry")
        numbers = entry.get("tries"), entry.get("best")
        if not all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers):
            raise ValueError("an entry without tries and best")


def _is_graded() -> bool:
    return "NBGRADER_EXECUTION" in os.environ


def record_try(task_id: str, points: float, *, passed: bool) -> int:
    """Note one try and its points; return how many tries there were.

    Nothing is written while nbgrader executes a notebook. Where the file cannot be
    written, a line says so, and the try does not count.
    """
    record = read_progress()
    entry = record.get(task_id, {"best": 0.0, "tries": 0})
    entry["tries"] += 1
    entry["best"] = max(entry["best"], points)
    entry["last"] = points
    entry["passed"] = entry.get("passed", False) or passed
    entry["time"] = datetime.now().isoformat(timespec="seconds")
    if not _is_graded():
        record[task_id] = entry
        try:
            _write(record)
        except OSError as error:
            print(f"progress could not be saved ({error.strerror}): see COURSE_HOME")
    return entry["tries"]


def tries(task_id: str) -> int:
    """Return how often a task was tried."""
    return read_progress().get(task_id, {}).get("tries", 0)


def progress() -> pd.DataFrame:
    """Tabulate all tasks: title, points, best, tries, last try's time."""
    from courseware.grading.registry import find_task, task_ids

    record = read_progress()
    rows = []
    for task_id in task_ids():
        task, entry = find_task(task_id), record.get(task_id, {})
        state = "passed" if entry.get("passed") else "tried" if entry else "open"
        rows.append(
            (
                task_id,
                task.title,
                state,
                entry.get("best", 0.0),
                task.points,
                entry.get("tries", 0),
                entry.get("time", ""),
            )
        )
    columns = ["task", "title", "state", "best", "points", "tries", "last tried"]
    return pd.DataFrame(rows, columns=columns).set_index("task")


def export_progress(path: str | Path) -> Path:
    """Write the table to a .csv or .json file; return its path."""
    path = Path(path)
    table = progress().reset_index()
    if path.suffix == ".csv":
        text = table.to_csv(index=False)
    elif path.suffix == ".json":
        text = table.to_json(orient="records", indent=1, force_ascii=False)
    else:
        raise ValueError(f"export to a .csv or .json file, not {path.name!r}")
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def reset_progress(task_id: str | None = None) -> None:
    """Forget one task, or everything."""
    record = read_progress()
    if task_id is None:
        record = {}
        hints_asked.clear()
    else:
        record.pop(task_id, None)
        hints_asked.pop(task_id, None)
    _write(record)


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
        table = progress()
        print(table.to_string())
        print(f"\n{table['best'].sum():g} of {table['points'].sum():g} points")
    return 0


def _write(record: dict[str, dict]) -> None:
    with atomic_path(_path()) as temporary:
        text = json.dumps(record, indent=1, sort_keys=True)
        temporary.write_text(text, encoding="utf-8")
