"""The learner's file, progress.json: read, changed by one kernel at a time, written whole.

Tasks stand in it by their ids, and quizzes below the key `QUIZZES`. While nbgrader
executes a notebook it is neither read nor written: whose it is has no say in a grade.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course_utils.durable import durable_path, locked
from course_utils.storage import course_home

QUIZZES = "quizzes"


def is_graded() -> bool:
    """Tell whether nbgrader executes this notebook."""
    return "NBGRADER_EXECUTION" in os.environ


def read_record() -> dict[str, dict]:
    """Read the record; a damaged one is set aside, with a word, and begun anew.

    Where it cannot be read, a line says so, and it is empty.
    """
    try:
        return _read()
    except OSError as error:
        say("read", error)
        return {}


@contextmanager
def changed_record() -> Iterator[dict[str, dict]]:
    """Give the record to change, while no other kernel can; then write it.

    Raises `OSError` where it cannot be read or written.
    """
    if is_graded():
        yield {}
        return
    path = _path()
    with locked(path):
        record = _read()
        yield record
        with durable_path(path) as temporary:
            text = json.dumps(record, indent=1, sort_keys=True)
            temporary.write_text(text, encoding="utf-8")


def say(what: str, error: OSError) -> None:
    """Say in a line what could not be done, why, and the way out."""
    if not is_graded():
        why = error.strerror or error
        where = f": {error.filename}" if error.filename else ""
        print(
            f"progress could not be {what} ({why}{where}): set COURSE_HOME to a folder "
            "that can be written"
        )


def _path() -> Path:
    path = course_home() / "progress.json"
    return path.resolve() if path.is_symlink() else path  # the link stays one


def _read() -> dict[str, dict]:
    if is_graded():
        return {}
    path = _path()
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        _validate(record)
        return record
    except (ValueError, RecursionError):
        _set_aside(path)
        return {}


def _set_aside(path: Path) -> None:
    """Keep a damaged record under a name of its own."""
    names = (path.with_suffix(f".damaged{n}.json") for n in ("", *range(2, 1000)))
    aside = next(name for name in names if not name.exists())
    os.replace(path, aside)
    print(f"progress was unreadable; it is set aside as {aside.name}")


def _validate(record: object) -> None:
    _require(isinstance(record, dict), "not a table")
    for name, entry in record.items():
        _require(isinstance(entry, dict), "not an entry")
        if name == QUIZZES:
            _require(all(map(_is_quiz, entry.values())), "not a quiz's tries")
        else:
            _require(_is_task(entry), "an entry without tries and best")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _is_task(entry: dict) -> bool:
    """Tell whether an entry counts as it should; older ones lack some of it."""
    numbers = [entry.get("tries"), entry.get("best")]
    numbers += [entry.get("wrong", 0), entry.get("earned", 0)]
    failed = entry.get("failed", [])
    return all(map(_is_number, numbers)) and _is_list_of_text(failed)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_quiz(entry: object) -> bool:
    tries = entry.get("tries") if isinstance(entry, dict) else None
    return isinstance(tries, dict) and all(map(_is_list_of_text, tries.values()))
