"""The lines of code that load a model and freeze it as an explorer shows it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import timm

from course_utils.architectures import parse_name

LOOP = """frozen = {{{names}}}
for group in layer_groups(model):
    for parameter in group.parameters:
        parameter.requires_grad = group.name not in frozen
    if group.name in frozen:  # again after each model.train()
        for module in group.modules:
            module.eval()  # BatchNorm keeps its statistics"""


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
    start = prefix_length(stages, frozen)
    if start is None or start == len(stages):
        names = ", ".join(f'"{stage}"' for stage in stages if stage in frozen)
        return ["from course_utils.layer_groups import layer_groups"], _fold(names)
    imports = ["from course_utils.layer_groups import freeze"]
    return imports, f'freeze(model, until="{stages[start]}")'


def prefix_length(stages: Sequence[str], frozen: Collection[str]) -> int | None:
    """Return how many stages from the stem on are frozen; None if others are too."""
    flags = [stage in frozen for stage in stages]
    count = flags.index(False) if False in flags else len(flags)
    return None if any(flags[count:]) else count


def _fold(names: str, *, width: int = 75) -> str:
    code = LOOP.format(names=names)
    if len(code.splitlines()[0]) <= width:
        return code
    lines = "".join(f"    {name},\n" for name in names.split(", "))
    return LOOP.format(names=f"\n{lines}")


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
