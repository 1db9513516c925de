"""Find and replace the classifier of any torchvision or timm classification model."""

from __future__ import annotations

from types import MethodType

import torch
from torch import Tensor, nn

from course_utils.activations import layout_of
from course_utils.tracing import BATCH, tensors_in, trace

Head = nn.Linear | nn.Conv2d
AUXILIARY = {"AuxLogits.fc", "aux1.fc2", "aux2.fc2"}  # Inception v3, GoogLeNet
TIMM_AUX = "aux_head"  # VOLO's, which it adds to the main one
ADDED = "head"  # name of the head that an encoder is given


def find_heads(model: nn.Module) -> dict[str, nn.Module]:
    """Return the classifier(s) by name, the main one first.

    timm models say which they are (several where a model is distilled or has one for
    each stage); its encoders have none, so the result is empty. In torchvision models it
    is the last registered Linear or Conv2d, beside the auxiliary classifiers of
    GoogLeNet and Inception. After `replace_head` it is the new head, whole.
    """
    if hasattr(model, "course_head"):
        return {name: model.get_submodule(name) for name in model.course_head}
    named = dict(model.named_modules())
    if hasattr(model, "get_classifier"):
        found = [*_flat(model.get_classifier()), *_flat(getattr(model, TIMM_AUX, None))]
        names = [_name_of(module, named) for module in found]
        names = [_last_layer(name, named[name]) for name in names]
        return {name: named[name] for name in names}
    if is_encoder(model):
        return {}
    layers = [name for name, module in named.items() if isinstance(module, Head)]
    main = [name for name in layers if name not in AUXILIARY]
    if not main:
        raise ValueError(
            f"{type(model).__name__} has no Linear or Conv2d to be its head"
        )
    extra = [name for name in layers if name in AUXILIARY]
    return {name: named[name] for name in [main[-1], *extra]}


def is_encoder(model: nn.Module) -> bool:
    """Tell whether a timm model has no classifier at all, such as "…_enc" models."""
    ours = type(model).__module__.startswith("timm.models")
    return ours and not hasattr(model, "get_classifier")


def feature_dim(model: nn.Module) -> int:
    """Return the length of the feature vector that enters the (main) head.

    An encoder without a head is run on meta tensors to see how wide its tokens or maps
    are.
    """
    if not find_heads(model):
        # (B, C, H, W), (B, H, W, C) or (B, N, C) -> (B, C)
        output = torch.empty(trace(model).output_shapes[0], device="meta")
        return layout_of(model, shape=output.shape).pooled(output).shape[1]
    head = next(iter(find_heads(model).values()))
    for layer in head.modules():
        if isinstance(layer, nn.Linear):
            return layer.in_features
        if isinstance(layer, nn.Conv2d):
            return layer.in_channels
    if hasattr(model, "head_hidden_size"):  # right where timm's num_features is not
        return model.head_hidden_size
    raise ValueError(f"{type(model).__name__} has no head with a known input size")


def replace_head(
    model: nn.Module,
    num_classes: int,
    *,
    dropout: float = 0.0,
    hidden: int | None = None,
) -> nn.Module:
    """Replace the classifier(s) in place by ones of `num_classes`; return the model.

    `dropout` (0 to 1) stands before the last layer, `hidden` adds a layer of that width
    with a ReLU. `num_classes=0` leaves no head: the model gives its pooled features.
    Auxiliary classifiers are replaced too. An encoder without a classifier gets one, on
    the mean of its tokens or maps. Device, dtype and mode stay; weights are drawn from
    torch's global generator; BatchNorm is not touched.
    """
    if num_classes < 0:
        raise ValueError(f"num_classes must be 0 or more, got {num_classes}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 up to 1, got {dropout}")
    if hidden is not None and hidden < 1:
        raise ValueError(f"hidden must be a width of at least 1, got {hidden}")
    if not find_heads(model):
        return _add_head(model, num_classes, dropout, hidden) if num_classes else model
    if num_classes == 0:
        return _remove_head(model)
    headless = any(isinstance(h, nn.Identity) for h in find_heads(model).values())
    if headless and not hasattr(model, "reset_classifier"):
        raise ValueError(
            f"{type(model).__name__} was loaded without a head (num_classes=0). Load "
            "it with num_classes=None or a number, then replace the head."
        )
    if hasattr(model, "reset_classifier"):
        _reset_timm(model, num_classes)
        if not dropout and hidden is None:
            return model
    heads = find_heads(model)
    for name, old in heads.items():
        new = _new_head(old, num_classes, dropout, hidden).train(model.training)
        _set_submodule(model, name, new)
    model.course_head = tuple(heads)
    return model


def _add_head(model, num_classes: int, dropout: float, hidden: int | None):
    """Give an encoder a head behind its pooled output."""
    parameter = next(model.parameters())
    like = nn.Linear(
        feature_dim(model), 1, device=parameter.device, dtype=parameter.dtype
    )
    new = _new_head(like, num_classes, dropout, hidden).train(model.training)
    model.course_layout = layout_of(model, shape=trace(model).output_shapes[0])
    model.add_module(ADDED, new)
    model.course_head = (ADDED,)
    model.forward = MethodType(_forward_with_head, model)
    return model


def _forward_with_head(model: nn.Module, images: Tensor) -> Tensor:
    output = tensors_in(type(model).forward(model, images))[0]
    return model.get_submodule(ADDED)(model.course_layout.pooled(output))


def _flat(found) -> list[nn.Module]:
    """List modules out of nested tuples, lists and ModuleLists; None is nothing."""
    if isinstance(found, tuple | list | nn.ModuleList):
        return [module for part in found for module in _flat(part)]
    return [] if found is None else [found]


def _reset_timm(model: nn.Module, num_classes: int) -> None:
    """Let timm make a plain head, which knows its norm layers and token heads."""
    parameter = next(model.parameters())
    if hasattr(model, "course_head"):
        for name in model.course_head:  # timm reads the head that it made itself
            head = model.get_submodule(name)
            plain = next(layer for layer in head.modules() if isinstance(layer, Head))
            _set_submodule(model, name, plain)
        del model.course_head
    model.reset_classifier(num_classes)
    for head in find_heads(model).values():
        head.to(parameter.device, parameter.dtype).train(model.training)


def _name_of(module: nn.Module, named: dict[str, nn.Module]) -> str:
    return next(name for name, candidate in named.items() if candidate is module)


def _last_layer(name: str, head: nn.Module) -> str:
    """The last Linear or Conv2d of a head that also pools or norms."""
    inside = [key for key, m in head.named_modules() if isinstance(m, Head)]
    return ".".join(filter(None, [name, inside[-1]])) if inside else name


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
    if hasattr(model, "reset_classifier"):
        model.reset_classifier(0)
        if hasattr(model, "course_head"):
            del model.course_head
        return model
    name, head = next(iter(find_heads(model).items()))
    model.head_hidden_size = feature_dim(model)  # timm's name for it
    model.course_head = (name,)
    if isinstance(head, nn.Conv2d):  # SqueezeNet: dropout, conv, relu, pool, flatten
        parent = model.get_submodule(name.rpartition(".")[0])
        for index in range(len(parent)):
            if not isinstance(parent[index], nn.AdaptiveAvgPool2d):
                parent[index] = nn.Identity()
    else:
        _set_submodule(model, name, nn.Identity())
    return model


def _set_submodule(model: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    owner = model.get_submodule(parent)
    if isinstance(owner, (nn.Sequential, nn.ModuleList)):
        owner[int(child) if child.isdigit() else _position(owner, child)] = new
    else:
        setattr(owner, child, new)
    if getattr(model, "last_linear", None) is not None and hasattr(model, "fc"):
        model.last_linear = model.fc  # an alias that some timm models keep


def _position(owner: nn.Module, child: str) -> int:
    return list(dict(owner.named_children())).index(child)


def check_head(
    model: nn.Module,
    num_classes: int,
    *,
    input_size: tuple[int, int, int] | None = None,
) -> None:
    """Run a copy on meta tensors in eval mode; raise where the logits do not fit.

    Each tensor of logits must have the shape (2, num_classes) for a batch of two. The
    model is not changed. `input_size` is (C, H, W), by default what the model is for.
    """
    shapes = trace(model, input_size=input_size).output_shapes
    if not shapes or any(shape != (BATCH, num_classes) for shape in shapes):
        found = " and ".join(map(str, shapes)) or "no tensor"
        raise ValueError(
            f"{type(model).__name__} gives {found} instead of {(BATCH, num_classes)}: "
            "its head was not the layer replaced"
        )
