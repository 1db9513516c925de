"""What the learner has reached: kept on this machine, whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pandas as pd

from course_utils.durable import durable_path, locked
from course_utils.storage import course_home

# Hints asked for with hint(), a task; they start anew with each kernel.
hints_asked: Counter[str] = Counter()


def _path() -> Path:
    path = course_home() / "progress.json"
    return path.resolve() if path.is_symlink() else path  # the link stays one


def read_progress() -> dict[str, dict]:
    """Read the record; a damaged one is set aside, with a word, and begun anew.

    Where it cannot be read, a line says so, and it is empty.
    """
    try:
        return _read()
    except OSError as error:
        _say("read", error)
        return {}


def _read() -> dict[str, dict]:
    path = _path()
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        _validate(record)
        return record
    except (ValueError, RecursionError):
        if not _is_graded():
            _set_aside(path)
        return {}


def _set_aside(path: Path) -> None:
    """Keep a damaged record under a name of its own."""
    names = (path.with_suffix(f".damaged{n}.json") for n in ("", *range(2, 1000)))
    aside = next(name for name in names if not name.exists())
    os.replace(path, aside)
    print(f"progress was unreadable; it is set aside as {aside.name}")


def _say(what: str, error: OSError) -> None:
    """Say in a line what could not be done, why, and the way out."""
    if not _is_graded():
        why = error.strerror or error
        where = f": {error.filename}" if error.filename else ""
        print(
            f"progress could not be {what} ({why}{where}): set COURSE_HOME to a folder "
            "that can be written"
        )


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

    Two kernels that note tries at the same moment lose none. Nothing is written while
    nbgrader executes a notebook. Where the file cannot be written, a line says so, and the
    try does not count.
    """
    if _is_graded():
        return _tried(read_progress(), task_id, points, passed)["tries"]
    record = {}
    try:
        with _changed() as record:
            return _tried(record, task_id, points, passed)["tries"]
    except OSError as error:
        _say("saved", error)
        if task_id not in record:
            _tried(record, task_id, points, passed)
        return record[task_id]["tries"]


@contextmanager
def _changed() -> Iterator[dict[str, dict]]:
    """Give the record to change, while no other kernel can; then write it."""
    path = _path()
    with locked(path):
        record = _read()
        yield record
        with durable_path(path) as temporary:
            text = json.dumps(record, indent=1, sort_keys=True)
            temporary.write_text(text, encoding="utf-8")


def _tried(record: dict[str, dict], task_id: str, points: float, passed: bool) -> dict:
    """Add one try to a task's entry, in place; return it."""
    entry = record.setdefault(task_id, {"best": 0.0, "tries": 0})
    entry["tries"] += 1
    entry["best"] = max(entry["best"], points)
    entry["last"] = points
    entry["passed"] = entry.get("passed", False) or passed
    entry["time"] = datetime.now().isoformat(timespec="seconds")
    return entry


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
    """Forget one task, or everything. Where that cannot be written, a line says so."""
    forgotten = hints_asked if task_id is None else [task_id]
    for name in list(forgotten):
        hints_asked.pop(name, None)
    try:
        with _changed() as record:
            for name in list(record) if task_id is None else [task_id]:
                record.pop(name, None)
    except OSError as error:
        _say("saved", error)


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
