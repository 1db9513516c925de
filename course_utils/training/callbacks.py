"""What `fit` tells its callbacks, and two of them: stop early, keep the best weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn

from course_utils.arguments import Count, checked

EVENTS = ("on_fit_start", "on_epoch_start", "on_epoch_end", "on_fit_end")


@dataclass
class EpochState:
    """What a callback sees: the epoch that begins or has ended, and what came before.

    `epochs` is how many the run was asked for in all. `loaders`, `schedulers`, `step`,
    `callbacks` and `engine` are those of the run, for one that keeps it
    (`checkpoints.Checkpoint`).

    >>> class Tell:
    ...     def on_epoch_end(self, state):
    ...         print(f"epoch {state.epoch} of {state.epochs}: {len(state.history)} rows")
    >>> import torch
    >>> from course_utils.training import fit, make_loader
    >>> pairs = [(torch.ones(4), 1), (torch.zeros(4), 0)] * 4
    >>> net, loader = torch.nn.Linear(4, 2), make_loader(pairs)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> _ = fit(net, loader, None, optimizer=optimizer, epochs=2, callbacks=Tell())
    epoch 1 of 2: 1 rows
    epoch 2 of 2: 2 rows
    """

    epoch: int
    model: nn.Module
    optimizer: torch.optim.Optimizer
    history: pd.DataFrame
    epochs: int | None = None
    loaders: Sequence = ()
    schedulers: Mapping[str, Any] = field(default_factory=dict)
    step: Any = None
    callbacks: Sequence = ()
    engine: Any = None


def as_callbacks(given: Any) -> list:
    """List the callbacks; one alone is a list of one, None an empty one.

    Raises `TypeError` for what no event would reach: none of their names, one that is
    misspelt, a class that was not called.
    """
    if given is None or any(hasattr(given, event) for event in EVENTS):
        given = [] if given is None else [given]
    if not isinstance(given, Iterable):
        raise TypeError(f"callbacks is a {type(given).__name__}, not a list of them")
    found = list(given)
    for callback in found:
        _check_callback(callback)
    return found


def _check_callback(callback: Any) -> None:
    name = type(callback).__name__
    if isinstance(callback, type):
        raise TypeError(f"{callback.__name__} is a class: hand over one of its objects")
    methods = [method for method in dir(callback) if method.startswith("on_")]
    for method in methods:
        near = get_close_matches(method, EVENTS, n=1, cutoff=0.75)
        if near and method not in EVENTS:
            raise TypeError(
                f"the callback {name} has {method}, which is never called: did you mean "
                f"{near[0]}? There are {', '.join(EVENTS)}"
            )
    if not set(methods) & set(EVENTS):
        raise TypeError(
            f"the callback {name} has none of {', '.join(EVENTS)}, so it would never be "
            "called: write a class with one of them"
        )


def in_order(callbacks: Sequence, event: str) -> list:
    """The order in which callbacks hear an event: that of the list.

    But one that is `outermost`, for it keeps the others' state, hears a start before
    them and an end behind them.
    """
    starts = event.endswith("start")
    return sorted(callbacks, key=lambda c: getattr(c, "outermost", False) != starts)


def tell(callbacks: Sequence, event: str, state: EpochState) -> list:
    """Call what the callbacks have for an event; return what they said."""
    found = [getattr(callback, event, None) for callback in in_order(callbacks, event)]
    return [method(state) for method in found if method is not None]


def columns(names: Iterable[str], *, val: bool, rates: Iterable[str]) -> list[str]:
    """Name the columns of a history whose epochs give these means, such as "loss"."""
    names = list(names)
    held = [f"val_{name}" for name in names] if val else []
    trained = [f"train_{name}" for name in names]
    return ["epoch", *trained, *held, *rates, "seconds", "images_per_second"]


def check_monitors(callbacks: Sequence, known: Sequence[str], *, whole: bool) -> None:
    """Raise `ValueError` for a callback's `monitor` that no column will have.

    Where not the `whole` history is known yet, for a step may add means of its own, only
    one of the validation is asked for, which there must be.
    """
    validated = any(name.startswith("val_") for name in known)
    for callback in callbacks:
        wanted = getattr(callback, "monitor", None)
        if not isinstance(wanted, str) or wanted in known:
            continue
        without = wanted.startswith("val_") and not validated
        if whole or without:
            way_out = "hand over val, or monitor train_loss" if without else "take one"
            raise ValueError(
                f"the history will have no column {wanted!r} for "
                f"{type(callback).__name__}: {way_out}. There will be {', '.join(known)}"
            )


class _Monitor:
    """A callback that looks at one column of the history, and knows what is better."""

    def __init__(self, monitor: str, mode: str | None):
        if mode is None:
            mode = "min" if "loss" in monitor else "max"
            if "loss" not in monitor and "accuracy" not in monitor:
                raise ValueError(
                    f'say whether less of {monitor!r} is better (mode="min") or more '
                    '(mode="max")'
                )
        if mode not in ("min", "max"):
            raise ValueError(f'mode must be "min" or "max", got {mode!r}')
        self.monitor, self.mode = monitor, mode

    def best_row(self, history: pd.DataFrame) -> int | None:
        """Place of the best row, the first of equals; None where all are NaN."""
        if self.monitor not in history:
            known = ", ".join(history.columns)
            raise ValueError(f"history has no column {self.monitor!r}; it has {known}")
        values = history[self.monitor].reset_index(drop=True).dropna()
        if values.empty:
            return None
        return int(values.idxmin() if self.mode == "min" else values.idxmax())


class EarlyStopping(_Monitor):
    """Stop when a column of the history has not improved for `patience` epochs.

    `mode` says what is better, "min" or "max": by default less of a loss, more of an
    accuracy. NaN is worse than any number. `stopped` is the epoch it stopped at, or None.
    A run that goes on with a history (see `checkpoints`) is stopped before its first
    epoch where that history says so.

    >>> import torch
    >>> from course_utils.training import EarlyStopping, fit, make_loader
    >>> pairs = [(torch.ones(4), 1), (torch.zeros(4), 0)] * 4
    >>> net, loader = torch.nn.Linear(4, 2), make_loader(pairs)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    >>> stopping = EarlyStopping(patience=2)
    >>> len(fit(net, loader, loader, optimizer=optimizer, epochs=20, callbacks=stopping))
    3
    >>> stopping.stopped
    3
    """

    @checked
    def __init__(
        self,
        *,
        patience: Count = 3,
        monitor: str = "val_loss",
        mode: Literal["min", "max"] | None = None,
    ):
        super().__init__(monitor, mode)
        self.patience = patience
        self.stopped: int | None = None

    def on_fit_start(self, state: EpochState) -> str | None:
        """Return "stop" where the history of an earlier run is too long already."""
        self.stopped = None
        return self.on_epoch_end(state) if self.monitor in state.history else None

    def on_epoch_end(self, state: EpochState) -> str | None:
        """Return "stop" once the best value is `patience` epochs old."""
        best = self.best_row(state.history)
        age = len(state.history) - (0 if best is None else best + 1)
        if age < self.patience:
            return None
        self.stopped = state.epoch
        return "stop"

    def state_dict(self) -> dict[str, int | None]:
        """Return the epoch it stopped at: all else it reads off the history."""
        return {"stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, int | None]) -> None:
        """Take over what `state_dict` returned."""
        self.stopped = state_dict["stopped"]


class BestWeights(_Monitor):
    """Keep a copy of the weights of the best epoch; `restore` puts them back.

    Best by a column of the history: the least loss or the largest accuracy, of another
    column as `mode` says ("min" or "max"). NaN is worse than any number. Buffers
    (BatchNorm's statistics) belong to the copy. `epoch` is the best one, or None.

    >>> import torch
    >>> from course_utils.training import BestWeights, fit, make_loader
    >>> pairs = [(torch.ones(4), 1), (torch.zeros(4), 0)] * 4
    >>> net, loader = torch.nn.Linear(4, 2), make_loader(pairs)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> best = BestWeights(monitor="train_loss")
    >>> _ = fit(net, loader, None, optimizer=optimizer, epochs=4, callbacks=[best])
    >>> best.epoch, best.restore(net) is net
    (4, True)
    """

    @checked
    def __init__(
        self, *, monitor: str = "val_loss", mode: Literal["min", "max"] | None = None
    ):
        super().__init__(monitor, mode)
        self.epoch: int | None = None
        self._state: dict[str, Tensor] = {}

    def on_fit_start(self, state: EpochState) -> None:
        """Forget an earlier run, unless this one goes on with its history."""
        if state.history.empty:
            self.epoch, self._state = None, {}

    def on_epoch_end(self, state: EpochState) -> None:
        """Copy the weights where this epoch is the best so far."""
        if self.best_row(state.history) == len(state.history) - 1:
            self.epoch = state.epoch
            found = state.model.state_dict().items()
            self._state = {name: value.detach().clone() for name, value in found}

    def restore(self, model: nn.Module) -> nn.Module:
        """Load the best epoch's weights into the model, in place; return it.

        Raises `ValueError` where none are kept, or they are of another model.
        """
        if self.epoch is None:
            raise ValueError(
                f"no epoch's weights are kept: no epoch has ended with a {self.monitor}, "
                "or the best one lies before a history that the run went on with. Hand "
                "this to fit(callbacks=[…]), and to load_checkpoint(callbacks=[…]) too"
            )
        try:
            model.load_state_dict(self._state)
        except RuntimeError as error:
            raise ValueError(
                f"the weights of epoch {self.epoch} are those of another model: {error}"
            ) from error
        return model

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch and a reference to its weights."""
        return {"epoch": self.epoch, "weights": self._state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.epoch, self._state = state_dict["epoch"], dict(state_dict["weights"])
