"""From losses to updates: gradients gathered over some batches, bounded, applied."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.run_state import parameters_of
from course_utils.training.batches import waits
from course_utils.training.engine import Engine


class Updates:
    """The updates of one epoch.

    Gradients are added up over `engine.accumulate` batches, each picture counting alike,
    and divided before the step by what they were weighed with.
    """

    def __init__(
        self,
        engine: Engine,
        learner: nn.Module,
        optimizer: Optimizer,
        *,
        clip_norm: float | None,
        scheduler: Any,
        batches: int | None,
    ):
        self._engine, self._learner, self._optimizer = engine, learner, optimizer
        self._clip_norm, self._scheduler = clip_norm, scheduler
        self._batches, self._number = batches, 0  # of the epoch, and how many came
        self._taken, self._weight, self._unit = 0, 0.0, 1.0

    def add(self, loss: Tensor, count: int, mean: float) -> None:
        """Add a batch's gradient; step where its window is full."""
        if self.backward(loss, count, mean):
            self.finish()

    def backward(self, loss: Tensor, count: int, mean: float) -> bool:
        """Add a batch's gradient; tell whether its window is full.

        `count` is its pictures, `mean` that over the processes.
        """
        if not self._taken:
            self._optimizer.zero_grad()
            self._weight, self._unit = 0.0, mean
        last = self._number + 1 == self._batches
        full = self._taken + 1 == self._engine.accumulate or last
        self._backward(loss, count / self._unit, quiet=not full)
        self._number, self._taken = self._number + 1, self._taken + 1
        self._weight += mean / self._unit
        return full

    def finish(self) -> None:
        """Step with what has been added, if anything has."""
        if not self._taken:
            return
        self._taken = 0
        scaler = self._engine.scaler(self._parameters[0].device)
        if scaler is not None:
            scaler.unscale_(self._optimizer)
        if self._weight != 1:
            for parameter in self._parameters:
                if parameter.grad is not None:
                    parameter.grad.div_(self._weight)
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        if self._stepped(scaler) and self._scheduler is not None:
            self._scheduler.step()

    @property
    def _parameters(self) -> list[nn.Parameter]:
        return parameters_of(self._optimizer)

    def _backward(self, loss: Tensor, weight: float, *, quiet: bool) -> None:
        if not loss.requires_grad:
            raise ValueError(
                "the step's loss has no gradient: nothing that learns is in it. Return "
                "it as it is, without detach, item or no_grad"
            )
        scaler = self._engine.scaler(loss.device)
        loss = loss if weight == 1 else loss * weight
        loss = loss if scaler is None else scaler.scale(loss)
        if not quiet:
            loss.backward()
            return
        with self._engine.processes.quiet(self._learner):
            loss.backward()

    def _stepped(self, scaler: torch.amp.GradScaler | None) -> bool:
        """Step; False where float16's gradients were infinite and it was left out."""
        if scaler is None:
            self._optimizer.step()
            return True
        before = scaler.get_scale()
        scaler.step(self._optimizer)
        scaler.update()
        return scaler.get_scale() >= before


class Finite:
    """Whether the losses of an epoch are finite.

    On the CPU a loss that is not is refused before it moves a weight. Elsewhere to ask
    would wait for the device at each batch: it is asked now and then, and the weights may
    have moved by then. (`Checkpoint` and `BestWeights` keep those of the last epoch.)
    """

    def __init__(self, optimizer: Optimizer, epoch: int, precision: str):
        self._optimizer, self._epoch, self._precision = optimizer, epoch, precision
        self._first: Tensor | None = None

    def see(self, loss: Tensor, number: int) -> None:
        """Look at a batch's loss: at once on the CPU, else when `ask` is called."""
        if not waits(loss.device):
            self._refuse(loss.item(), number)
            return
        bad = torch.where(loss.detach().isfinite(), math.inf, float(number))
        self._first = bad if self._first is None else torch.minimum(self._first, bad)

    def ask(self) -> None:
        """Raise `ValueError` where a loss on another device was not finite."""
        if self._first is not None and math.isfinite(number := self._first.item()):
            self._refuse(math.nan, int(number))

    def _refuse(self, loss: float, number: int) -> None:
        if math.isfinite(loss):
            return
        rates = sorted({group["lr"] for group in self._optimizer.param_groups})
        way_out = "lower the learning rate, or look for broken inputs"
        if self._precision == "float16":
            way_out += '; float16 ends at 65504, precision="bfloat16" does not'
        raise ValueError(
            f"loss is {loss} in epoch {self._epoch}, batch {number} (lr {rates}): {way_out}"
        )
