"""C1 to C4: what pretrained features give, and two ways to spoil them."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.transforms import v2

from course_utils.datasets import load_dataset
from course_utils.features import extract_features, fit_head
from course_utils.heads import replace_head
from course_utils.layer_groups import freeze, trainable_parameters
from course_utils.probe import linear_probe
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import BUNDLED, load_backbone
from courseware.claims.protocol import Protocol, Rows, mean

NETS = BUNDLED
TARGETS = ("flowers", "cells", "defects", "digits")
PER_CLASS = 20


# -- C1 -----------------------------------------------------------------------------------


def measure_c1(seed: int) -> Rows:
    """20 pictures a class; a linear probe on pretrained and on random features."""
    rows: Rows = {}
    for net in NETS:
        seed_everything(seed)
        models = {
            "pretrained": load_backbone(net, weights="bundled"),
            "random": load_backbone(net, weights="random"),
        }
        transform = models["pretrained"].weights_info.transform
        for name in TARGETS:
            data = load_dataset(name, transform=transform)
            few = data.train.sample_per_class(PER_CLASS, seed=seed)
            for arm, model in models.items():
                score = _probe_score(model, few, data.test, cache=arm == "pretrained")
                rows[f"{net}/{name}/{arm}"] = score
            gain = rows[f"{net}/{name}/pretrained"] - rows[f"{net}/{name}/random"]
            rows[f"{net}/{name}/gain"] = 100 * gain
    return rows


def _probe_score(model: nn.Module, train, test, *, cache: bool = True) -> float:
    a = extract_features(model, train, cache=cache)
    b = extract_features(model, test, cache=cache)
    probe = linear_probe(a.features, a.labels)
    return float(probe.score(b.features, b.labels))


def holds_c1(rows: dict[str, list[float]]) -> bool:
    """Gain of at least 15 points on flowers, 5 on each other, for every net."""
    return all(
        mean(values) >= (15 if "/flowers/" in key else 5)
        for key, values in rows.items()
        if key.endswith("/gain")
    )


# -- C2 -----------------------------------------------------------------------------------


def measure_c2(seed: int) -> Rows:
    """60 pictures a class, 20 epochs: head on cached features, and the usual loop.

    Both heads begin with the same weights and see the same batches.
    """
    rows: Rows = {}
    for net in ("test_resnet", "test_convnext"):
        model = load_backbone(net, weights="bundled")
        data = load_dataset("flowers", transform=model.weights_info.transform)
        few = data.train.sample_per_class(60, seed=seed)
        train, test = extract_features(model, few), extract_features(model, data.test)
        classes = len(data.classes)
        head = fit_head(train.features, train.labels, classes, epochs=20, seed=seed)
        with torch.inference_mode():
            right = head(test.features).argmax(1) == test.labels
        torch.manual_seed(seed)
        freeze(replace_head(model, classes))
        optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-3)
        loader = make_loader(few, shuffle=True, seed=seed)
        fit(model, loader, None, optimizer=optimizer, epochs=20, progress=False)
        loop = evaluate(model, make_loader(data.test, batch_size=200))["accuracy"]
        cached = right.double().mean().item()
        rows[f"{net}/cached"], rows[f"{net}/loop"] = cached, loop
        rows[f"{net}/difference"] = 100 * (cached - loop)
    return rows


def holds_c2(rows: dict[str, list[float]]) -> bool:
    """The mean difference is within 0.2 points."""
    found = [v for k, v in rows.items() if k.endswith("/difference")]
    return all(abs(mean(values)) <= 0.2 for values in found)


# -- C3 -----------------------------------------------------------------------------------


def measure_c3(seed: int) -> Rows:
    """Frozen backbone, new head, 20 pictures a class, batch size 4, 5 epochs.

    One arm holds BatchNorm in eval mode, the other leaves it in train mode. Drift is the
    relative change of the backbone's floating-point buffers.
    """
    rows: Rows = {}
    for net in NETS:
        data = load_dataset(
            "flowers",
            transform=load_backbone(net, weights="bundled").weights_info.transform,
        )
        few = data.train.sample_per_class(PER_CLASS, seed=seed)
        for arm in ("eval", "train"):
            seed_everything(seed)
            model = load_backbone(net, weights="bundled", num_classes=len(data.classes))
            freeze(model, batchnorm=arm)
            before = _buffers(model)
            optimizer = torch.optim.AdamW(trainable_parameters(model), lr=3e-3)
            loader = make_loader(few, batch_size=4, shuffle=True, seed=seed)
            fit(model, loader, None, optimizer=optimizer, epochs=5, progress=False)
            score = evaluate(model, make_loader(data.test, batch_size=200))["accuracy"]
            rows[f"{net}/{arm}"] = score
            if arm == "train":
                rows[f"{net}/drift"] = _relative_change(before, _buffers(model))
        rows[f"{net}/cost"] = 100 * (rows[f"{net}/eval"] - rows[f"{net}/train"])
    return rows


def _buffers(model: nn.Module) -> list[torch.Tensor]:
    return [b.clone() for b in model.buffers() if b.is_floating_point()]


def _relative_change(before: list[torch.Tensor], after: list[torch.Tensor]) -> float:
    if not before:
        return 0.0
    pairs = zip(before, after, strict=True)
    moved = sum(float((b - a).square().sum()) for b, a in pairs)
    return (moved / sum(float(b.square().sum()) for b in before)) ** 0.5


def holds_c3(rows: dict[str, list[float]]) -> bool:
    """Nets with BatchNorm drift and lose; the others do not drift at all."""
    with_norm = ("test_resnet", "test_efficientnet")
    lose = all(mean(rows[f"{net}/cost"]) > 0 for net in with_norm)
    moved = all(mean(rows[f"{net}/drift"]) > 0 for net in with_norm)
    still = all(max(rows[f"{net}/drift"]) == 0 for net in NETS if net not in with_norm)
    return lose and moved and still


# -- C4 -----------------------------------------------------------------------------------


def measure_c4(seed: int) -> Rows:
    """Probe trained on right features; test pictures normalised right, not, and twice."""
    rows: Rows = {}
    for net in NETS:
        model = load_backbone(net, weights="bundled")
        info = model.weights_info
        data = load_dataset("flowers", transform=info.transform)
        few = data.train.sample_per_class(PER_CLASS, seed=seed)
        train = extract_features(model, few)
        probe = linear_probe(train.features, train.labels)
        to_float = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        ways = {
            "right": info.transform,
            "missing": v2.Compose(to_float),
            "twice": v2.Compose([*to_float, info.normalize, info.normalize]),
        }
        for way, transform in ways.items():
            test = extract_features(model, data.test.with_transform(transform))
            score = float(probe.score(test.features, test.labels))
            rows[f"{net}/{way}"] = score
        for way in ("missing", "twice"):
            cost = rows[f"{net}/right"] - rows[f"{net}/{way}"]
            rows[f"{net}/cost if {way}"] = 100 * cost
    return rows


def holds_c4(rows: dict[str, list[float]]) -> bool:
    """Both mistakes cost accuracy for every net."""
    return all(mean(values) > 0 for key, values in rows.items() if "/cost" in key)


PROTOCOLS = (
    Protocol(
        "C1",
        "A linear probe on pretrained features beats the same on random weights, "
        "20 pictures a class, on every bundled target.",
        "at least 15 points on flowers, at least 5 on each other",
        measure_c1,
        ("net", "data"),
        holds_c1,
        gate=True,
    ),
    Protocol(
        "C2",
        "Cached features give the frozen backbone's accuracy.",
        "within 0.2 points",
        measure_c2,
        ("net",),
        holds_c2,
        costly=True,
        gate=True,
    ),
    Protocol(
        "C3",
        "BatchNorm left in train mode changes a frozen backbone and, at batch size "
        "4, costs accuracy; nets without BatchNorm do not drift.",
        "cost and drift above 0 on the BatchNorm nets, drift 0 on the others",
        measure_c3,
        ("net",),
        holds_c3,
        costly=True,
    ),
    Protocol(
        "C4",
        "Wrong normalisation at inference costs accuracy: missing, and done twice.",
        "cost above 0 for every net",
        measure_c4,
        ("net",),
        holds_c4,
    ),
)
