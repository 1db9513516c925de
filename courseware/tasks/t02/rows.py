"""Rows of a table of models, for 02.3 and 02.4."""

from __future__ import annotations

FIGURES = ("top1", "params", "gflops")


def row(name: str, top1: float | None, params: float | None, gflops=1.0) -> dict:
    """Return a model's figures: per cent, millions, 10**9 operations."""
    return {"name": name, "top1": top1, "params": params, "gflops": gflops}


def missing(row: dict) -> list[str]:
    """List the figures of a row that are missing: None or NaN."""
    return [f for f in FIGURES if row[f] is None or row[f] != row[f]]


def scaled(figure: float | None, seed: int) -> float | None:
    """Return a figure of another scale: equal, smaller, 0 and missing ones stay so."""
    return None if figure is None else figure * (1 - seed % 16 / 64)


def told(rows: list[dict], figures=("top1", "params")) -> str:
    """Write rows short enough for a card: each name, and its figures in brackets."""
    short = [
        f"{m['name']} ({', '.join(map(_number, (m[f] for f in figures)))})"
        for m in rows
    ]
    return f"name ({', '.join(figures)}): {', '.join(short)}"


def _number(figure: float | None) -> str:
    return str(figure) if figure is None else f"{figure:.7g}"


def varied(rows: list[dict], seed: int) -> list[dict]:
    """Return rows with other names and figures, which compare as they did."""
    suffix = f"-{seed}" if seed else ""
    return [
        {"name": m["name"] + suffix, **{f: scaled(m[f], seed) for f in FIGURES}}
        for m in rows
    ]
