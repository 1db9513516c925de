"""Save a training run whole, and take it up again as if it had never stopped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from course_utils.errors import CheckpointError, DamagedCheckpoint
from course_utils.runtime import generators_state, restore_generators
from course_utils.state_files import compare_state, read_file
from course_utils.storage import atomic_path


def save_checkpoint(
    path: str | Path,
    *,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    loader: DataLoader | None = None,
    modules: Mapping[str, nn.Module] | None = None,
    epoch: int,
    history: pd.DataFrame | None = None,
    rng: bool = True,
) -> Path:
    """Write all that a run needs to go on, whole or not at all; return the path.

    BatchNorm statistics are part of the model's state. `loader` adds the state of the
    generator that shuffles it, `rng` those of Python, NumPy and torch. `modules` are
    what learns beside the model, each by a name: uncertainty weights, a projector. The
    checkpoint that was there before is kept as `<name>.previous`. Raises
    `CheckpointError` where nothing can be written (a full disk); then what was there
    stays.
    """
    path = Path(path)
    content = {
        "model": model.state_dict(),
        "epoch": int(epoch),
        "history": None if history is None else history.to_dict("list"),
    }
    for name, part in (("optimizer", optimizer), ("scheduler", scheduler)):
        if part is not None:
            content[name] = part.state_dict()
    if loader is not None:
        content["loader"] = _generator(loader).get_state()
    if modules:
        content["modules"] = {name: m.state_dict() for name, m in modules.items()}
    if rng:
        content["rng"] = generators_state()
    with atomic_path(path) as temporary:
        _write(content, temporary, path)
        if path.is_file():
            os.replace(path, previous_path(path))
    return path


def load_checkpoint(
    path: str | Path,
    *,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    loader: DataLoader | None = None,
    modules: Mapping[str, nn.Module] | None = None,
    rng: bool = True,
) -> dict:
    """Put a saved run back into these objects, in place; return epoch and history.

    `{"epoch": int, "history": DataFrame}`. A damaged or missing file is replaced by
    the one before it, with a printed word. Code in the file is never run.

    Raises `CheckpointError`, before anything is changed, that names the keys where
    the model is another one, and what the file does not hold.
    """
    content = _read_or_previous(Path(path))
    parts = {"optimizer": optimizer, "scheduler": scheduler, "loader": loader,
             "modules": modules}  # fmt: skip
    wanted = ["model", "epoch", *(name for name, part in parts.items() if part)]
    if absent := [name for name in wanted + ["rng"] * rng if name not in content]:
        raise CheckpointError(
            f"{path} holds no {', '.join(absent)}: it was saved without. Leave that "
            "argument out (rng=False) to go on without it"
        )
    _check_fits(model, content["model"], path)
    for name, module in (modules or {}).items():
        _check_fits(module, _module_state(content, name, path), path)
    if optimizer is not None:
        _load_optimizer(optimizer, content["optimizer"], path)
    if scheduler is not None:
        scheduler.load_state_dict(content["scheduler"])
    if loader is not None:
        _generator(loader).set_state(content["loader"])
    model.load_state_dict(content["model"])
    for name, module in (modules or {}).items():
        module.load_state_dict(content["modules"][name])
    if rng:
        restore_generators(content["rng"])
    return {"epoch": content["epoch"], "history": pd.DataFrame(content["history"])}


def previous_path(path: str | Path) -> Path:
    """Return where the checkpoint before `path` is kept."""
    path = Path(path)
    return path.with_name(path.name + ".previous")


def _write(content: dict, temporary: Path, path: Path) -> None:
    try:
        torch.save(content, temporary)
    except (OSError, RuntimeError) as error:  # torch says neither "disk" nor "full"
        free = shutil.disk_usage(temporary.parent).free / 1e6
        raise CheckpointError(
            f"{path} was not written: {error}. {free:,.0f} MB are free there: make room, "
            "or take another disk. If there was a checkpoint, the one before is kept"
        ) from error


def _read_or_previous(path: Path) -> dict:
    """Read `path`; where it is damaged or gone, read the checkpoint before it."""
    before = previous_path(path)
    try:
        if not path.is_file():
            raise DamagedCheckpoint(f"no checkpoint at {path}")
        return _read(path)
    except DamagedCheckpoint as error:
        if not before.is_file():
            raise
        print(f"{error}\nTaking the checkpoint before it, {before.name}.")
        return _read(before)


def _read(path: Path) -> dict:
    content = read_file(path)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise CheckpointError(
            f"{path} is not a checkpoint of save_checkpoint. Load bare weights with "
            "weights.load_backbone(name, weights=path)"
        )
    return content


def _check_fits(module: nn.Module, state: dict, path: str | Path) -> None:
    if problem := compare_state(module, state):
        raise CheckpointError(f"{path} does not fit {type(module).__name__}: {problem}")


def _module_state(content: dict, name: str, path: str | Path) -> dict:
    if name not in content["modules"]:
        known = ", ".join(content["modules"])
        raise CheckpointError(f"{path} holds no module {name!r}; it holds {known}")
    return content["modules"][name]


def _load_optimizer(optimizer: Optimizer, state: dict, path: str | Path) -> None:
    try:
        optimizer.load_state_dict(state)  # checks before it changes anything
    except ValueError as error:
        raise CheckpointError(
            f"{path} does not fit {type(optimizer).__name__}: {error}. Freeze the same "
            "stages and make the same parameter groups as when it was saved"
        ) from error


def _generator(loader: DataLoader) -> torch.Generator:
    if loader.generator is None:
        raise ValueError(
            "the loader has no generator of its own: make it with "
            "training.make_loader, or leave loader out and keep rng=True"
        )
    return loader.generator
