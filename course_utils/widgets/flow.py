"""A picture of a training step that switches between two ways to adapt a net."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import traitlets

from course_utils.arguments import checked

from .base import CourseWidget, script, style
from .markup import escape

__all__ = ["FlowSwitcher"]

MODES = {"feature_extraction": "Feature extraction", "fine_tuning": "Fine-tuning"}
FACT_LABELS = {
    "learns": "Learns",
    "gradients": "Gradients reach",
    "optimizer": "Gradients and Adam's state",
    "activations": "Kept for the backward pass",
}
BYTES_PER_TRAINED_PARAMETER = 12  # float32: the gradient and Adam's two averages


class FlowSwitcher(CourseWidget):
    """Show what is frozen, what learns and what is kept, for two ways to adapt a net.

    `stages` are rows (name, number of parameters) from the stem to the head; the last
    row is the head. `mode` is "feature_extraction" or "fine_tuning" and can be set
    from Python as well.

    >>> from course_utils.widgets import FlowSwitcher
    >>> flow = FlowSwitcher([("stem", 500), ("layer1", 10_000), ("fc", 325)])
    >>> print(flow.static_text())
    Feature extraction
      image → stem (frozen) → layer1 (frozen) → fc (learns) → loss
      Learns: 325 of 10,825 parameters (3.0%)
      ...
    """

    _esm = script("flow")
    _css = style("flow")

    stages = traitlets.List(traitlets.Dict()).tag(sync=True)
    modes = traitlets.Dict(MODES).tag(sync=True)
    facts = traitlets.Dict().tag(sync=True)
    labels = traitlets.Dict(FACT_LABELS).tag(sync=True)
    mode = traitlets.Enum(list(MODES), "feature_extraction").tag(sync=True)

    @checked
    def __init__(
        self,
        stages: Iterable[tuple[str, int]],
        *,
        mode: Literal[tuple(MODES)] = "feature_extraction",
    ):
        rows = [{"name": str(name), "parameters": int(n)} for name, n in stages]
        if len(rows) < 2:
            raise ValueError(
                f"a flow needs at least two stages, a backbone and a head; got {rows}"
            )
        facts = {name: flow_facts(rows, name) for name in MODES}
        super().__init__(stages=rows, facts=facts, mode=mode)

    def static_html(self) -> str:
        """Return both ways side by side, as a table."""
        head = "".join(f"<th>{escape(title)}</th>" for title in MODES.values())
        rows = [
            f"<tr><th>{escape(stage['name'])}</th>{_stage_cells(self.facts, i)}</tr>"
            for i, stage in enumerate(self.stages)
        ]
        for key, label in FACT_LABELS.items():
            cells = "".join(f"<td>{escape(self.facts[m][key])}</td>" for m in MODES)
            rows.append(f"<tr><th>{label}</th>{cells}</tr>")
        return (
            "<table><caption>Image → stages → loss, and back</caption>"
            f"<thead><tr><th>stage</th>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

    def static_text(self) -> str:
        """Return both ways, one after the other."""
        lines = []
        for mode, title in MODES.items():
            marks = zip(self.stages, self.facts[mode]["trains"], strict=True)
            chain = [f"{s['name']} ({'learns' if t else 'frozen'})" for s, t in marks]
            lines += [title, "  image → " + " → ".join(chain) + " → loss"]
            lines += [
                f"  {label}: {self.facts[mode][key]}"
                for key, label in FACT_LABELS.items()
            ]
        return "\n".join(lines)


def flow_facts(stages: list[dict[str, Any]], mode: str) -> dict[str, Any]:
    """Return which stages learn in a mode, and what that means, in words."""
    last = len(stages) - 1
    trains = [mode == "fine_tuning" or i == last for i in range(len(stages))]
    total = sum(stage["parameters"] for stage in stages)
    learning = sum(s["parameters"] for s, t in zip(stages, trains, strict=True) if t)
    share = learning / total if total else 0.0
    first, head = stages[0]["name"], stages[-1]["name"]
    everything = mode == "fine_tuning"
    return {
        "trains": trains,
        "share": share,
        "learns": f"{learning:,} of {total:,} parameters ({_percent(share)})",
        "gradients": f"every stage, back to {first}" if everything else f"only {head}",
        "optimizer": _bytes(learning * BYTES_PER_TRAINED_PARAMETER),
        "activations": (
            f"what enters each layer, from {first} to {head}, for each image of a batch"
            if everything
            else f"what enters {head}: one row of features for each image of a batch"
        ),
    }


def _stage_cells(facts: dict[str, Any], index: int) -> str:
    """Return one stage's cells: frozen or learning, in each mode."""
    words = ("❄ frozen, nothing kept", "🔥 learns, input kept")
    return "".join(f"<td>{words[facts[mode]['trains'][index]]}</td>" for mode in MODES)


def _percent(share: float) -> str:
    """Return a share as a percentage that does not round to nothing."""
    return f"{share:.0%}" if share in (0, 1) or share >= 0.1 else f"{share:.1%}"


def _bytes(count: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
