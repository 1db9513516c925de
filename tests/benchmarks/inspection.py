"""Our inspection against torchinfo: processor time, peak memory, who is right on MACs.

    pip install torchinfo && python -m tests.benchmarks.inspection

Each tool goes through the models in a process of its own, from each name to the table
of layers, on one thread; the ratio is taken model by model. The judge of MACs is
torchvision's own `_ops`. Memory is the growth of the largest resident set over one model
in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import pandas as pd
import torch
from torchvision import models

from course_utils.architectures import torchvision_names

TOOLS = ("ours", "torchinfo")
LARGEST = "regnet_y_128gf"


def by_ours(name: str, side: int) -> int:
    from course_utils.inspection import inspect_model

    return inspect_model(name, input_size=(3, side, side)).macs


def by_torchinfo(name: str, side: int) -> int:
    import torchinfo

    options = {"image_size": side} if name.startswith("vit_") else {}
    model = models.get_model(name, weights=None, **options)
    shape = (1, 3, side, side)
    return torchinfo.summary(model, input_size=shape, verbose=0).total_mult_adds


def measure(tool: str, names: list[str]) -> None:
    """Run in a process of its own: print one line of JSON a model."""
    torch.set_num_threads(1)
    inspect = {"ours": by_ours, "torchinfo": by_torchinfo}[tool]
    inspect("squeezenet1_1", 224)  # imports and first calls
    for name in names:
        side = models.get_model_weights(name).DEFAULT.transforms().crop_size[0]
        before = _resident()
        start = time.process_time()
        macs = inspect(name, side)
        seconds = time.process_time() - start
        row = {"model": name, "tool": tool, "macs": macs, "seconds": seconds,
               "mb": _resident() - before}  # fmt: skip
        print(json.dumps(row), flush=True)


def _resident() -> float:
    """Largest resident set so far, in MB (Linux counts in kB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def run(tool: str, names: list[str]) -> list[dict]:
    """Measure in a new process."""
    command = [sys.executable, "-m", __spec__.name, "--tool", tool, *names]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


def report(rows: list[dict], alone: list[dict]) -> str:
    """Sum up: medians of time, ratios, models within 2 % of `_ops`, memory."""
    table = pd.DataFrame(rows)
    truth = {
        n: models.get_model_weights(n).DEFAULT.meta["_ops"] * 1e9
        for n in table["model"].unique()
    }
    table["off"] = table["macs"] / table["model"].map(truth) - 1
    wide = table.pivot(index="model", columns="tool")
    ratio = wide["seconds"]["torchinfo"] / wide["seconds"]["ours"]
    lines = []
    for tool in TOOLS:
        right = (wide["off"][tool].abs() <= 0.02).sum()
        lines.append(f"{tool:10} median {wide['seconds'][tool].median():.2f} CPU s; "
                     f"MACs within 2 %: {right} of {len(wide)}")  # fmt: skip
    lines.append(
        f"time, torchinfo / ours: median {ratio.median():.1f} times "
        f"(quartiles {ratio.quantile(0.25):.1f} to {ratio.quantile(0.75):.1f})"
    )
    mb = {row["tool"]: row["mb"] for row in alone}
    lines.append(f"{LARGEST}: {mb['ours']:.0f} MB against {mb['torchinfo']:.0f} MB, "
                 f"{mb['torchinfo'] / mb['ours']:.0f} times")  # fmt: skip
    wrong = wide["off"][wide["off"].abs().max(axis=1) > 0.02]
    return "\n".join([*lines, "MACs off by more than 2 %:", wrong.round(3).to_string()])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", choices=TOOLS, help="measure in this process")
    parser.add_argument("models", nargs="*", help="all 80 where none is given")
    options = parser.parse_args()
    names = options.models or list(torchvision_names())
    if options.tool:
        measure(options.tool, names)
        return
    rows = [row for tool in TOOLS for row in run(tool, names)]
    alone = [row for tool in TOOLS for row in run(tool, [LARGEST])]
    print(report(rows, alone))


if __name__ == "__main__":
    main()
