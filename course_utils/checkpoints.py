"""Save a training run whole, and take it up again as if it had never stopped."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from course_utils.arguments import Natural, check_argument, checked
from course_utils.checkpoint_files import (
    previous_path,
    read_checkpoint,
    write_checkpoint,
)
from course_utils.errors import CheckpointError
from course_utils.run_state import Orders, modules_of, parameters_of
from course_utils.runtime import generators_state, restore_generators
from course_utils.state_files import compare_state

__all__ = ["Checkpoint", "load_checkpoint", "previous_path", "save_checkpoint"]

_COMPILED = "_orig_mod."  # what torch.compile puts into names


@runtime_checkable
class Stateful(Protocol):
    """Anything with a state: a module, an optimiser, a GradScaler, a callback."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state_dict: dict) -> Any: ...


# An object's place in a file: ("optimizer", ""), ("modules", "projector").
Place = tuple[str, str]


class Checkpoint:
    """A callback of `training.fit` that saves the run, and takes it up where it was.

    It saves before the first epoch (so that what cannot be saved is known at once) and
    after each: model, optimiser, schedulers, all generators, those that shuffle the
    loaders too, the history, and the states of the other callbacks. With `resume`, a run
    whose file is there goes on behind its last whole epoch, with a printed word; one that
    had ended, or that `EarlyStopping` had stopped, trains no further. Killed at any moment
    and started again, the same script ends with the same weights and history, to the bit
    (times apart; on a CPU, without `persistent_workers`). `modules` are what else has a
    state; what learns within the step is found.

    Raises `CheckpointError` before the first epoch where a file is there and `resume`
    is not asked for, and for what `save_checkpoint` and `load_checkpoint` refuse.

    >>> import torch
    >>> from course_utils.checkpoints import Checkpoint
    >>> from course_utils.training import fit, make_loader
    >>> pairs = [(torch.ones(4), 1), (torch.zeros(4), 0)] * 4
    >>> net, loader = torch.nn.Linear(4, 2), make_loader(pairs)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> for epochs in (2, 5):
    ...     keeps = Checkpoint("run.pt", resume=True)
    ...     history = fit(net, loader, None, optimizer=optimizer, epochs=epochs,
    ...                   callbacks=[keeps])
    run.pt: 2 of 5 epochs are done
    >>> len(history)
    5
    """

    outermost = True  # hears a start before the other callbacks, an end behind them

    @checked
    def __init__(
        self,
        path: str | os.PathLike,
        *,
        resume: bool = False,
        modules: Mapping[str, Stateful] | None = None,
    ):
        self.path, self.resume = _path(path), resume
        self.modules = dict(modules or {})
        self._own = False  # whether the file is this object's

    def on_fit_start(self, state: Any) -> pd.DataFrame | None:
        """Take the run up where its file is there, and return its history."""
        there = self.path.is_file() or previous_path(self.path).is_file()
        state.engine.processes.wait()  # all look before the first one writes
        anew = state.history.empty and not self._own
        if there and anew and not self.resume:
            raise CheckpointError(
                f"{self.path} is there already: Checkpoint(path, resume=True) goes on "
                "with that run; to begin anew, delete it or take another name"
            )
        parts = self._parts(state)
        if there and anew:
            found = load_checkpoint(self.path, **parts)
            if state.engine.processes.main:
                done = f"{found['epoch']} of {state.epochs} epochs are done"
                print(f"{self.path}: {done}")
            self._own = True
            return found["history"]
        self.on_epoch_end(state)

    def on_epoch_end(self, state: Any) -> None:
        """Save the run as it is now; of several processes, the first one does."""
        if state.engine.processes.main:
            self._save(state)
        state.engine.processes.wait()
        self._own = True

    def _save(self, state: Any) -> None:
        train = state.loaders[0]  # a load_checkpoint by hand takes one loader
        save_checkpoint(
            self.path, epoch=state.epoch, history=state.history, **self._parts(state),
            loader=train if getattr(train, "generator", None) is not None else None,
        )  # fmt: skip

    def _parts(self, state: Any) -> dict[str, Any]:
        """All that has a state, as `save_checkpoint` and `load_checkpoint` take it."""
        moved = {id(p) for p in parameters_of(state.optimizer)}
        beside = {
            name: module
            for name, module in modules_of(state.step).items()
            if any(id(p) in moved for p in module.parameters())
        }
        orders = {"orders": Orders(*state.loaders)}
        scale = {"engine": state.engine} if state.engine.scales else {}
        modules = {**orders, **beside, **scale, **state.schedulers, **self.modules}
        modules.pop("scheduler", None)
        owners = {"": state.model, **modules}.values()
        known = [p for m in owners if isinstance(m, nn.Module) for p in m.parameters()]
        if strange := len(moved - set(map(id, known))):
            raise CheckpointError(
                f"the optimizer moves {strange} parameters that are not the model's: "
                'name what holds them, Checkpoint(path, modules={"weights": weights})'
            )
        return {
            "model": state.model, "optimizer": state.optimizer, "modules": modules,
            "scheduler": state.schedulers.get("scheduler"), "callbacks": state.callbacks,
        }  # fmt: skip


@checked
def save_checkpoint(
    path: str | os.PathLike,
    *,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: Stateful | None = None,
    loader: Iterable | None = None,
    modules: Mapping[str, Stateful] | None = None,
    callbacks: list | tuple | Mapping[str, Any] | None = None,
    epoch: Natural,
    history: pd.DataFrame | None = None,
    rng: bool = True,
) -> Path:
    """Write all that a run needs to go on, whole or not at all; return the path.

    BatchNorm statistics are part of the model's state. `loader` adds the state of the
    generator that shuffles it, `rng` those of Python, NumPy and torch. `modules` are
    what has a state beside the model, each by a name: uncertainty weights, a projector,
    a GradScaler. `callbacks` are those of `fit`; the ones without a state are passed
    over. The file holds a checksum, and is on the disk when this returns. The checkpoint
    that was there before is kept as `<name>.previous`.

    Raises `CheckpointError`, and leaves what was there, where nothing can be written (a
    full disk), and for a value that could not be loaded again, which it names.

    >>> import torch
    >>> from course_utils.checkpoints import save_checkpoint
    >>> net = torch.nn.Linear(4, 2)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> print(save_checkpoint("run.pt", model=net, optimizer=optimizer, epoch=3))
    run.pt
    """
    path = _path(path)
    owners = _owners(model, optimizer, scheduler, modules, callbacks)
    content = {
        "model": model.state_dict(),
        "epoch": int(epoch),
        "history": None if history is None else history.to_dict("list"),
        "kinds": {" ".join(place).strip(): _kind(o) for place, o in owners.items()},
    }
    for (part, name), owner in owners.items():
        where, key = (content.setdefault(part, {}), name) if name else (content, part)
        where[key] = owner.state_dict()
    if optimizer is not None:
        content["parameters"] = _parameters(optimizer, model, modules)
    if loader is not None:
        content["loader"] = _generator(loader).get_state()
    if rng:
        content["rng"] = generators_state()
    write_checkpoint(content, path)
    return path


@checked
def load_checkpoint(
    path: str | os.PathLike,
    *,
    model: nn.Module,
    optimizer: Optimizer | None = None,
    scheduler: Stateful | None = None,
    loader: Iterable | None = None,
    modules: Mapping[str, Stateful] | None = None,
    callbacks: list | tuple | Mapping[str, Any] | None = None,
    rng: bool = True,
) -> dict:
    """Put a saved run back into these objects, in place; return epoch and history.

    `{"epoch": int, "history": DataFrame}`. A damaged or missing file is replaced by
    the one before it, with a printed word; so are the names that `torch.compile` gave.
    Code in the file is never run.

    Raises `CheckpointError`, and changes nothing, where the file does not hold what is
    asked for, the model is another one (it names the keys), the optimiser or scheduler is
    of another kind, or the optimiser holds other parameters, or in another order.

    >>> import torch
    >>> from course_utils.checkpoints import load_checkpoint, save_checkpoint
    >>> _ = save_checkpoint("run.pt", model=torch.nn.Linear(4, 2), epoch=3)
    >>> load_checkpoint("run.pt", model=torch.nn.Linear(4, 2))["epoch"]
    3
    >>> load_checkpoint("run.pt", model=torch.nn.Linear(4, 5))
    Traceback (most recent call last):
    course_utils.errors.CheckpointError: run.pt does not fit Linear: ...
    """
    path = _path(path)
    owners = _owners(model, optimizer, scheduler, modules, callbacks)
    content = read_checkpoint(path)
    _check_holds(content, owners, path, loader=loader is not None, rng=rng)
    weights = _renamed(content["model"], model, path)
    _check_fits(model, weights, path)
    states = {place: _state(content, *place, path) for place in owners}
    _check_kinds(content.get("kinds", {}), owners, path)
    if optimizer is not None:
        own = _parameters(optimizer, model, modules)
        _check_parameters(content.get("parameters", own), own, path)
    order = None if loader is None else _generator(loader)
    _load_all(owners, states, path)
    model.load_state_dict(weights)
    if order is not None:
        order.set_state(content["loader"])
    if rng:
        restore_generators(content["rng"])
    return {"epoch": content["epoch"], "history": pd.DataFrame(content["history"])}


def _path(path: str | os.PathLike) -> Path:
    check_argument(path, str | os.PathLike, "path")
    if not Path(path).name:
        raise ValueError(f'path is {str(path)!r}: name a file, such as "run.pt"')
    return Path(path)


def _renamed(weights: dict, model: nn.Module, path: Path) -> dict:
    """The weights under the model's own names, where one of both was compiled."""
    own = {name.replace(_COMPILED, ""): name for name in model.state_dict()}
    plain = {name.replace(_COMPILED, ""): value for name, value in weights.items()}
    if weights.keys() == set(own.values()) or plain.keys() != own.keys():
        return weights
    print(f"{path}: of the model as it is (un)compiled; its names are made to fit")
    return {own[name]: value for name, value in plain.items()}


def _owners(model, optimizer, scheduler, modules, callbacks) -> dict[Place, Stateful]:
    """All that has a state beside the model, by its place in the file."""
    found = {("optimizer", ""): optimizer, ("scheduler", ""): scheduler}
    found |= {("modules", name): module for name, module in (modules or {}).items()}
    callbacks = callbacks or {}
    if not isinstance(callbacks, Mapping):
        callbacks = _named(callbacks)
    for name, callback in callbacks.items():
        if hasattr(callback, "state_dict"):
            found["callbacks", name] = callback
    found = {place: owner for place, owner in found.items() if owner is not None}
    for place, owner in found.items():
        if not hasattr(owner, "load_state_dict") or isinstance(owner, type):
            what = " ".join(place).strip()
            raise TypeError(f"{what} is a {type(owner).__name__}, which has no state")
    return found


def _named(callbacks: Sequence) -> dict[str, Any]:
    """Name callbacks by their kinds, those of one kind in their order: "0 BestWeights"."""
    counts, found = Counter(), {}
    for callback in callbacks:
        kind = type(callback).__name__
        found[f"{counts[kind]} {kind}"] = callback
        counts[kind] += 1
    return found


def _kind(owner: Stateful) -> str:
    """Name an object's class, and those of the schedulers that it is made of."""
    inner = ", ".join(_kind(one) for one in getattr(owner, "_schedulers", ()))
    return f"{type(owner).__name__}({inner})" if inner else type(owner).__name__


def _parameters(
    optimizer: Optimizer, model: nn.Module, modules: Mapping[str, Stateful] | None
) -> list[list[tuple[str, list[int]]]]:
    """Name and shape of each parameter of each group; "" for one of no module."""
    owners = {f"{name}.": m for name, m in (modules or {}).items()} | {"": model}
    names = {
        id(parameter): (prefix + name).replace(_COMPILED, "")
        for prefix, module in owners.items()
        if isinstance(module, nn.Module)
        for name, parameter in module.named_parameters()
    }
    return [
        [(names.get(id(p), ""), list(p.shape)) for p in group["params"]]
        for group in optimizer.param_groups
    ]


def _generator(loader: DataLoader) -> torch.Generator:
    if getattr(loader, "generator", None) is None:
        raise ValueError(
            "the loader has no generator of its own: make it with "
            "training.make_loader, or leave loader out and keep rng=True"
        )
    return loader.generator


# -- what is refused -------------------------------------------------------------------


def _check_holds(content: dict, owners: dict, path: Path, *, loader, rng) -> None:
    parts = dict.fromkeys(part for part, _ in owners)  # in order, each once
    wanted = ["model", "epoch", *parts, *["loader"] * loader, *["rng"] * rng]
    if absent := [name for name in wanted if name not in content]:
        raise CheckpointError(
            f"{path} holds no {', '.join(absent)}: it was saved without. Leave that "
            "argument out (rng=False) to go on without it"
        )


def _state(content: dict, part: str, name: str, path: Path) -> dict:
    if not name:
        return content[part]
    if name not in content[part]:
        known = ", ".join(content[part])
        what = part.removesuffix("s")
        raise CheckpointError(f"{path} holds no {what} {name!r}; it holds {known}")
    return content[part][name]


def _check_kinds(kinds: dict, owners: dict[Place, Stateful], path: Path) -> None:
    """Refuse objects of another class; modules are told by their keys."""
    for place, owner in owners.items():
        what = " ".join(place).strip()
        given, saved = _kind(owner), kinds.get(what)  # older files hold none
        if saved not in (None, given) and not isinstance(owner, nn.Module):
            raise CheckpointError(
                f"{path} holds for {what} a {saved}, not a {given}: make the same kind "
                "as when it was saved, or leave it out to begin it anew"
            )


def _check_parameters(saved: list, own: list, path: Path) -> None:
    if problem := _other_parameters(saved, own):
        raise CheckpointError(
            f"{path} does not fit the optimizer: it holds {problem}. Freeze the same "
            "stages and make the same parameter groups, in the same order, as when it "
            "was saved"
        )


def _other_parameters(saved: list, own: list) -> str:
    """Say where the parameters of the groups differ; "" if they do not."""
    sizes, own_sizes = [len(group) for group in saved], [len(group) for group in own]
    if sizes != own_sizes:
        return f"groups of {sizes} parameters, not of {own_sizes}"
    for i, (group, own_group) in enumerate(zip(saved, own, strict=True)):
        pairs = zip(group, own_group, strict=True)
        for j, ((name, shape), (own_name, own_shape)) in enumerate(pairs):
            name = name.replace(_COMPILED, "")
            if shape != own_shape or (name and own_name and name != own_name):
                return (
                    f"{name or 'a parameter'} {tuple(shape)} at place {j} of group {i}, "
                    f"not {own_name or 'one'} {tuple(own_shape)}"
                )
    return ""


def _check_fits(module: nn.Module, state: dict, path: str | os.PathLike) -> None:
    if problem := compare_state(module, state):
        raise CheckpointError(f"{path} does not fit {type(module).__name__}: {problem}")


def _load_all(
    owners: dict[Place, Stateful], states: dict[Place, dict], path: Path
) -> None:
    """Load each state into its owner; where one refuses, put all back as they were."""
    for place, owner in owners.items():
        if isinstance(owner, nn.Module):
            _check_fits(owner, states[place], path)
    before = []
    for place, owner in owners.items():
        before.append((owner, copy.deepcopy(owner.state_dict())))
        try:
            owner.load_state_dict(states[place])
        except Exception as error:  # each kind of object has its own
            for changed, state in before:
                with suppress(Exception):  # it refuses its own state too
                    changed.load_state_dict(state)
            raise CheckpointError(
                f"{path} does not fit {type(owner).__name__} ({' '.join(place).strip()}): "
                f"{type(error).__name__}: {error}. Freeze the same stages and make the "
                "same parameter groups, or options, as when it was saved"
            ) from error
