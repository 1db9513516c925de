"""The tasks as a table that says what is reached, what is left and what is next."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from course_utils.widgets.markup import escape, inline_code
from courseware.course_map import LESSONS
from courseware.grading.wording import points
from courseware.places import NOTEBOOKS, notebooks_root


class ProgressTable(pd.DataFrame):
    """A data frame with a row for each task, shown with a line for all of them.

    A notebook shows the tasks folded by exercise. What is made of it by pandas' methods
    is a plain data frame.
    """

    @property
    def _constructor(self) -> type:
        return pd.DataFrame

    def as_indexed(self, column: str) -> ProgressTable:
        """Return the table with a column as its index."""
        return ProgressTable(self.set_index(column))

    @property
    def next_task(self) -> str | None:
        """The first task that has not been passed."""
        left = self.index[self["state"] != "passed"]
        return left[0] if len(left) else None

    @property
    def summary(self) -> str:
        """What is reached and left, and which task is next, in a line."""
        if self.next_task is None:
            return self._reached()
        place = notebook_of(self.next_task)
        where = f", in {place}" if place else ""
        return f"{self._reached()} Next: {self._next_title()}{where}"

    def _reached(self) -> str:
        passed, of = int((self["state"] == "passed").sum()), len(self)
        got = f"{self['earned'].sum():g} of {points(self['points'].sum())}"
        left = f"{of - passed} left" if passed < of else "all done"
        return f"{got}; {passed} of {of} tasks passed, {left}."

    def _next_title(self) -> str:
        return f"{self.next_task} {self.loc[self.next_task, 'title']}"

    def __repr__(self) -> str:
        return f"{self.to_string()}\n\n{self.summary}"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        numbers = self.index.str.partition(".").get_level_values(0)
        parts = [self._exercise(n, self[numbers == n]) for n in numbers.unique()]
        return f"<div style='max-width:52em'>{self._line()}{''.join(parts)}</div>"

    def _line(self) -> str:
        if self.next_task is None:
            return f"<p><strong>{escape(self._reached())}</strong></p>"
        place = _linked(notebook_of(self.next_task))
        return (
            f"<p><strong>{escape(self._reached())}</strong><br>"
            f"Next: {inline_code(self._next_title())}{place}</p>"
        )

    def _exercise(self, number: str, rows: pd.DataFrame) -> str:
        """The tasks of one exercise, open where the next one is among them."""
        is_open = " open" if self.next_task in rows.index else ""
        passed = int((rows["state"] == "passed").sum())
        got = f"{rows['earned'].sum():g} of {points(rows['points'].sum())}"
        title = " ".join([number, *(x.title for x in LESSONS if x.number == number)])
        return (
            f"<details{is_open} onkeydown='event.stopPropagation()'>"
            f"<summary style='cursor:pointer'>{escape(title)}: {passed} of {len(rows)} "
            f"tasks passed, {got}</summary>{_table(rows)}</details>"
        )


def _table(rows: pd.DataFrame) -> str:
    """The tasks of an exercise; JupyterLab's stripes and alignment are told no."""
    shown = rows.assign(**{"last tried": rows["last tried"].str.replace("T", " ")})
    lines = [_COLUMNS, *shown.reset_index().itertuples(index=False, name=None)]
    first, *rest = (_row(line, is_head=i == 0) for i, line in enumerate(lines))
    style = "margin:4px 0 12px 16px;background:none"
    return (
        f"<table style='{style}'><thead>{first}</thead>"
        f"<tbody>{''.join(rest)}</tbody></table>"
    )


_COLUMNS = ("task", "title", "state", "earned", "of", "tries", "last tried")
_CELL = "text-align:left;background:none;padding:3px 14px 3px 0"


def _row(cells: Iterable[object], *, is_head: bool) -> str:
    parts = []
    for place, cell in enumerate(cells):
        text = inline_code(cell) if isinstance(cell, str) else f"{cell:g}"
        scope = "col" if is_head else "row" if place == 0 else ""
        tag, about = ("th", f" scope='{scope}'") if scope else ("td", "")
        parts.append(f"<{tag}{about} style='{_CELL}'>{text}</{tag}>")
    return f"<tr style='background:none'>{''.join(parts)}</tr>"


def _linked(place: str | None) -> str:
    """ ", in FILE", as a link where that lies beside the notebook that is run."""
    if place is None:
        return ""
    near = [Path.cwd().parent / place, Path.cwd() / place]
    file = next((path for path in near if path.is_file()), None)
    if file is None:
        return f", in {escape(place)}"
    link = Path(os.path.relpath(file)).as_posix()
    return f', in <a href="{escape(link)}">{escape(place)}</a>'


def notebook_of(task_id: str) -> str | None:
    """Return the notebook that holds a task, such as "exercises/04_….ipynb"."""
    number = task_id.partition(".")[0]
    folders = [notebooks_root() / folder for folder in reversed(NOTEBOOKS)]
    files = [file for folder in folders for file in folder.glob(f"{number}_*.ipynb")]
    call = rf"check(\"{task_id}\""  # as JSON has it
    holding = [f for f in files if call in f.read_text(encoding="utf-8")]
    found = next(iter(holding or files), None)
    return f"{found.parent.name}/{found.name}" if found else None
