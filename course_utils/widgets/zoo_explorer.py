"""The model zoo to sort, filter and look at: accuracy against a chosen cost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
import traitlets
from matplotlib.figure import Figure

from course_utils.zoo import family_of, pareto_front, zoo_table
from course_utils.zoo.families import GROUPS
from course_utils.zoo.table import COSTS

from .architecture_explorer import ArchitectureExplorer
from .base import CourseWidget, data_url, escape, script, style
from .pictures import figure_png

GROUP_WORDS = {
    "plain": "plain convolutions",
    "residual": "residual nets",
    "efficient": "built for phones",
    "modern": "modern convolutions",
    "transformer": "transformers",
    "hybrid": "hybrids",
}
COLUMNS = {
    "architecture": "architecture",
    "weights": "weights",
    "year": "year",
    "params": "params (M)",
    "gflops": "GMACs",
    "file_mb": "file (MB)",
    "ms": "ms",
    "top1": "top-1 (%)",
}


class ZooExplorer(CourseWidget):
    """Show a zoo: a scatter with its Pareto front, a table, and one model in detail.

    `table` is what `zoo_table()` returns, or a part of it; with its column `ms`, latency
    is one of the costs. `cost` names the horizontal axis (of COSTS), `filter_text` and
    `group` choose what is shown, `defaults_only` leaves out all but each architecture's
    recommended weights. `selected` is "architecture/weights", or "" at first;
    `explore()` opens the selected architecture in the `ArchitectureExplorer`.

    Example: `ZooExplorer(zoo_table(latency=True), cost="ms")`
    """

    _esm = script("zoo_explorer")
    _css = style("zoo_explorer")

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    fronts = traitlets.Dict().tag(sync=True)
    costs = traitlets.Dict().tag(sync=True)
    columns = traitlets.Dict().tag(sync=True)
    groups = traitlets.Dict(GROUP_WORDS).tag(sync=True)
    machine = traitlets.Unicode().tag(sync=True)
    cost = traitlets.Unicode("params").tag(sync=True)
    filter_text = traitlets.Unicode().tag(sync=True)
    group = traitlets.Enum(["", *GROUPS], "").tag(sync=True)
    defaults_only = traitlets.Bool(False).tag(sync=True)
    sort_by = traitlets.Unicode("top1").tag(sync=True)
    descending = traitlets.Bool(True).tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)

    def __init__(self, table: pd.DataFrame | None = None, *, cost: str = "params"):
        table = zoo_table() if table is None else table
        known = {name: words for name, words in COSTS.items() if name in table.columns}
        if cost not in known:
            raise ValueError(
                f"no cost {cost!r} in the table; it has {', '.join(known)}"
            )
        self.table = table.reset_index(drop=True)
        rows = [_row(row) for row in self.table.to_dict("records")]
        if not rows:
            raise ValueError("the table is empty: there is nothing to show")
        super().__init__(
            rows=rows,
            costs=known,
            columns={k: v for k, v in COLUMNS.items() if k in table.columns},
            fronts={name: _fronts(self.table, name) for name in known},
            machine=str(table.attrs.get("machine", "")),
            cost=cost,
        )

    @traitlets.validate("cost")
    def _known_cost(self, proposal: Any) -> str:
        if self.costs and proposal["value"] not in self.costs:
            raise traitlets.TraitError(
                f"no cost {proposal['value']!r}; there are {', '.join(self.costs)}"
            )
        return proposal["value"]

    @traitlets.validate("selected")
    def _known_row(self, proposal: Any) -> str:
        ids = [row["id"] for row in self.rows]
        if proposal["value"] and proposal["value"] not in ids:
            raise traitlets.TraitError(
                f"no row {proposal['value']!r}; rows are named like {ids[0]!r}"
            )
        return proposal["value"]

    def explore(self) -> ArchitectureExplorer:
        """Open the selected architecture in the architecture explorer."""
        if not self.selected:
            raise ValueError("no model is selected: click a point or a row first")
        return ArchitectureExplorer(self.selected.partition("/")[0])

    def static_html(self) -> str:
        """Return the chart as a picture, and the Pareto front as a table."""
        front = self._front()
        shown = [name for name in self.columns if name in front.columns]
        head = "".join(f"<th>{escape(self.columns[name])}</th>" for name in shown)
        body = "".join(
            "<tr>" + "".join(f"<td>{_text(row[n])}</td>" for n in shown) + "</tr>"
            for row in front.to_dict("records")
        )
        alt = (
            f"Scatter of ImageNet top-1 against {self.costs[self.cost]}, with the front"
        )
        picture = data_url(figure_png(_chart(self.table, front, self.costs[self.cost],
                                             self.cost)))  # fmt: skip
        return (
            f'<img alt="{escape(alt)}" src="{picture}" width="640">'
            f"<table><caption>Pareto front: top-1 against {escape(self.costs[self.cost])}"
            f", of {len(self.rows)} sets of weights</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def static_text(self) -> str:
        """Return the Pareto front as lines of text."""
        lines = [
            f"  {row['architecture']} {row['weights']}: {_text(row[self.cost])}, "
            f"top-1 {row['top1']:.1f} %"
            for row in self._front().to_dict("records")
        ]
        return "\n".join([f"Pareto front over {self.costs[self.cost]}", *lines])

    def _front(self) -> pd.DataFrame:
        return pareto_front(self.table, cost=self.cost)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """One row as plain data for the browser, with its family's words."""
    family = family_of(row["architecture"])
    numbers = {
        name: _number(row.get(name)) for name in (*COSTS, "top1", "top5", "year")
    }
    return {
        "id": f"{row['architecture']}/{row['weights']}",
        "architecture": row["architecture"],
        "weights": row["weights"],
        "default": bool(row["default"]),
        "licence": row["licence"],
        "family": family.name if family else "",
        "group": family.group if family else "",
        "idea": family.key_idea if family else "",
        "paper": family.paper if family else "",
        "code": _code(row["architecture"], row["weights"]),
        **numbers,
    }


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 3)


def _code(architecture: str, weights: str) -> str:
    return (
        "from torchvision import models\n\n"
        f'model = models.get_model("{architecture}", weights="{weights}")\n'
        f'weights = models.get_model_weights("{architecture}").{weights}\n'
        "transform = weights.transforms()"
    )


def _fronts(table: pd.DataFrame, cost: str) -> dict[str, list[str]]:
    """Ids along the front, of all rows and of the recommended weights alone."""
    return {
        "all": _ids(pareto_front(table, cost=cost)),
        "defaults": _ids(pareto_front(table[table["default"]], cost=cost)),
    }


def _ids(rows: pd.DataFrame) -> list[str]:
    pairs: Iterable = zip(rows["architecture"], rows["weights"], strict=True)
    return [f"{architecture}/{weights}" for architecture, weights in pairs]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:,.4g}"
    return escape(value)


def _chart(table: pd.DataFrame, front: pd.DataFrame, label: str, cost: str) -> Figure:
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    ax = figure.subplots()
    ax.scatter(table[cost], table["top1"], s=16, color="#999999", label="all")
    ax.plot(front[cost], front["top1"], "o-", color="#0072B2", label="Pareto front")
    ax.set(xscale="log", xlabel=f"{label}, log scale", ylabel="ImageNet top-1 (%)",
           title="Accuracy against cost")  # fmt: skip
    ax.legend()
    return figure
