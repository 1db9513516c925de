"""One forward pass watched: which layer runs when, with what shapes, at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.errors import CannotInspect
from course_utils.meta import default_input_size, image_batch, meta_copy

BATCH = 2  # some layers refuse a batch of one


@dataclass
class Call:
    """What one module did: shapes of its first call, without the batch, and totals."""

    path: str
    order: int
    calls: int = 0
    input_shape: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] | None = None
    macs: int = 0  # of the module itself, without its children, for one image
    output_bytes: int = 0


@dataclass
class Trace:
    """All calls by path, in the order in which the modules began to run."""

    input_size: tuple[int, int, int]
    output_shapes: list[tuple[int, ...]] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)


def trace(
    model: nn.Module,
    *,
    input_size: tuple[int, int, int] | None = None,
    count: bool = True,
) -> Trace:
    """Run a copy of a model on meta tensors in eval mode and record every module.

    The model keeps its mode, device, buffers, hooks and weights. `count=False` leaves
    out multiply-accumulates, which is faster. A model that cannot run on tensors without
    values raises `CannotInspect`, which names the layer and the cause.
    """
    size = input_size or default_input_size(model)
    return trace_meta(meta_copy(model), input_size=size, count=count)


def trace_meta(
    model: nn.Module, *, input_size: tuple[int, int, int], count: bool = True
) -> Trace:
    """Record every module of a model that is already on meta, and may be changed."""
    model.eval().requires_grad_(False)
    found = Trace(input_size)
    counter = FlopCounterMode(display=False) if count else None
    recorder = _Recorder(found, counter)
    for path, module in model.named_modules():
        recorder.watch(path, module)
    outputs = run_on_meta(model, input_size, counter, recorder)
    found.output_shapes = [tuple(out.shape) for out in tensors_in(outputs)]
    return found


def run_on_meta(model, input_size, counter=None, recorder=None) -> Any:
    """Run a meta model on one batch; a failure becomes a `CannotInspect`."""
    batch = image_batch(input_size, BATCH)
    try:
        with torch.device("meta"):
            if counter is None:
                return model(batch)
            with counter:
                return model(batch)
    except (RuntimeError, NotImplementedError, ValueError, TypeError, AssertionError,
            IndexError, AttributeError) as error:  # fmt: skip
        where = f" in {recorder.innermost()}" if recorder else ""
        name = type(model).__name__
        cause = str(error).strip().splitlines() or [type(error).__name__]
        raise CannotInspect(
            f"{name} cannot run on a batch of {tuple(batch.shape)} without values"
            f"{where}: {cause[0][:200]}. Give the input_size it was made for; a model "
            "whose steps depend on values cannot be inspected"
        ) from error


class _Recorder:
    """Hooks on every module, and the stack of those that run."""

    def __init__(self, found: Trace, counter: FlopCounterMode | None):
        self.found, self.counter = found, counter
        self.stack: list[list[Any]] = []  # [path, flops at its start, children's flops]

    def watch(self, path: str, module: nn.Module) -> None:
        def before(module, args, kwargs):
            self._begin(path, args, kwargs)

        def after(module, args, output):
            self._end(output)

        module.register_forward_pre_hook(before, with_kwargs=True)
        module.register_forward_hook(after)

    def innermost(self) -> str:
        return (self.stack[-1][0] or "the model itself") if self.stack else "the model"

    def _flops(self) -> int:
        return self.counter.get_total_flops() if self.counter else 0

    def _begin(self, path: str, args: tuple, kwargs: dict) -> None:
        calls = self.found.calls
        call = calls.setdefault(path, Call(path, order=len(calls)))
        if not call.calls:
            call.input_shape = _first_shape((args, kwargs))
        call.calls += 1
        self.stack.append([path, self._flops(), 0])

    def _end(self, output: Any) -> None:
        path, start, inner = self.stack.pop()
        spent = self._flops() - start
        if self.stack:
            self.stack[-1][2] += spent
        call = self.found.calls[path]
        call.macs += (spent - inner) // (2 * BATCH)
        call.output_bytes += sum(t.nbytes for t in tensors_in(output)) // BATCH
        if call.calls == 1:
            call.output_shape = _first_shape(output)


def tensors_in(value: Any) -> list[Tensor]:
    """List the tensors in nested lists, tuples and mappings."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in tensors_in(item)]


def _first_shape(value: Any) -> tuple[int, ...] | None:
    """Shape of the first tensor, without the batch dimension."""
    found = tensors_in(value)
    return tuple(found[0].shape[1:]) if found else None
