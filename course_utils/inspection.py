"""Look into a model: its layers in the order they run, what they cost, what they keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
import torch
from torch import nn
from torch.nn.modules import activation, conv, pooling
from torch.nn.modules.batchnorm import _NormBase

from course_utils.arguments import Count, check_argument, checked
from course_utils.errors import CannotInspect
from course_utils.layer_groups import (
    LayerGroup,
    check_stage_names,
    layer_groups,
    names_of,
)
from course_utils.memory import StorageMeter, state_bytes, tensor_bytes
from course_utils.meta_tensors import (
    build_on_meta,
    check_input_size,
    check_model,
    default_input_size,
    dtype_of,
    image_batch,
    meta_copy,
    unwrapped,
)
from course_utils.runtime import generators_kept
from course_utils.tracing import Call, Trace, tensors_in, trace_meta

KINDS = ("conv", "pool", "norm", "activation", "attention", "fc", "block", "head",
         "other")  # fmt: skip
OPTIMIZERS = {"sgd": 1, "adam": 2}  # tensors kept for each trainable value
MODES = ("inference", "frozen", "full")


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a step needs, part by part.

    `activations` is the most that lives at once during the forward pass, the input batch
    included: in training, nearly all of it is kept for the backward pass. `total` is
    the sum of the parts. `peak` is the most that lives at once where `zero_grad()`
    frees the gradients before each step, as it does by default.

    >>> from course_utils.inspection import inspect_model
    >>> report = inspect_model("resnet50")
    >>> for mode in ("full", "frozen", "inference"):
    ...     print(mode, f"{report.memory(32, mode=mode).peak / 2**30:.1f} GiB")
    full 2.8 GiB
    frozen 0.4 GiB
    inference 0.4 GiB
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    peak: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations


@dataclass(eq=False)
class ModelReport:
    """What `inspect_model` found: a table of layers, one of stages, and totals.

    >>> from course_utils.inspection import inspect_model
    >>> report = inspect_model("resnet18")
    >>> f"{report.num_params:,} parameters, {report.macs:,} MACs"
    '11,689,512 parameters, 1,814,073,344 MACs'
    >>> print(report.stages[["stage", "output_shape", "params"]].tail(2))
        stage output_shape   params
    4  layer4  (512, 7, 7)  8393728
    5      fc      (1000,)   513000
    """

    name: str
    input_size: tuple[int, int, int]
    layers: pd.DataFrame
    groups: list[LayerGroup] = field(repr=False)
    model: nn.Module = field(repr=False)  # a copy on meta, without weights
    trace: Trace = field(repr=False)

    @property
    def num_params(self) -> int:
        return int(self.layers["params"].sum())

    @property
    def trainable_params(self) -> int:
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image; a FLOP count is twice as much."""
        return int(self.layers["macs"].sum())

    @property
    def stage_names(self) -> list[str]:
        """Names of the stages, stem first, head last."""
        return [group.name for group in self.groups]

    @cached_property
    def stages(self) -> pd.DataFrame:
        """The stages, stem first: shape that leaves them, layers, costs, trainable."""
        paths = {id(module): path for path, module in self.model.named_modules()}
        rows = []
        for group in self.groups:
            held = [paths[id(module)] for module in group.modules]
            rows.append(_stage_row(self.layers, group.name, held, self.trace))
        return pd.DataFrame(rows)

    def memory(
        self,
        batch_size: int = 1,
        *,
        mode: str = "full",
        optimizer: str = "sgd",
        frozen: str | Iterable[str] | None = None,
    ) -> MemoryEstimate:
        """Predict the memory of tensors for one step at a batch size.

        `mode` is "inference", "frozen" (only the head learns) or "full" (everything
        does); `frozen` names stages instead. `optimizer` is "sgd" (with momentum, one
        value kept for each that learns) or "adam" (two). The step is run on meta
        tensors: what each operator keeps is counted, not guessed. What an allocator
        or a convolution's workspace takes besides is not in it.
        """
        check_argument(batch_size, Count, "batch_size")
        for name, value, known in (
            ("optimizer", optimizer, tuple(OPTIMIZERS)),
            ("mode", mode, MODES),
        ):
            if value not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}"
                )
        weights = state_bytes(self.model)
        if mode == "inference":
            peak = self._inference_peak(batch_size)
            return MemoryEstimate(weights, 0, 0, peak, weights + peak)
        stages = frozenset(self._frozen(mode, frozen))
        forward, peak = self._training_bytes(batch_size, stages)
        learn = [g for g in self.groups if g.name not in stages]
        gradients = tensor_bytes(p for group in learn for p in group.parameters)
        state = OPTIMIZERS[optimizer] * gradients
        return MemoryEstimate(
            weights, gradients, state, forward, weights + state + peak
        )

    def _frozen(self, mode: str, frozen: str | Iterable[str] | None) -> list[str]:
        if frozen is not None:
            frozen = list(names_of(frozen))
            check_stage_names(frozen, self.stage_names)
            return frozen
        body = [group.name for group in self.groups if not group.is_head]
        return body if mode == "frozen" else []

    def _inference_peak(self, batch_size: int) -> int:
        model = meta_copy(self.model).eval()
        meter = StorageMeter()
        with _on_meta(), torch.no_grad(), meter:
            model(image_batch(self.input_size, batch_size, dtype=dtype_of(model)))
        return meter.peak

    def _training_bytes(self, batch_size: int, frozen: frozenset[str]) -> tuple:
        """The most that lives at once in the forward pass, and in the whole step."""
        key = (batch_size, frozen)
        if key not in self._measured:
            self._measured[key] = _training_step(
                meta_copy(self.model), self._flags(frozen), self.input_size, batch_size
            )
        return self._measured[key]

    @cached_property
    def _measured(self) -> dict:
        return {}

    def _flags(self, frozen: frozenset[str]) -> list[bool]:
        still = {id(p) for g in self.groups if g.name in frozen for p in g.parameters}
        return [id(p) not in still for p in self.model.parameters()]


@checked(own=("input_size",))
def inspect_model(
    model: nn.Module | str, *, input_size: tuple[int, int, int] | None = None
) -> ModelReport:
    """Inspect a model, or an architecture by name, on tensors without values.

    Nothing of the model changes: mode, device, buffers, hooks, weights; nor do the
    random generators. `input_size` is (C, H, W), or whatever size one input has, by
    default what the model is meant for. The layers' columns: `path`, `type`, `kind` (of
    KINDS), `stage`, `input_shape` and `output_shape` (of the first call, without the
    batch), `params` (a shared parameter counts once), `macs` (for one image),
    `activation_bytes` (of the output, one image, in the model's own type), `trainable`
    ("all", "partly", "no", or "" without parameters), `called`, `shared`. Layers that
    did not run in eval mode stand at the end. A model needs no head for it.

    Raises `UnknownModel` with the nearest names, `ValueError` for no size, and
    `CannotInspect` with the layer and the cause where a model cannot run without values.

    >>> from course_utils.inspection import inspect_model
    >>> layers = inspect_model("resnet18").layers
    >>> print(layers[["path", "kind", "output_shape", "params", "macs"]].head(3))
        path        kind    output_shape  params       macs
    0  conv1        conv  (64, 112, 112)    9408  118013952
    1    bn1        norm  (64, 112, 112)     128          0
    2   relu  activation  (64, 112, 112)       0          0
    """
    size = None if input_size is None else check_input_size(input_size)
    if not isinstance(model, str):
        check_model(model)
        model = unwrapped(model)
    copy = _by_name(model, size) if isinstance(model, str) else meta_copy(model)
    name = model if isinstance(model, str) else _name_of(model)
    flags = [p.requires_grad for p in copy.parameters()]
    size = size or default_input_size(copy)
    found = trace_meta(meta_copy(copy), input_size=size)
    groups = layer_groups(copy, trace=found) or [LayerGroup(name, (copy,), ())]
    for parameter, flag in zip(copy.parameters(), flags, strict=True):
        parameter.requires_grad_(flag)
    layers = _layer_table(copy, found, groups)
    return ModelReport(name, size, layers, groups, copy, found)


def _by_name(name: str, input_size: tuple[int, int, int] | None) -> nn.Module:
    """Build by name, at another image size where the architecture asks for it."""
    model = build_on_meta(name)
    if input_size is None or input_size == default_input_size(model):
        return model
    options = {}
    if hasattr(model, "image_size"):
        options = {"image_size": input_size[-1]}
    elif getattr(getattr(model, "patch_embed", None), "strict_img_size", False):
        options = {"img_size": input_size[1:]}
    return build_on_meta(name, **options) if options else model


def _name_of(model: nn.Module) -> str:
    if info := getattr(model, "weights_info", None):
        return info.model_name
    config = getattr(model, "pretrained_cfg", None) or {}
    return config.get("architecture") or type(model).__name__


def _layer_table(
    model: nn.Module, found: Trace, groups: list[LayerGroup]
) -> pd.DataFrame:
    modules = dict(model.named_modules())
    heads = [m for group in groups if group.is_head for m in group.modules]
    in_head = {id(m) for head in heads for m in head.modules()}
    stage_of = _stage_of_module(groups)
    shared = _shared(model)
    counted: set[int] = set()
    names = [group.name for group in groups]
    rows, stage = [], names[0]
    last = _last_of_the_body(modules, stage_of, found, names[-1])
    ran = sorted(found.calls.values(), key=lambda call: call.order)
    idle = [Call(path, order=-1) for path in modules if path not in found.calls]
    for call in [*ran, *idle]:
        module = modules[call.path]
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        if not _has_row(module, call):
            continue
        counted.update(map(id, own))
        stage = stage_of.get(id(module), names[-1] if call.order > last else stage)
        rows.append(
            {
                "path": call.path,
                "type": type(module).__name__,
                "kind": "head" if id(module) in in_head else kind_of(module),
                "stage": stage,
                "input_shape": call.input_shape,
                "output_shape": call.output_shape,
                "params": sum(p.numel() for p in own),
                "macs": call.macs,
                "activation_bytes": call.output_bytes,
                "trainable": trainable(list(module.parameters(recurse=False))),
                "called": call.calls > 0,
                "shared": id(module) in shared,
            }
        )
    return pd.DataFrame(rows)


def _last_of_the_body(modules, stage_of, found: Trace, head: str) -> int:
    """When the last layer of a stage before the head began; pooling after it is head."""
    own = [c.order for c in found.calls.values()
           if stage_of.get(id(modules[c.path]), head) != head]  # fmt: skip
    return max(own, default=-1)


def _stage_of_module(groups: list[LayerGroup]) -> dict[int, str]:
    """The stage of each module, by its id; a smaller holder beats one around it."""
    holders = [
        (group.name, list(m.modules())) for group in groups for m in group.modules
    ]
    holders.sort(key=lambda holder: -len(holder[1]))
    return {id(module): name for name, inside in holders for module in inside}


def _has_row(module: nn.Module, call: Call) -> bool:
    """A row for each layer, and for each container that does work of its own."""
    if next(module.parameters(recurse=False), None) is not None or call.macs:
        return True
    return not next(module.children(), None) and not isinstance(module, nn.Identity)


def _shared(model: nn.Module) -> set[int]:
    """Modules that stand at several places, or that share a parameter."""
    owners: dict[int, set[int]] = {}
    places: dict[int, int] = {}
    for _, module in model.named_modules(remove_duplicate=False):
        places[id(module)] = places.get(id(module), 0) + 1
        for parameter in module.parameters(recurse=False):
            owners.setdefault(id(parameter), set()).add(id(module))
    several = [m for found in owners.values() if len(found) > 1 for m in found]
    return {m for m, count in places.items() if count > 1} | set(several)


def kind_of(module: nn.Module) -> str:
    """Name the kind of a layer, one of KINDS, from its class.

    >>> from torch import nn
    >>> from course_utils.inspection import kind_of
    >>> [kind_of(layer) for layer in (nn.Conv2d(3, 8, 3), nn.LayerNorm(8), nn.GELU())]
    ['conv', 'norm', 'activation']
    """
    name = type(module).__name__.lower()
    if isinstance(module, conv._ConvNd):
        return "conv"
    if isinstance(module, nn.Linear):
        return "fc"
    if (
        isinstance(module, nn.MultiheadAttention)
        or "attn" in name
        or "attention" in name
    ):
        return "attention"
    if isinstance(module, _NormBase) or "norm" in name:
        return "norm"
    if type(module).__module__ == pooling.__name__ or "pool" in name:
        return "pool"
    if type(module).__module__ == activation.__name__ or _is_activation(module):
        return "activation"
    return "block" if next(module.children(), None) else "other"


def _is_activation(module: nn.Module) -> bool:
    return "timm.layers.activations" in type(module).__module__


def trainable(parameters: list[nn.Parameter]) -> str:
    """Say whether "all", "partly" or "no" parameters learn; "" where there are none.

    >>> from torch import nn
    >>> from course_utils.inspection import trainable
    >>> net = nn.Sequential(nn.Linear(8, 8).requires_grad_(False), nn.Linear(8, 5))
    >>> trainable([*net.parameters()]), trainable([*net[0].parameters()]), trainable([])
    ('partly', 'no', '')
    """
    flags = {p.requires_grad for p in parameters}
    if not flags:
        return ""
    return {(True,): "all", (False,): "no"}.get(tuple(flags), "partly")


def _stage_row(layers: pd.DataFrame, name: str, held: list[str], found: Trace) -> dict:
    inside = layers[layers["stage"] == name]
    words = set(inside["trainable"]) - {""}
    return {
        "stage": name,
        "output_shape": _leaving(inside, held, found),
        "layers": len(inside),
        "params": int(inside["params"].sum()),
        "macs": int(inside["macs"].sum()),
        "activation_bytes": int(inside["activation_bytes"].sum()),
        "trainable": words.pop() if len(words) == 1 else ("partly" if words else ""),
    }


def _leaving(
    inside: pd.DataFrame, held: list[str], found: Trace
) -> tuple[int, ...] | None:
    """The shape that leaves a stage: its last layer's, or the module's around that.

    A dense block puts together what its layers gave, so its own output counts.
    """
    ran = inside[inside["called"] & inside["output_shape"].notna()]
    if ran.empty:
        return None
    last = ran.iloc[-1]
    around = [path for path in held if path and last["path"].startswith(f"{path}.")]
    shapes = [found.calls[path].output_shape for path in around if path in found.calls]
    return next((shape for shape in shapes if shape), last["output_shape"])


@contextmanager
def _on_meta() -> Iterator[None]:
    """Run a meta model so that nothing is left behind, whatever mode the caller is in."""
    with generators_kept(), torch.inference_mode(False), torch.device("meta"):
        yield


def _training_step(model, flags, input_size, batch_size) -> tuple[int, int]:
    """Run a step of a meta model; most bytes alive in the forward pass, and in all."""
    for parameter, flag in zip(model.parameters(), flags, strict=True):
        parameter.requires_grad_(flag)
    model.train()
    meter = StorageMeter()
    try:
        with _on_meta(), meter:
            batch = image_batch(input_size, batch_size, dtype=dtype_of(model))
            outputs = (t for t in tensors_in(model(batch)) if t.is_floating_point())
            loss = sum(output.mean() for output in outputs)
            forward = meter.peak
            if isinstance(loss, torch.Tensor) and loss.requires_grad:
                loss.backward()
    except (RuntimeError, ValueError, TypeError) as error:
        cause = next(iter(str(error).splitlines()), type(error).__name__)
        raise CannotInspect(
            f"{type(model).__name__} cannot run a training step of {batch_size} pictures "
            f"of {input_size}: {cause[:200]}. Try another batch_size "
            "or input_size"
        ) from error
    return forward, meter.peak
