"""A copy of a net that gives the same faster: BatchNorm folded, channels last.

In eval mode a BatchNorm behind a convolution is a factor and an offset for each channel,
which the convolution's weights and bias can hold themselves. Which BatchNorm reads a
convolution alone is seen in one pass over a few pictures, not told from names; another pass
proves that the copy gives the same. What cannot be copied, or gains nothing, runs as it is.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain
from types import MethodType
from typing import Any, Literal

import timm.layers
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.models import ShuffleNetV2
from torchvision.ops import FrozenBatchNorm2d

from course_utils import feature_cache
from course_utils.errors import CannotInspect
from course_utils.heads import replace_head
from course_utils.layer_groups import freeze
from course_utils.meta_tensors import check_plain, dtype_of, unwrapped
from course_utils.modes import inference
from course_utils.tracing import tensors_in
from course_utils.training.batches import explained_pass, images_to_net

Run = Callable[[nn.Module, Tensor], Any]  # what is wanted of a net for some pictures
Precision = Literal["float32", "bfloat16"]
TOLERANCE = 1e-4  # of the largest value
_TRIED, _COMPARED = 2, 16  # pictures
_AT_ONCE = 2**19  # pixels
_CONVS = (nn.Conv2d.forward, timm.layers.Conv2dSame.forward)
_NORMS = (nn.BatchNorm2d.forward, nn.SyncBatchNorm.forward, FrozenBatchNorm2d.forward)
_OURS = (
    freeze.__module__,
    replace_head.__module__,
)  # hooks and methods that copies keep
_ACTING = (timm.layers.BatchNormAct2d, timm.layers.FrozenBatchNormAct2d)


def prepared(
    model: nn.Module, images: Tensor, run: Run, *, precision: Precision, few: bool
) -> Callable[[Tensor], Any]:
    """Return what does `run(model, images)` in eval mode, faster where that can be.

    `images` (B, C, H, W) are the first ones; where there are `few` in all, a copy would
    cost more than it saves. In bfloat16, the error against float32 on the first pictures
    is printed. Raises `ValueError` for bfloat16 where the model is not float32.

    >>> import timm, torch
    >>> from course_utils.fast_inference import prepared
    >>> model, images = timm.create_model("test_resnet"), torch.rand(4, 3, 64, 64)
    >>> def pooled(net, images):
    ...     return net.forward_features(images).mean((2, 3))
    >>> prepared(model, images, pooled, precision="float32", few=False)(images).shape
    torch.Size([4, 96])
    """
    check_precision(model, precision)
    images = images_to_net(images[:_COMPARED], model)
    copied = None if few else fast_copy(model, images[:_TRIED], run)
    exact = _Running(model, copied, run)
    return exact if precision == "float32" else _rounded(exact, images)


def check_precision(model: nn.Module, precision: Precision) -> None:
    """Raise `ValueError` where a model is not float32, and would be made bfloat16.

    >>> from torch import nn
    >>> from course_utils.fast_inference import check_precision
    >>> check_precision(nn.Linear(2, 2).double(), "bfloat16")
    Traceback (most recent call last):
    ValueError: precision='bfloat16' is for nets in float32; this one works in float64...
    """
    if precision == "bfloat16" and (own := dtype_of(model)) != torch.float32:
        raise ValueError(
            "precision='bfloat16' is for nets in float32; this one works in "
            f"{str(own)[6:]}, and does so without"
        )


class _Running:
    """Run pictures through a model, or through the copy that stands for it."""

    def __init__(self, model: nn.Module, copied: nn.Module | None, run: Run):
        self.model, self.copied, self.run = model, copied, run
        self.autocast, self.splits = False, copied is not None

    def __call__(self, images: Tensor) -> Any:
        net = self.model if self.copied is None else self.copied
        images = images_to_net(images, net)
        kind = images.device.type
        with (
            inference(net),
            explained_pass(self.model, images),
            torch.autocast(kind, torch.bfloat16) if self.autocast else nullcontext(),
        ):
            return self.run(net, images if net is self.model else _nearest(images))

    def parts(self, images: Tensor) -> tuple[Tensor, ...]:
        """Split a batch into what is run at once: on a CPU, as much as its caches like.

        Only for a copy, which was proven to answer for each picture alone.
        """
        if not self.splits or images.device.type != "cpu":
            return (images,)
        return images.split(max(1, _AT_ONCE // images.shape[2:].numel()))


def _rounded(exact: _Running, images: Tensor) -> _Running:
    """The same in bfloat16: a copy, or by autocast. Its error is printed."""
    if not _computes_in_bfloat16(images.device):
        feature_cache.say_once(
            "bfloat16 is not faster on this processor, which has no unit for it"
        )
    expected = tensors_in(exact(images))
    rounded = _Running(exact.model, _bfloat16_copy(exact, images), exact.run)
    rounded.autocast, rounded.splits = rounded.copied is None, exact.splits
    _say_error(tensors_in(rounded(images)), expected, len(images))
    return rounded


def _computes_in_bfloat16(device: torch.device) -> bool:
    if device.type != "cpu":
        return device.type != "cuda" or torch.cuda.is_bf16_supported()
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def _bfloat16_copy(exact: _Running, images: Tensor) -> nn.Module | None:
    """A copy in bfloat16, but for BatchNorm, which takes both; None where it fails."""
    if not _is_plain(exact.model):
        return None
    try:
        copied = _copy(exact.model) if exact.copied is None else exact.copied
        for module in copied.modules():
            if not _is_norm(module):
                _convert(module, _round)
        _Running(exact.model, copied, exact.run)(images[:_TRIED])
    except Exception:  # whatever a foreign net raises: autocast serves
        return None
    return copied


def _say_error(found: list[Tensor], expected: list[Tensor], pictures: int) -> None:
    a, b = (
        torch.cat([t.float().flatten() for t in each]) for each in (found, expected)
    )
    apart, size = (a - b).abs(), b.square().mean().sqrt()
    print(
        f"bfloat16: values differ from float32's by {float(apart.mean() / size):.2%} of "
        f"their size on average, by {float(apart.max() / size):.2%} at most (root mean "
        f"square; first {pictures} pictures)"
    )


def fast_copy(model: nn.Module, images: Tensor, run: Run) -> nn.Module | None:
    """Return a copy of a model that gives the same for some pictures, faster.

    What `run(model, images)` gives is within 1e-4 of its largest value. The model is not
    touched, and shares the tensors that do not change. None where a copy would not be
    faster, could be noticed (hooks, a replaced `forward`), or did not prove itself.

    >>> import timm, torch
    >>> from course_utils.fast_inference import fast_copy
    >>> model, images = timm.create_model("test_resnet"), torch.rand(4, 3, 64, 64)
    >>> quick = fast_copy(model, images, lambda net, images: net(images))
    >>> quick.fc.weight.data_ptr() == model.fc.weight.data_ptr()
    True
    """
    if not (_is_plain(model) and _gains(model)):
        return None
    try:
        with inference(copied := _copy(model)):
            return _proven(copied, images, run)
    except Exception:  # whatever a foreign net raises: it runs as it is
        return None


def _gains(model: nn.Module) -> bool:
    """Whether a net of this kind was measured to be faster as such a copy.

    That is one with BatchNorm, or with convolutions and no LayerNorm, as VGG. ShuffleNet is
    slower: each shuffle of channels that lie side by side copies the map.
    """
    if isinstance(model, ShuffleNetV2):
        return False
    layers = list(model.modules())
    convs = sum(_is_conv(layer) for layer in layers)
    plain = convs > 1 and not any(isinstance(layer, nn.LayerNorm) for layer in layers)
    return plain or any(map(_is_norm, layers))


def _is_plain(model: nn.Module) -> bool:
    """Whether a copy of a model would do all that the model does, and no one is told."""
    try:
        check_plain(model)
    except CannotInspect:
        return False
    tensors = chain(model.parameters(), model.buffers())
    return (
        unwrapped(model) is model
        and not torch_module._global_forward_hooks
        and not torch_module._global_forward_pre_hooks
        and not any(map(_is_special, model.modules()))
        and {p.dtype for p in model.parameters()} == {torch.float32}
        and all(type(t) in (Tensor, nn.Parameter, nn.Buffer) for t in tensors)
    )


def _is_special(module: nn.Module) -> bool:
    own = vars(module)
    calls = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    calls += [own["forward"]] if "forward" in own else []
    return bool(
        any(getattr(call, "__module__", "") not in _OURS for call in calls)
        or hasattr(type(module), "__deepcopy__")
        or "parametrizations" in module._modules
        or own.get("_compiled_call_impl")
        or "_orig_mod" in module._modules
    )


def _copy(model: nn.Module) -> nn.Module:
    """A copy of a model that shares its parameters; deepcopy takes ten times as long."""
    memo: dict[int, Any] = {id(p): p for p in model.parameters()}
    for module in model.modules():
        memo[id(module)] = module.__new__(type(module))
    for module in model.modules():
        parts = {name: _part(value, memo) for name, value in vars(module).items()}
        vars(memo[id(module)]).update(parts)
    return memo[id(model)]


def _part(value: Any, memo: dict[int, Any]) -> Any:
    """What a module holds: its own tensors, what may hold modules; the rest is shared."""
    if isinstance(value, dict) and not value:
        return type(value)()
    if isinstance(value, MethodType) and id(value.__self__) in memo:
        return MethodType(value.__func__, memo[id(value.__self__)])
    own = isinstance(value, nn.Module | Tensor | dict | list | tuple | set)
    return copy.deepcopy(value, memo) if own else value


def _proven(copied: nn.Module, images: Tensor, run: Run) -> nn.Module | None:
    before = _attributes(copied)
    expected, pairs = _watched_run(copied, images, run)
    if _attributes(copied) != before:  # a net that remembers its passes
        return None
    for conv, norm in pairs:
        _fold(conv, norm)
    for module in copied.modules():
        _convert(module, _nearest)
    some = images[: max(1, len(images) // 2)]  # each must be answered for alone
    found = tensors_in(run(copied, _nearest(some)))
    both = zip(found, expected, strict=True)
    same = all(difference(a, b[: len(some)]) <= TOLERANCE for a, b in both)
    return copied if same else None


def _convert(module: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    """Change the tensors of one layer of a copy, which may share them: not in place."""
    for name, tensor in module._parameters.items():
        if tensor is not None:
            changed = nn.Parameter(change(tensor.detach()), requires_grad=False)
            module._parameters[name] = changed
    for name, tensor in module._buffers.items():
        module._buffers[name] = None if tensor is None else change(tensor)


def _nearest(tensor: Tensor) -> Tensor:
    """Lay (B, C, H, W) out with the channels of a pixel side by side, where that pays."""
    pays = tensor.device.type == "cpu" or tensor.dtype == torch.bfloat16
    if tensor.ndim != 4 or not pays:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


def _round(tensor: Tensor) -> Tensor:
    return _nearest(tensor.bfloat16()) if tensor.is_floating_point() else tensor


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference of values over the largest of those expected.

    >>> import torch
    >>> from course_utils.fast_inference import difference
    >>> difference(torch.tensor([1.0, 3.5]), torch.tensor([1.0, 4.0]))
    0.125
    """
    if found.shape != expected.shape:
        return float("inf")
    apart = (found.float() - expected.float()).abs().max()
    return float(apart / expected.float().abs().max().clamp_min(1e-12))


def _attributes(model: nn.Module) -> list:
    """What modules hold besides tensors, to see whether a pass changed it."""
    sized = list | dict | set
    return [
        (name, id(value), len(value) if isinstance(value, sized) else 0)
        for module in model.modules()
        for name, value in vars(module).items()
    ]


class _Reads(TorchDispatchMode):
    """Count how often each tensor enters an operation, by its id."""

    def __init__(self):
        super().__init__()
        self.counts: Counter[int] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        self.counts.update(map(id, tensors_in([args, kwargs])))
        return func(*args, **(kwargs or {}))


def _watched_run(model: nn.Module, images: Tensor, run: Run):
    """Run a net; return what is wanted, and each convolution that one BatchNorm reads."""
    reads, calls = _Reads(), Counter()
    made: dict[int, tuple[nn.Module, Tensor]] = {}
    taken: dict[nn.Module, int] = {}

    def gave(conv: nn.Module, given: tuple, output: Tensor) -> None:
        calls[conv] += 1
        made[id(output)] = conv, output  # kept, so that its id stays its own
        reads.counts[id(output)] = 0

    def takes(norm: nn.Module, given: tuple) -> None:
        calls[norm] += 1
        if id(given[0]) in made:
            taken[norm] = id(given[0])

    handles = [m.register_forward_hook(gave) for m in _those(model, _is_conv)]
    handles += [m.register_forward_pre_hook(takes) for m in _those(model, _is_norm)]
    try:
        with reads:
            wanted = tensors_in(run(model, images))
    finally:
        for handle in handles:
            handle.remove()
    read_once = {i for i in made if reads.counts[i] == 1} - set(map(id, wanted))
    pairs = [(made[i][0], norm) for norm, i in taken.items() if i in read_once]
    once = [pair for pair in pairs if calls[pair[0]] == calls[pair[1]] == 1]
    return wanted, [(conv, norm) for conv, norm in once if _is_steady(norm)]


def _those(model: nn.Module, kind: Callable) -> Iterator[nn.Module]:
    return (module for module in model.modules() if kind(module))


def _is_conv(module: nn.Module) -> bool:
    return type(module).forward in _CONVS


def _is_norm(module: nn.Module) -> bool:
    return type(module).forward in _NORMS or type(module) in _ACTING


def _is_steady(norm: nn.Module) -> bool:
    """Whether a BatchNorm does not look at the batch."""
    return not norm.training and norm.running_var is not None


def _fold(conv: nn.Module, norm: nn.Module) -> None:
    """Let a convolution do what the BatchNorm behind it does, which then does nothing."""
    weight = 1 if norm.weight is None else norm.weight
    scale = (norm.running_var.double() + norm.eps).rsqrt() * weight
    offset = (0 if conv.bias is None else conv.bias) - norm.running_mean.double()
    bias = offset * scale + (0 if norm.bias is None else norm.bias)
    folded = conv.weight * scale.float()[:, None, None, None]
    conv.weight = nn.Parameter(folded, requires_grad=False)
    conv.bias = nn.Parameter(bias.float(), requires_grad=False)
    norm.forward = _rest_of(norm)


def _rest_of(norm: nn.Module) -> Callable[[Tensor], Tensor]:
    """What a BatchNorm does besides: timm's hold dropout and an activation."""
    if isinstance(norm, _ACTING):
        return lambda x: norm.act(norm.drop(x))
    return lambda x: x
