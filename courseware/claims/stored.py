"""The claims by their id: what each compares, and its figures as they were measured.

Every claim is measured for the seeds 0 to 4 on the bundled data and the bundled
weights. Every arm of a comparison gets the same pictures and the same settings; nothing
is tuned on test pictures. Where an arm has settings they are the package's defaults, for
all arms alike, or the best of four on validation pictures, where the claim says so.
Intervals are 95 % over the seeds (Student's t), paired where two arms share a seed. They
cover which pictures were drawn and how new weights began, not the pretraining. Values
are accuracies from 0 to 1; `gain`, `cost` and `difference` are in points (per cent of
the test pictures), `error` in per cent; `drift` is a share; `MB` are 10^6 bytes.
"""

from __future__ import annotations

import importlib
import pkgutil
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pandas as pd

import course_utils
import courseware
from course_utils.arguments import checked
from course_utils.measured import read_measured, write_measured
from course_utils.metrics import Interval, mean_interval
from course_utils.storage import data_dir, sha256_bytes, sha256_file
from courseware.claims import topics
from courseware.claims.dependencies import Definition, Sources
from courseware.claims.protocol import VERDICTS, Protocol


def _all_protocols() -> dict[str, Protocol]:
    """Those of every topic, in the order of their numbers, studies last."""
    modules = [
        importlib.import_module(f"{topics.__name__}.{module.name}")
        for module in pkgutil.iter_modules(topics.__path__)
    ]
    found = [protocol for module in modules for protocol in module.PROTOCOLS]
    found.sort(key=lambda p: (p.id[0], int(p.id[1:])))
    return {protocol.id: protocol for protocol in found}


PROTOCOLS = _all_protocols()
_POINTS = ("gain", "cost", "difference")  # in per cent of the test pictures


@dataclass(frozen=True)
class Claim:
    """A claim as measured: one list of values (one a seed) for each key."""

    protocol: Protocol
    rows: dict[str, list[float]]
    hashes: dict[str, str]
    confirmed: list[dict] = field(default_factory=list)

    def interval(self, key: str) -> Interval:
        """Mean with 95 % interval of one key, such as "test_resnet/flowers/gain"."""
        if key not in self.rows:
            raise ValueError(
                f"{self.protocol.id} has no {key!r}; {', '.join(self.rows)}"
            )
        return mean_interval(self.rows[key])

    @property
    def verdicts(self) -> dict[str, str]:
        """What the interval of each row says of the claim, for rows that have a bar."""
        bars = {key: self.protocol.bar_of(key) for key in self.rows}
        return {k: bar.verdict(self.interval(k)) for k, bar in bars.items() if bar}

    @property
    def is_met(self) -> bool:
        """Whether the mean of every row that is a gate meets its bar."""
        gates = [key for key in self.verdicts if fnmatchcase(key, self.protocol.gate)]
        means = {key: self.interval(key).mean for key in gates}
        return all(
            self.protocol.bar_of(key).verdict(Interval(m, m, m, n=1)) == "established"
            for key, m in means.items()
        )

    @property
    def is_current(self) -> bool:
        """Whether the figures belong to today's code, weights and data."""
        return self.hashes == current_hashes(self.protocol)

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
        for key, verdict in self.verdicts.items():
            *row, _ = key.split("/")
            said = cells[tuple(row)].setdefault("verdict", verdict)
            if verdict not in said:
                cells[tuple(row)]["verdict"] = f"{said}, {verdict}"
        index = pd.MultiIndex.from_tuples(list(cells), names=names)
        table = pd.DataFrame(list(cells.values()), index=index)
        if "verdict" in table:
            table["verdict"] = table.pop("verdict").fillna("")
        return (
            table.reset_index(level=0).set_index(names[0]) if len(names) == 1 else table
        )

    def sentence(self) -> str:
        """The claim, its bar, its rows by verdict, in lines that a notebook shows whole."""
        about = f"{self.protocol.id}: {self.protocol.text} Bar: {self.protocol.bar}."
        return textwrap.fill(f"{about} {self.counted()}", width=75)

    def counted(self) -> str:
        """How many rows are established, open and contradicted, in a sentence."""
        found = Counter(self.verdicts.values())
        told = [f"{found[word]} {word}" for word in VERDICTS if found[word]]
        return f"Of {found.total()} rows: {', '.join(told)}."


def find_protocol(id: str) -> Protocol:
    """Return a claim's protocol; an unknown id names the known ones."""
    if id not in PROTOCOLS:
        raise ValueError(f"no claim {id!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[id]


@checked
def load_claim(id: str) -> Claim:
    """Read a measured claim, such as "C1", for a lesson."""
    protocol, stored = find_protocol(id), read_measured("claims").content.get(id)
    if stored is None:
        raise ValueError(f"{id} was not measured yet: run `course claims {id}`")
    return Claim(
        protocol, stored["rows"], stored["hashes"], stored.get("confirmed", [])
    )


@checked
def load_photographs(id: str) -> Claim:
    """Read a claim as it was recorded on real photographs, such as "C6".

    They are not part of the course; net, device and versions stand beside the figures in
    `data/measured/photographs.json`.
    """
    recorded = read_measured("photographs").content["claims"]
    if find_protocol(id).id not in recorded:
        raise ValueError(
            f"{id} was not recorded on photographs; {', '.join(recorded)} were"
        )
    return Claim(find_protocol(id), **recorded[id])


def current_hashes(
    protocol: Protocol, *, sources: Sources | None = None
) -> dict[str, str]:
    """Hash what figures depend on: the code that is reached, weights and data.

    `sources` are by default those of the packages that run.
    """
    start = Definition(protocol.measure.__module__, protocol.measure.__name__)
    hashes = {"code": (sources or _own_sources()).fingerprint(start)}
    if protocol.weights:
        weights = sorted((data_dir() / "weights").glob(protocol.weights))
        hashes |= {
            "weights": sha256_bytes(*(sha256_file(p).encode() for p in weights)),
            "data": sha256_file(data_dir() / "images" / "SHA256SUMS"),
        }
    return hashes


@cache
def _own_sources() -> Sources:
    return Sources(
        {p.__name__: Path(p.__path__[0]) for p in (course_utils, courseware)}
    )


def write_claim(id: str, entry: dict) -> None:
    """Store one claim; those that another process has stored meanwhile stay."""
    stored = read_measured("claims")
    claims = dict(sorted({**stored.content, id: entry}.items()))
    write_measured("claims", claims, made_by=stored.made_by, made_with=stored.made_with)
