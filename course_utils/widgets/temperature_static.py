"""Soft targets as a table, for notebooks that are exported or read on GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .markup import escape, html_table


def share_text(share: float) -> str:
    """Return a probability in per cent: "61.3 %", and "< 0.1 %" for next to nothing."""
    if 0 <= share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 1 > share >= 0.9995 else f"{share:.1%}".replace("%", " %")


def odds_text(odds: float) -> str:
    """Return odds as "1 : 42", with a decimal below ten, and powers of ten above 1e6."""
    if odds >= 1e6:
        return f"1 : {odds:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"1 : {odds:,.0f}" if odds >= 9.95 else f"1 : {odds:.1f}"


def static_table(picture: dict[str, Any], chosen: Sequence[int], temperatures) -> str:
    """Return one picture, and its soft targets at some temperatures as a table."""
    head, *rows = _cells(picture, chosen, temperatures)
    table = html_table(head, rows, caption=_about(picture), row_titles=True)
    return (
        f'<p><img src="{picture["src"]}" alt="{escape(picture["name"])}" height="96"></p>'
        f"{table}"
    )


def static_lines(picture: dict[str, Any], chosen: Sequence[int], temperatures) -> list:
    """Return the same as lines of text."""
    rows = _cells(picture, chosen, temperatures)
    width = max(len(row[0]) for row in rows)
    cells = ["".join(f"{cell:>11}" for cell in row[1:]) for row in rows]
    lines = [
        f"  {row[0]:<{width}}{text}" for row, text in zip(rows, cells, strict=True)
    ]
    return [_about(picture), *lines]


def _about(picture: dict[str, Any]) -> str:
    return f"Soft targets for {picture['name']}, by temperature"


def _cells(picture: dict[str, Any], chosen: Sequence[int], temperatures) -> list:
    """Head line, a line for each class, and the lines of entropy, odds and gradients."""
    steps = [picture["steps"][i] for i in chosen]
    rows = [["class", *(f"T = {temperatures[i]:g}" for i in chosen)]]
    for place, name in enumerate(picture["classes"]):
        shares = [share_text(step["shares"][place]) for step in steps]
        rows.append([f"{name} ✓" if place == picture["truth"] else name, *shares])
    if picture["others"]:
        rest = [share_text(step["rest"]) for step in steps]
        rows.append([f"{picture['others']} others", *rest])
    odds = [odds_text(step["odds"][1]) for step in steps]
    return [
        *rows,
        ["second best to best", *odds],
        ["entropy, bits", *(f"{step['entropy']:.2f}" for step in steps)],
        ["gradient without T²", *(f"{step['plain']:.3f}" for step in steps)],
        ["gradient with T²", *(f"{step['scaled']:.3f}" for step in steps)],
    ]
