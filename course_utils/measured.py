"""What was measured once and is kept: read by its name, with how it was made.

Every file in `data/measured` has one form: what made it, with which versions or on which
machine, and the content: a table, or whatever the measurement found.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from course_utils.arguments import checked
from course_utils.storage import atomic_path, data_dir

__all__ = ["Measured", "measured_path", "read_measured"]

_NESTED = (list, tuple, Mapping)


@dataclass(frozen=True)
class Measured:
    """A stored measurement: what made it, with what, and what was found.

    >>> from course_utils.measured import read_measured
    >>> measured = read_measured("latency")
    >>> measured.made_by, sorted(measured.made_with)
    ('course latency', ['cores', 'cpu', 'threads', 'torch'])
    """

    name: str
    made_by: str
    made_with: dict[str, Any]
    content: Any

    def table(self) -> pd.DataFrame:
        """Return the content as a table.

        Raises `ValueError` where it is not one.
        """
        if not isinstance(self.content, dict) or {*self.content} != {"columns", "rows"}:
            raise ValueError(f"{self.name} is no table: read its .content")
        return pd.DataFrame(self.content["rows"], columns=self.content["columns"])


def measured_path(name: str) -> Path:
    """Return where a measurement is stored.

    >>> from course_utils.measured import measured_path
    >>> measured_path("latency").name
    'latency.json'
    """
    return data_dir() / "measured" / f"{name}.json"


@checked
def read_measured(name: str) -> Measured:
    """Read a stored measurement, such as "latency".

    Raises `FileNotFoundError` that names those there are.

    >>> from course_utils.measured import read_measured
    >>> list(read_measured("latency").table().columns)[:4]
    ['architecture', 'median_ms', 'low_ms', 'high_ms']
    >>> read_measured("speed")
    Traceback (most recent call last):
        ...
    FileNotFoundError: nothing measured is called 'speed'; there is ...latency...
    """
    path = measured_path(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
        raise FileNotFoundError(
            f"nothing measured is called {name!r}; there is {known}"
        )
    found = json.loads(path.read_text(encoding="utf-8"))
    return Measured(name, found["made by"], found["made with"], found["content"])


@checked
def write_measured(
    name: str,
    content: Any,
    *,
    made_by: str,
    made_with: Mapping[str, Any] | None = None,
) -> Path:
    """Store a measurement, whole or not at all; return its path.

    `content` is a table (DataFrame) or anything that JSON can hold; `made_by` the command
    that repeats it; `made_with` versions and machine, by default torch's version.
    """
    if isinstance(content, pd.DataFrame):
        content = json.loads(content.to_json(orient="split", index=False))
        content = {"columns": content["columns"], "rows": content["data"]}
    whole = {
        "made by": made_by,
        "made with": dict(made_with or {"torch": _torch_version()}),
        "content": content,
    }
    path = measured_path(name)
    with atomic_path(path) as temporary:
        temporary.write_text(_layout(whole) + "\n", encoding="utf-8", newline="\n")
    return path


def _layout(value: Any, margin: str = "\n") -> str:
    """JSON in which a list of plain values stands on one line, as a diff wants it."""
    if isinstance(value, Mapping) and value:
        ends = "{}"
        parts = [
            f"{json.dumps(key)}: {_layout(v, margin + ' ')}" for key, v in value.items()
        ]
    elif isinstance(value, list | tuple) and any(isinstance(v, _NESTED) for v in value):
        ends = "[]"
        parts = [_layout(v, margin + " ") for v in value]
    else:
        return json.dumps(value)
    inner = f",{margin} ".join(parts)
    return f"{ends[0]}{margin} {inner}{margin}{ends[1]}"


def _torch_version() -> str:
    return importlib.metadata.version("torch").split("+")[0]
