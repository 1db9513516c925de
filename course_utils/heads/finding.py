"""Find the classifier of a model: the layer that its output comes from."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules import activation
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from course_utils.activations import layout_of
from course_utils.arguments import checked
from course_utils.errors import CannotInspect
from course_utils.meta_tensors import check_model, check_plain, unwrapped
from course_utils.tracing import Source, sources, trace

Head = nn.Linear | nn.Conv2d
AUXILIARY = {"AuxLogits.fc", "aux1.fc2", "aux2.fc2"}  # Inception v3, GoogLeNet
TIMM_AUX = "aux_head"  # VOLO's, which it adds to the main one
_DETECTORS = "torchvision.models.detection"


@checked
def find_heads(model: nn.Module) -> dict[str, nn.Module]:
    """Return the classifier(s) by name, the main one first; none is an empty result.

    timm models say which they are (several where a model is distilled or has one for
    each stage); its encoders have none. In other models it is the Linear or Conv2d that
    the output comes from, as a pass on meta tensors shows, with no norm and no
    activation such as ReLU or tanh in between: after `model.fc = nn.Identity()` there is
    none. Where a model cannot run so, it is the last one registered, unless a norm or an
    Identity follows. Auxiliary classifiers of GoogLeNet and Inception, which only run in
    training, count too. After `replace_head` it is the new head, whole. In DataParallel,
    torch.compile and other wrappers it is that of the net within.

    Raises `CannotInspect` for scripted and quantised models, and for layers without a
    shape yet; `ValueError` for torchvision's detectors, which have no one head.

    >>> from course_utils.heads import find_heads
    >>> from course_utils.meta_tensors import build_on_meta
    >>> from course_utils.weights import load_backbone
    >>> find_heads(load_backbone("test_resnet", weights="bundled"))
    {'fc': Linear(in_features=96, out_features=28, bias=True)}
    >>> list(find_heads(build_on_meta("googlenet")))
    ['fc', 'aux1.fc2', 'aux2.fc2']
    """
    check_model(model)
    if (inner := unwrapped(model)) is not model:
        names = {id(module): name for name, module in model.named_modules()}
        return {names[id(head)]: head for head in find_heads(inner).values()}
    if hasattr(model, "course_head"):
        return {name: model.get_submodule(name) for name in model.course_head}
    check_plain(model)
    named = dict(model.named_modules())
    if hasattr(model, "get_classifier"):
        return {name: named[name] for name in _told_heads(model, named)}
    if type(model).__module__.startswith("timm.models"):
        return {}
    if names := _heads_of_the_output(model, named):
        names += [name for name in named if name in AUXILIARY]
    return {name: named[name] for name in dict.fromkeys(names)}


def _told_heads(model: nn.Module, named: dict[str, nn.Module]) -> list[str]:
    """The names of the heads that a timm model itself tells of."""
    try:
        told = model.get_classifier()
    except AttributeError:  # the module that held it was replaced
        return []
    found = [*_flat(told), *_flat(getattr(model, TIMM_AUX, None))]
    paths = {id(module): name for name, module in named.items()}
    names = [paths[id(module)] for module in found if id(module) in paths]
    return [_last_layer(name, named[name]) for name in names]


def _heads_of_the_output(model: nn.Module, named: dict[str, nn.Module]) -> list[str]:
    """The names of the layers that give the logits, by a pass on meta tensors."""
    if type(model).__module__.startswith(_DETECTORS):
        raise ValueError(
            f"{type(model).__name__} is a detector: its heads give boxes and scores that "
            "depend on each other. Build it with torchvision's num_classes, or replace "
            "its predictor by hand, as torchvision's tutorial does"
        )
    try:
        found = sources(model)
    except CannotInspect:
        return _last_registered(named)
    if not found:  # an output without a graph
        return _last_registered(named)
    names: list[str] = []
    for source in found:
        paths = [path.partition(".parametrizations")[0] for path in source.paths]
        residual = not source.before.isdisjoint(source.paths)  # one feeds another
        if not residual and all(_is_head(named[path], source) for path in paths):
            names += paths
    body = set().union(*(source.before for source in found))
    return [name for name in names if name not in body]


def _is_head(layer: nn.Module, source: Source) -> bool:
    """Tell whether a layer that an output comes from is its classifier.

    It is as wide as the output. What an activation follows is a layer of the body, unless
    it is a convolution of one pixel whose maps are averaged: SqueezeNet's.
    """
    if not isinstance(layer, Head) or isinstance(
        layer, NonDynamicallyQuantizableLinear
    ):
        return False  # the latter is a part of an attention layer
    pointwise = isinstance(layer, nn.Conv2d) and set(layer.kernel_size) == {1}
    sides = source.shape[1:] or (1,)  # (B,) is one logit
    wide = widths(layer)[1] in (sides[0], sides[-1])
    return wide and (not source.activated or (pointwise and len(sides) == 1))


def beside(named: dict[str, nn.Module], name: str) -> tuple[dict, dict]:
    """What stands before and behind a layer in the Sequential that holds it, by name."""
    holder, _, key = name.rpartition(".")
    if not key or not isinstance(named[holder], nn.Sequential):
        return {}, {}
    names = [f"{holder}.{k}".lstrip(".") for k, _ in named[holder].named_children()]
    at = names.index(name)
    return {n: named[n] for n in names[:at]}, {n: named[n] for n in names[at + 1 :]}


def activations_behind(named: dict[str, nn.Module], name: str) -> list[str]:
    return [n for n, layer in beside(named, name)[1].items() if _is_activation(layer)]


def is_activated_by_forward(model: nn.Module, name: str) -> bool:
    """Tell whether `forward` itself, not a layer, puts an activation behind a layer."""
    if activations_behind(dict(model.named_modules()), name):
        return False
    try:
        found = sources(model)
    except CannotInspect:
        return False  # it cannot be told
    return any(source.activated for source in found if name in source.paths)


def _is_activation(module: nn.Module) -> bool:
    kind = type(module).__module__
    return kind in (activation.__name__, "timm.layers.activations")


def _last_registered(named: dict[str, nn.Module]) -> list[str]:
    """The last layer, where the model cannot run; none where norms or Identity follow."""
    last: list[str] = []
    for name, module in named.items():
        own = [p for p in module.parameters(recurse=False) if p.ndim]
        if isinstance(module, Head) and name not in AUXILIARY:
            last = [name]
        elif isinstance(module, nn.Identity) or (own and all(p.ndim == 1 for p in own)):
            last = []
    return last


def widths(layer: nn.Module) -> tuple[int, int]:
    """How many channels enter a Linear or Conv2d, and how many leave it."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels


@checked
def feature_dim(model: nn.Module) -> int:
    """Return the length of the feature vector that enters the (main) head.

    A model without a head is run on meta tensors to see how wide its pooled output is.

    >>> from course_utils.heads import feature_dim
    >>> from course_utils.weights import load_backbone
    >>> feature_dim(load_backbone("test_resnet", weights="bundled", num_classes=5))
    96
    >>> feature_dim(load_backbone("test_resnet", weights="bundled", num_classes=0))
    96
    """
    head = next(iter(find_heads(model).values()), nn.Identity())
    for layer in head.modules():
        if isinstance(layer, Head):
            return widths(layer)[0]
    inner = unwrapped(model)
    try:
        output = torch.empty(output_shape(inner), device="meta")
    except CannotInspect:
        if not hasattr(inner, "head_hidden_size"):  # timm's word, which can be wrong
            raise
        return inner.head_hidden_size
    # (B, C, H, W), (B, H, W, C) or (B, N, C) -> (B, C)
    return layout_of(inner, shape=output.shape).pooled(output).shape[1]


def output_shape(model: nn.Module) -> tuple[int, ...]:
    """The shape of a model's output, the first where there are several."""
    shapes = trace(model).output_shapes
    if not shapes or len({shape[2:] for shape in shapes if len(shape) == 4}) > 1:
        given = " and ".join(map(str, shapes)) or "no tensor"
        raise ValueError(
            f"{type(model).__name__} gives {given}: it has no one vector of features. Take "
            "a layer of it, or the net that it was made from"
        )
    return shapes[0]


def _flat(found) -> list[nn.Module]:
    """List modules out of nested tuples, lists and ModuleLists; None is nothing."""
    if isinstance(found, tuple | list | nn.ModuleList):
        return [module for part in found for module in _flat(part)]
    return [] if found is None else [found]


def _last_layer(name: str, head: nn.Module) -> str:
    """The last Linear or Conv2d of a head that also pools or norms."""
    inside = [key for key, m in head.named_modules() if isinstance(m, Head)]
    return ".".join(filter(None, [name, inside[-1]])) if inside else name
