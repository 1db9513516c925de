"""Cut any model into ordered stages, from stem to head."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from course_utils.arguments import checked
from course_utils.errors import CannotInspect
from course_utils.heads import find_heads
from course_utils.meta_tensors import body_of, check_model, check_plain, unwrapped
from course_utils.tracing import Trace
from course_utils.tracing import trace as trace_model

_STAGE_LISTS = ("blocks", "stages", "features", "layers", "encoder", "trunk",
                "body", "trunk_output")  # fmt: skip
_WRAPPERS = ("layers", "stages", "blocks")  # within one of those
_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True, eq=False)
class LayerGroup:
    """One stage: its name, the modules and the parameters in it; is it the head?

    >>> from course_utils.layer_groups import layer_groups
    >>> from course_utils.weights import load_backbone
    >>> head = layer_groups(load_backbone("test_resnet", weights="bundled"))[-1]
    >>> head.name, head.is_head, [tuple(p.shape) for p in head.parameters]
    ('fc', True, [(28, 96), (28,)])
    """

    name: str
    modules: tuple[nn.Module, ...]
    parameters: tuple[nn.Parameter, ...]
    is_head: bool = False


@checked
def layer_groups(model: nn.Module, *, trace: Trace | None = None) -> list[LayerGroup]:
    """Cut a model into stages, stem first and head last, in order of execution.

    Each parameter is in exactly one group. A model without a head (see
    `heads.find_heads`) has those of its body. Stages are the model's children; lists of
    blocks (`features`, `stages`, `blocks`, …) are taken apart one level deep. The order
    comes from a forward pass on meta tensors, or from a `trace` of it that is at hand;
    where a model cannot be run so, from the order of registration. Parameters that
    belong to no layer (class tokens, position embeddings) join the first group; norms
    after the last stage join that stage. A model built around a net (see
    `meta_tensors.body_of`) has that net's stages, under their names in the model; one
    in DataParallel, torch.compile or another wrapper has the stages that it has without.

    Raises `CannotInspect` for scripted and quantised models, and for layers without a
    shape yet; `ValueError` for torchvision's detectors.

    >>> from course_utils.layer_groups import layer_groups
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled")
    >>> [group.name for group in layer_groups(model)]
    ['conv1', 'layer1', 'layer2', 'layer3', 'layer4', 'fc']
    """
    check_model(model)
    if (inner := unwrapped(model)) is not model:
        return layer_groups(inner)
    check_plain(model)
    heads = find_heads(model)
    in_head = {id(p) for head in heads.values() for p in head.parameters()}
    body = body_of(model)
    holders = [body, *(getattr(body, name, None) for name in _STAGE_LISTS)]
    loose = tuple(
        parameter
        for holder in holders
        if isinstance(holder, nn.Module) and (holder is body or any(holder.children()))
        for parameter in holder.parameters(recurse=False)
        if id(parameter) not in in_head
    )
    within = f"{model.course_body}." if body is not model else ""
    units = [
        (within + name, modules, parameters)
        for name, modules, parameters in _units(body, in_head | set(map(id, loose)))
    ]
    if len(units) > 1:
        units = _in_order(units, _first_calls(model, trace))
    groups = _merge_small(units)
    if loose:
        name, modules, parameters = (groups or [(type(body).__name__, (body,), ())])[0]
        groups[:1] = [(name, modules, loose + parameters)]
    found = [LayerGroup(*group) for group in groups]
    if heads:
        parameters = _unique(heads.values())
        name, modules = next(iter(heads)), tuple(heads.values())
        found.append(LayerGroup(name, modules, parameters, is_head=True))
    return found


def _first_calls(model: nn.Module, trace: Trace | None) -> dict[int, int]:
    """When each parameter is first used, by its id: the place in the order of calls."""
    if trace is None:
        try:
            trace = trace_model(model)
        except CannotInspect:
            return {}
    found: dict[int, int] = {}
    for path, module in model.named_modules():
        # An attention layer uses the weights of a part of it that it does not call.
        around = path.rpartition(".")[0]
        call = trace.calls.get(path) or (trace.calls.get(around) if around else None)
        for parameter in module.parameters(recurse=False) if call else ():
            earlier = found.get(id(parameter), call.order)
            found[id(parameter)] = min(call.order, earlier)
    return found


def _in_order(units: list, first: dict[int, int]) -> list:
    """Sort stages by first use; one that is not used stays behind its neighbour."""
    keys, last = [], -1
    for _, _, parameters in units:
        uses = [first[id(p)] for p in parameters if id(p) in first]
        last = min(uses, default=last)
        keys.append(last)
    return [units[i] for i in sorted(range(len(units)), key=keys.__getitem__)]


def _units(model: nn.Module, in_head: set[int]):
    """Yield (name, modules, parameters) of each stage that has parameters."""
    seen = set(in_head)
    for name, child in model.named_children():
        parts = [(name, child)]
        if name in _STAGE_LISTS:
            inner = child
            while len(kids := list(inner.children())) == 1 and _holds_more(kids[0]):
                inner = kids[0]
            for wrapper in _WRAPPERS:
                inner = getattr(inner, wrapper, inner)
            parts = [(f"{name}.{key}", part) for key, part in inner.named_children()]
            parts = parts or [(name, child)]
            parts.append((name, child))  # what lies beside the list of blocks
        for part_name, part in parts:
            own = tuple(p for p in part.parameters() if id(p) not in seen)
            if own:
                seen.update(map(id, own))
                yield part_name, (part,), own


def _holds_more(module: nn.Module) -> bool:
    """Tell a list of blocks, which can be opened, from a block that is alone in one."""
    return isinstance(module, _LISTS) or any(
        isinstance(getattr(module, name, None), _LISTS) for name in _WRAPPERS
    )


def _merge_small(units: list) -> list:
    """Join the stem's convolution with its norm, and a last norm with its stage."""
    groups: list = []
    for name, modules, parameters in units:
        is_norm = all(p.ndim == 1 for p in parameters)
        if groups and is_norm:
            before = groups[-1]
            groups[-1] = (before[0], before[1] + modules, before[2] + parameters)
        else:
            groups.append((name, modules, parameters))
    return groups


def _unique(modules) -> tuple[nn.Parameter, ...]:
    found = {id(p): p for module in modules for p in module.parameters()}
    return tuple(found.values())


def named_stages(
    groups: list[LayerGroup], names: str | Iterable[str]
) -> list[LayerGroup]:
    """Pick stages by name, in the order asked for; an unknown name lists the known."""
    return [groups[index_of(groups, name)] for name in names_of(names)]


def names_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return names as a tuple; a string is one name, not its letters.

    >>> from course_utils.layer_groups import names_of
    >>> names_of("layer4"), names_of(["layer4", "fc"])
    (('layer4',), ('layer4', 'fc'))
    """
    if isinstance(names, str):
        return (names,)
    found = tuple(names) if isinstance(names, Iterable) else (None,)
    if not all(isinstance(name, str) for name in found):
        raise ValueError(f"stages are names, such as ['layer4', 'fc'], got {names!r}")
    return found


def index_of(groups: list[LayerGroup], name: str) -> int:
    """Return a stage's place, 0 for the stem; an unknown name lists the known."""
    names = [group.name for group in groups]
    check_stage_names([name], names)
    return names.index(name)


def check_stage_names(
    wanted: Iterable[str],
    known: Sequence[str],
    *,
    error: type[Exception] = ValueError,
) -> None:
    """Raise an error for a name that is no stage; it lists the known ones.

    >>> from course_utils.layer_groups import check_stage_names
    >>> check_stage_names(["layer5"], ["layer4", "fc"])
    Traceback (most recent call last):
        ...
    ValueError: no stage 'layer5'; stages are layer4, fc
    """
    if unknown := [name for name in wanted if name not in known]:
        raise error(f"no stage {unknown[0]!r}; stages are {', '.join(known)}")
