"""Time every architecture of torchvision on this machine: `course latency`."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from torchvision import models
from tqdm import tqdm

from course_utils.architectures import torchvision_names
from course_utils.measured import write_measured
from course_utils.zoo.latency import Latency, measure_latency
from course_utils.zoo.machine import machine_card

STEADY = 1.5  # 90th over 10th percentile; beyond it other work disturbed the passes
TRIES = 3
COLUMNS = ("median_ms", "low_ms", "high_ms", "threads", "batch_size", "image_size",
           "repeats")  # fmt: skip


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


def main(argv: list[str] | None = None) -> int:
    """Command line: time them, and store the table with the machine."""
    parser = argparse.ArgumentParser(prog="course latency", description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="timed passes of each")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    times = measure_all(repeats=options.repeats, threads=options.threads)
    path = write_measured(
        "latency",
        times,
        made_by="course latency",
        made_with=machine_card(threads=options.threads),
    )
    print(f"{path.name}: {len(times)} rows")
    return 0
