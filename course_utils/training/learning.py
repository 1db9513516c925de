"""Whether what learns is what the optimiser holds, and what the schedulers steer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from course_utils.run_state import modules_of, parameters_of
from course_utils.training.batches import check_model
from course_utils.training.outputs import Step


@runtime_checkable
class Scheduler(Protocol):
    """What steps a rate: torch's schedulers, and those of Accelerate and timm."""

    def step(self, *args: Any) -> None:
        """Set the next rate."""


def check_optimizer(optimizer: Any) -> None:
    """Raise `TypeError` for what is no optimiser."""
    if not hasattr(optimizer, "param_groups") or isinstance(optimizer, type):
        raise TypeError(
            f"optimizer is a {type(optimizer).__name__}: make one, such as "
            "torch.optim.AdamW(param_groups(model, 1e-3))"
        )


def check_learns(
    model: nn.Module, optimizer: Optimizer, *, all_of_it: bool = True
) -> None:
    """Raise `ValueError` where the optimiser lacks a parameter that learns.

    Those it names would never move. Without `all_of_it`, one that it holds is enough.
    What an optimiser holds besides (weights of a loss) is its own affair.

    >>> import torch
    >>> from course_utils.training import check_learns
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
    >>> check_learns(net, torch.optim.SGD(net[1].parameters()))
    Traceback (most recent call last):
    ValueError: the optimizer lacks 2 of 4 parameters that learn (0.weight, 0.bias)...
    """
    check_model(model)
    check_optimizer(optimizer)
    own = dict(model.named_parameters())
    learning = [name for name, parameter in own.items() if parameter.requires_grad]
    if not learning:
        what = "every parameter is frozen" if own else "the model has no parameters"
        raise ValueError(
            f"nothing is trainable: {what}. Replace the head, or unfreeze a stage"
        )
    held = {id(parameter) for parameter in parameters_of(optimizer)}
    absent = [name for name in learning if id(own[name]) not in held]
    if absent and (all_of_it or len(absent) == len(learning)):
        raise ValueError(_absent(absent, len(learning), held, own))


def _absent(absent: list[str], learning: int, held: set[int], own: dict) -> str:
    few = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
    strange = len(held - {id(parameter) for parameter in own.values()})
    other = f" It holds {strange} that are not the model's." if strange else ""
    return (
        f"the optimizer lacks {len(absent)} of {learning} parameters that learn ({few}), "
        f"which would never move.{other} Make it anew, after replace_head and unfreeze, "
        "with all parameters: model.parameters(), or param_groups(model, lr)"
    )


@contextmanager
def forgotten_refused(step: Step, optimizer: Optimizer) -> Iterator[None]:
    """Refuse, at its first gradient, what learns in a step and is not in the optimiser.

    That is the step's own parameters where it is a module (a projector), and those of
    modules that it keeps as attributes (`UncertaintyWeights`). A teacher that runs without
    gradients is no such thing.
    """
    held = {id(parameter) for parameter in parameters_of(optimizer)}
    handles = [
        parameter.register_hook(partial(_refuse, what=f"{type(part).__name__}.{name}"))
        for part in modules_of(step).values()
        for name, parameter in part.named_parameters()
        if parameter.requires_grad and id(parameter) not in held
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _refuse(gradient: Tensor, *, what: str) -> None:
    raise ValueError(
        f"{what} learns beside the model and is not in the optimizer, so it would stay as "
        "it is: add a group for it, {'params': list(weights.parameters())}; or run it "
        "under torch.no_grad() where it is not to learn"
    )


def check_scheduler(scheduler: Any, optimizer: Optimizer, name: str) -> None:
    """Raise where a scheduler steers another optimiser, or needs what it is not told."""
    if scheduler is None:
        return
    if not callable(getattr(scheduler, "step", None)):
        raise TypeError(f"{name} is a {type(scheduler).__name__}, not a scheduler")
    steered = getattr(scheduler, "optimizer", optimizer)
    if getattr(steered, "param_groups", own := optimizer.param_groups) is not own:
        raise ValueError(
            f"{name} steers another optimizer, so the rates would stay as they are: make "
            "it anew for this one"
        )
    if name == "batch_scheduler" and isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError(
            "ReduceLROnPlateau looks at an epoch's score: hand it over as scheduler"
        )


def step_scheduler(scheduler: Any, row: dict[str, float]) -> None:
    """Step a scheduler at the end of an epoch, with its score where it asks for one.

    `ReduceLROnPlateau` sees the loss with mode "min" and the accuracy with "max", of the
    validation where there is one.
    """
    if not isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step()
        return
    what = "loss" if scheduler.mode == "min" else "accuracy"
    scheduler.step(row.get(f"val_{what}", row[f"train_{what}"]))


def group_rates(optimizer: Optimizer) -> dict[str, float]:
    """Name the rates as a history does: `lr` is the last group's, `lr_<group>` each one's.

    Where there is one group, `lr` is all. A group without weight decay that goes with
    another (see `param_groups`) has its rate.
    """
    groups = optimizer.param_groups
    rates = {"lr": float(groups[-1]["lr"])}
    if len(groups) > 1:
        for place, group in enumerate(groups):
            name = str(group.get("name", place)).removesuffix(", no decay")
            rates.setdefault(f"lr_{name}", float(group["lr"]))
    return rates
