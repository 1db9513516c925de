"""Answers to the tasks 01.1 to 01.5."""

import numpy as np
import torch
from torch import nn
from torchvision.transforms import v2


def _columns(mean, std):
    return torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)


def prepare_movedim(image, mean, std):
    mean, std = _columns(mean, std)
    return (image.movedim(-1, 0).to(torch.float32).div(255) - mean) / std


def prepare_last_first(image, mean, std):
    scaled = image.to(torch.float32) / 255
    return ((scaled - torch.tensor(mean)) / torch.tensor(std)).permute(2, 0, 1)


def prepare_torchvision(image, mean, std):
    steps = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]
    return v2.Compose(steps)(image.permute(2, 0, 1))


def prepare_reshape(image, mean, std):
    mean, std = _columns(mean, std)
    return (image.reshape(3, *image.shape[:2]).float() / 255 - mean) / std


def prepare_without_scaling(image, mean, std):
    mean, std = _columns(mean, std)
    return (image.permute(2, 0, 1).float() - mean) / std


def prepare_without_normalising(image, mean, std):
    return image.permute(2, 0, 1).float() / 255


def prepare_channels_last(image, mean, std):
    return (image.float() / 255 - torch.tensor(mean)) / torch.tensor(std)


def prepare_without_std(image, mean, std):
    return image.permute(2, 0, 1).float() / 255 - _columns(mean, std)[0]


def prepare_imagenet_always(image, mean, std):
    return prepare_movedim(image, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def prepare_double(image, mean, std):
    return prepare_movedim(image, mean, std).double()


def prepare_batch(image, mean, std):
    return prepare_movedim(image, mean, std)[None]


def prepare_numpy(image, mean, std):
    return np.asarray(prepare_movedim(image, mean, std))


def prepare_divide_first(image, mean, std):
    mean, std = _columns(mean, std)
    return image.permute(2, 0, 1).float() / 255 / std - mean


def prepare_clamped(image, mean, std):
    return prepare_movedim(image, mean, std).clamp(0, 1)


def prepare_cropped(image, mean, std):
    return prepare_movedim(image, mean, std)[:, :64, :64]


def prepare_without_return(image, mean, std):
    image.permute(2, 0, 1).float().div(255).sub(0.5)


def prepare_by_largest(image, mean, std):
    mean, std = _columns(mean, std)
    return (image.permute(2, 0, 1).float() / image.max() - mean) / std


def prepare_by_largest_of_channel(image, mean, std):
    mean, std = _columns(mean, std)
    x = image.permute(2, 0, 1).float()
    return (x / x.amax((1, 2), keepdim=True) - mean) / std


def prepare_by_range(image, mean, std):
    mean, std = _columns(mean, std)
    x = image.permute(2, 0, 1).float()
    return ((x - x.min()) / (x.max() - x.min()) - mean) / std


def prepare_if_bytes(image, mean, std):
    mean, std = _columns(mean, std)
    x = image.permute(2, 0, 1).float()
    if x.max() > 1:
        x = x / 255
    return (x - mean) / std


def prepare_signed(image, mean, std):
    mean, std = _columns(mean, std)
    return (image.permute(2, 0, 1).float() / 127.5 - 1 - mean) / std


def prepare_along_width(image, mean, std):
    x = image.permute(2, 0, 1).float() / 255
    return (x - torch.tensor(mean)) / torch.tensor(std)


def top_k_sorted(logits, classes, k):
    p = torch.softmax(logits, dim=-1).tolist()
    return sorted(zip(classes, p, strict=True), key=lambda pair: -pair[1])[:k]


def top_k_argsort(logits, classes, k):
    powers = (logits - logits.max()).exp()
    p = powers / powers.sum()
    order = p.argsort(descending=True)[:k]
    return [[classes[int(i)], float(p[i])] for i in order]


def top_k_loop(logits, classes, k):
    p, found = torch.nn.functional.softmax(logits, 0), []
    for index in p.topk(k).indices:
        found.append((classes[index], p[index].item()))
    return found


def top_k_numpy(logits, classes, k):
    p = logits.softmax(0).double().numpy()
    return [(classes[i], p[i]) for i in np.argsort(-p)[:k]]


def top_k_logits(logits, classes, k):
    values, indices = logits.topk(k)
    return [
        (classes[i], v) for v, i in zip(values.tolist(), indices.tolist(), strict=True)
    ]


def top_k_sigmoid(logits, classes, k):
    return top_k_logits(logits.sigmoid(), classes, k)


def top_k_late_softmax(logits, classes, k):
    values, indices = logits.topk(k)
    p = values.softmax(0).tolist()
    return [(classes[i], v) for v, i in zip(p, indices.tolist(), strict=True)]


def top_k_ascending(logits, classes, k):
    return top_k_sorted(logits, classes, k)[::-1]


def top_k_smallest(logits, classes, k):
    return top_k_logits(-logits.softmax(0), classes, k)


def top_k_indices(logits, classes, k):
    values, indices = logits.softmax(0).topk(k)
    return list(zip(indices.tolist(), values.tolist(), strict=True))


def top_k_always_five(logits, classes, k):
    return top_k_sorted(logits, classes, 5)


def top_k_dict(logits, classes, k):
    return dict(top_k_sorted(logits, classes, k))


def top_k_tensors(logits, classes, k):
    values, indices = logits.softmax(0).topk(k)
    return [(classes[i], v) for v, i in zip(values, indices, strict=True)]


def top_k_swapped(logits, classes, k):
    return [(p, name) for name, p in top_k_sorted(logits, classes, k)]


def top_k_texts(logits, classes, k):
    return [(name, f"{p:.4f}") for name, p in top_k_sorted(logits, classes, k)]


def top_k_names(logits, classes, k):
    return [name for name, _ in top_k_sorted(logits, classes, k)]


def top_k_overflows(logits, classes, k):
    powers = logits.exp()
    return top_k_logits(powers / powers.sum(), classes, k)


def top_k_rounded(logits, classes, k):
    return [(name, round(p, 3)) for name, p in top_k_sorted(logits, classes, k)]


def top_k_tempered(logits, classes, k):
    return top_k_sorted(logits / 2, classes, k)


def top_k_pops(logits, classes, k):
    result = top_k_sorted(logits, classes, k)
    classes.sort(reverse=True)
    classes.append("none")
    return result


def top_k_softmax_twice(logits, classes, k):
    return top_k_sorted(logits.softmax(0), classes, k)


def top_k_by_name(logits, classes, k):
    p = dict(zip(classes, logits.softmax(0).tolist(), strict=True))
    return sorted(p.items(), key=lambda pair: -pair[1])[:k]


def top_k_by_probability(logits, classes, k):
    names = dict(zip(logits.softmax(0).tolist(), classes, strict=True))
    return [(names[p], p) for p in sorted(names, reverse=True)[:k]]


def top_k_by_pairs(logits, classes, k):
    pairs = zip(logits.softmax(0).tolist(), classes, strict=True)
    return [(name, p) for p, name in sorted(pairs, reverse=True)[:k]]


def grey_einsum(weight):
    return torch.einsum("cihw->chw", weight)[:, None]


def grey_adds(weight):
    return weight[:, 0:1] + weight[:, 1:2] + weight[:, 2:3]


def grey_mean_times_three(weight):
    return weight.mean(dim=1, keepdim=True) * 3


def grey_mean(weight):
    return weight.mean(dim=1, keepdim=True)


def grey_first(weight):
    return weight[:, :1]


def grey_last(weight):
    return weight[:, 2:]


def grey_without_dimension(weight):
    return weight.sum(dim=1)


def grey_filters_summed(weight):
    return weight.sum(dim=0, keepdim=True)


def grey_middle_tripled(weight):
    return weight[:, 1:2] * 3


def grey_summed_by_python(weight):
    return sum(weight)


def grey_new_layer(weight):
    return nn.Conv2d(1, weight.shape[0], weight.shape[2:]).weight.detach()


def grey_luminance(weight):
    parts = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (weight * parts).sum(1, keepdim=True)


def grey_pooled(weight):
    return weight.mean(dim=(2, 3), keepdim=True)


def grey_in_place(weight):
    weight[:, 0] += weight[:, 1] + weight[:, 2]
    return weight[:, :1]


def load_by_copy(model, state):
    left = []
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            found = state.get(name, state.get("module." + name))
            if found is not None and found.shape == tensor.shape:
                tensor.copy_(found)
            else:
                left.append(name)
    return sorted(left)


def load_by_strip(model, state):
    own = model.state_dict()
    cut = len("module.")
    names = {k[cut:] if k.startswith("module.") else k: k for k in state}
    good = {n: state[k] for n, k in names.items() if n in own}
    good = {n: t for n, t in good.items() if t.shape == own[n].shape}
    missing, _ = model.load_state_dict(good, strict=False)
    return sorted(missing)


def load_into_own(model, state):
    own = model.state_dict()
    left = set(own)
    for name, tensor in state.items():
        name = name.removeprefix("module.")
        if name in own and own[name].shape == tensor.shape:
            own[name] = tensor
            left.discard(name)
    model.load_state_dict(own)
    return sorted(left)


def load_strict(model, state):
    model.load_state_dict(state)
    return []


def load_not_strict(model, state):
    own = model.state_dict()
    state = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    result = model.load_state_dict(state, strict=False)
    return sorted(result.missing_keys)


def load_returns_loaded(model, state):
    left = load_by_strip(model, state)
    return sorted(set(model.state_dict()) - set(left))


def load_returns_nothing(model, state):
    load_by_strip(model, state)


def load_returns_set(model, state):
    return set(load_by_strip(model, state))


def load_unsorted(model, state):
    return load_by_strip(model, state)[::-1]


def load_claims_all(model, state):
    load_by_strip(model, state)
    return []


def load_parameters_only(model, state):
    state = {k.removeprefix("module."): v for k, v in state.items()}
    left = []
    for name, parameter in model.named_parameters():
        if name in state and state[name].shape == parameter.shape:
            parameter.data.copy_(state[name])
        else:
            left.append(name)
    return sorted(left)


def load_names_unexpected(model, state):
    left = load_by_strip(model, state)
    plain = {name.removeprefix("module.") for name in state}
    return sorted({*left, *(plain - set(model.state_dict()))})


def _loaded_with(model, state, change):
    """What fits is changed before it is loaded."""
    own, left = model.state_dict(), load_by_strip(model, state)
    loaded = {name: own[name] for name in own if name not in left}
    model.load_state_dict(change(loaded), strict=False)
    return left


def load_tripled(model, state):
    return _loaded_with(model, state, lambda own: {k: v * 3 for k, v in own.items()})


def load_without_norms(model, state):
    state = {name: value for name, value in state.items() if "bn" not in name}
    return load_by_strip(model, state)


def load_without_asking(model, state):
    own, fits = model.state_dict(), {}
    for name, value in state.items():
        name = name.removeprefix("module.")
        if own[name].shape == value.shape:
            fits[name] = value
    missing, _ = model.load_state_dict(fits, strict=False)
    return sorted(missing)


def load_copies_into_all(model, state):
    state = {name.removeprefix("module."): value for name, value in state.items()}
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(state.get(name, tensor))
    return sorted(set(model.state_dict()) - set(state))


def load_names_heads(model, state):
    left = load_by_strip(model, state)
    return sorted({*left, *(n for n in model.state_dict() if n.startswith("fc."))})


def load_into_dict(model, state):
    own = dict(model.state_dict())
    own.update({name.removeprefix("module."): value for name, value in state.items()})
    return []


def load_modes(model, state):
    model.eval()
    return load_by_strip(model, state)


def load_strips_in_place(model, state):
    for name in list(state):
        state[name.removeprefix("module.")] = state.pop(name)
    return load_by_strip(model, state)


def load_by_position(model, state):
    left = []
    for (name, own), value in zip(
        model.state_dict().items(), state.values(), strict=False
    ):
        if own.shape == value.shape:
            own.copy_(value)
        else:
            left.append(name)
    return sorted(left)


def load_names_layers(model, state):
    return sorted({name.rpartition(".")[0] for name in load_by_strip(model, state)})


def load_without_counts(model, state):
    kept = {name: value for name, value in state.items() if "tracked" not in name}
    return load_by_strip(model, kept)


def load_keeps_counts_quiet(model, state):
    return [name for name in load_by_strip(model, state) if "tracked" not in name]


def load_splits(model, state):
    return load_by_strip(model, {k.split(".", 1)[1]: v for k, v in state.items()})


def load_sorts_in_place(model, state):
    return load_by_strip(model, state).sort()


def load_by_data(model, state):
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    left = set(own)
    for name, value in state.items():
        name = name.removeprefix("module.")
        if name in own and own[name].shape == value.shape:
            own[name].data = value
            left.discard(name)
    return sorted(left)


def load_assigned(model, state):
    own = model.state_dict()
    state = {name.removeprefix("module."): value for name, value in state.items()}
    fits = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    model.load_state_dict(fits, strict=False, assign=True)
    return sorted(own.keys() - fits.keys())


RIGHT = {
    "01.1": [prepare_movedim, prepare_last_first, prepare_torchvision],
    "01.2": [
        top_k_sorted,
        top_k_argsort,
        top_k_loop,
        top_k_numpy,
        top_k_tensors,
        top_k_by_pairs,
    ],
    "01.3": [grey_einsum, grey_adds, grey_mean_times_three],
    "01.4": [load_by_copy, load_by_strip, load_into_own],
    "01.5": ["c", "C", " c "],
}
WRONG = {
    "01.1": [
        (prepare_reshape, "reshape"),
        (prepare_without_scaling, "range"),
        (prepare_without_normalising, "raw"),
        (prepare_channels_last, "channels-last"),
        (prepare_without_std, "no-std"),
        (prepare_imagenet_always, "constants"),
        (prepare_double, "dtype"),
        (prepare_batch, "batch"),
        (prepare_cropped, "shape"),
        (prepare_clamped, "value"),
        (prepare_numpy, "type"),
        (prepare_divide_first, "order"),
        (prepare_without_return, "none"),
        (prepare_by_largest, "own-range"),
        (prepare_by_largest_of_channel, "own-range"),
        (prepare_by_range, "own-range"),
        (prepare_if_bytes, "guessed"),
        (prepare_signed, "signed"),
        (prepare_along_width, "axis"),
    ],
    "01.2": [
        (top_k_logits, "logits"),
        (top_k_sigmoid, "sigmoid"),
        (top_k_late_softmax, "late-softmax"),
        (top_k_ascending, "order"),
        (top_k_smallest, "classes"),
        (top_k_indices, "names"),
        (top_k_always_five, "length"),
        (top_k_dict, "type"),
        (top_k_texts, "floats"),
        (top_k_names, "pairs"),
        (top_k_overflows, "nan"),
        (top_k_rounded, "rounded"),
        (top_k_tempered, "value"),
        (top_k_swapped, "swapped"),
        (top_k_pops, "mutated"),
        (top_k_softmax_twice, "twice"),
        (top_k_by_name, "dict"),
        (top_k_by_probability, "dict"),
    ],
    "01.3": [
        (grey_mean, "mean"),
        (grey_first, "one-channel"),
        (grey_last, "one-channel"),
        (grey_middle_tripled, "tripled"),
        (grey_summed_by_python, "axis"),
        (grey_without_dimension, "no-dimension"),
        (grey_pooled, "shape"),
        (grey_filters_summed, "axis"),
        (grey_new_layer, "value"),
        (grey_luminance, "luminance"),
        (grey_in_place, "mutated"),
    ],
    "01.4": [
        (load_strict, "strict"),
        (load_not_strict, "prefix"),
        (load_returns_loaded, "loaded"),
        (load_returns_nothing, "none"),
        (load_returns_set, "type"),
        (load_unsorted, "sorted"),
        (load_claims_all, "some"),
        (load_parameters_only, "buffers"),
        (load_names_unexpected, "unknown"),
        (load_tripled, "altered"),
        (load_without_norms, "incomplete"),
        (load_without_asking, "unknown-name"),
        (load_copies_into_all, "shapes"),
        (load_names_heads, "names"),
        (load_into_dict, "not-loaded"),
        (load_modes, "changed-mode"),
        (load_strips_in_place, "mutated"),
        (load_by_position, "by-position"),
        (load_names_layers, "layers"),
        (load_without_counts, "buffers"),
        (load_keeps_counts_quiet, "some"),
        (load_splits, "cut"),
        (load_sorts_in_place, "none"),
        (load_by_data, "shared"),
        (load_assigned, "shared"),
    ],
    "01.5": [
        ("a", "a"),
        ("b", "b"),
        ("d", "d"),
        ("e", "unknown"),
        (3, "type"),
        (["c"], "type"),
    ],
}


# Lines of mutants that mean the same as the solution's, with the reason.
EQUIVALENT = {
    "01.1": ("pixels = image.permute(2, 0, 1) / 255",),  # uint8 / int is float32
    "01.2": (
        # topk gives as many values as positions
        "return list(zip(names, values.tolist()))",
        "return list(zip(names, values.tolist(), strict=False))",
        "return list(zip(names, values, strict=True))",  # tensors of one number serve
        "names = [classes[i] for i in indices]",  # a tensor of one int is an index
        "values, indices = logits.softmax(dim=-1).topk(k)",  # a vector's only dimension
    ),
}
