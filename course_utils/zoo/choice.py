"""Choose among models: the Pareto front, and the best within a budget."""

from __future__ import annotations

import math

import pandas as pd
from pandas.api.types import is_numeric_dtype

from course_utils.arguments import Limit, checked
from course_utils.zoo.table import COSTS

_BEYOND = 100  # a budget so many times the largest figure is in another unit


@checked
def pareto_front(table: pd.DataFrame, *, cost: str, gain: str = "top1") -> pd.DataFrame:
    """Return the rows that no other beats, by rising cost.

    A row is beaten where another has no more cost and no less gain, and is better in
    one of them. Equal rows stay together; rows without one of the figures are left out.
    Raises `ValueError` for a column that the table lacks.

    >>> from course_utils.zoo import pareto_front, zoo_table
    >>> front = pareto_front(zoo_table(), cost="params").head(3).round(1)
    >>> print(front[["architecture", "params", "top1"]].to_string(index=False))
          architecture  params  top1
         squeezenet1_1     1.2  58.2
    shufflenet_v2_x0_5     1.4  60.6
            mnasnet0_5     2.2  67.7
    """
    _known(table, [cost, gain])
    rows = table.dropna(subset=[cost, gain]).sort_values(
        [cost, gain], ascending=[True, False], kind="stable"
    )
    best = rows.groupby(cost)[gain].max()  # by rising cost
    best_cheaper = best.cummax().shift(fill_value=-float("inf"))
    better = rows[gain] > rows[cost].map(best_cheaper)
    return rows[better & (rows[gain] == rows[cost].map(best))]


def best_weights(table: pd.DataFrame, *, gain: str = "top1") -> pd.DataFrame:
    """Return the row with the largest gain of each architecture, in the table's order.

    Of equal rows the first stays; an architecture without a figure is left out.

    >>> from course_utils.zoo import best_weights, zoo_table
    >>> len(zoo_table()), len(best_weights(zoo_table()))
    (115, 80)
    """
    _known(table, ["architecture", gain])
    best = table.dropna(subset=[gain]).groupby("architecture")[gain].idxmax()
    return table.loc[sorted(best, key=table.index.get_loc)]


@checked
def best_under(
    table: pd.DataFrame, *, gain: str = "top1", **budgets: Limit
) -> pd.Series:
    """Return the row with the largest gain within all budgets.

    Budgets are columns and their largest value: `params=10` (millions), `gflops=1`,
    `file_mb=50`, `ms=20`. A row without a figure does not fit. Of equal gains the row
    that costs least by the first budget wins, then by the next.

    Raises `ValueError` where nothing fits, with the row that needs least, for a column
    that the table lacks, and for a budget over 100 times any row's figure, which is
    meant in another unit (`float("inf")` is no limit).

    >>> from course_utils.zoo import best_under, zoo_table
    >>> best_under(zoo_table(), params=10, gflops=1)[["architecture", "weights"]].tolist()
    ['efficientnet_b1', 'IMAGENET1K_V2']
    >>> best_under(zoo_table(), params=0.5)
    Traceback (most recent call last):
        ...
    ValueError: nothing has params <= 0.5; the cheapest, squeezenet1_1, has params 1.236
    """
    if not budgets:
        raise ValueError("give at least one budget, such as params=10")
    _known(table, [*budgets, gain])
    rows = table.dropna(subset=[*budgets, gain])
    for column, most in budgets.items():
        _in_the_columns_unit(rows[column], most)
    fits = (rows[list(budgets)] <= pd.Series(budgets)).all(axis=1)
    if not fits.any():
        raise ValueError(_nothing_fits(rows, budgets))
    order = [False] + [True] * len(budgets)
    return rows[fits].sort_values([gain, *budgets], ascending=order).iloc[0]


def _nothing_fits(rows: pd.DataFrame, budgets: dict[str, float]) -> str:
    """Say what was asked for, and what the row that comes nearest to it needs."""
    asked = ", ".join(f"{column} <= {most:g}" for column, most in budgets.items())
    if rows.empty:
        return f"no row has figures for {', '.join(budgets)}; asked for {asked}"
    excess = (rows[list(budgets)] / pd.Series(budgets)).max(axis=1)
    nearest = rows.loc[excess.idxmin()]
    needs = ", ".join(f"{c} {_rounded_up(nearest[c]):.4g}" for c in budgets)
    name = nearest.get("architecture", nearest.name)
    return f"nothing has {asked}; the cheapest, {name}, has {needs}"


def _rounded_up(value: float) -> float:
    """Round to four digits, up: a budget of what is said here must do."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 3) if value > 0 else 1.0
    return math.ceil(value / unit) * unit


def _in_the_columns_unit(figures: pd.Series, most: float) -> None:
    if figures.max() * _BEYOND < most < float("inf"):
        meant = f": {COSTS[figures.name]}" if figures.name in COSTS else ""
        raise ValueError(
            f"{figures.name} <= {most:g} leaves everything in, the largest has "
            f"{figures.max():.4g}. Mind the column's unit{meant}"
        )


def _known(table: pd.DataFrame, columns: list[str]) -> None:
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"table must be a DataFrame, such as zoo_table(), got {type(table).__name__}"
        )
    for column in columns:
        if column not in table.columns:
            raise ValueError(
                f"no column {column!r}; there are {', '.join(map(str, table.columns))}"
            )
        if column != "architecture" and not is_numeric_dtype(table[column]):
            raise ValueError(f"column {column!r} holds no numbers to compare")
