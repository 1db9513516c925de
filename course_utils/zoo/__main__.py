"""Command line: `python -m course_utils zoo` shows the front, or times all models."""

from __future__ import annotations

import argparse

from course_utils.zoo.choice import pareto_front
from course_utils.zoo.stored import measure_all, store
from course_utils.zoo.table import COSTS, zoo_table


def main(argv: list[str] | None = None) -> int:
    """Print the Pareto front over a cost, or store the latencies of this machine."""
    parser = argparse.ArgumentParser(prog="python -m course_utils zoo")
    parser.add_argument("--cost", choices=COSTS, default="params")
    parser.add_argument(
        "--latency", action="store_true", help="time all architectures, and store that"
    )
    parser.add_argument("--repeats", type=int, default=10, help="timed passes of each")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    if options.latency:
        times = measure_all(repeats=options.repeats, threads=options.threads)
        store(times, threads=options.threads)
    front = pareto_front(zoo_table(latency=options.cost == "ms"), cost=options.cost)
    columns = ["architecture", "weights", options.cost, "top1"]
    print(front[columns].to_string(index=False))
    return 0
