"""The course's claims: measured over seeds by one command, kept in a file with hashes.

`python -m course_utils claims` measures all of them; lessons read the file with
`load_claim`; tests recompute one seed and refuse figures whose weights, data or code have
changed since.
"""

from __future__ import annotations

import argparse
import ast
import json
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from course_utils.claims.protocol import Protocol
from course_utils.claims.protocols import PROTOCOLS
from course_utils.metrics import Interval, mean_interval
from course_utils.storage import atomic_path, data_dir, sha256_bytes, sha256_file

SEEDS = (0, 1, 2, 3, 4)
_POINTS = ("gain", "cost", "difference")  # in per cent of the test pictures


def results_path() -> Path:
    """Return the file of measured claims."""
    return data_dir() / "claims" / "results.json"


@dataclass(frozen=True)
class Claim:
    """A claim as measured: one list of values (one a seed) for each key."""

    protocol: Protocol
    rows: dict[str, list[float]]
    hashes: dict[str, str]

    def interval(self, key: str) -> Interval:
        """Mean with 95 % interval of one key, such as "test_resnet/flowers/gain"."""
        if key not in self.rows:
            raise ValueError(
                f"{self.protocol.id} has no {key!r}; {', '.join(self.rows)}"
            )
        return mean_interval(self.rows[key])

    @property
    def holds(self) -> bool:
        """Whether the claim's bar is met."""
        return self.protocol.holds(self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """Mean ± half the 95 % interval, a row for each net (and data set)."""
        names = self.protocol.keys
        cells: dict[tuple[str, ...], dict[str, str]] = {}
        for key, values in self.rows.items():
            *row, column = key.split("/")
            found = mean_interval(values)
            digits = 1 if column.startswith(_POINTS) or " " in column else 3
            text = (
                f"{found.mean:z.{digits}f} ± {(found.high - found.low) / 2:.{digits}f}"
            )
            unit = " (points)" if column.startswith(_POINTS) else ""
            cells.setdefault(tuple(row), {})[column + unit] = text
        index = pd.MultiIndex.from_tuples(list(cells), names=names)
        table = pd.DataFrame(list(cells.values()), index=index)
        return (
            table.reset_index(level=0).set_index(names[0]) if len(names) == 1 else table
        )

    def sentence(self) -> str:
        """The claim, its bar, and whether it held, in lines that a notebook shows whole."""
        held = "It holds." if self.holds else "It does NOT hold as stated."
        about = f"{self.protocol.id}: {self.protocol.text} Bar: {self.protocol.bar}."
        return textwrap.fill(f"{about} {held}", width=75)


def load_claim(id: str) -> Claim:
    """Read a measured claim, such as "C1", for a lesson."""
    if id not in PROTOCOLS:
        raise ValueError(f"no claim {id!r}; there are {', '.join(PROTOCOLS)}")
    stored = _read().get(id)
    if stored is None:
        raise ValueError(
            f"{id} was not measured yet: run python -m course_utils claims {id}"
        )
    return Claim(PROTOCOLS[id], stored["rows"], stored["hashes"])


def current_hashes(protocol: Protocol) -> dict[str, str]:
    """Hash what figures depend on: code less its docstrings, weights and data."""
    code = [_code_only(Path(module.__file__)) for module in protocol.modules]
    hashes = {"code": sha256_bytes(*(text.encode() for text in code))}
    if protocol.weights:
        weights = sorted((data_dir() / "weights").glob(protocol.weights))
        hashes |= {
            "weights": sha256_bytes(*(sha256_file(p).encode() for p in weights)),
            "data": sha256_file(data_dir() / "images" / "SHA256SUMS"),
        }
    return hashes


def _code_only(path: Path) -> str:
    """A source as its syntax tree, without comments, layout and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:]
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def run(ids: list[str] | None = None, *, seeds: tuple[int, ...] = SEEDS) -> None:
    """Measure claims over the seeds and store them."""
    for id in ids or list(PROTOCOLS):
        if id not in PROTOCOLS:
            raise ValueError(f"no claim {id!r}; there are {', '.join(PROTOCOLS)}")
        start = time.perf_counter()
        by_seed = [PROTOCOLS[id].measure(seed) for seed in seeds]
        rows = {key: [round(found[key], 6) for found in by_seed] for key in by_seed[0]}
        results = _read()  # again: another process may have stored a claim meanwhile
        results[id] = {
            "seeds": list(seeds),
            "rows": rows,
            "hashes": current_hashes(PROTOCOLS[id]),
            "torch": torch.__version__.split("+")[0],
        }
        print(f"{id} measured in {time.perf_counter() - start:.0f} s")
        text = json.dumps(dict(sorted(results.items())), indent=1)
        with atomic_path(results_path()) as path:
            path.write_text(text + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Command line: measure, or show what was measured."""
    parser = argparse.ArgumentParser(prog="python -m course_utils claims")
    parser.add_argument("ids", nargs="*", help="such as C1 C2; all by default")
    parser.add_argument("--show", action="store_true", help="print, measure nothing")
    options = parser.parse_args(argv)
    if not options.show:
        run(options.ids)
    for id in options.ids or list(PROTOCOLS):
        claim = load_claim(id)
        print(f"\n{claim.sentence()}\n{claim.table.to_string()}")
    return 0


def _read() -> dict:
    path = results_path()
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
