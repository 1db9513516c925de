"""Replace the classifier of a model, take it off, give it one, and prove that it fits."""

from __future__ import annotations

from types import MethodType

from torch import Tensor, nn

from course_utils.activations import layout_of
from course_utils.arguments import Count, Natural, Share, check_argument, checked, whole
from course_utils.heads.finding import (
    AUXILIARY,
    Head,
    activations_behind,
    beside,
    feature_dim,
    find_heads,
    is_activated_by_forward,
    output_shape,
    widths,
)
from course_utils.meta_tensors import check_model, dtype_of, unwrapped
from course_utils.modes import device_of
from course_utils.tracing import BATCH, tensors_in, trace

_LETS_CHANGE = ("DataParallel", "OptimizedModule")  # wrappers, the latter of compile
ADDED = "head"  # name of the head that an encoder is given


def check_num_classes(num_classes: object, *, least: int = 0) -> int:
    """Return a number of classes, 0 for no head; `ValueError` for anything else.

    >>> from course_utils.heads import check_num_classes
    >>> check_num_classes(5)
    5
    >>> check_num_classes(2.5)
    Traceback (most recent call last):
        ...
    course_utils.errors.WrongArgument: num_classes must be a whole number of at least 0,
    got 2.5
    """
    check_argument(num_classes, whole(least), "num_classes")
    return int(num_classes)


@checked
def replace_head(
    model: nn.Module,
    num_classes: Natural,
    *,
    dropout: Share = 0.0,
    hidden: Count | None = None,
) -> nn.Module:
    """Replace the classifier(s) in place by ones of `num_classes`; return the model.

    `dropout` (0 to 1) stands before the last layer, `hidden` adds a layer of that width
    with a ReLU. `num_classes=0` leaves no head: the model gives its pooled features; 1
    is a single logit, for `BCEWithLogitsLoss`. Auxiliary classifiers are replaced too.
    An activation behind the head (SqueezeNet's ReLU) is taken out: logits may be
    negative. A model without a classifier gets one, where an `Identity` gives its
    pooled features, or else on the mean of its tokens or maps. Device, dtype and mode
    stay; weights are drawn from torch's global generator; BatchNorm is not touched.

    Raises `ValueError` for options that make no head, for heads of different widths,
    which are those of different tasks, and for a wrapper that knows the old parameters.

    >>> import torch
    >>> from course_utils.heads import replace_head
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled")
    >>> replace_head(model, 3, dropout=0.2, hidden=64).fc
    Sequential(
      (0): Linear(in_features=96, out_features=64, bias=True)
      (1): ReLU()
      (2): Dropout(p=0.2, inplace=False)
      (3): Linear(in_features=64, out_features=3, bias=True)
    )
    >>> model(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 3])
    """
    if dropout >= 1:
        raise ValueError(f"dropout must be from 0 up to 1, got {dropout}")
    if (inner := _inner(model)) is not model:
        replace_head(inner, num_classes, dropout=dropout, hidden=hidden)
        return model
    heads = find_heads(model)
    _check_replaceable(model, heads)
    if num_classes == 0:
        return _remove_head(model) if heads else model
    if heads and _timm_knows(model):
        _reset_timm(model, num_classes)
        if not dropout and hidden is None:
            return model
        heads = find_heads(model)
    elif all(isinstance(head, nn.Identity) for head in heads.values()):
        heads = _without_head(model)
    made = [_new_head(old, num_classes, dropout, hidden) for old in heads.values()]
    for name, new in zip(heads, made, strict=True):
        _set_submodule(model, name, new.train(model.training))
        for other in activations_behind(dict(model.named_modules()), name):
            _set_submodule(model, other, nn.Identity())
    model.course_head = tuple(heads)
    return model


def _inner(model: nn.Module) -> nn.Module:
    """The net within a wrapper, whose head can be replaced behind the wrapper's back."""
    check_model(model)
    inner, kind = unwrapped(model), type(model)
    library = kind.__module__.partition(".")[0] in ("torch", "timm", "accelerate")
    if inner is not model and library and kind.__name__ not in _LETS_CHANGE:
        raise ValueError(
            f"{kind.__name__} keeps account of the parameters that it was given: replace "
            "the head of the model itself, then wrap it"
        )
    return inner


def _check_replaceable(model: nn.Module, heads: dict[str, nn.Module]) -> None:
    """Refuse a model that is a head itself, and heads of different widths (tasks)."""
    if "" in heads:
        raise ValueError(
            f"the model is one {type(model).__name__}, its own head: make a new layer"
        )
    main = {
        n: h for n, h in heads.items() if isinstance(h, Head) and n not in AUXILIARY
    }
    for name, head in main.items():
        if isinstance(head, nn.Conv2d) and is_activated_by_forward(model, name):
            raise ValueError(
                f"{type(model).__name__}.forward puts an activation such as ReLU behind "
                f"{name}, under which a new head can die: take it out of forward, or "
                "make it a layer of the Sequential that holds the head"
            )
    classes = {name: widths(head)[1] for name, head in main.items()}
    if len(set(classes.values())) > 1:
        told = ", ".join(f"{name} ({count})" for name, count in classes.items())
        raise ValueError(
            f"{type(model).__name__} has heads of different widths, {told}: replace each "
            "by hand, for one num_classes does not fit all"
        )


def _without_head(model: nn.Module) -> dict[str, nn.Module]:
    """Make room for a head; by name what is to be replaced, auxiliary classifiers too."""
    found = trace(model)
    named = dict(model.named_modules())
    ran = sorted(found.calls.values(), key=lambda call: call.order)
    layers = [call for call in ran if not any(named[call.path].children())]
    name, width = layers[-1].path if layers else "", feature_dim(model)
    empty = type(named[name]) is nn.Identity and layers[-1].input_shape == (width,)
    if not name or not empty:
        name = ADDED if not hasattr(model, ADDED) else f"added_{ADDED}"
        model.course_layout = layout_of(model, shape=output_shape(model))
        model.forward = MethodType(_forward_with_head, model)
        model.add_module(name, nn.Identity())
        model.course_head = (name,)
    like = nn.Linear(width, 1, device=device_of(model), dtype=dtype_of(model))
    return {name: like} | {n: named[n] for n in named if n in AUXILIARY}


def _forward_with_head(model: nn.Module, images: Tensor) -> Tensor:
    head, output = model.get_submodule(model.course_head[0]), images
    if type(model).forward is nn.Sequential.forward:  # would run the head on its maps
        for layer in model.children():
            output = output if layer is head else layer(output)
    else:
        output = type(model).forward(model, images)
    return head(model.course_layout.pooled(tensors_in(output)[0]))


def _timm_knows(model: nn.Module) -> bool:
    """Tell whether timm can make this model's head: it has one where timm put it."""
    return hasattr(model, "reset_classifier") and "forward" not in vars(model)


def _reset_timm(model: nn.Module, num_classes: int) -> None:
    """Let timm make a plain head, which knows its norm layers and token heads."""
    if hasattr(model, "course_head"):
        for name in model.course_head:  # timm reads the head that it made itself
            head = model.get_submodule(name)
            plain = next(layer for layer in head.modules() if isinstance(layer, Head))
            _set_submodule(model, name, plain)
        del model.course_head
    model.reset_classifier(num_classes)
    for head in find_heads(model).values():
        head.to(device_of(model), dtype_of(model)).train(model.training)


def _new_head(old: nn.Module, num_classes: int, dropout: float, hidden: int | None):
    if isinstance(old, nn.ModuleDict):  # one for each task
        options = (num_classes, dropout, hidden)
        return type(old)({key: _new_head(head, *options) for key, head in old.items()})
    inner = [layer for layer in old.modules() if isinstance(layer, Head)]
    if not inner:
        raise ValueError(f"cannot replace a head of type {type(old).__name__}")
    old = inner[0]  # within a head of ours, or timm's norm + linear
    convolution = isinstance(old, nn.Conv2d)
    width = old.in_channels if convolution else old.in_features
    like = {"device": old.weight.device, "dtype": old.weight.dtype}
    layers: list[nn.Module] = []

    def layer(inputs: int, outputs: int) -> nn.Module:
        if convolution:
            return nn.Conv2d(inputs, outputs, kernel_size=1, **like)
        return nn.Linear(inputs, outputs, **like)

    if hidden is not None:
        layers += [layer(width, hidden), nn.ReLU()]
        width = hidden
    if dropout:
        layers.append(nn.Dropout(dropout))
    layers.append(layer(width, num_classes))
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def _remove_head(model: nn.Module) -> nn.Module:
    if _timm_knows(model):
        model.reset_classifier(0)
        if hasattr(model, "course_head"):
            del model.course_head
        return model
    heads = [name for name in find_heads(model) if name not in AUXILIARY]
    width, named = feature_dim(model), dict(model.named_modules())
    for name in heads:
        before, _ = beside(named, name)
        out = activations_behind(named, name)
        if isinstance(named[name], nn.Conv2d):  # SqueezeNet's
            out += [n for n, module in before.items() if isinstance(module, nn.Dropout)]
        for other in (name, *out):
            _set_submodule(model, other, nn.Identity())
    model.head_hidden_size = width  # timm's name for it
    model.course_head = tuple(heads)
    return model


def _set_submodule(model: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, new)
    if getattr(model, "last_linear", None) is not None and hasattr(model, "fc"):
        model.last_linear = model.fc  # an alias that some timm models keep


@checked
def check_head(
    model: nn.Module,
    num_classes: int,
    *,
    input_size: tuple[int, int, int] | None = None,
) -> None:
    """Run a copy on meta tensors in eval mode; raise where the logits do not fit.

    Each tensor of logits must have the shape (2, num_classes) for a batch of two. The
    model is not changed. `input_size` is (C, H, W), by default what the model is for.

    >>> from course_utils.heads import check_head
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> check_head(model, 5)
    >>> check_head(model, 6)
    Traceback (most recent call last):
        ...
    ValueError: ResNet gives (2, 5) instead of (2, 6): its head was not the layer replaced
    """
    check_num_classes(num_classes)
    shapes = trace(model, input_size=input_size).output_shapes
    if not shapes or any(shape != (BATCH, num_classes) for shape in shapes):
        found = " and ".join(map(str, shapes)) or "no tensor"
        raise ValueError(
            f"{type(model).__name__} gives {found} instead of {(BATCH, num_classes)}: "
            "its head was not the layer replaced"
        )
