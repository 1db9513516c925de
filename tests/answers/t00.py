"""Answers to the tasks 00.0 to 00.2."""

import numpy as np
import torch


def count_by_loop(model):
    total = 0
    for parameter in model.parameters():
        total += parameter.numel()
    return total


def count_by_shape(model):
    return sum(torch.Size(p.shape).numel() for _, p in model.named_parameters())


def count_by_flatten(model):
    return len(torch.cat([p.flatten() for p in model.parameters()]))


def count_with_numpy(model):
    return np.sum([np.prod(p.shape) for p in model.parameters()])


def count_in_a_tensor(model):
    return torch.tensor([p.numel() for p in model.parameters()]).sum()


def count_bytes(model):
    return sum(p.numel() * p.element_size() for p in model.parameters())


def count_as_text(model):
    return str(count_by_loop(model))


def count_tensors(model):
    return len(list(model.parameters()))


def count_trainable(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def count_state(model):
    return sum(t.numel() for t in model.state_dict().values())


def count_first_dimension(model):
    return sum(p.shape[0] for p in model.parameters())


def count_padded(model):
    return sum(p.numel() + 1 for p in model.parameters())


def count_as_float(model):
    return float(sum(p.numel() for p in model.parameters()))


def count_printed(model):
    print(sum(p.numel() for p in model.parameters()))


def count_weights_only(model):
    return sum(p.numel() for p in model.parameters() if p.ndim > 1)


def count_own_only(model):
    return sum(p.numel() for p in model.parameters(recurse=False))


def accuracy_by_max(logits, labels):
    return float((logits.max(dim=1).indices == labels).double().mean())


def accuracy_by_loop(logits, labels):
    hits = [
        int(row.argmax()) == int(label)
        for row, label in zip(logits, labels, strict=True)
    ]
    return sum(hits) / len(hits)


def accuracy_by_topk(logits, labels):
    best = logits.topk(1).indices[:, 0]
    return best.eq(labels).sum().item() / labels.numel()


def accuracy_numpy(logits, labels):
    return (logits.numpy().argmax(1) == labels.numpy()).mean()


def accuracy_percent(logits, labels):
    return 100 * accuracy_by_max(logits, labels)


def accuracy_count(logits, labels):
    return (logits.argmax(1) == labels).sum().item()


def accuracy_wrong_dim(logits, labels):
    best = logits.argmax(0)
    n = min(len(best), len(labels))
    return (best[:n] == labels[:n]).float().mean().item()


def accuracy_in_a_tensor(logits, labels):
    return (logits.argmax(1) == labels).float().mean()


def accuracy_vector(logits, labels):
    return (logits.argmax(1) == labels).float()


def accuracy_threshold(logits, labels):
    return (logits.sigmoid() > 0.5).float().mean().item()


def accuracy_as_text(logits, labels):
    return f"{accuracy_by_loop(logits, labels):.2f}"


def accuracy_argmin(logits, labels):
    return (logits.argmin(1) == labels).float().mean().item()


def accuracy_in_place(logits, labels):
    logits -= logits.max()
    return (logits.argmax(1) == labels).float().mean().item()


def accuracy_missing_return(logits, labels):
    (logits.argmax(1) == labels).float().mean().item()


def count_after_thawing(model):
    for p in model.parameters():
        p.requires_grad = True
    return count_trainable(model)


def count_without_brackets(model):
    return sum(p.numel() for p in model.parameters)


def count_length(model):
    return len(model.parameters())


def count_of_children(model):
    return sum(count_by_loop(child) for child in model.children())


def accuracy_floor_tensor(logits, labels):
    return (logits.argmax(1) == labels).sum() // len(labels)


def accuracy_all(logits, labels):
    return (logits.argmax(1) == labels).all().item()


def accuracy_int(logits, labels):
    return int((logits.argmax(1) == labels).float().mean())


def accuracy_of_lists(logits, labels):
    return float(logits.argmax(1).tolist() == labels.tolist())


def accuracy_rounded(logits, labels):
    return round(accuracy_by_loop(logits, labels), 2)


def accuracy_softmax_of_pictures(logits, labels):
    return accuracy_by_loop(logits.softmax(0), labels)


def accuracy_of_sizes(logits, labels):
    return accuracy_by_loop(logits.abs(), labels)


def accuracy_mean_difference(logits, labels):
    return (logits.argmax(1) - labels).abs().float().mean().item()


def accuracy_of_64(logits, labels):
    return (logits.argmax(1) == labels).sum().item() / 64


def accuracy_tripled(logits, labels):
    return 3 * accuracy_by_loop(logits, labels)


RIGHT = {
    "00.0": [
        (32, 3, 64, 64),
        [32, 3, 64, 64],
        torch.Size([32, 3, 64, 64]),
        tuple(np.array([32, 3, 64, 64])),
        list(torch.tensor([32, 3, 64, 64])),
    ],
    "00.1": [
        count_by_loop,
        count_by_shape,
        count_by_flatten,
        count_with_numpy,
        count_in_a_tensor,
    ],
    "00.2": [
        accuracy_by_max,
        accuracy_by_loop,
        accuracy_by_topk,
        accuracy_numpy,
        accuracy_in_a_tensor,
    ],
}
WRONG = {
    "00.0": [
        ((32, 64, 64, 3), "channels-last"),
        ((3, 32, 64, 64), "batch-first"),
        ((3, 64, 64), "length"),
        ((32 * 3, 64, 64), "length"),
        ((64, 64, 3, 32), "batch-last"),
        ((1, 3, 64, 64), "one-picture"),
        ((32, 1, 64, 64), "channels"),
        ((64, 3, 64, 64), "value"),
        ("(32, 3, 64, 64)", "type"),
        ((32.0, 3, 64, 64), "type"),
    ],
    "00.1": [
        (count_tensors, "tensors"),
        (count_trainable, "frozen"),
        (count_state, "buffers"),
        (count_first_dimension, "len"),
        (count_as_float, "type"),
        (count_padded, "value"),
        (count_printed, "none"),
        (count_weights_only, "matrices"),
        (count_own_only, "own"),
        (count_bytes, "bytes"),
        (count_after_thawing, "changed-requires_grad"),
        (count_without_brackets, "no-brackets"),
        (count_length, "no-length"),
        (count_of_children, "children"),
        (count_as_text, "type"),
        (42, "not-callable"),
    ],
    "00.2": [
        (accuracy_percent, "percent"),
        (accuracy_count, "count"),
        (accuracy_wrong_dim, "dim"),
        (accuracy_vector, "vector"),
        (accuracy_threshold, "value"),
        (accuracy_as_text, "type"),
        (accuracy_argmin, "least"),
        (accuracy_floor_tensor, "floor"),
        (accuracy_all, "floor"),
        (accuracy_int, "floor"),
        (accuracy_of_lists, "floor"),
        (accuracy_rounded, "rounded"),
        (accuracy_softmax_of_pictures, "pictures-softmax"),
        (accuracy_of_sizes, "size"),
        (accuracy_mean_difference, "difference"),
        (accuracy_of_64, "fixed"),
        (accuracy_tripled, "above-one"),
        (accuracy_in_place, "mutated"),
        (accuracy_missing_return, "none"),
    ],
}


# Lines of mutants that mean the same as the solution's, with the reason.
EQUIVALENT = {
    # The share becomes a Python float in the end; a tensor without dimensions is a number.
    "00.2": (
        "return (predicted == labels).double().mean().item()",
        "return (predicted == labels).float().mean()",
    ),
}
