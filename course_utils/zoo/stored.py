"""The latencies of all architectures that come with the course, and how to take them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from torchvision import models
from tqdm import tqdm

from course_utils.architectures import torchvision_names
from course_utils.storage import atomic_path, data_dir
from course_utils.zoo.latency import Latency, measure_latency
from course_utils.zoo.machine import describe_machine, machine_card

STEADY = 1.5  # 90th over 10th percentile; beyond it other work disturbed the passes
TRIES = 3
COLUMNS = ("median_ms", "low_ms", "high_ms", "threads", "batch_size", "image_size",
           "repeats")  # fmt: skip


def latency_path() -> Path:
    """Return where the latencies of all architectures are stored."""
    return data_dir() / "zoo" / "latency.csv"


def stored_latency() -> pd.DataFrame:
    """Read the stored latencies: one row for each architecture and image size.

    `attrs["machine"]` names the machine in a phrase. Raises `FileNotFoundError` with
    the command that measures them.
    """
    path = latency_path()
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path.name} in data/zoo: run `python -m course_utils zoo --latency`"
        )
    table = pd.read_csv(path)
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    table.attrs["machine"] = describe_machine(card)
    return table


def sizes(name: str) -> list[int]:
    """Return the crop sizes of an architecture's weights, the smallest first."""
    members = models.get_model_weights(name)
    return sorted({member.transforms().crop_size[0] for member in members})


def measure_all(
    *, repeats: int = 10, threads: int = 1, max_seconds: float = 3.0
) -> pd.DataFrame:
    """Measure each architecture at the crop sizes of its weights, one image at a time.

    Slow models get fewer passes, as `max_seconds` allows. What other work on the
    machine disturbed is measured again (`steady_latency`). Returns the table.
    """
    jobs = [(name, side) for name in torchvision_names() for side in sizes(name)]
    rows = []
    for name, side in tqdm(jobs, unit="model"):
        found = steady_latency(
            name, image_size=side, repeats=repeats, warmup=1, threads=threads,
            max_seconds=max_seconds,
        )  # fmt: skip
        figures = {column: getattr(found, column) for column in COLUMNS}
        rows.append({"architecture": name, **figures})
    return pd.DataFrame(rows).round(2)


def steady_latency(name: str, **options: Any) -> Latency:
    """Measure, and again while the passes differ by much; return the steadiest.

    Passes differ by much where the 90th percentile is over `STEADY` times the 10th.
    There are `TRIES` measurements at most. `options` are `measure_latency`'s.
    """
    tried = []
    for _ in range(TRIES):
        tried.append(measure_latency(name, **options))
        if _spread(tried[-1]) <= STEADY:
            break
    return min(tried, key=_spread)


def _spread(latency: Latency) -> float:
    return latency.high_ms / latency.low_ms


def store(table: pd.DataFrame, *, threads: int) -> None:
    """Write the table, and beside it the machine that it was taken on."""
    path = latency_path()
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    card = json.dumps(machine_card(threads=threads), indent=1) + "\n"
    with atomic_path(path.with_suffix(".json")) as temporary:
        temporary.write_text(card, encoding="utf-8", newline="\n")
