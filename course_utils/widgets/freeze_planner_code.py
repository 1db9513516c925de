"""The lines of code that make a planned schedule and its parameter groups by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .architecture_code import WIDTH, code_for

IMPORTS = (
    "import torch",
    "from course_utils.layer_groups import UnfreezeSchedule, layer_groups",
    "from course_utils.param_groups import check_groups",
)
GROUPS = """groups = [
    {"name": stage.name, "lr": rates[stage.name], "weight_decay": 0.0,
     "params": list(stage.parameters)}  # frozen ones too: they can wake
    for stage in layer_groups(model)
]
check_groups(model, groups)
optimizer = torch.optim.AdamW(groups)"""
USE = """# At the start of each epoch, counted from 1, or as a callback of `fit`:
# schedule.apply(model, epoch)"""


def code_for_plan(
    name: str | None,
    stages: Sequence[str],
    woken: Mapping[int, Sequence[str]],
    rates: Mapping[str, float],
) -> str:
    """Return code for a plan; it loads `name` first, or takes `model` as it is.

    `woken` holds the stages by the epoch that wakes them. Without any, the code is a
    comment that says so.
    """
    if not woken:
        return "# no stage wakes in these epochs: nothing would learn"
    before = code_for(name, stages, ()).split("\n\n") if name else [""]
    imports = sorted([*IMPORTS, *before[0].splitlines()], key=_library_first)
    plan = [_schedule(woken), _rates(stages, rates), GROUPS, USE]
    return "\n\n".join(["\n".join(imports), *before[1:], *plan])


def _library_first(line: str) -> tuple[bool, str]:
    return "course_utils" in line, line


def _schedule(woken: Mapping[int, Sequence[str]]) -> str:
    entries = "".join(_entry(epoch, names) for epoch, names in woken.items())
    return f"schedule = UnfreezeSchedule({{\n{entries}}})"


def _entry(epoch: int, names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    line = f"    {epoch}: [{', '.join(quoted)}],\n"
    if len(line) <= WIDTH:
        return line
    return f"    {epoch}: [\n" + "".join(f"        {q},\n" for q in quoted) + "    ],\n"


def _rates(stages: Sequence[str], rates: Mapping[str, float]) -> str:
    lines = "".join(f'    "{name}": {rates[name]!r},\n' for name in stages)
    return f"rates = {{\n{lines}}}"
