"""Try inspection, head surgery and stages on every architecture, and write a table."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

import pandas as pd
import timm
import torch
import torchvision
from tqdm import tqdm

from course_utils.architectures import torchvision_names
from course_utils.errors import CannotInspect
from course_utils.heads import check_head, find_heads, replace_head
from course_utils.inspection import ModelReport, inspect_model
from course_utils.layer_groups import LayerGroup
from course_utils.measured import write_measured
from course_utils.meta_tensors import meta_copy

NUM_CLASSES = 7
SURGERY = ({}, {"dropout": 0.1, "hidden": 8})


def all_names() -> list[str]:
    """List all architectures: torchvision's by name, timm's as "timm/…"."""
    return [*torchvision_names(), *(f"timm/{name}" for name in timm.list_models())]


def survey(name: str) -> dict:
    """Inspect an architecture, replace its heads and cut it into stages.

    Returns one row of the table. Raises `CannotInspect` where the model cannot run on
    meta tensors, and `ValueError` where stages or a new head do not hold.
    """
    started = time.process_time()
    report = inspect_model(name)
    seconds = time.process_time() - started
    check_stages(report)
    heads = ";".join(find_heads(report.model))
    for options in SURGERY:
        model = replace_head(meta_copy(report.model), NUM_CLASSES, **options)
        check_head(model, NUM_CLASSES, input_size=report.input_size)
    return {
        "architecture": name,
        "input_size": "x".join(map(str, report.input_size)),
        "params": report.num_params,
        "macs": report.macs,
        "layers": len(report.layers),
        "stages": len(report.groups),
        "first_stage": report.stage_names[0],
        "heads": heads,
        "cpu_seconds": round(seconds, 2),
        "failure": "",
    }


def check_stages(report: ModelReport) -> None:
    """Raise where a parameter is in no stage or in two, or the order is not that of use.

    The first convolution or linear layer must be in the first stage, the head last.
    """
    model, groups = report.model, report.groups
    grouped = [id(p) for group in groups for p in group.parameters]
    if sorted(grouped) != sorted({id(p) for p in model.parameters()}):
        raise ValueError(f"{report.name}: a parameter is in no stage, or in two")
    order = _places(report, groups)
    if order != sorted(order):
        names = ", ".join(report.stage_names)
        raise ValueError(f"{report.name}: stages are not in order of use: {names}")
    ran = report.layers[report.layers["called"] & (report.layers["path"] != "")]
    first = ran[ran["kind"].isin(["conv", "fc"])].iloc[0]
    weight = next(model.get_submodule(first["path"]).parameters())
    if not any(weight is p for p in groups[0].parameters):
        raise ValueError(f"{report.name}: {first['path']} runs first, but the first "
                         f"stage is {groups[0].name}")  # fmt: skip
    last = {id(p) for p in groups[-1].parameters}
    found = find_heads(model).values()
    if found and last != {id(p) for head in found for p in head.parameters()}:
        raise ValueError(f"{report.name}: the last stage is not the head")


def _places(report: ModelReport, groups: list[LayerGroup]) -> list[int]:
    """The place, in order of execution, of each stage's first layer that ran."""
    owner = {id(p): i for i, group in enumerate(groups) for p in group.parameters}
    first: dict[int, int] = {}
    ran = report.layers[report.layers["called"] & (report.layers["path"] != "")]
    for place, path in enumerate(ran["path"]):
        module = report.model.get_submodule(path)
        if next(module.children(), None):
            continue  # a container begins before the layers in it
        for parameter in module.parameters(recurse=False):
            first.setdefault(owner[id(parameter)], place)
    return [first[i] for i in range(len(groups)) if i in first]


def try_survey(name: str) -> dict:
    """Survey an architecture; a failure becomes a row that names its cause."""
    try:
        return survey(name)
    except (CannotInspect, ValueError, RuntimeError) as error:
        return {"architecture": name, "failure": str(error).splitlines()[0]}


def main(argv: list[str] | None = None) -> int:
    """Command line: `course survey` (all) or `… survey NAME…`."""
    parser = argparse.ArgumentParser(prog="course survey")
    parser.add_argument(
        "names", nargs="*", help="architectures; all where none is given"
    )
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(argv)
    names = options.names or all_names()
    with ProcessPoolExecutor(options.processes, initializer=_one_thread) as pool:
        rows = list(tqdm(pool.map(try_survey, names), total=len(names), unit="model"))
    table = pd.DataFrame(rows).fillna({"failure": ""})
    failed = table[table["failure"] != ""]
    if not options.names:
        path = write_measured(
            "architectures", table, made_by="course survey", made_with=_versions()
        )
        print(f"{path.name}: {len(table)} architectures, {len(failed)} failed")
    else:
        print(table.to_string(index=False))
    for row in failed.itertuples():
        print(f"  {row.architecture}: {row.failure}")
    return 0


def _versions() -> dict[str, str]:
    packages = {"torch": torch, "torchvision": torchvision, "timm": timm}
    return {n: module.__version__.split("+")[0] for n, module in packages.items()}


def _one_thread() -> None:
    torch.set_num_threads(1)
