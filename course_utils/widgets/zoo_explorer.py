"""The model zoo to look through: a table, a chart with its Pareto front, details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import traitlets

from course_utils.arguments import checked
from course_utils.zoo import best_weights, family_of, load_code, pareto_front, zoo_table
from course_utils.zoo.figure import plot_zoo
from course_utils.zoo.table import COSTS, GAINS

from .architecture_explorer import ArchitectureExplorer
from .base import CourseWidget, data_url, script, style
from .markup import escape, html_table
from .pictures import figure_png

__all__ = ["ZooExplorer"]

NEEDED = ("architecture", "weights", "family")
FIGURES = ("params", "gflops", "file_mb", "ms", "top1", "top5", "crop_size",
           "top1_per_million_params")  # fmt: skip
COST_NAMES = {
    "params": {"label": "Parameters", "unit": "M"},
    "gflops": {"label": "GFLOPs", "unit": "GFLOPs"},
    "file_mb": {"label": "File size", "unit": "MB"},
    "ms": {"label": "Latency", "unit": "ms"},
}


class ZooExplorer(CourseWidget):
    """Look through a zoo table: sort, filter, compare accuracy with a cost, choose.

    `table` is what `zoo_table()` returns, or rows of it; with `zoo_table(latency=True)`
    latency is a cost as well. `cost` is "params", "gflops", "file_mb" or "ms", `gain`
    "top1" or "top5".

    `selected` is the architecture that was chosen in the browser, "" for none, and
    `selected_weights` its weights; set from Python, `selected` chooses the best weights
    of an architecture (`row`, a row of the table, chooses any). `cost`, `filter_text`,
    `family` (a family or a group, "" for all), `best_only`, `sort_by` and `descending`
    can be set as well. `on_select` calls a function for each architecture that is
    chosen; `explore` opens it.

    Raises `ValueError` for a table without the columns, and for an unknown cost.

    >>> from course_utils.widgets import ZooExplorer
    >>> from course_utils.zoo import zoo_table
    >>> explorer = ZooExplorer(zoo_table(latency=True), cost="ms")
    >>> explorer.selected = "resnet50"
    >>> explorer.selected_weights, explorer.machine != ""
    ('IMAGENET1K_V2', True)
    """

    _esm = script("zoo_explorer")
    _css = style("zoo_explorer")

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    families = traitlets.Dict().tag(sync=True)
    costs = traitlets.Dict().tag(sync=True)
    fronts = traitlets.Dict().tag(sync=True)
    best = traitlets.List(traitlets.Int()).tag(sync=True)
    gain = traitlets.Unicode("top1").tag(sync=True)
    gain_label = traitlets.Unicode().tag(sync=True)
    machine = traitlets.Unicode().tag(sync=True)

    cost = traitlets.Unicode("params").tag(sync=True)
    filter_text = traitlets.Unicode().tag(sync=True)
    family = traitlets.Unicode().tag(sync=True)
    best_only = traitlets.Bool(False).tag(sync=True)
    sort_by = traitlets.Unicode("top1").tag(sync=True)
    descending = traitlets.Bool(True).tag(sync=True)
    row = traitlets.Int(-1).tag(sync=True)  # what is chosen, -1 for nothing
    selected = traitlets.Unicode()

    @checked
    def __init__(
        self,
        table: pd.DataFrame | None = None,
        *,
        cost: str = "params",
        gain: str = "top1",
    ):
        table = zoo_table() if table is None else table
        machine = table.attrs.get("machine", "")
        self._table = table = plottable(table, gain=gain)
        offered = [name for name in COSTS if _is_known(table, name)]
        if cost not in offered:
            raise ValueError(f"no cost {cost!r} in this table; it has {offered}")
        best = best_weights(table, gain=gain)
        super().__init__(
            rows=[_row(row) for row in table.to_dict("records")],
            families=_families(table["architecture"]),
            costs={name: COST_NAMES[name] | {"axis": COSTS[name]} for name in offered},
            fronts={
                name: {
                    "all": pareto_front(table, cost=name, gain=gain).index.tolist(),
                    "best": pareto_front(best, cost=name, gain=gain).index.tolist(),
                }
                for name in offered
            },
            best=best.index.tolist(),
            gain=gain,
            gain_label=GAINS.get(gain, gain),
            machine=machine,
            cost=cost,
            sort_by=gain,
        )

    @property
    def selected_weights(self) -> str:
        """Return the name of the weights that are chosen, "" for none."""
        return self.rows[self.row]["weights"] if self.row >= 0 else ""

    def on_select(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(architecture)` at each choice; returns a function that ends it.

        Example: `zoo.on_select(lambda name: print(measure_latency(name)))`
        """

        def tell(change: dict) -> None:
            if change["new"]:
                callback(change["new"])

        self.observe(tell, "selected")
        return lambda: self.unobserve(tell, "selected")

    def explore(self) -> ArchitectureExplorer:
        """Open the chosen architecture in the architecture explorer.

        Raises `ValueError` where none is chosen.
        """
        if not self.selected:
            raise ValueError(
                "no model is chosen: click a point or a row first, or set `selected`"
            )
        return ArchitectureExplorer(self.selected)

    @traitlets.validate("cost")
    def _valid_cost(self, proposal: dict) -> str:
        if self.costs and proposal["value"] not in self.costs:
            raise traitlets.TraitError(
                f"no cost {proposal['value']!r}; there are {', '.join(self.costs)}"
            )
        return proposal["value"]

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: dict) -> str:
        name = proposal["value"]
        if name and name not in set(self._table["architecture"]):
            raise traitlets.TraitError(f"no architecture {name!r} in this table")
        return name

    @traitlets.validate("family")
    def _valid_family(self, proposal: dict) -> str:
        groups = dict.fromkeys(facts["group"] for facts in self.families.values())
        if proposal["value"] not in ("", *self.families, *groups):
            raise traitlets.TraitError(
                f"no family or group {proposal['value']!r} in this table; there are "
                f"{', '.join([*self.families, *groups])}"
            )
        return proposal["value"]

    @traitlets.validate("row")
    def _valid_row(self, proposal: dict) -> int:
        if not -1 <= proposal["value"] < len(self._table):
            raise traitlets.TraitError(
                f"no row {proposal['value']}; there are 0 to {len(self._table) - 1}"
            )
        return proposal["value"]

    @traitlets.observe("row")
    def _name_row(self, change: dict) -> None:
        self.selected = self.rows[self.row]["architecture"] if self.row >= 0 else ""

    @traitlets.observe("selected")
    def _choose_row(self, change: dict) -> None:
        if self.row >= 0 and self.rows[self.row]["architecture"] == self.selected:
            return
        mine = self._table.index[self._table["architecture"] == self.selected]
        self.row = next((i for i in [*self.best, *mine] if i in mine), -1)

    def static_html(self) -> str:
        """Return the chart as a picture, and the Pareto front as a table."""
        figure = plot_zoo(self._table, cost=self.cost, gain=self.gain)
        url, front = data_url(figure_png(figure)), self._front()
        caption = "The Pareto front: no other weights are as accurate for less"
        table = html_table(
            front.columns, front.itertuples(index=False), caption=caption
        )
        return f'<p><img src="{url}" alt="{escape(figure.alt)}"></p>{table}'

    def static_text(self) -> str:
        """Return the Pareto front, one line for each set of weights."""
        title = f"Pareto front of {len(self._table)} sets of weights"
        return f"{title}\n{self._front().to_string(index=False)}"

    def _front(self) -> pd.DataFrame:
        """Return the front as the static form shows it: text under full titles."""
        rows = self._table.loc[self.fronts[self.cost]["all"]]
        return pd.DataFrame(
            {
                "Architecture": rows["architecture"],
                "Weights": rows["weights"],
                "Family": rows["family"],
                COSTS[self.cost]: rows[self.cost].map(_short),
                self.gain_label: rows[self.gain].map("{:.1f}".format),
            }
        )


def plottable(table: pd.DataFrame, *, gain: str) -> pd.DataFrame:
    """Return the table with rows counted from 0; refuse one that cannot be shown."""
    for column in (*NEEDED, gain):
        if column not in table.columns:
            raise ValueError(
                f"a zoo needs the column {column!r}, as zoo_table() has it; "
                f"this table has {', '.join(map(str, table.columns))}"
            )
    if not table[gain].notna().any():
        raise ValueError(f"no row of this table has a {gain}: there is nothing to show")
    return table.reset_index(drop=True)


def _short(value: float) -> str:
    """Write a figure with four digits, however large: 25,660, 1.236."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _is_known(table: pd.DataFrame, column: str) -> bool:
    return column in table.columns and table[column].notna().any()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table for the browser; None is what the table leaves out."""
    figures = {name: _number(row[name]) for name in FIGURES if name in row}
    words = {name: str(row.get(name, "")) for name in (*NEEDED, "licence")}
    code = load_code(row["architecture"], row["weights"])
    return {**words, "year": _number(row.get("year")), **figures, "code": code}


def _number(value: float | None) -> float | None:
    if value is None or pd.isna(value):
        return None
    return int(value) if float(value).is_integer() else round(float(value), 4)


def _families(architectures: pd.Series) -> dict[str, dict[str, Any]]:
    """Return the facts of each family that has a row, the oldest first."""
    found = {family_of(name) for name in architectures} - {None}
    return {
        family.name: {
            "group": family.group,
            "year": family.year,
            "idea": family.key_idea,
            "paper": family.paper,
            "venue": family.venue,
            "url": family.url,
        }
        for family in sorted(found, key=lambda family: (family.year, family.name))
    }
