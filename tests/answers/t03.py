"""Answers to the tasks 03.1 to 03.5."""

import copy
import math
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.answers import With

# --- 03.1 ---------------------------------------------------------------------------


def macs_from_weight(layer, output_shape):
    _, height, width = output_shape
    return layer.weight.numel() * height * width


def macs_product(layer, output_shape):
    seen = layer.in_channels // layer.groups
    return math.prod(layer.kernel_size) * seen * math.prod(output_shape)


def macs_one_filter(layer, output_shape):
    return layer.weight[0].numel() * torch.Size(output_shape).numel()


def macs_group_by_group(layer, output_shape):
    total = 0
    for _ in range(layer.groups):
        reads = layer.in_channels // layer.groups
        writes = layer.out_channels // layer.groups
        total += layer.kernel_size[0] * layer.kernel_size[1] * reads * writes
    return total * output_shape[1] * output_shape[2]


def macs_no_groups(layer, output_shape):
    return math.prod(layer.kernel_size) * layer.in_channels * math.prod(output_shape)


def macs_groups_twice(layer, output_shape):
    return macs_from_weight(layer, output_shape) // layer.groups


def macs_parameters(layer, output_shape):
    return sum(p.numel() for p in layer.parameters())


def macs_weights(layer, output_shape):
    return layer.weight.numel()


def macs_flops(layer, output_shape):
    return 2 * macs_from_weight(layer, output_shape)


def macs_square_kernel(layer, output_shape):
    rows, columns = layer.kernel_size
    return macs_from_weight(layer, output_shape) // columns * rows


def macs_one_side(layer, output_shape):
    return macs_from_weight(layer, output_shape) // layer.kernel_size[1]


def macs_no_kernel(layer, output_shape):
    return layer.in_channels // layer.groups * math.prod(output_shape)


def macs_stride(layer, output_shape):
    return macs_from_weight(layer, output_shape) // math.prod(layer.stride)


def macs_on_input(layer, output_shape):
    return macs_from_weight(layer, output_shape) * math.prod(layer.stride)


def macs_with_bias(layer, output_shape):
    bias = 0 if layer.bias is None else math.prod(output_shape)
    return macs_from_weight(layer, output_shape) + bias


def macs_one_input_channel(layer, output_shape):
    return math.prod(layer.kernel_size) * math.prod(output_shape)


def macs_one_output_channel(layer, output_shape):
    return macs_product(layer, output_shape) // layer.out_channels


def macs_channels_last(layer, output_shape):
    height, width, _ = output_shape
    return layer.weight.numel() * height * width


def macs_dilated(layer, output_shape):
    sides = zip(layer.dilation, layer.kernel_size, strict=True)
    area = math.prod(d * (k - 1) + 1 for d, k in sides)
    return area * layer.in_channels // layer.groups * math.prod(output_shape)


def macs_float(layer, output_shape):
    seen = layer.in_channels / layer.groups
    return math.prod(layer.kernel_size) * seen * math.prod(output_shape)


def macs_tensor(layer, output_shape):
    return torch.tensor(macs_from_weight(layer, output_shape))


def macs_numpy(layer, output_shape):
    return np.prod(layer.weight.shape) * np.prod(output_shape[1:])


def macs_stride_float(layer, output_shape):
    return macs_from_weight(layer, output_shape) / math.prod(layer.stride)


def macs_text(layer, output_shape):
    return f"{macs_from_weight(layer, output_shape):,}"


def macs_run(layer, output_shape):
    """Guess an input of the output's size: wrong wherever a layer shrinks it."""
    _, height, width = output_shape
    with FlopCounterMode(display=False) as counter:
        layer(torch.rand(1, layer.in_channels, height + 9, width + 9))
    return counter.get_total_flops() // 2


def macs_no_return(layer, output_shape):
    macs_from_weight(layer, output_shape)


def macs_depthwise_only(layer, output_shape):
    seen = 1 if layer.groups > 1 else layer.in_channels
    return math.prod(layer.kernel_size) * seen * math.prod(output_shape)


# --- 03.2 ---------------------------------------------------------------------------

KINDS = nn.Linear, nn.Conv2d


def _like(old, num_classes, **options):
    if isinstance(old, nn.Conv2d):
        kernel = old.kernel_size
        return nn.Conv2d(old.in_channels, num_classes, kernel, **options)
    return nn.Linear(old.in_features, num_classes, **options)


def _put(model, name, new):
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, new)
    return model


def _last_run(model, images):
    """The name of the last Linear or Conv2d that runs in a copy in eval mode."""
    return _calls(model, images)[-1]


def head_on_a_copy(model, images, num_classes):
    name = _last_run(model, images)
    return _put(model, name, _like(model.get_submodule(name), num_classes))


def head_without_bias(model, images, num_classes):
    name = _last_run(model, images)
    new = _like(model.get_submodule(name), num_classes, bias=False)
    model.set_submodule(name, new)
    return model


def head_mode_last(model, images, num_classes):
    """Global hooks; the mode is put back after the new head is in."""
    mode, ran = model.training, []
    handle = nn.modules.module.register_module_forward_hook(
        lambda layer, *_: ran.append(layer) if isinstance(layer, KINDS) else None
    )
    try:
        model.eval()
        with torch.no_grad():
            model(images)
    finally:
        handle.remove()
    for parent in list(model.modules()):
        for child, layer in parent.named_children():
            if layer is ran[-1]:
                setattr(parent, child, _like(layer, num_classes))
    return model.train(mode)


def head_by_gradient(model, images, num_classes):
    """Follow the logits: the head's weight is the last that they depend on."""
    twin = copy.deepcopy(model).requires_grad_(True).eval()
    order = []
    for name, layer in twin.named_modules():
        if isinstance(layer, KINDS):
            hook = partial(lambda name, *_: order.append(name), name)
            layer.register_full_backward_hook(hook)
    twin(images.clone().requires_grad_(True)).sum().backward()
    name = order[0]
    return _put(model, name, _like(model.get_submodule(name), num_classes))


def head_with_dropout(model, images, num_classes):
    name = _last_run(model, images)
    new = _like(model.get_submodule(name), num_classes)
    return _put(model, name, nn.Sequential(nn.Dropout(0.2), new))


def head_with_softmax(model, images, num_classes):
    name = _last_run(model, images)
    new = _like(model.get_submodule(name), num_classes)
    return _put(model, name, nn.Sequential(new, nn.Softmax(1)))


def head_with_a_spare(model, images, num_classes):
    head_on_a_copy(model, images, num_classes)
    model.spare = nn.Linear(3, 3)
    return model


def head_dilated(model, images, num_classes):
    """A convolution of the right kernel that needs more room than there is."""
    name = _last_run(model, images)
    old = model.get_submodule(name)
    options = {"dilation": 9} if isinstance(old, nn.Conv2d) else {}
    return _put(model, name, _like(old, num_classes, **options))


def head_lazy(model, images, num_classes):
    """A layer that finds its width in its first pass."""
    name = _last_run(model, images)
    old = model.get_submodule(name)
    if isinstance(old, nn.Conv2d):
        return _put(model, name, nn.LazyConv2d(num_classes, old.kernel_size))
    return _put(model, name, nn.LazyLinear(num_classes))


def head_fc(model, images, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def head_common_names(model, images, num_classes):
    for name in ("fc", "classifier", "head"):
        if hasattr(model, name):
            old = getattr(model, name)
            break
    setattr(model, name, nn.Linear(old.in_features, num_classes))
    return model


def head_new_attribute(model, images, num_classes):
    name = _last_run(model, images)
    model.fc = _like(model.get_submodule(name), num_classes)
    return model


def _registered(model, kinds=KINDS):
    return [n for n, m in model.named_modules() if isinstance(m, kinds)]


def head_last_registered(model, images, num_classes):
    name = _registered(model)[-1]
    return _put(model, name, _like(model.get_submodule(name), num_classes))


def head_last_linear(model, images, num_classes):
    name = _registered(model, nn.Linear)[-1]
    return _put(model, name, _like(model.get_submodule(name), num_classes))


def head_last_child(model, images, num_classes):
    name, old = list(model.named_children())[-1]
    setattr(model, name, nn.Linear(old.in_features, num_classes))
    return model


def head_always_linear(model, images, num_classes):
    name = _last_run(model, images)
    old = model.get_submodule(name)
    width = getattr(old, "in_features", None) or old.in_channels
    return _put(model, name, nn.Linear(width, num_classes))


def head_in_features_of_all(model, images, num_classes):
    name = _last_run(model, images)
    old = model.get_submodule(name)
    return _put(model, name, nn.Linear(old.in_features, num_classes))


def head_fixed_width(model, images, num_classes):
    name = _last_run(model, images)
    return _put(model, name, nn.Linear(512, num_classes))


def head_of_old_classes(model, images, num_classes):
    name = _last_run(model, images)
    return _put(model, name, nn.Linear(model.get_submodule(name).out_features, 5))


def head_behind(model, images, num_classes):
    name = _last_run(model, images)
    old = model.get_submodule(name)
    new = nn.Linear(old.weight.shape[0], num_classes)
    return _put(model, name, nn.Sequential(old, new))


def head_around(model, images, num_classes):
    classes = model(images).shape[1]
    return nn.Sequential(model, nn.Linear(classes, num_classes))


def head_dotted(model, images, num_classes):
    name = _last_run(model, images)
    setattr(model, name, _like(model.get_submodule(name), num_classes))
    return model


def head_local(model, images, num_classes):
    old = model.get_submodule(_last_run(model, images))
    old = _like(old, num_classes)
    return model


def head_numbers_changed(model, images, num_classes):
    old = model.get_submodule(_last_run(model, images))
    old.out_features = old.out_channels = num_classes
    return model


def head_copied(model, images, num_classes):
    return head_on_a_copy(copy.deepcopy(model), images, num_classes)


def head_no_return(model, images, num_classes):
    head_on_a_copy(model, images, num_classes)


def head_hooks_left(model, images, num_classes):
    ran, mode = [], model.training
    for name, layer in model.named_modules():
        if isinstance(layer, KINDS):
            layer.register_forward_hook(lambda *_, name=name: ran.append(name))
    model.eval()(images)
    model.train(mode)
    return _put(model, ran[-1], _like(model.get_submodule(ran[-1]), num_classes))


def head_train_mode(model, images, num_classes):
    ran, handles = [], []
    for name, layer in model.named_modules():
        if isinstance(layer, KINDS):
            note = partial(lambda name, *_: ran.append(name), name)
            handles.append(layer.register_forward_hook(note))
    model(images)
    for handle in handles:
        handle.remove()
    return _put(model, ran[-1], _like(model.get_submodule(ran[-1]), num_classes))


def _calls(model, images):
    """The names of the Linears and Conv2ds of a copy, as they run in eval mode."""
    twin, ran = copy.deepcopy(model).eval(), []
    for name, layer in twin.named_modules():
        if isinstance(layer, KINDS):
            layer.register_forward_hook(lambda *_, name=name: ran.append(name))
    with torch.inference_mode():
        twin(images)
    return ran


def head_linear_if_any_ran(model, images, num_classes):
    ran = _calls(model, images)
    linears = [n for n in ran if isinstance(model.get_submodule(n), nn.Linear)]
    name = (linears or ran)[-1]
    return _put(model, name, _like(model.get_submodule(name), num_classes))


def head_of_a_dict(model, images, num_classes):
    """A dict keeps the place of a layer's first call."""
    name = list(dict.fromkeys(_calls(model, images)))[-1]
    return _put(model, name, _like(model.get_submodule(name), num_classes))


def head_clears_hooks(model, images, num_classes):
    for layer in model.modules():
        layer._forward_hooks.clear()
    return head_on_a_copy(model, images, num_classes)


def head_left_in_eval(model, images, num_classes):
    return head_on_a_copy(model.eval(), images, num_classes)


def head_left_in_train(model, images, num_classes):
    return head_on_a_copy(model, images, num_classes).train()


def head_and_freeze(model, images, num_classes):
    model.requires_grad_(False)
    return head_on_a_copy(model, images, num_classes)


def head_and_thaw(model, images, num_classes):
    return head_on_a_copy(model, images, num_classes).requires_grad_(True)


def head_frozen_too(model, images, num_classes):
    head_on_a_copy(model, images, num_classes)
    return model.requires_grad_(False)


def head_five_classes(model, images, num_classes):
    return head_on_a_copy(model, images, 5)


def head_kernel_one(model, images, num_classes):
    name = _last_run(model, images)
    old = model.get_submodule(name)
    if isinstance(old, nn.Conv2d):
        return _put(model, name, nn.Conv2d(old.in_channels, num_classes, 1))
    return _put(model, name, _like(old, num_classes))


def head_also_drops_layers(model, images, num_classes):
    """Replace every layer that gives as many numbers as there were classes."""
    name = _last_run(model, images)
    old = model.get_submodule(name)
    for other, layer in list(model.named_modules()):
        if isinstance(layer, KINDS) and layer.weight.shape == old.weight.shape:
            _put(model, other, _like(layer, num_classes))
    return model


def head_reset_weights(model, images, num_classes):
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.reset_parameters()
    return head_on_a_copy(model, images, num_classes)


def head_rebuilt_tail(model, images, num_classes):
    """A pooling classifier of its own, at the place of the container."""
    name = _last_run(model, images)
    old = model.get_submodule(name)
    width = old.in_channels if isinstance(old, nn.Conv2d) else old.in_features
    top = name.split(".")[0]
    layers = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)]
    if isinstance(old, nn.Linear):
        layers = layers[2:]
    setattr(model, top, layers[0] if len(layers) == 1 else nn.Sequential(*layers))
    return model


def head_for_container(model, images, num_classes):
    """A Linear for all of the container that the head stands in."""
    name = _last_run(model, images)
    new = _like(model.get_submodule(name), num_classes)
    whole = isinstance(new, nn.Linear)
    return _put(model, name.partition(".")[0] if whole else name, new)


# --- 03.3 ---------------------------------------------------------------------------


def _leaves(model):
    return [(n, m) for n, m in model.named_modules() if not list(m.children())]


def _run(model, images):
    mode = model.training
    model.eval()
    with torch.no_grad():
        model(images)
    model.train(mode)


def shapes_partial(model, images):
    shapes = {}

    def note(name, layer, inputs, output):
        shapes.setdefault(name, output.shape)

    handles = [
        layer.register_forward_hook(partial(note, name))
        for name, layer in _leaves(model)
    ]
    try:
        _run(model, images)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def shapes_copy(model, images):
    twin, shapes = copy.deepcopy(model).eval(), {}
    for name, layer in _leaves(twin):

        def note(layer, inputs, output, name=name):
            shapes.setdefault(name, tuple(output.shape))

        layer.register_forward_hook(note)
    with torch.inference_mode():
        twin(images)
    return shapes


def shapes_global_hook(model, images):
    names, shapes = {layer: name for name, layer in _leaves(model)}, {}

    def note(layer, inputs, output):
        if layer in names:
            shapes.setdefault(names[layer], tuple(output.size()))

    handle = nn.modules.module.register_module_forward_hook(note)
    _run(model, images)
    handle.remove()
    return shapes


def shapes_update(model, images):
    """A lambda is fine where it returns None."""
    shapes = {}
    handles = [
        layer.register_forward_hook(
            lambda m, i, out, name=name: shapes.update(
                {name: shapes.get(name, tuple(out.shape))}
            )
        )
        for name, layer in _leaves(model)
    ]
    _run(model, images)
    for handle in handles:
        handle.remove()
    return shapes


def _hooked(model, images, layers, value=lambda inputs, out: tuple(out.shape)):
    """Shapes of some layers by hooks that are removed, in eval, without gradients."""
    shapes = {}
    handles = [
        layer.register_forward_hook(
            lambda m, i, out, name=name: shapes.update(
                {name: shapes.get(name, value(i, out))}
            )
        )
        for name, layer in layers
    ]
    _run(model, images)
    for handle in handles:
        handle.remove()
    return shapes


def shapes_late_name(model, images):
    shapes, handles = {}, []
    for name, layer in model.named_modules():
        if not list(layer.children()):

            def note(layer, inputs, output):
                shapes[name] = tuple(output.shape)  # noqa: B023

            handles.append(layer.register_forward_hook(note))
    _run(model, images)
    for handle in handles:
        handle.remove()
    return shapes


def shapes_hooks_left(model, images):
    shapes = {}
    for name, layer in _leaves(model):

        def note(layer, inputs, output, name=name):
            shapes.setdefault(name, tuple(output.shape))

        layer.register_forward_hook(note)
    _run(model, images)
    return shapes


def shapes_hooks_cleared(model, images):
    shapes = shapes_hooks_left(model, images)
    for layer in model.modules():
        layer._forward_hooks.clear()
    return shapes


def shapes_containers(model, images):
    return _hooked(model, images, model.named_modules())


def shapes_containers_but_the_root(model, images):
    layers = [(n, m) for n, m in model.named_modules() if n]
    return _hooked(model, images, layers)


def shapes_children(model, images):
    return _hooked(model, images, list(model.named_children()))


def shapes_known_kinds(model, images):
    kinds = nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.ReLU
    layers = [(n, m) for n, m in _leaves(model) if isinstance(m, kinds)]
    return _hooked(model, images, layers)


def shapes_as_registered(model, images):
    found = _hooked(model, images, _leaves(model))
    return {name: found[name] for name, _ in _leaves(model) if name in found}


def shapes_sorted(model, images):
    return dict(sorted(_hooked(model, images, _leaves(model)).items()))


def shapes_reversed(model, images):
    found = _hooked(model, images, _leaves(model))
    return dict(reversed(found.items()))


def shapes_last_run(model, images):
    """A layer that runs twice moves to where it ran last."""
    shapes, handles = {}, []
    for name, layer in _leaves(model):

        def note(layer, inputs, output, name=name):
            shapes.pop(name, None)
            shapes[name] = tuple(output.shape)

        handles.append(layer.register_forward_hook(note))
    _run(model, images)
    for handle in handles:
        handle.remove()
    return shapes


def shapes_last_shape(model, images):
    """A layer that runs twice stands where it ran first, with its last shape."""
    shapes = {}

    def note(name, layer, inputs, output):
        shapes[name] = tuple(output.shape)

    handles = [
        layer.register_forward_hook(partial(note, name))
        for name, layer in _leaves(model)
    ]
    _run(model, images)
    for handle in handles:
        handle.remove()
    return shapes


def shapes_of_input_tuples(model, images):
    return _hooked(model, images, _leaves(model), lambda inputs, out: inputs.shape)


def shapes_one_by_one(model, images):
    shapes = {}
    for name, layer in _leaves(model):
        images = layer(images)
        shapes[name] = tuple(images.shape)
    return shapes


def shapes_half_size(model, images):
    return _hooked(model, images[..., ::2, ::2], _leaves(model))


def shapes_with_idle(model, images):
    found = _hooked(model, images, _leaves(model))
    return {name: found.get(name, ()) for name, _ in _leaves(model)}


def shapes_inputs(model, images):
    def value(inputs, output):
        return tuple(inputs[0].shape)

    return _hooked(model, images, _leaves(model), value)


def shapes_without_batch(model, images):
    def value(inputs, output):
        return tuple(output.shape[1:])

    return _hooked(model, images, _leaves(model), value)


def shapes_of_one_image(model, images):
    return _hooked(model, images[:1], _leaves(model))


def shapes_tensors(model, images):
    return _hooked(model, images, _leaves(model), lambda inputs, out: out)


def shapes_lists(model, images):
    return _hooked(model, images, _leaves(model), lambda inputs, out: list(out.shape))


def shapes_by_class(model, images):
    layers = [(type(m).__name__, m) for _, m in _leaves(model)]
    return _hooked(model, images, layers)


def shapes_by_layer(model, images):
    found = _hooked(model, images, _leaves(model))
    return {model.get_submodule(name): shape for name, shape in found.items()}


def shapes_short_names(model, images):
    layers = [(n.rpartition(".")[2], m) for n, m in _leaves(model)]
    return _hooked(model, images, layers)


def shapes_returned_by_hook(model, images):
    shapes = {}
    handles = [
        layer.register_forward_hook(
            lambda m, i, out, name=name: shapes.setdefault(name, tuple(out.shape))
        )
        for name, layer in _leaves(model)
    ]
    _run(model, images)
    for handle in handles:
        handle.remove()
    return shapes


def shapes_removed_too_early(model, images):
    shapes = {}
    for name, layer in _leaves(model):

        def note(layer, inputs, output, name=name):
            shapes.setdefault(name, tuple(output.shape))

        layer.register_forward_hook(note).remove()
    _run(model, images)
    return shapes


def shapes_never_run(model, images):
    return {}


def _shapes_with(model, images, run):
    shapes, handles = {}, []
    for name, layer in _leaves(model):

        def note(layer, inputs, output, name=name):
            shapes.setdefault(name, tuple(output.shape))

        handles.append(layer.register_forward_hook(note))
    run()
    for handle in handles:
        handle.remove()
    return shapes


def shapes_train_mode(model, images):
    def run():
        with torch.no_grad():
            model(images)

    return _shapes_with(model, images, run)


def shapes_left_in_eval(model, images):
    def run():
        model.eval()
        with torch.no_grad():
            model(images)

    return _shapes_with(model, images, run)


def shapes_left_in_train(model, images):
    found = shapes_partial(model, images)
    model.train()
    return found


def shapes_with_gradients(model, images):
    def run():
        mode = model.training
        model.eval()(images)
        model.train(mode)

    return _shapes_with(model, images, run)


def shapes_frozen(model, images):
    model.requires_grad_(False)
    return shapes_partial(model, images)


def shapes_pairs(model, images):
    return list(shapes_partial(model, images).items())


def shapes_batchnorm_moves(model, images):
    model(images)  # "to warm up"
    return shapes_partial(model, images)


# --- 03.4 ---------------------------------------------------------------------------

STATES = {"sgd": 1, "adam": 2}


def bytes_in_parts(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    weights = 4 * num_params
    gradients = 4 * trainable_params
    state = gradients if optimizer == "sgd" else 2 * gradients
    return weights + gradients + state + activation_bytes * batch_size


def bytes_frozen_and_not(n, t, a, b, optimizer):
    each = {"sgd": 12, "adam": 16}[optimizer]
    return (n - t) * 4 + t * each + a * b


def bytes_if(n, t, a, b, optimizer):
    total = (n + t) * 4 + b * a
    if optimizer == "adam":
        total += t * 4
    return total + t * 4


def _total(weights, gradients, state, activations):
    return 4 * (weights + gradients + state) + activations


def bytes_state_of_all(n, t, a, b, optimizer):
    return _total(n, t, STATES[optimizer] * n, a * b)


def bytes_gradients_of_all(n, t, a, b, optimizer):
    return _total(n, n, STATES[optimizer] * t, a * b)


def bytes_of_all(n, t, a, b, optimizer):
    return _total(n, n, STATES[optimizer] * n, a * b)


def bytes_of_the_trainable(n, t, a, b, optimizer):
    return _total(t, t, STATES[optimizer] * t, a * b)


def bytes_counted_twice(n, t, a, b, optimizer):
    return _total(n + t, t, STATES[optimizer] * t, a * b)


def bytes_no_gradients(n, t, a, b, optimizer):
    return _total(n, 0, STATES[optimizer] * t, a * b)


def bytes_no_state(n, t, a, b, optimizer):
    return _total(n, t, 0, a * b)


def bytes_no_weights(n, t, a, b, optimizer):
    return _total(0, t, STATES[optimizer] * t, a * b)


def bytes_no_momentum(n, t, a, b, optimizer):
    return _total(n, t, {"sgd": 0, "adam": 2}[optimizer] * t, a * b)


def bytes_one_state(n, t, a, b, optimizer):
    return _total(n, t, t, a * b)


def bytes_swapped(n, t, a, b, optimizer):
    return _total(n, t, {"sgd": 2, "adam": 1}[optimizer] * t, a * b)


def bytes_no_batch(n, t, a, b, optimizer):
    return _total(n, t, STATES[optimizer] * t, a)


def bytes_batch_of_all(n, t, a, b, optimizer):
    return b * _total(n, t, STATES[optimizer] * t, a)


def bytes_no_activations(n, t, a, b, optimizer):
    return _total(n, t, STATES[optimizer] * t, 0)


def bytes_four_times_activations(n, t, a, b, optimizer):
    return _total(n, t, STATES[optimizer] * t, 4 * a * b)


def bytes_values(n, t, a, b, optimizer):
    return n + t + STATES[optimizer] * t + a * b


def bytes_weights_only(n, t, a, b, optimizer):
    return 4 * n + t + STATES[optimizer] * t + a * b


def bytes_megabytes(n, t, a, b, optimizer):
    return bytes_in_parts(n, t, a, b, optimizer) / 2**20


def bytes_mebibytes(n, t, a, b, optimizer):
    return torch.tensor(bytes_in_parts(n, t, a, b, optimizer)) / 2**20


def bytes_without_state_of_adam(n, t, a, b, optimizer):
    return _total(n, t, {"sgd": 1, "adam": 0}[optimizer] * t, a * b)


def bytes_numpy(n, t, a, b, optimizer):
    return np.array([4 * n, 4 * t, 4 * STATES[optimizer] * t, a * b]).sum()


def bytes_float(n, t, a, b, optimizer):
    return float(bytes_in_parts(n, t, a, b, optimizer))


def bytes_text(n, t, a, b, optimizer):
    return f"{bytes_in_parts(n, t, a, b, optimizer)} bytes"


def bytes_doubles(n, t, a, b, optimizer):
    return 8 * (n + t + STATES[optimizer] * t) + a * b


def bytes_wrong_names(n, t, a, b, optimizer):
    return _total(n, t, {"SGD": 1, "Adam": 2}[optimizer] * t, a * b)


# What the exercise counts, in MB.
GROWN = {"weights": 0.0, "gradients": 44.6, "optimizer": 89.3, "activations": 485.1}


def macs_kernel_squared(layer, shape):
    return layer.kernel_size**2 * layer.in_channels // layer.groups * math.prod(shape)


def macs_kernel_tuple(layer, shape):
    return layer.kernel_size * (layer.in_channels // layer.groups)


def macs_width_squared(layer, shape):
    return macs_product(layer, (shape[0], shape[2], shape[2]))


def macs_times_dilation(layer, shape):
    return macs_product(layer, shape) * math.prod(layer.dilation)


def macs_padded(layer, shape):
    sides = [n + 2 * p for n, p in zip(shape[1:], layer.padding, strict=True)]
    return macs_product(layer, (shape[0], *sides))


def macs_run_on_output(layer, shape):
    return layer(torch.rand(1, *shape)).numel()


def _last_of(model, images, place=-1, kinds=(nn.Linear, nn.Conv2d), late=False):
    ran, mode, handles = [], model.training, []
    for name, layer in model.named_modules():
        if isinstance(layer, kinds) and not list(layer.children()):
            note = (
                (lambda *_: ran.append(name))  # noqa: B023
                if late
                else (lambda *_, name=name: ran.append(name))
            )
            handles.append(layer.register_forward_hook(note))
    with torch.no_grad():
        model.eval()(images)
    model.train(mode)
    for handle in handles:
        handle.remove()
    return ran[place]


def _with_head_at(model, name, num_classes):
    old = model.get_submodule(name)
    if isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size)
    else:
        new = nn.Linear(old.in_features, num_classes)
    model.set_submodule(name, new)
    return model


def head_first_that_ran(model, images, num_classes):
    return _with_head_at(model, _last_of(model, images, 0), num_classes)


def head_of_all_leaves(model, images, num_classes):
    name = _last_of(model, images, kinds=nn.Module)
    return _with_head_at(model, name, num_classes)


def head_late_name(model, images, num_classes):
    return _with_head_at(model, _last_of(model, images, late=True), num_classes)


def head_of_lone_image(model, images, num_classes):
    return _with_head_at(model, _last_of(model, images[0]), num_classes)


def shapes_hook_scales(model, images):
    shapes, handles, mode = {}, [], model.training
    for name, layer in _leaves(model):

        def note(layer, inputs, output, name=name):
            shapes.setdefault(name, tuple(output.shape))
            return 2 * output + 1

        handles.append(layer.register_forward_hook(note))
    with torch.no_grad():
        model.eval()(images)
    model.train(mode)
    for handle in handles:
        handle.remove()
    return shapes


def shapes_numbered(model, images):
    found = shapes_partial(model, images)
    return found | {"act_2": found["act"]} if "act" in found else found


def bytes_if_capital(n, t, a, b, optimizer):
    return _total(n, t, (2 if optimizer == "Adam" else 1) * t, a * b)


def bytes_of_32_bits(n, t, a, b, optimizer):
    return 32 * (n + t + STATES[optimizer] * t) + a * b


def bytes_as_dict(n, t, a, b, optimizer):
    return {"weights": 4 * n, "gradients": 4 * t, "activations": a * b}


RIGHT = {
    "03.1": [
        macs_from_weight,
        macs_product,
        macs_one_filter,
        macs_group_by_group,
        macs_tensor,
        macs_numpy,
    ],
    "03.2": [
        head_on_a_copy,
        head_without_bias,
        head_mode_last,
        head_by_gradient,
        head_lazy,
    ],
    "03.3": [shapes_partial, shapes_copy, shapes_global_hook, shapes_update],
    "03.4": [bytes_in_parts, bytes_frozen_and_not, bytes_if, bytes_numpy],
    "03.5": ["d", "D", " d\n", With("d", grown=GROWN)],
}
WRONG = {
    "03.1": [
        (macs_kernel_squared, "kernel-tuple"),
        (macs_kernel_tuple, "kernel-tuple"),
        (macs_width_squared, "square-width"),
        (macs_times_dilation, "dilation-times"),
        (macs_padded, "padding"),
        (macs_run_on_output, "run-at-output"),
        (macs_no_groups, "groups"),
        (macs_groups_twice, "groups-twice"),
        (macs_parameters, "parameters"),
        (macs_weights, "weights"),
        (macs_flops, "flops"),
        (macs_square_kernel, "kernel"),
        (macs_one_side, "one-side-of-it"),
        (macs_no_kernel, "no-kernel"),
        (macs_stride, "stride"),
        (macs_on_input, "at-input"),
        (macs_with_bias, "bias"),
        (macs_one_input_channel, "input-channels"),
        (macs_one_output_channel, "output-channels"),
        (macs_channels_last, "shape-order"),
        (macs_dilated, "dilation"),
        (macs_depthwise_only, "input-channels"),
        (macs_run, "value"),
        (macs_float, "float"),
        (macs_stride_float, "float"),
        (macs_text, "type"),
        (macs_no_return, "none"),
    ],
    "03.2": [
        (head_first_that_ran, "wrong-layer"),
        (head_of_all_leaves, "all-leaves"),
        (head_late_name, "all-leaves"),
        (head_of_lone_image, "no-batch"),
        (head_fc, "hard-coded"),
        (head_common_names, "hard-coded"),
        (head_new_attribute, "not-used"),
        (head_last_registered, "wrong-layer"),
        (head_last_linear, "no-linear"),
        (head_last_child, "hard-coded"),
        (head_always_linear, "kind"),
        (head_in_features_of_all, "conv-width"),
        (head_fixed_width, "width"),
        (head_of_old_classes, "width"),
        (head_behind, "on-logits"),
        (head_around, "wrapped"),
        (head_dotted, "dotted"),
        (head_local, "nothing-new"),
        (head_numbers_changed, "nothing-new"),
        (head_copied, "copy"),
        (head_no_return, "none"),
        (head_linear_if_any_ran, "linear-first"),
        (head_of_a_dict, "first-call"),
        (head_clears_hooks, "hook-lost"),
        (head_hooks_left, "changed-hooks"),
        (head_train_mode, "changed-statistics"),
        (head_left_in_eval, "changed-mode"),
        (head_left_in_train, "changed-mode"),
        (head_and_freeze, "changed-requires_grad"),
        (head_and_thaw, "changed-requires_grad"),
        (head_frozen_too, "frozen"),
        (head_five_classes, "shape"),
        (head_kernel_one, "kernel"),
        (head_also_drops_layers, "other-layers"),
        (head_reset_weights, "changed-weights"),
        (head_rebuilt_tail, "other-layers"),
        (head_for_container, "gone"),
        (head_with_dropout, "beside"),
        (head_with_softmax, "softmax"),
        (head_with_a_spare, "changed-layers"),
        (head_dilated, "run"),
    ],
    "03.3": [
        (shapes_hook_scales, "hook-changes"),
        (shapes_numbered, "numbered"),
        (shapes_late_name, "closure"),
        (shapes_hooks_left, "changed-hooks"),
        (shapes_hooks_cleared, "hook-lost"),
        (shapes_containers, "containers"),
        (shapes_containers_but_the_root, "containers"),
        (shapes_children, "children"),
        (shapes_known_kinds, "missing"),
        (shapes_as_registered, "order"),
        (shapes_sorted, "order"),
        (shapes_reversed, "order"),
        (shapes_last_run, "moved"),
        (shapes_last_shape, "last-run"),
        (shapes_with_idle, "idle"),
        (shapes_inputs, "inputs"),
        (shapes_without_batch, "batch"),
        (shapes_of_one_image, "one-picture"),
        (shapes_tensors, "tensors"),
        (shapes_of_input_tuples, "inputs-shape"),
        (shapes_one_by_one, "chained"),
        (shapes_half_size, "shapes"),
        (shapes_lists, "tuples"),
        (shapes_by_class, "names"),
        (shapes_by_layer, "names"),
        (shapes_short_names, "names"),
        (shapes_returned_by_hook, "hook-returns"),
        (shapes_removed_too_early, "empty"),
        (shapes_never_run, "empty"),
        (shapes_train_mode, "train-mode"),
        (shapes_left_in_eval, "changed-mode"),
        (shapes_left_in_train, "changed-mode"),
        (shapes_with_gradients, "gradients"),
        (shapes_frozen, "changed-requires_grad"),
        (shapes_batchnorm_moves, "gradients"),
        (shapes_pairs, "type"),
    ],
    "03.4": [
        (bytes_if_capital, "adam"),
        (bytes_of_32_bits, "bits-of-values"),
        (bytes_as_dict, "parts"),
        (bytes_state_of_all, "state-of-all"),
        (bytes_gradients_of_all, "gradients-of-all"),
        (bytes_of_all, "frozen-ignored"),
        (bytes_of_the_trainable, "frozen-weights"),
        (bytes_counted_twice, "counted-twice"),
        (bytes_no_gradients, "no-gradients"),
        (bytes_no_state, "no-state"),
        (bytes_no_weights, "no-weights"),
        (bytes_no_momentum, "momentum"),
        (bytes_one_state, "adam"),
        (bytes_swapped, "swapped"),
        (bytes_no_batch, "no-batch"),
        (bytes_batch_of_all, "batch-of-all"),
        (bytes_no_activations, "no-activations"),
        (bytes_four_times_activations, "four-times"),
        (bytes_values, "values"),
        (bytes_weights_only, "part-in-values"),
        (bytes_megabytes, "unit"),
        (bytes_float, "float"),
        (bytes_text, "type"),
        (bytes_mebibytes, "unit"),
        (bytes_without_state_of_adam, "value"),
        (bytes_doubles, "doubles"),
        (bytes_wrong_names, "names"),
    ],
    "03.5": [
        ("a", "a"),
        ("b", "b"),
        ("c", "c"),
        ("e", "e"),
        (With("b", grown=GROWN), "b"),
        (With("d", grown=GROWN | {"gradients": 900.0}), "count"),
        (With("d", grown={"activations": 485.1}), "count"),
        ("activations", "unknown"),
        ("cd", "unknown"),
        (4, "type"),
        (["d"], "type"),
    ],
}
