"""One forward pass watched: which layer runs when, with what shapes, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from course_utils.errors import CannotInspect
from course_utils.meta_tensors import (
    check_input_size,
    check_model,
    default_input_size,
    dtype_of,
    image_batch,
    meta_copy,
)
from course_utils.runtime import generators_kept

__all__ = ["Call", "Source", "Trace", "sources", "tensors_in", "trace"]

BATCH = 2  # some layers refuse a batch of one


@dataclass
class Call:
    """What one module did: shapes of its first call, without the batch, and totals.

    >>> from course_utils.tracing import trace
    >>> from course_utils.weights import load_backbone
    >>> call = trace(load_backbone("test_resnet", weights="bundled")).calls["fc"]
    >>> call.calls, call.input_shape, call.output_shape, call.macs
    (1, (96,), (28,), 2688)
    """

    path: str
    order: int
    calls: int = 0
    input_shape: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] | None = None
    macs: int = 0  # of the module itself, without its children, for one image
    output_bytes: int = 0


@dataclass
class Trace:
    """All calls by path, in the order in which the modules began to run.

    >>> from torch import nn
    >>> from course_utils.tracing import trace
    >>> found = trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), input_size=(3, 32, 32))
    >>> list(found.calls), found.output_shapes
    (['', '0', '1'], [(2, 8, 30, 30)])
    """

    input_size: tuple[int, int, int]
    output_shapes: list[tuple[int, ...]] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)


def trace(model: nn.Module, *, input_size: tuple[int, int, int] | None = None) -> Trace:
    """Run a copy of a model on meta tensors in eval mode and record every module.

    The model keeps its mode, device, buffers, hooks and weights. A model that cannot run
    on tensors without values raises `CannotInspect`, which names the layer and the cause.

    >>> from course_utils.tracing import trace
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled")
    >>> found = trace(model, input_size=(3, 96, 96))
    >>> found.calls["layer4"].output_shape, found.output_shapes
    ((96, 3, 3), [(2, 28)])
    """
    check_model(model)
    size = default_input_size(model) if input_size is None else input_size
    return trace_meta(meta_copy(model), input_size=check_input_size(size))


def trace_meta(model: nn.Module, *, input_size: tuple[int, int, int]) -> Trace:
    """Record every module of a model that is already on meta, and may be changed."""
    model.eval().requires_grad_(False)
    found = Trace(input_size)
    counter = MacCounter()
    recorder = _Recorder(found, counter)
    for path, module in model.named_modules():
        recorder.watch(path, module)
    outputs = _run(model, input_size, counter, recorder)
    found.output_shapes = [tuple(out.shape) for out in tensors_in(outputs)]
    return found


class MacCounter(TorchDispatchMode):
    """Count multiply-accumulates by torch's own formulas; take short cuts on meta.

    `flops` is what `torch.utils.flop_counter` would say: twice the MACs. Batch
    normalisation and activations give a tensor like their input; on meta tensors torch
    would go through each of their steps in Python to find that out.
    """

    def __init__(self):
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        operator = func.overloadpacket
        if operator in _LIKE_INPUT:
            return torch.empty_like(args[0])
        if operator in _IN_PLACE:
            return args[0]
        if operator in _NORMS:
            return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
        output = func(*args, **(kwargs or {}))
        if operator in flop_registry:
            count = flop_registry[operator]
            self.flops += count(*args, **(kwargs or {}), out_val=output)
        return output


_aten = torch.ops.aten
_ACTIVATIONS = ("relu", "silu", "gelu", "hardtanh", "hardswish", "hardsigmoid", "sigmoid",
                "leaky_relu", "tanh", "elu")  # fmt: skip
_LIKE_INPUT = {getattr(_aten, name) for name in _ACTIVATIONS}
_IN_PLACE = {getattr(_aten, f"{name}_") for name in _ACTIVATIONS}
_NORMS = {_aten._native_batch_norm_legit_no_training, _aten.native_batch_norm,
          _aten.native_layer_norm, _aten.native_group_norm}  # fmt: skip


def _run(
    model: nn.Module,
    input_size: tuple[int, int, int],
    counter: MacCounter,
    recorder: _Recorder,
    pixels: Tensor | None = None,
) -> Any:
    """Run a meta model on one batch; a failure becomes a `CannotInspect`."""
    batch = image_batch(input_size, BATCH, dtype=dtype_of(model))
    try:
        with (
            generators_kept(),
            torch.inference_mode(False),
            torch.device("meta"),
            counter,
        ):
            return model(batch if pixels is None else batch + pixels)
    except Exception as error:  # whatever a foreign forward raises without values
        cause = str(error).strip().splitlines() or [type(error).__name__]
        raise CannotInspect(
            f"{type(model).__name__} cannot run on a batch of {tuple(batch.shape)} "
            f"without values in {recorder.innermost()}: {cause[0][:200]}. Give the "
            "input_size it was made for; a model whose steps depend on values cannot be "
            "inspected"
        ) from error


class _Recorder:
    """Hooks on every module, and the stack of those that run."""

    def __init__(self, found: Trace, counter: MacCounter):
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

    def _begin(self, path: str, args: tuple, kwargs: dict) -> None:
        calls = self.found.calls
        call = calls.setdefault(path, Call(path, order=len(calls)))
        if not call.calls:
            call.input_shape = _first_shape((args, kwargs))
        call.calls += 1
        self.stack.append([path, self.counter.flops, 0])

    def _end(self, output: Any) -> None:
        path, start, inner = self.stack.pop()
        spent = self.counter.flops - start
        if self.stack:
            self.stack[-1][2] += spent
        call = self.found.calls[path]
        call.macs += (spent - inner) // (2 * BATCH)
        call.output_bytes += sum(t.nbytes for t in tensors_in(output)) // BATCH
        if call.calls == 1:
            call.output_shape = _first_shape(output)


def tensors_in(value: Any) -> list[Tensor]:
    """List the tensors in nested lists, tuples, mappings and dataclasses.

    >>> import torch
    >>> from course_utils.tracing import tensors_in
    >>> len(tensors_in({"logits": torch.zeros(2, 5), "hidden": [torch.zeros(2, 8), None]}))
    2
    """
    if isinstance(value, Tensor):
        return [value]
    if is_dataclass(value) and not isinstance(value, Mapping | type):
        value = [getattr(value, part.name) for part in fields(value)]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in tensors_in(item)]


def _first_shape(value: Any) -> tuple[int, ...] | None:
    """Shape of the first tensor, without the batch dimension."""
    found = tensors_in(value)
    return tuple(found[0].shape[1:]) if found else None


# -- what an output comes from -----------------------------------------------------------

_OF_THE_BODY = ("Relu", "LeakyRelu", "Elu", "Gelu", "Silu", "Mish", "Hardtanh", "Hardswish",
                 "Softplus", "Threshold", "Tanh")  # fmt: skip
_ACTIVATED = {f"{name}Backward0" for name in _OF_THE_BODY}


@dataclass(frozen=True)
class Source:
    """The layers with weights that one output comes from, with none in between.

    `before` are those that feed them; `activated` tells whether an activation such as
    ReLU stands between them and the output.

    >>> from torch import nn
    >>> from course_utils.tracing import sources
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 5), nn.ReLU())
    >>> sources(net)
    [Source(shape=(2, 5), paths=('1',), before=frozenset(), activated=True)]
    """

    shape: tuple[int, ...]
    paths: tuple[str, ...]
    before: frozenset[str]
    activated: bool


def sources(model: nn.Module) -> list[Source]:
    """Find the layers that each output comes from, on meta tensors in eval mode.

    The graph that torch's autograd keeps is followed from the output back to the first
    parameters. Of an output with `logits`, as transformers names them, only those count.
    The model is not touched; one that cannot run raises `CannotInspect`.

    >>> from course_utils.tracing import sources
    >>> from course_utils.weights import load_backbone
    >>> [source] = sources(load_backbone("test_resnet", weights="bundled"))
    >>> source.paths, source.activated, len(source.before)
    (('fc',), False, 30)
    """
    size = default_input_size(model)
    copied = meta_copy(model).eval()
    counter = MacCounter()
    recorder = _Recorder(Trace(size), counter)
    with torch.inference_mode(False), torch.enable_grad():
        owners = _learning(copied)
        pixels = torch.zeros((), device="meta", requires_grad=True)
        outputs = _run(copied, size, counter, recorder, pixels)
        if isinstance(outputs, Mapping) and "logits" in outputs:
            outputs = outputs["logits"]
        given = [out for out in tensors_in(outputs) if out.grad_fn is not None]
        return [_source(output, pixels, owners) for output in given]


def _learning(model: nn.Module) -> dict[int, str]:
    """Let all parameters of a meta model learn; return whose they are, by their ids."""
    owners: dict[int, str] = {}
    for path, module in model.named_modules():
        weight = vars(module).get("weight")  # of the old weight_norm: made by a hook
        for tensor in (*module.parameters(recurse=False), weight):
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                tensor.requires_grad_()
                owners.setdefault(id(tensor), path)
    return owners


def _source(output: Tensor, pixels: Tensor, owners: dict[int, str]) -> Source:
    """Follow one output back to the layers that it comes from."""
    nodes = _reached([output.grad_fn], _children)
    parents: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for child in _children(node):
            parents[child].append(node)
    inputs = [node for node in nodes if getattr(node, "variable", None) is pixels]
    from_pixels = _reached(inputs, parents.__getitem__)

    def before(node: Node) -> list[Node]:
        return [child for child in _children(node) if child in from_pixels]

    def weights(node: Node) -> list[Tensor]:
        beside = [child for child in _children(node) if child not in from_pixels]
        leaves = [getattr(n, "variable", None) for n in _reached(beside, _children)]
        return [leaf for leaf in leaves if leaf is not None and leaf.numel() > 1]

    def paths(some: Iterable[Node]) -> list[str]:
        return [owners.get(id(weight), "") for node in some for weight in weights(node)]

    passed = _reached([output.grad_fn], lambda n: [] if weights(n) else before(n))
    last = [node for node in passed if weights(node)]
    deeper = _reached([child for node in last for child in before(node)], before)
    return Source(
        tuple(output.shape),
        tuple(dict.fromkeys(paths(last))),
        frozenset(paths(deeper)),
        any(node.name() in _ACTIVATED for node in passed),
    )


def _children(node: Node) -> list[Node]:
    return [child for child, _ in node.next_functions if child is not None]


def _reached(starts: list[Node], follow: Callable[[Node], list[Node]]) -> dict:
    """Go through a graph from some nodes on; the nodes met, in order, as keys."""
    found = dict.fromkeys(starts)
    for node in (todo := list(found)):  # grows while it is gone through
        for other in follow(node):
            if other not in found:
                found[other] = None
                todo.append(other)
    return found
