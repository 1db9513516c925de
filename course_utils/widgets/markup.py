"""HTML from text: escaped, with `backticks` as code; tables."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from itertools import count

_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


def escape(text: object) -> str:
    """Return text that is safe inside HTML, quotes included."""
    return html.escape(str(text), quote=True)


def inline_code(text: str) -> str:
    """Return escaped HTML in which `backticks`, as many as it takes, have become code.

    Lines within them stay lines. A backtick without a partner stays as it is.
    """
    parts, end = [], 0
    for found in _CODE.finditer(text):
        lines = "\n" in found[2].strip("\n")
        before = text[end : found.start()]
        parts.append(escape(before.removesuffix("\n") if lines else before))
        parts.append(_code(found[2].strip("\n"), lines))
        end = found.end() + (lines and text[found.end() :].startswith("\n"))
    return "".join([*parts, escape(text[end:])])


def _code(text: str, lines: bool) -> str:
    block = " style='display:block;white-space:pre-wrap'" if lines else ""
    return f"<code{block}>{escape(text)}</code>"


def html_table(
    columns: Iterable[object],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    row_titles: bool = False,
) -> str:
    """Return a table of escaped cells; with `row_titles` each row's first is its title."""

    def line(cells: Iterable[object], titles: int) -> str:
        tags = ("th" if place < titles else "td" for place in count())
        found = (f"<{t}>{escape(c)}</{t}>" for t, c in zip(tags, cells, strict=False))
        return f"<tr>{''.join(found)}</tr>"

    columns = list(columns)
    body = "".join(line(row, int(row_titles)) for row in rows)
    about = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f"<table>{about}<thead>{line(columns, len(columns))}</thead>"
        f"<tbody>{body}</tbody></table>"
    )
