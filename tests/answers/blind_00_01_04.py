"""Answers written from the text of the tasks alone, without sight of the checks."""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.transforms import functional as TF

# --- 00.1 Count the parameters: f(model) -> int


def t00_1_right_sum_numel(model):
    return sum(p.numel() for p in model.parameters())


def t00_1_right_shape_products(model):
    total = 0
    for _, parameter in model.named_parameters():
        total += math.prod(parameter.shape)
    return total


def t00_1_wrong_only_trainable(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def t00_1_wrong_counts_tensors(model):
    return len(list(model.parameters()))


def t00_1_wrong_state_dict_with_buffers(model):
    return sum(t.numel() for t in model.state_dict().values())


def t00_1_wrong_len_of_tensor(model):
    return sum(len(p) for p in model.parameters())


def t00_1_wrong_only_weights(model):
    return sum(p.numel() for n, p in model.named_parameters() if n.endswith("weight"))


def t00_1_right_in_a_tensor(model):
    return torch.tensor([p.numel() for p in model.parameters()]).sum()


def t00_1_wrong_bytes(model):
    return sum(p.numel() * p.element_size() for p in model.parameters())


def t00_1_wrong_own_parameters_only(model):
    return sum(p.numel() for p in model.parameters(recurse=False))


def t00_1_wrong_shared_counted_per_module(model):
    total = 0
    for module in model.modules():
        total += sum(p.numel() for p in module.parameters())
    return total


def t00_1_wrong_returns_in_loop(model):
    total = 0
    for parameter in model.parameters():
        total += parameter.numel()
        return total


def t00_1_wrong_no_return(model):
    print(sum(p.numel() for p in model.parameters()))


# --- 00.2 Accuracy of a batch: f(logits, labels) -> float


def t00_2_right_mean(logits, labels):
    return (logits.argmax(dim=1) == labels).float().mean().item()


def t00_2_right_count_and_divide(logits, labels):
    _, predicted = torch.max(logits, 1)
    right = sum(int(p) == int(y) for p, y in zip(predicted, labels, strict=True))
    return right / len(labels)


def t00_2_wrong_axis(logits, labels):
    return (logits.argmax(dim=0) == labels).float().mean().item()


def t00_2_wrong_no_axis(logits, labels):
    return (logits.argmax() == labels).float().mean().item()


def t00_2_right_in_a_tensor(logits, labels):
    return (logits.argmax(dim=1) == labels).float().mean()


def t00_2_wrong_percent(logits, labels):
    return 100.0 * (logits.argmax(dim=1) == labels).float().mean().item()


def t00_2_wrong_count(logits, labels):
    return float((logits.argmax(dim=1) == labels).sum())


def t00_2_wrong_divides_by_classes(logits, labels):
    return (logits.argmax(dim=1) == labels).sum().item() / logits.shape[1]


def t00_2_wrong_floor_division(logits, labels):
    return float((logits.argmax(dim=1) == labels).sum().item() // len(labels))


def t00_2_wrong_mean_of_bool(logits, labels):
    return (logits.argmax(dim=1) == labels).mean().item()


def t00_2_wrong_values_not_positions(logits, labels):
    return (logits.max(dim=1).values == labels).float().mean().item()


def t00_2_wrong_probability_above_half(logits, labels):
    probabilities = logits.softmax(dim=1)
    own = probabilities[torch.arange(len(labels)), labels]
    return (own > 0.5).float().mean().item()


def t00_2_wrong_mean_probability(logits, labels):
    probabilities = logits.softmax(dim=1)
    return probabilities[torch.arange(len(labels)), labels].mean().item()


def t00_2_wrong_broadcast(logits, labels):
    predicted = logits.argmax(dim=1, keepdim=True)
    return (predicted == labels).float().mean().item()


def t00_2_wrong_error_rate(logits, labels):
    return (logits.argmax(dim=1) != labels).float().mean().item()


def t00_2_wrong_batch_size_fixed(logits, labels):
    return (logits.argmax(dim=1) == labels).sum().item() / 32


# --- 01.1 Prepare a picture by hand: f(image, mean, std) -> float32 (3, H, W)


def t01_1_right_permute(image, mean, std):
    pixels = image.permute(2, 0, 1).to(torch.float32) / 255
    mean = torch.as_tensor(mean, dtype=torch.float32).view(3, 1, 1)
    std = torch.as_tensor(std, dtype=torch.float32).view(3, 1, 1)
    return (pixels - mean) / std


def t01_1_right_channel_by_channel(image, mean, std):
    planes = []
    for channel in range(3):
        plane = image[:, :, channel].float() / 255.0
        planes.append((plane - float(mean[channel])) / float(std[channel]))
    return torch.stack(planes)


def t01_1_right_torchvision(image, mean, std):
    pixels = image.movedim(-1, 0).float().div(255)
    return TF.normalize(pixels, list(mean), list(std))


def t01_1_wrong_no_permute(image, mean, std):
    return (image.float() / 255 - torch.tensor(mean)) / torch.tensor(std)


def t01_1_wrong_view_for_permute(image, mean, std):
    height, width, _ = image.shape
    pixels = image.reshape(3, height, width).float() / 255
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (pixels - mean) / std


def t01_1_wrong_height_and_width_swapped(image, mean, std):
    pixels = image.permute(2, 1, 0).float() / 255
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (pixels - mean) / std


def t01_1_wrong_no_scaling(image, mean, std):
    pixels = image.permute(2, 0, 1).float()
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (pixels - mean) / std


def t01_1_wrong_no_normalising(image, mean, std):
    return image.permute(2, 0, 1).float() / 255


def t01_1_wrong_times_std(image, mean, std):
    pixels = image.permute(2, 0, 1).float() / 255
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (pixels - mean) * std


def t01_1_wrong_only_mean(image, mean, std):
    return image.permute(2, 0, 1).float() / 255 - torch.tensor(mean).view(3, 1, 1)


def t01_1_wrong_precedence(image, mean, std):
    pixels = image.permute(2, 0, 1).float() / 255
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return pixels - mean / std


def t01_1_wrong_scaled_by_256(image, mean, std):
    pixels = image.permute(2, 0, 1).float() / 256
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (pixels - mean) / std


def t01_1_wrong_integer_division(image, mean, std):
    pixels = (image.permute(2, 0, 1) // 255).float()
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (pixels - mean) / std


def t01_1_wrong_own_mean_and_std(image, mean, std):
    pixels = image.permute(2, 0, 1).float() / 255
    own_mean = pixels.mean(dim=(1, 2), keepdim=True)
    own_std = pixels.std(dim=(1, 2), keepdim=True)
    return (pixels - own_mean) / own_std


def t01_1_wrong_imagenet_numbers(image, mean, std):
    pixels = image.permute(2, 0, 1).float() / 255
    return TF.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def t01_1_wrong_float64(image, mean, std):
    pixels = image.permute(2, 0, 1).double() / 255
    return TF.normalize(pixels, list(mean), list(std))


def t01_1_wrong_batch_axis(image, mean, std):
    return t01_1_right_permute(image, mean, std).unsqueeze(0)


def t01_1_wrong_one_mean_for_all(image, mean, std):
    pixels = image.permute(2, 0, 1).float() / 255
    return (pixels - mean[0]) / std[0]


def t01_1_wrong_bgr(image, mean, std):
    return t01_1_right_permute(image.flip(2), mean, std)


def t01_1_wrong_size_fixed(image, mean, std):
    return t01_1_right_permute(image[:64, :64], mean, std)


def t01_1_wrong_turns_the_image_in_place(image, mean, std):
    image.swapaxes_(1, 2).swapaxes_(0, 1)
    mean, std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    return (image.float() / 255 - mean) / std


# --- 01.2 Top k, with names: f(logits, classes, k) -> list of (str, float)


def t01_2_right_topk(logits, classes, k):
    values, positions = logits.softmax(dim=0).topk(k)
    return [
        (classes[i], p)
        for p, i in zip(values.tolist(), positions.tolist(), strict=True)
    ]


def t01_2_right_sorted(logits, classes, k):
    scaled = torch.exp(logits - torch.logsumexp(logits, dim=-1))
    pairs = [(name, float(p)) for name, p in zip(classes, scaled, strict=True)]
    pairs.sort(key=lambda pair: pair[1], reverse=True)
    return pairs[:k]


def t01_2_wrong_no_softmax(logits, classes, k):
    values, positions = logits.topk(k)
    return [(classes[i], float(v)) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_softmax_over_the_k(logits, classes, k):
    values, positions = logits.topk(k)
    values = values.softmax(dim=0)
    return [(classes[i], float(v)) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_worst_first(logits, classes, k):
    probabilities = logits.softmax(dim=0)
    order = probabilities.argsort()[-k:].tolist()
    return [(classes[i], float(probabilities[i])) for i in order]


def t01_2_wrong_least_probable(logits, classes, k):
    probabilities = logits.softmax(dim=0)
    order = probabilities.argsort()[:k].tolist()
    return [(classes[i], float(probabilities[i])) for i in order]


def t01_2_right_tensors_in_pairs(logits, classes, k):
    values, positions = logits.softmax(dim=0).topk(k)
    return [(classes[i], v) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_positions_for_names(logits, classes, k):
    values, positions = logits.softmax(dim=0).topk(k)
    return list(zip(positions.tolist(), values.tolist(), strict=True))


def t01_2_wrong_probability_first(logits, classes, k):
    values, positions = logits.softmax(dim=0).topk(k)
    return [(float(v), classes[i]) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_sigmoid(logits, classes, k):
    values, positions = logits.sigmoid().topk(k)
    return [(classes[i], float(v)) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_names_in_class_order(logits, classes, k):
    values = logits.softmax(dim=0).topk(k).values.tolist()
    return list(zip(classes, values, strict=False))


def t01_2_wrong_always_five(logits, classes, k):
    values, positions = logits.softmax(dim=0).topk(min(5, len(classes)))
    return [(classes[i], float(v)) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_off_by_one(logits, classes, k):
    probabilities = logits.softmax(dim=0)
    order = probabilities.argsort(descending=True).tolist()[1 : k + 1]
    return [(classes[i], float(probabilities[i])) for i in order]


def t01_2_wrong_percent(logits, classes, k):
    values, positions = logits.softmax(dim=0).topk(k)
    return [
        (classes[i], 100 * float(v)) for v, i in zip(values, positions, strict=True)
    ]


def t01_2_wrong_dictionary(logits, classes, k):
    return dict(t01_2_right_topk(logits, classes, k))


def t01_2_wrong_rounded(logits, classes, k):
    return [(n, round(p, 2)) for n, p in t01_2_right_topk(logits, classes, k)]


def t01_2_wrong_log_softmax(logits, classes, k):
    values, positions = F.log_softmax(logits, dim=0).topk(k)
    return [(classes[i], float(v)) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_softmax_without_shift(logits, classes, k):
    powers = logits.exp()  # overflows for large logits
    values, positions = (powers / powers.sum()).topk(k)
    return [(classes[i], float(v)) for v, i in zip(values, positions, strict=True)]


def t01_2_wrong_batch_axis_expected(logits, classes, k):
    values, positions = logits.softmax(dim=1).topk(k)
    return [
        (classes[i], float(v)) for v, i in zip(values[0], positions[0], strict=True)
    ]


# --- 01.3 Colour filters for grey pictures: f(weight) -> (C, 1, h, w)


def t01_3_right_sum(weight):
    return weight.sum(dim=1, keepdim=True)


def t01_3_right_add_channels(weight):
    return weight[:, 0:1] + weight[:, 1:2] + weight[:, 2:3]


def t01_3_right_einsum(weight):
    return torch.einsum("oihw->ohw", weight).unsqueeze(1)


def t01_3_wrong_mean(weight):
    return weight.mean(dim=1, keepdim=True)


def t01_3_wrong_first_channel(weight):
    return weight[:, :1].clone()


def t01_3_wrong_no_keepdim(weight):
    return weight.sum(dim=1)


def t01_3_wrong_axis(weight):
    return weight.sum(dim=0, keepdim=True)


def t01_3_wrong_luminance(weight):
    shares = torch.tensor([0.299, 0.587, 0.114], dtype=weight.dtype)
    return (weight * shares.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def t01_3_wrong_largest_channel(weight):
    return weight.amax(dim=1, keepdim=True)


def t01_3_wrong_three_times_the_first(weight):
    return 3 * weight[:, :1]


def t01_3_wrong_unsqueezed_at_the_front(weight):
    return weight.sum(dim=1).unsqueeze(0)


def t01_3_wrong_reshaped(weight):
    count, _, height, width = weight.shape
    return weight.reshape(count * 3, 1, height, width)


def t01_3_wrong_still_three_channels(weight):
    return weight.sum(dim=1, keepdim=True).repeat(1, 3, 1, 1)


def t01_3_wrong_fresh_filters(weight):
    count, _, height, width = weight.shape
    return nn.Conv2d(1, count, (height, width), bias=False).weight.detach()


def t01_3_wrong_forgets_the_last_channel(weight):
    return weight[:, 0:2].sum(dim=1, keepdim=True)


def t01_3_wrong_size_fixed(weight):
    return weight.sum(dim=1).view(-1, 1, 7, 7)


def t01_3_wrong_no_return(weight):
    weight.sum(dim=1, keepdim=True)


# --- 01.4 Load what fits: f(model, state) -> sorted list of names not loaded


def t01_4_right_load_state_dict(model, state):
    own = model.state_dict()
    fits = {}
    for name, value in state.items():
        name = name.removeprefix("module.")
        if name in own and own[name].shape == value.shape:
            fits[name] = value
    model.load_state_dict(fits, strict=False)
    return sorted(set(own) - set(fits))


def t01_4_right_copy_each(model, state):
    start = "module."
    given = {k[len(start) :] if k.startswith(start) else k: state[k] for k in state}
    left = []
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name in given and given[name].size() == tensor.size():
                tensor.copy_(given[name])
            else:
                left.append(name)
    left.sort()
    return left


def t01_4_wrong_prefix_kept(model, state):
    own = model.state_dict()
    fits = {n: v for n, v in state.items() if n in own and own[n].shape == v.shape}
    model.load_state_dict(fits, strict=False)
    return sorted(set(own) - set(fits))


def t01_4_wrong_shapes_not_compared(model, state):
    clean = {n.removeprefix("module."): v for n, v in state.items()}
    return sorted(model.load_state_dict(clean, strict=False).missing_keys)


def t01_4_wrong_lstrip(model, state):
    return t01_4_right_load_state_dict(
        model,
        {n.lstrip("module."): v for n, v in state.items()},  # noqa: B005
    )


def t01_4_wrong_cuts_seven_characters_always(model, state):
    return t01_4_right_load_state_dict(model, {n[7:]: v for n, v in state.items()})


def t01_4_wrong_prefix_replaced_anywhere(model, state):
    clean = {n.replace("module.", ""): v for n, v in state.items()}
    return t01_4_right_load_state_dict(model, clean)


def t01_4_wrong_all_or_none_have_the_prefix(model, state):
    if all(n.startswith("module.") for n in state):
        state = {n.removeprefix("module."): v for n, v in state.items()}
    own = model.state_dict()
    fits = {n: v for n, v in state.items() if n in own and own[n].shape == v.shape}
    model.load_state_dict(fits, strict=False)
    return sorted(set(own) - set(fits))


def t01_4_wrong_returns_loaded(model, state):
    left = t01_4_right_load_state_dict(model, state)
    return sorted(set(model.state_dict()) - set(left))


def t01_4_wrong_returns_unused_entries(model, state):
    left = t01_4_right_load_state_dict(model, state)
    loaded = set(model.state_dict()) - set(left)
    return sorted(n for n in state if n.removeprefix("module.") not in loaded)


def t01_4_wrong_only_mismatched_not_missing(model, state):
    left = t01_4_right_load_state_dict(model, state)
    given = {n.removeprefix("module.") for n in state}
    return [n for n in left if n in given]


def t01_4_wrong_only_missing_not_mismatched(model, state):
    left = t01_4_right_load_state_dict(model, state)
    given = {n.removeprefix("module.") for n in state}
    return [n for n in left if n not in given]


def t01_4_wrong_unsorted(model, state):
    left = t01_4_right_load_state_dict(model, state)
    return [n for n in model.state_dict() if n in left]


def t01_4_wrong_returns_a_set(model, state):
    return set(t01_4_right_load_state_dict(model, state))


def t01_4_wrong_buffers_forgotten(model, state):
    given = {n.removeprefix("module."): v for n, v in state.items()}
    left = []
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in given and given[name].shape == parameter.shape:
                parameter.copy_(given[name])
            else:
                left.append(name)
    return sorted(left)


def t01_4_wrong_nothing_loaded(model, state):
    own = model.state_dict()
    for name, value in state.items():
        name = name.removeprefix("module.")
        if name in own and own[name].shape == value.shape:
            own[name] = value  # changes the dictionary, not the model
    given = {n.removeprefix("module."): v for n, v in state.items()}
    return sorted(n for n in own if n not in given or given[n].shape != own[n].shape)


def t01_4_wrong_count_of_values_for_shape(model, state):
    own = model.state_dict()
    fits = {}
    for name, value in state.items():
        name = name.removeprefix("module.")
        if name in own and own[name].numel() == value.numel():
            fits[name] = value.reshape(own[name].shape)
    model.load_state_dict(fits, strict=False)
    return sorted(set(own) - set(fits))


def t01_4_wrong_skips_the_head_always(model, state):
    state = {n: v for n, v in state.items() if "fc." not in n}
    return t01_4_right_load_state_dict(model, state)


def t01_4_wrong_cuts_large_entries(model, state):
    own = model.state_dict()
    fits = {}
    for name, value in state.items():
        name = name.removeprefix("module.")
        if name in own and own[name].dim() == value.dim():
            if value.dim() and len(value) >= len(own[name]):
                value = value[: len(own[name])]
            if value.shape == own[name].shape:
                fits[name] = value
    model.load_state_dict(fits, strict=False)
    return sorted(set(own) - set(fits))


def t01_4_wrong_rest_set_to_zero(model, state):
    left = t01_4_right_load_state_dict(model, state)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name in left:
                tensor.zero_()
    return left


def t01_4_wrong_gives_up_on_error(model, state):
    clean = {n.removeprefix("module."): v for n, v in state.items()}
    try:
        model.load_state_dict(clean)
    except RuntimeError:
        return sorted(model.state_dict())
    return []


def t01_4_wrong_loads_into_a_copy(model, state):
    model = copy.deepcopy(model)
    return t01_4_right_load_state_dict(model, state)


def t01_4_wrong_no_return(model, state):
    t01_4_right_load_state_dict(model, state)


# --- 04.1 Freeze the backbone: f(model, num_classes) -> the same model


def t04_1_right_requires_grad_(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_right_loop(model, num_classes):
    for parameter in model.parameters():
        parameter.requires_grad = False
    width = model.fc.weight.shape[1]
    setattr(model, "fc", nn.Linear(width, num_classes))  # noqa: B010
    return model


def t04_1_right_freezes_all_but_the_new_head(model, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    return model


def t04_1_wrong_head_first_then_freeze(model, num_classes):
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model


def t04_1_wrong_attribute_on_the_module(model, num_classes):
    model.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_eval_for_freezing(model, num_classes):
    model.eval()
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_no_grad_for_freezing(model, num_classes):
    with torch.no_grad():
        model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_only_the_layers(model, num_classes):
    for name, parameter in model.named_parameters():
        if name.startswith("layer"):
            parameter.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_only_weights_frozen(model, num_classes):
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            parameter.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_batchnorm_left_to_learn(model, num_classes):
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_old_head_kept(model, num_classes):
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    model.fc.out_features = num_classes
    return model


def t04_1_wrong_head_behind_the_head(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Sequential(model.fc, nn.Linear(model.fc.out_features, num_classes))
    return model


def t04_1_wrong_width_fixed(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(512, num_classes)
    return model


def t04_1_wrong_classes_fixed(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, 5)
    return model


def t04_1_wrong_other_name(model, num_classes):
    model.requires_grad_(False)
    model.classifier = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_works_on_a_copy(model, num_classes):
    model = copy.deepcopy(model).requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_no_return(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)


def t04_1_wrong_returns_the_head(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model.fc


def t04_1_wrong_backbone_reset(model, num_classes):
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def t04_1_wrong_only_bias_of_the_head_learns(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    model.fc.weight.requires_grad_(False)
    return model


# --- 04.2 Features, and leave no trace: f(model, images) -> (N, D)


def t04_2_right_identity(model, images):
    modes = {module: module.training for module in model.modules()}
    head = model.fc
    model.fc = nn.Identity()
    model.eval()
    try:
        with torch.no_grad():
            return model(images)
    finally:
        model.fc = head
        for module, training in modes.items():
            module.training = training


def t04_2_right_pre_hook(model, images):
    caught = []
    handle = model.fc.register_forward_pre_hook(
        lambda module, inputs: caught.append(inputs[0].detach().clone())
    )
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            model(images)
    finally:
        handle.remove()
        for module, training in modes:
            module.training = training
    return caught[0]


def t04_2_right_on_a_copy(model, images):
    twin = copy.deepcopy(model)
    twin.fc = nn.Identity()
    twin.eval()
    with torch.inference_mode():
        return twin(images)


def t04_2_wrong_left_in_eval(model, images):
    head, model.fc = model.fc, nn.Identity()
    model.eval()
    with torch.no_grad():
        out = model(images)
    model.fc = head
    return out


def t04_2_wrong_always_back_to_train(model, images):
    head, model.fc = model.fc, nn.Identity()
    model.eval()
    with torch.no_grad():
        out = model(images)
    model.fc = head
    model.train()
    return out


def t04_2_wrong_mode_of_the_head_forgotten(model, images):
    # the modes are put back while the head is away, so the head stays in eval mode
    modes = [(name, module.training) for name, module in model.named_modules()]
    model.eval()
    head, model.fc = model.fc, nn.Identity()
    with torch.no_grad():
        out = model(images)
    for name, training in modes:
        model.get_submodule(name).training = training
    model.fc = head
    return out


def t04_2_wrong_no_eval(model, images):
    head, model.fc = model.fc, nn.Identity()
    with torch.no_grad():
        out = model(images)
    model.fc = head
    return out


def t04_2_wrong_train_mode_statistics_restored(model, images):
    # puts the statistics back, but the features come from train mode
    before = copy.deepcopy(model.state_dict())
    head, model.fc = model.fc, nn.Identity()
    with torch.no_grad():
        out = model(images)
    model.fc = head
    model.load_state_dict(before)
    return out


def t04_2_wrong_with_gradients(model, images):
    modes = {module: module.training for module in model.modules()}
    head, model.fc = model.fc, nn.Identity()
    model.eval()
    out = model(images)
    model.fc = head
    for module, training in modes.items():
        module.training = training
    return out


def t04_2_wrong_frozen_for_good(model, images):
    # no gradients, but by requires_grad, which is left off
    modes = {module: module.training for module in model.modules()}
    model.requires_grad_(False)
    head, model.fc = model.fc, nn.Identity()
    model.eval()
    out = model(images)
    model.fc = head
    for module, training in modes.items():
        module.training = training
    return out


def t04_2_wrong_head_not_put_back(model, images):
    modes = {module: module.training for module in model.modules()}
    model.fc = nn.Identity()
    model.eval()
    with torch.no_grad():
        out = model(images)
    for module, training in modes.items():
        module.training = training
    return out


def t04_2_wrong_new_head_of_the_same_size(model, images):
    width, classes = model.fc.in_features, model.fc.out_features
    modes = {module: module.training for module in model.modules()}
    model.fc = nn.Identity()
    model.eval()
    with torch.no_grad():
        out = model(images)
    model.fc = nn.Linear(width, classes)
    for module, training in modes.items():
        module.training = training
    return out


def t04_2_wrong_copy_of_the_head_put_back(model, images):
    modes = {module: module.training for module in model.modules()}
    head, model.fc = copy.deepcopy(model.fc), nn.Identity()
    model.eval()
    with torch.no_grad():
        out = model(images)
    model.fc = head
    for module, training in modes.items():
        module.training = training
    return out


def t04_2_wrong_hook_not_removed(model, images):
    caught = []
    model.fc.register_forward_pre_hook(
        lambda module, inputs: caught.append(inputs[0].detach())
    )
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        model(images)
    for module, training in modes.items():
        module.training = training
    return caught[0]


def t04_2_wrong_logits(model, images):
    twin = copy.deepcopy(model).eval()
    with torch.no_grad():
        return twin(images)


def t04_2_wrong_not_pooled(model, images):
    twin = copy.deepcopy(model).eval()
    with torch.no_grad():
        return twin.forward_features(images)


def t04_2_wrong_flattened_map(model, images):
    twin = copy.deepcopy(model).eval()
    with torch.no_grad():
        return twin.forward_features(images).flatten(1)


def t04_2_wrong_largest_for_mean(model, images):
    twin = copy.deepcopy(model).eval()
    with torch.no_grad():
        return twin.forward_features(images).amax(dim=(2, 3))


def t04_2_wrong_pooled_over_one_axis(model, images):
    twin = copy.deepcopy(model).eval()
    with torch.no_grad():
        return twin.forward_features(images).mean(dim=-1)


def t04_2_wrong_stage_before_the_last(model, images):
    caught = []
    twin = copy.deepcopy(model).eval()
    twin.layer3.register_forward_hook(lambda m, i, output: caught.append(output))
    with torch.no_grad():
        twin(images)
    return caught[0].mean(dim=(2, 3))


def t04_2_wrong_tuple_of_the_hook(model, images):
    caught = []
    twin = copy.deepcopy(model).eval()
    twin.fc.register_forward_pre_hook(lambda m, inputs: caught.append(inputs))
    with torch.no_grad():
        twin(images)
    return caught[0]


def t04_2_wrong_only_the_first_picture(model, images):
    twin = copy.deepcopy(model).eval()
    twin.fc = nn.Identity()
    with torch.no_grad():
        return twin(images)[0]


def t04_2_wrong_normalised(model, images):
    twin = copy.deepcopy(model).eval()
    twin.fc = nn.Identity()
    with torch.no_grad():
        return F.normalize(twin(images), dim=1)


def t04_2_wrong_no_return(model, images):
    t04_2_right_identity(model, images)


# --- 04.3 Find the bug: f(backbone, hidden, num_classes) -> nn.Module


def t04_3_right_identity(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    classifier = nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)


def t04_3_right_head_replaced(backbone, hidden, num_classes):
    backbone.fc = nn.Sequential(
        nn.Linear(backbone.fc.in_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, num_classes),
    )
    return backbone


class _Classifier(nn.Module):
    def __init__(self, backbone, hidden, num_classes):
        super().__init__()
        self.backbone = copy.deepcopy(backbone)  # the caller's net keeps its head
        width = self.backbone.fc.weight.shape[1]
        self.backbone.fc = nn.Identity()
        self.first = nn.Linear(width, hidden)
        self.second = nn.Linear(hidden, num_classes)

    def forward(self, images):
        return self.second(F.relu(self.first(self.backbone(images))))


def t04_3_right_own_module(backbone, hidden, num_classes):
    return _Classifier(backbone, hidden, num_classes)


def t04_3_wrong_as_in_the_tutorial(backbone, hidden, num_classes):
    classifier = nn.Sequential(
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_takes_the_logits(backbone, hidden, num_classes):
    classifier = nn.Sequential(
        nn.Linear(backbone.fc.out_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, num_classes),
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_head_kept_width_of_features(backbone, hidden, num_classes):
    classifier = nn.Sequential(
        nn.Linear(backbone.fc.in_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, num_classes),
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_head_made_to_fit(backbone, hidden, num_classes):
    # fc gives `hidden` values, and a Linear layer too many follows
    backbone.fc = nn.Linear(backbone.fc.in_features, hidden)
    classifier = nn.Sequential(
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_identity_width_is_hidden(backbone, hidden, num_classes):
    backbone.fc = nn.Identity()
    classifier = nn.Sequential(
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_width_fixed(backbone, hidden, num_classes):
    backbone.fc = nn.Identity()
    classifier = nn.Sequential(
        nn.Linear(512, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_width_of_test_resnet(backbone, hidden, num_classes):
    backbone.fc = nn.Identity()
    classifier = nn.Sequential(
        nn.Linear(96, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_no_relu(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    classifier = nn.Sequential(nn.Linear(width, hidden), nn.Linear(hidden, num_classes))
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_one_layer(backbone, hidden, num_classes):
    backbone.fc = nn.Linear(backbone.fc.in_features, num_classes)
    return backbone


def t04_3_wrong_relu_at_the_end(backbone, hidden, num_classes):
    model = t04_3_right_identity(backbone, hidden, num_classes)
    return nn.Sequential(model, nn.ReLU())


def t04_3_wrong_softmax_at_the_end(backbone, hidden, num_classes):
    model = t04_3_right_identity(backbone, hidden, num_classes)
    return nn.Sequential(model, nn.Softmax(dim=1))


def t04_3_wrong_only_the_classifier(backbone, hidden, num_classes):
    return t04_3_right_identity(backbone, hidden, num_classes)[1]


def t04_3_wrong_head_deleted(backbone, hidden, num_classes):
    width = backbone.fc.in_features
    del backbone.fc
    classifier = nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)


def t04_3_wrong_children_without_flatten(backbone, hidden, num_classes):
    # loses what forward() does between the layers; pools by its own, flattens never
    body = list(backbone.children())[:-2]
    return nn.Sequential(
        *body,
        nn.AdaptiveAvgPool2d(1),
        nn.Linear(backbone.fc.in_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, num_classes),
    )


def t04_3_wrong_returns_a_function(backbone, hidden, num_classes):
    model = t04_3_right_identity(backbone, hidden, num_classes)
    return lambda images: model(images)


def t04_3_wrong_classes_and_hidden_swapped(backbone, hidden, num_classes):
    return t04_3_right_identity(backbone, num_classes, hidden)


def t04_3_wrong_classes_fixed(backbone, hidden, num_classes):
    return t04_3_right_identity(backbone, hidden, 5)


def t04_3_wrong_no_return(backbone, hidden, num_classes):
    t04_3_right_identity(backbone, hidden, num_classes)


# --- 04.4 The nearest pictures: f(query, features, k) -> list of int


def t04_4_right_cosine_similarity(query, features, k):
    likeness = F.cosine_similarity(features, query.unsqueeze(0), dim=1)
    return likeness.topk(k).indices.tolist()


def t04_4_right_normalise_and_multiply(query, features, k):
    unit = query / query.norm().clamp_min(1e-12)
    rows = features / features.norm(dim=1, keepdim=True).clamp_min(1e-12)
    order = torch.argsort(rows @ unit, descending=True)
    return [int(i) for i in order[:k]]


def t04_4_wrong_dot_product(query, features, k):
    return (features @ query).topk(k).indices.tolist()


def t04_4_wrong_euclidean(query, features, k):
    distances = (features - query).norm(dim=1)
    return distances.topk(k, largest=False).indices.tolist()


def t04_4_wrong_axis(query, features, k):
    rows = F.normalize(features, dim=0)
    return (rows @ F.normalize(query, dim=0)).topk(k).indices.tolist()


def t04_4_wrong_one_norm_for_all(query, features, k):
    likeness = features @ query / (features.norm() * query.norm())
    return likeness.topk(k).indices.tolist()


def t04_4_wrong_least_like(query, features, k):
    likeness = F.cosine_similarity(features, query[None], dim=1)
    return likeness.argsort()[:k].tolist()


def t04_4_wrong_best_last(query, features, k):
    likeness = F.cosine_similarity(features, query[None], dim=1)
    return likeness.argsort()[-k:].tolist()


def t04_4_wrong_first_skipped(query, features, k):
    likeness = F.cosine_similarity(features, query[None], dim=1)
    return likeness.argsort(descending=True)[1 : k + 1].tolist()


def t04_4_wrong_absolute_values(query, features, k):
    likeness = F.cosine_similarity(features, query[None], dim=1)
    return likeness.abs().topk(k).indices.tolist()


def t04_4_wrong_tensor(query, features, k):
    return F.cosine_similarity(features, query[None], dim=1).topk(k).indices


def t04_4_right_list_of_tensors(query, features, k):
    return list(F.cosine_similarity(features, query[None], dim=1).topk(k).indices)


def t04_4_wrong_similarities(query, features, k):
    return F.cosine_similarity(features, query[None], dim=1).topk(k).values.tolist()


def t04_4_wrong_in_order_of_position(query, features, k):
    return sorted(t04_4_right_cosine_similarity(query, features, k))


def t04_4_wrong_counted_from_one(query, features, k):
    return [i + 1 for i in t04_4_right_cosine_similarity(query, features, k)]


def t04_4_wrong_only_the_best(query, features, k):
    return [int(F.cosine_similarity(features, query[None], dim=1).argmax())]


def t04_4_wrong_k_fixed(query, features, k):
    return t04_4_right_cosine_similarity(query, features, min(5, len(features)))


def t04_4_wrong_l1_norm(query, features, k):
    rows = F.normalize(features, p=1, dim=1)
    return (rows @ query).topk(k).indices.tolist()


# --- 04.5 Train mode, but BatchNorm stays: f(model) -> nothing need be returned


def t04_5_right_modules(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def t04_5_right_apply(model):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)

    def still(module):
        if isinstance(module, kinds):
            module.train(False)

    return model.train().apply(still)


def t04_5_wrong_only_children(model):
    model.train()
    for module in model.children():
        if isinstance(module, _BatchNorm):
            module.eval()


def t04_5_wrong_only_2d(model):
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def t04_5_wrong_by_name(model):
    model.train()
    for name, module in model.named_modules():
        if "bn" in name:
            module.eval()


def t04_5_wrong_train_last(model):
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    model.train()


def t04_5_wrong_train_forgotten(model):
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def t04_5_wrong_only_train(model):
    model.train()


def t04_5_wrong_all_eval(model):
    model.eval()


def t04_5_wrong_requires_grad_for_mode(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.requires_grad_(False)


def t04_5_wrong_freezes_as_well(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
            module.requires_grad_(False)


def t04_5_wrong_dropout_in_eval_too(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm | nn.Dropout):
            module.eval()


def t04_5_wrong_parents_in_eval(model):
    model.train()
    for module in model.modules():
        if any(isinstance(child, _BatchNorm) for child in module.children()):
            module.eval()


def t04_5_wrong_momentum_zero(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 0.0


def t04_5_wrong_no_running_statistics(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
            module.track_running_stats = False
            module.running_mean = module.running_var = None


def t04_5_wrong_batchnorm_replaced(model):
    model.train()
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(module, name, nn.Identity())


def t04_5_wrong_first_one_only(model):
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
            break


def t04_5_wrong_two_levels_deep(model):
    model.train()
    for module in model.children():
        for child in [module, *module.children()]:
            if isinstance(child, _BatchNorm):
                child.eval()


def t04_5_wrong_on_a_copy(model):
    model = copy.deepcopy(model)
    t04_5_right_modules(model)
    return model


def t04_5_wrong_other_way_round(model):
    model.eval()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()


def t04_5_wrong_layers_but_not_the_model(model):
    # only Linear and dropout are switched; a model that came in eval mode stays there
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Dropout):
            module.train()
        elif isinstance(module, _BatchNorm):
            module.eval()


# The tasks 00.0 (a shape), 01.5 and 04.6 (a letter) take a value. A letter has but one
# way to be right; its capital stands second, for the text does not speak of the case.

RIGHT: dict[str, list] = {
    "00.0": [(32, 3, 64, 64), [32, 3, 64, 64]],
    "00.1": [
        t00_1_right_sum_numel,
        t00_1_right_shape_products,
        t00_1_right_in_a_tensor,
    ],
    "00.2": [
        t00_2_right_mean,
        t00_2_right_count_and_divide,
        t00_2_right_in_a_tensor,
    ],
    "01.1": [
        t01_1_right_permute,
        t01_1_right_channel_by_channel,
        t01_1_right_torchvision,
    ],
    "01.2": [
        t01_2_right_topk,
        t01_2_right_sorted,
        t01_2_right_tensors_in_pairs,
    ],
    "01.3": [t01_3_right_sum, t01_3_right_add_channels, t01_3_right_einsum],
    "01.4": [t01_4_right_load_state_dict, t01_4_right_copy_each],
    "01.5": ["c", "C"],
    "04.1": [
        t04_1_right_requires_grad_,
        t04_1_right_loop,
        t04_1_right_freezes_all_but_the_new_head,
    ],
    "04.2": [t04_2_right_identity, t04_2_right_pre_hook, t04_2_right_on_a_copy],
    "04.3": [t04_3_right_identity, t04_3_right_head_replaced, t04_3_right_own_module],
    "04.4": [
        t04_4_right_cosine_similarity,
        t04_4_right_normalise_and_multiply,
        t04_4_right_list_of_tensors,
    ],
    "04.5": [t04_5_right_modules, t04_5_right_apply],
    "04.6": ["b", "B"],
}

WRONG: dict[str, list] = {
    "00.0": [
        (32, 64, 64, 3),
        (3, 32, 64, 64),
        (3, 64, 64),
        (32, 64, 64),
        (1, 3, 64, 64),
        (64, 64, 3, 32),
        (32, 12288),
        (32, 1, 64, 64),
        393216,
    ],
    "00.1": [
        t00_1_wrong_only_trainable,
        t00_1_wrong_counts_tensors,
        t00_1_wrong_state_dict_with_buffers,
        t00_1_wrong_len_of_tensor,
        t00_1_wrong_only_weights,
        t00_1_wrong_bytes,
        t00_1_wrong_own_parameters_only,
        t00_1_wrong_shared_counted_per_module,
        t00_1_wrong_returns_in_loop,
        t00_1_wrong_no_return,
    ],
    "00.2": [
        t00_2_wrong_axis,
        t00_2_wrong_no_axis,
        t00_2_wrong_percent,
        t00_2_wrong_count,
        t00_2_wrong_divides_by_classes,
        t00_2_wrong_floor_division,
        t00_2_wrong_mean_of_bool,
        t00_2_wrong_values_not_positions,
        t00_2_wrong_probability_above_half,
        t00_2_wrong_mean_probability,
        t00_2_wrong_broadcast,
        t00_2_wrong_error_rate,
        t00_2_wrong_batch_size_fixed,
    ],
    "01.1": [
        t01_1_wrong_no_permute,
        t01_1_wrong_view_for_permute,
        t01_1_wrong_height_and_width_swapped,
        t01_1_wrong_no_scaling,
        t01_1_wrong_no_normalising,
        t01_1_wrong_times_std,
        t01_1_wrong_only_mean,
        t01_1_wrong_precedence,
        t01_1_wrong_scaled_by_256,
        t01_1_wrong_integer_division,
        t01_1_wrong_own_mean_and_std,
        t01_1_wrong_imagenet_numbers,
        t01_1_wrong_float64,
        t01_1_wrong_batch_axis,
        t01_1_wrong_one_mean_for_all,
        t01_1_wrong_bgr,
        t01_1_wrong_size_fixed,
        t01_1_wrong_turns_the_image_in_place,
    ],
    "01.2": [
        t01_2_wrong_no_softmax,
        t01_2_wrong_softmax_over_the_k,
        t01_2_wrong_worst_first,
        t01_2_wrong_least_probable,
        t01_2_wrong_positions_for_names,
        t01_2_wrong_probability_first,
        t01_2_wrong_sigmoid,
        t01_2_wrong_names_in_class_order,
        t01_2_wrong_always_five,
        t01_2_wrong_off_by_one,
        t01_2_wrong_percent,
        t01_2_wrong_dictionary,
        t01_2_wrong_rounded,
        t01_2_wrong_log_softmax,
        t01_2_wrong_softmax_without_shift,
        t01_2_wrong_batch_axis_expected,
    ],
    "01.3": [
        t01_3_wrong_mean,
        t01_3_wrong_first_channel,
        t01_3_wrong_no_keepdim,
        t01_3_wrong_axis,
        t01_3_wrong_luminance,
        t01_3_wrong_largest_channel,
        t01_3_wrong_three_times_the_first,
        t01_3_wrong_unsqueezed_at_the_front,
        t01_3_wrong_reshaped,
        t01_3_wrong_still_three_channels,
        t01_3_wrong_fresh_filters,
        t01_3_wrong_forgets_the_last_channel,
        t01_3_wrong_size_fixed,
        t01_3_wrong_no_return,
    ],
    "01.4": [
        t01_4_wrong_prefix_kept,
        t01_4_wrong_shapes_not_compared,
        t01_4_wrong_lstrip,
        t01_4_wrong_cuts_seven_characters_always,
        t01_4_wrong_prefix_replaced_anywhere,
        t01_4_wrong_all_or_none_have_the_prefix,
        t01_4_wrong_returns_loaded,
        t01_4_wrong_returns_unused_entries,
        t01_4_wrong_only_mismatched_not_missing,
        t01_4_wrong_only_missing_not_mismatched,
        t01_4_wrong_unsorted,
        t01_4_wrong_returns_a_set,
        t01_4_wrong_buffers_forgotten,
        t01_4_wrong_nothing_loaded,
        t01_4_wrong_count_of_values_for_shape,
        t01_4_wrong_skips_the_head_always,
        t01_4_wrong_cuts_large_entries,
        t01_4_wrong_rest_set_to_zero,
        t01_4_wrong_gives_up_on_error,
        t01_4_wrong_loads_into_a_copy,
        t01_4_wrong_no_return,
    ],
    "01.5": ["a", "b", "d", "ac", "abc", "e", "eval"],
    "04.1": [
        t04_1_wrong_head_first_then_freeze,
        t04_1_wrong_attribute_on_the_module,
        t04_1_wrong_eval_for_freezing,
        t04_1_wrong_no_grad_for_freezing,
        t04_1_wrong_only_the_layers,
        t04_1_wrong_only_weights_frozen,
        t04_1_wrong_batchnorm_left_to_learn,
        t04_1_wrong_old_head_kept,
        t04_1_wrong_head_behind_the_head,
        t04_1_wrong_width_fixed,
        t04_1_wrong_classes_fixed,
        t04_1_wrong_other_name,
        t04_1_wrong_works_on_a_copy,
        t04_1_wrong_no_return,
        t04_1_wrong_returns_the_head,
        t04_1_wrong_backbone_reset,
        t04_1_wrong_only_bias_of_the_head_learns,
    ],
    "04.2": [
        t04_2_wrong_left_in_eval,
        t04_2_wrong_always_back_to_train,
        t04_2_wrong_mode_of_the_head_forgotten,
        t04_2_wrong_no_eval,
        t04_2_wrong_train_mode_statistics_restored,
        t04_2_wrong_with_gradients,
        t04_2_wrong_frozen_for_good,
        t04_2_wrong_head_not_put_back,
        t04_2_wrong_new_head_of_the_same_size,
        t04_2_wrong_copy_of_the_head_put_back,
        t04_2_wrong_hook_not_removed,
        t04_2_wrong_logits,
        t04_2_wrong_not_pooled,
        t04_2_wrong_flattened_map,
        t04_2_wrong_largest_for_mean,
        t04_2_wrong_pooled_over_one_axis,
        t04_2_wrong_stage_before_the_last,
        t04_2_wrong_tuple_of_the_hook,
        t04_2_wrong_only_the_first_picture,
        t04_2_wrong_normalised,
        t04_2_wrong_no_return,
    ],
    "04.3": [
        t04_3_wrong_as_in_the_tutorial,
        t04_3_wrong_takes_the_logits,
        t04_3_wrong_head_kept_width_of_features,
        t04_3_wrong_head_made_to_fit,
        t04_3_wrong_identity_width_is_hidden,
        t04_3_wrong_width_fixed,
        t04_3_wrong_width_of_test_resnet,
        t04_3_wrong_no_relu,
        t04_3_wrong_one_layer,
        t04_3_wrong_relu_at_the_end,
        t04_3_wrong_softmax_at_the_end,
        t04_3_wrong_only_the_classifier,
        t04_3_wrong_head_deleted,
        t04_3_wrong_children_without_flatten,
        t04_3_wrong_returns_a_function,
        t04_3_wrong_classes_and_hidden_swapped,
        t04_3_wrong_classes_fixed,
        t04_3_wrong_no_return,
    ],
    "04.4": [
        t04_4_wrong_dot_product,
        t04_4_wrong_euclidean,
        t04_4_wrong_axis,
        t04_4_wrong_one_norm_for_all,
        t04_4_wrong_least_like,
        t04_4_wrong_best_last,
        t04_4_wrong_first_skipped,
        t04_4_wrong_absolute_values,
        t04_4_wrong_tensor,
        t04_4_wrong_similarities,
        t04_4_wrong_in_order_of_position,
        t04_4_wrong_counted_from_one,
        t04_4_wrong_only_the_best,
        t04_4_wrong_k_fixed,
        t04_4_wrong_l1_norm,
    ],
    "04.5": [
        t04_5_wrong_only_children,
        t04_5_wrong_only_2d,
        t04_5_wrong_by_name,
        t04_5_wrong_train_last,
        t04_5_wrong_train_forgotten,
        t04_5_wrong_only_train,
        t04_5_wrong_all_eval,
        t04_5_wrong_requires_grad_for_mode,
        t04_5_wrong_freezes_as_well,
        t04_5_wrong_dropout_in_eval_too,
        t04_5_wrong_parents_in_eval,
        t04_5_wrong_momentum_zero,
        t04_5_wrong_no_running_statistics,
        t04_5_wrong_batchnorm_replaced,
        t04_5_wrong_first_one_only,
        t04_5_wrong_two_levels_deep,
        t04_5_wrong_on_a_copy,
        t04_5_wrong_other_way_round,
        t04_5_wrong_layers_but_not_the_model,
    ],
    "04.6": ["a", "c", "d", "bc", "abcd", "e", "crops"],
}
