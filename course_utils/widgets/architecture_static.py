"""An explored model as tables, for notebooks that are exported or read on GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .markup import escape, html_table

COLUMNS = ("stage", "kind", "layers", "output", "parameters", "MACs", "trainable")
LAYER_COLUMNS = ("layer", "type", "kind", "output", "parameters", "MACs")
LEARNS, FROZEN = "🔥 learns", "❄ frozen"


def static_tables(model: dict[str, Any], frozen: Iterable[str]) -> str:
    """Return a described model as a table of stages and folded tables of layers."""
    return (
        f"<p><strong>{escape(model['name'])}</strong> {escape(summary(model))}</p>"
        + html_table(
            COLUMNS, [_stage_cells(stage, frozen) for stage in model["stages"]]
        )
        + _folded("Layers", "".join(_layers(model, s) for s in model["stages"]))
    )


def static_lines(model: dict[str, Any], frozen: Iterable[str]) -> list[str]:
    """Return a described model as lines of text: totals, then one for each stage."""
    rows = [COLUMNS, *(_stage_cells(stage, frozen) for stage in model["stages"])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return [f"{model['name']} {summary(model)}", *(f"  {x.rstrip()}" for x in lines)]


def summary(model: dict[str, Any]) -> str:
    """Return a model's totals, and what is known of its family, as one sentence."""
    found = model["facts"]
    known = [str(found["year"]), found["idea"]] if found else []
    if found.get("top1"):
        known.append(f"ImageNet top-1 {found['top1']:.1f} %")
    totals = (
        f"{compact(model['params'])} parameters, {compact(model['macs'])} MACs at "
        f"{shape_text(model['input'])}, {model['layers']} layers"
    )
    return "; ".join([f"({totals})", *known])


def shape_text(shape: Sequence[int] | None) -> str:
    """Return "64 × 56 × 56", or a dash where the shape is not known."""
    return " × ".join(str(n) for n in shape) if shape else "–"


def compact(count: float) -> str:
    """Return a count with three figures and a prefix: "11.7 M"."""
    for power, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= power:
            return f"{count / power:.{_decimals(count / power)}f} {prefix}"
    return f"{count:.0f}"


def _decimals(value: float) -> int:
    return 2 if value < 10 else 1 if value < 100 else 0


def _stage_cells(stage: dict[str, Any], frozen: Iterable[str]) -> list[str]:
    if not stage["params"]:
        state = "nothing to learn"
    else:
        state = FROZEN if stage["name"] in frozen else LEARNS
    return [
        stage["name"], stage["kind"], str(stage["layers"]),
        shape_text(stage["output"]), f"{stage['params']:,}", f"{stage['macs']:,}",
        state,
    ]  # fmt: skip


def _layers(model: dict[str, Any], stage: dict[str, Any]) -> str:
    """Return a stage's modules and layers, folded under the stage's name."""
    tree = model["tree"]
    rows = [
        [
            # no-break spaces stand for depth, since GitHub removes styles
            "\u00a0" * 3 * (tree["depth"][i] - 1) + tree["name"][i],
            tree["type"][i],
            tree["kind"][i],
            shape_text(tree["output"][i]),
            f"{tree['params'][i]:,}",
            f"{tree['macs'][i]:,}",
        ]
        for i, name in enumerate(tree["stage"])
        if name == stage["name"] and tree["depth"][i] > 0
    ]
    if not rows:  # the stage is one layer
        return ""
    title = f"{stage['name']} ({stage['layers']} layers)"
    return _folded(title, html_table(LAYER_COLUMNS, rows))


def _folded(title: str, inside: str) -> str:
    if not inside:
        return ""
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"
