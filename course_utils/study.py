"""Run every point of a grid once, keep what it gave, and go on where a study stopped."""

from __future__ import annotations

import json
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from functools import partial
from itertools import product
from pathlib import Path
from pickle import PicklingError
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from course_utils.arguments import check_argument, checked
from course_utils.durable import durable_path, remove_leftovers
from course_utils.metrics import mean_interval
from course_utils.runtime import show_progress
from course_utils.storage import sha256_bytes

Point = dict[str, Any]
Run = Callable[..., Mapping[str, float]]
_ADDED = ("seconds", "error")  # columns that a study adds
_KEYS = {"run", "point", "figures", *_ADDED}  # of a result's file
_OURS = re.compile(r"[0-9a-f]{20}")  # the stem of a result's file


@checked
def run_study(
    run: Run,
    grid: Mapping | Sequence,
    folder: str | os.PathLike,
    *,
    executor: Executor | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Call `run(**point)` for each point of a grid; return a table, a row a run.

    `grid` is {option: values}, of which every combination is run, the last option
    fastest, or the points themselves, [{option: value}, …]. Values are texts, numbers,
    True, False or None. `run` takes the options by name and returns figures,
    {name: number}; it seeds itself, so a seed is an option as any other. Columns:
    the options, the figures, `seconds`, and `error`, which is None where all went well.

    Each result is written to `folder` when its run ends, whole or not at all. A study
    that was killed, or is asked for more points, runs only what is missing; a result that
    was damaged since is run again, with a printed word. A run that raises does not stop
    the others: its row says why (its file has the traceback), and it is tried again next
    time. Ctrl-C is passed on, and the runs that ended are kept. What `run` does inside is
    not watched: after a change to it, take another folder.

    Two processes may share a folder. Of a point that both have run the first result
    stays, and a word says so where the other one differs.

    `executor` runs points side by side: any `concurrent.futures.Executor`, such as a
    `ProcessPoolExecutor`, or that of a Dask cluster, `Client(…).get_executor()`. Then
    `run` must be importable there. Only this process writes.

    Raises `ValueError` for an empty grid, a value that cannot be kept, a point that is
    there twice, and a folder that holds another function's results; `OSError` where a
    result cannot be written, with its figures.

    >>> from course_utils.study import run_study
    >>> def run(weight, seed):  # yours trains and evaluates
    ...     return {"accuracy": 0.9 + 0.02 * weight + 0.01 * seed}
    >>> table = run_study(run, {"weight": [0.5, 1], "seed": range(2)}, "weights")
    >>> print(table[["weight", "seed", "accuracy", "error"]])
       weight  seed  accuracy error
    0     0.5     0      0.91  None
    1     0.5     1      0.92  None
    2     1.0     0      0.92  None
    3     1.0     1      0.93  None
    """
    points = _points(grid)
    store = _Store(_folder(folder), _name(run))
    waiting = [point for point in points if not store.succeeded(point)]
    if waiting:
        _make(store.folder)
    with tqdm(
        desc="runs",
        total=len(points),
        initial=len(points) - len(waiting),
        disable=not show_progress(progress),
    ) as bar:
        try:
            for point, result in _results(run, waiting, executor, store.succeeded):
                if result is not None:
                    store.write(point, result)
                bar.update()
        except KeyboardInterrupt:
            print(f"stopped by hand; the runs that ended are kept in {folder}")
            raise
    table = _table([row for point in points if (row := store.row(point))])
    _report_failures(table, folder)
    return table


@checked
def read_study(folder: str | os.PathLike) -> pd.DataFrame:
    """Return all that a folder holds, as `run_study` does, in the order of the options.

    A damaged result is left out, with a printed word. Raises `ValueError` for a folder
    without results, and a .json file in it that is none.

    >>> from course_utils.study import read_study, run_study
    >>> def run(lr):  # yours trains and evaluates
    ...     return {"accuracy": 0.5 + lr}
    >>> table = run_study(run, {"lr": [0.1, 0.01]}, "rates")
    >>> read_study("rates")[["lr", "accuracy"]].values.tolist()
    [[0.01, 0.51], [0.1, 0.6]]
    """
    results = _kept(_folder(folder))
    if not results:
        raise ValueError(f"{folder} holds no results: make some with run_study")
    table = _table([_row(result) for result in results])
    return table.sort_values(list(results[0]["point"]), key=_rank, ignore_index=True)


@checked
def summarise(
    table: pd.DataFrame, by: str | Sequence[str], figure: str
) -> pd.DataFrame:
    """Return a figure's mean and 95 % interval over the runs that share the options `by`.

    Columns: mean, low, high, and n, how many runs; the interval is Student's t over the
    options that are not named, which should be seeds. Runs that failed, and figures that
    are NaN (a task without labels), are left out, and n counts the others. Raises
    `ValueError` for unknown columns and for fewer than two runs.

    >>> import pandas as pd
    >>> from course_utils.study import summarise
    >>> runs = {"lr": [0.1, 0.1, 0.01, 0.01], "accuracy": [0.80, 0.84, 0.90, 0.91]}
    >>> table = pd.DataFrame(runs).assign(error=None)
    >>> print(summarise(table, by="lr", figure="accuracy").round(2))
          mean   low  high  n
    lr
    0.10  0.82  0.57  1.07  2
    0.01  0.90  0.84  0.97  2
    """
    by = [by] if isinstance(by, str) else list(by)
    if unknown := [name for name in [*by, figure] if name not in table]:
        raise ValueError(f"no column {unknown[0]!r}; there are {', '.join(table)}")
    if not by or not pd.api.types.is_numeric_dtype(table[figure]):
        raise ValueError(
            f"name options to group by, and a figure that is a number: {figure}"
        )
    good = table[table["error"].isna() & table[figure].notna()]
    values = good.groupby(by, sort=False, dropna=False)[figure].agg(list)
    rows = [mean_interval(found).as_dict() for found in values]
    return pd.DataFrame(rows, index=values.index)[["mean", "low", "high", "n"]]


# -- the points ------------------------------------------------------------------------


def _points(grid: Mapping[str, Sequence] | Sequence[Point]) -> list[Point]:
    if isinstance(grid, Mapping):
        values = product(*(_values(name, found) for name, found in grid.items()))
        grid = [dict(zip(grid, row, strict=True)) for row in values]
    points = [_plain(point) for point in grid]
    if not points or not points[0]:
        raise ValueError("the grid is empty: name options and their values")
    keys = set()
    for point in points:
        _check_point(point, options=set(points[0]))
        if (key := _key(point)) in keys:
            raise ValueError(f"the grid holds {point} twice")
        keys.add(key)
    return points


def _values(name: str, values: Sequence) -> Sequence:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{name} needs a list of values: [{values!r}]")
    return values


def _plain(point: Point) -> Point:
    """A point with NumPy's numbers as Python's."""
    if not isinstance(point, Mapping):
        raise ValueError(f"a point is a dictionary of options, got {point!r}")
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in point.items()}


def _check_point(point: Point, options: set[str]) -> None:
    if set(point) != options:
        raise ValueError(f"{point} has other options than {', '.join(sorted(options))}")
    for name, value in point.items():
        if name in _ADDED:
            raise ValueError(f"an option cannot be named {name!r}: a study adds that")
        if not isinstance(value, str | int | float | None):
            raise ValueError(
                f"{name}={value!r} is a {type(value).__name__}: options are texts, "
                "numbers, True, False or None. Take a name, and look it up in the run"
            )


def _key(point: Point) -> str:
    return sha256_bytes(json.dumps(point, sort_keys=True).encode())[:20]


# -- the runs --------------------------------------------------------------------------


def _results(
    run: Run,
    points: list[Point],
    executor: Executor | None,
    succeeded: Callable[[Point], bool],
) -> Iterator[tuple[Point, dict | None]]:
    """Yield each point with its result, as they end; None where another process ran it."""
    if executor is None:
        for point in points:
            yield point, None if succeeded(point) else _measure(run, point)
        return
    futures = {executor.submit(_measure, run, point): point for point in points}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except (BrokenExecutor, PicklingError, AttributeError) as error:
        raise RuntimeError(
            f"a worker could not take a run: {error}. The function must be importable "
            "there: put it into a module (a notebook's own is not), and guard a script "
            'with if __name__ == "__main__". The runs that ended are kept'
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _measure(run: Run, point: Point) -> dict:
    """Call one run; return its figures, or what it raised."""
    start = time.perf_counter()
    found = {"figures": {}, "error": None}
    try:
        found["figures"] = _numbers(run(**point), point)
    except Exception as raised:  # said in its row, and at the end: the other runs go on
        found["error"] = f"{type(raised).__name__}: {raised}"
        found["traceback"] = traceback.format_exc()
    return {**found, "seconds": time.perf_counter() - start}


def _numbers(figures: Mapping[str, float], point: Point) -> dict[str, float]:
    if not isinstance(figures, Mapping) or not figures:
        raise TypeError(f"a run returns {{name: number}}, got {figures!r}")
    if taken := [name for name in figures if name in point or name in _ADDED]:
        raise ValueError(f"the figure {taken[0]!r} has the name of another column")
    return {name: float(value) for name, value in figures.items()}


# -- what is kept ----------------------------------------------------------------------


class _Store:
    """A folder with a file for each point, all of one function."""

    def __init__(self, folder: Path, run: str):
        self.folder, self.run = folder, run
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file: name a folder for the results")
        remove_leftovers(folder)
        others = [found["run"] for found in _kept(folder) if found["run"] != run]
        if others:
            raise ValueError(
                f"{folder} holds results of {others[0]}, not of {run}: take another folder"
            )

    def path(self, point: Point) -> Path:
        return self.folder / f"{_key(point)}.json"

    def result(self, point: Point) -> dict | None:
        """What the point's file holds; None where there is none, or a damaged one."""
        path = self.path(point)
        return _read(path) if path.is_file() else None

    def row(self, point: Point) -> dict | None:
        """The point's row, in the order of its options; None where it did not run."""
        result = self.result(point)
        return result and {**point, **_row(result)}

    def succeeded(self, point: Point) -> bool:
        return _went_well(self.result(point))

    def write(self, point: Point, result: dict) -> None:
        """Keep a result, unless one that went well was kept meanwhile."""
        path = self.path(point)
        text = json.dumps({"run": self.run, "point": point, **result}, indent=1) + "\n"
        try:
            if not self.succeeded(point):
                path.unlink(missing_ok=True)
            with durable_path(path, replace=False) as whole:
                whole.write_text(text, encoding="utf-8")
        except FileExistsError:
            _report_another(point, self.result(point), result)
        except OSError as error:
            raise OSError(
                f"{path} was not written: {error}. The result of {point} was "
                f"{_found(result)}; those before are kept"
            ) from error


def _folder(folder: str | os.PathLike) -> Path:
    check_argument(folder, str | os.PathLike, "folder")
    if not os.fspath(folder):
        raise ValueError("folder is empty: name one for the results")
    return Path(folder)


def _make(folder: Path) -> None:
    """Make the folder; one that cannot be written to is known before the first run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError("it is read-only")
    except OSError as error:
        raise OSError(
            f"results cannot be kept in {folder}: {error}. Name another folder"
        ) from error


def _files(folder: Path) -> list[Path]:
    """Results' files, without those that a write, going on or killed, has hidden."""
    found = sorted(folder.glob("*.json"))
    return [file for file in found if not file.name.startswith(".")]


def _kept(folder: Path) -> list[dict]:
    """All results of a folder; a word for each damaged one."""
    found = {file: _read(file) for file in _files(folder)}
    for file, result in found.items():
        if result is None:
            print(f"{file} is damaged and left out: run_study runs its point again")
    return [result for result in found.values() if result is not None]


def _read(file: Path) -> dict | None:
    """A file's result; None where a file with a result's name is damaged or gone."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, FileNotFoundError):
        found = None
    if isinstance(found, dict) and _KEYS <= found.keys():
        return found
    if _OURS.fullmatch(file.stem):
        return None
    raise ValueError(f"{file} is no result of a study: move it away, or delete it")


def _went_well(result: dict | None) -> bool:
    return result is not None and result["error"] is None


def _found(result: dict) -> dict | str:
    return result["figures"] if _went_well(result) else result["error"]


def _report_another(point: Point, kept: dict | None, ours: dict) -> None:
    """Say so where another process kept something else of the same point."""
    if kept is None or repr(_found(kept)) == repr(_found(ours)):
        return
    print(
        f"another process ran {point} too and kept {_found(kept)}; this one's "
        f"{_found(ours)} is not kept. A run that seeds itself gives the same twice"
    )


def _row(result: dict) -> dict:
    ours = {name: result[name] for name in _ADDED}
    return {**result["point"], **result["figures"], **ours}


def _table(rows: list[dict]) -> pd.DataFrame:
    """Rows as a table: our columns last, whichever row came first."""
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    return table[[*(name for name in table if name not in _ADDED), *_ADDED]]


def _report_failures(table: pd.DataFrame, folder: str | os.PathLike) -> None:
    failed = 0 if table.empty else int(table["error"].notna().sum())
    if failed:
        print(
            f"{failed} of {len(table)} runs failed, the first with "
            f"{table['error'].dropna().iloc[0]}. They are tried again when the study is "
            f"run again in {folder}"
        )


def _rank(values: pd.Series) -> pd.Series:
    """Order numbers as numbers, and the rest as text."""
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers if numbers.notna().all() else values.astype(str)


def _name(run: Run) -> str:
    """Name a function for good: module, name, and what a `partial` has bound."""
    if isinstance(run, partial):
        bound = [*map(repr, run.args), *(f"{k}={v!r}" for k, v in run.keywords.items())]
        return f"{_name(run.func)}({', '.join(bound)})"
    name = getattr(run, "__qualname__", type(run).__qualname__)
    if name.endswith("<lambda>"):
        raise ValueError(
            "run is a lambda, and lambdas have no name that tells their results apart: "
            "write a function with def"
        )
    return f"{getattr(run, '__module__', type(run).__module__)}.{name}"
