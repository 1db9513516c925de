"""The lines of code that load a model and freeze it as an explorer shows it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import timm

from course_utils.architectures import parse_name

WIDTH = 75  # of a notebook cell in a narrow window


def code_for(name: str | None, stages: Sequence[str], frozen: Collection[str]) -> str:
    """Return code that loads `name`, gives it a new head, and freezes stages.

    Without a name (a module that is at hand) the code begins at the freezing.
    """
    load_imports, load = _loading(name) if name else ([], [])
    freeze_imports, steps = freezing(stages, frozen)
    if not (load or steps):
        return "# nothing is frozen: the model stays as it is"
    imports = sorted(load_imports + freeze_imports, key=_library_first)
    parts = ["\n".join(imports), "\n".join(load), steps]
    return "\n\n".join(part for part in parts if part)


def freezing(stages: Sequence[str], frozen: Collection[str]) -> tuple[list[str], str]:
    """Return imports and code that freeze these stages of `model`."""
    if not frozen:
        return [], ""
    imports = ["from course_utils.layer_groups import freeze"]
    start = prefix_length(stages, frozen)
    if start is not None and start < len(stages):
        return imports, f'freeze(model, until="{stages[start]}")'
    names = [f'"{stage}"' for stage in stages if stage in frozen]
    line = f"freeze(model, stages=[{', '.join(names)}])"
    if len(line) > WIDTH:
        lines = "".join(f"    {name},\n" for name in names)
        line = f"freeze(model, stages=[\n{lines}])"
    return imports, line


def prefix_length(stages: Sequence[str], frozen: Collection[str]) -> int | None:
    """Return how many stages from the stem on are frozen; None if others are too."""
    flags = [stage in frozen for stage in stages]
    count = flags.index(False) if False in flags else len(flags)
    return None if any(flags[count:]) else count


def _loading(name: str) -> tuple[list[str], list[str]]:
    library, model_name, tag = parse_name(name)
    if library == "torchvision":
        imports = "from torchvision import models"
        build = f'model = models.get_model("{model_name}", weights="DEFAULT")'
    else:
        imports = "import timm"
        full = f"{model_name}.{tag}" if tag else model_name
        pretrained = bool(tag) or timm.is_model_pretrained(model_name)
        build = f'model = timm.create_model("{full}", pretrained={pretrained})'
    heads = "from course_utils.heads import replace_head"
    return [imports, heads], [build, "replace_head(model, num_classes=5)"]


def _library_first(line: str) -> tuple[bool, str]:
    return "course_utils" in line, line
