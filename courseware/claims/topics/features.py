"""C1 to C4: what pretrained features give, and two ways to spoil them."""

from __future__ import annotations

from collections.abc import Iterable

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
from courseware.claims.adaptations import LITE, SIDE, prepared, pretrained
from courseware.claims.protocol import Bar, Protocol, Rows

NETS = BUNDLED
TARGETS = ("flowers", "cells", "defects", "digits")
PER_CLASS = 20


# -- C1 -----------------------------------------------------------------------------------


def measure_c1(
    seed: int, *, nets: Iterable[str] = (*NETS, LITE), targets: Iterable[str] = TARGETS
) -> Rows:
    """20 pictures a class; a linear probe on pretrained and on random features.

    The bundled nets at their own 64 px, EfficientNet-Lite0 at 96 px.
    """
    rows: Rows = {}
    for net in nets:
        seed_everything(seed)
        models = {
            "pretrained": pretrained(net),
            "random": load_backbone(net, weights="random"),
        }
        transform = prepared(net, 96 if net == LITE else SIDE)
        for name in targets:
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


PROTOCOLS = (
    Protocol(
        "C1",
        "A linear probe on pretrained features beats the same on random weights, "
        "20 pictures a class, on every bundled target.",
        "at least 15 points on flowers, at least 5 on each other",
        measure_c1,
        ("net", "data"),
        (Bar("*/flowers/gain", low=15), Bar("*/gain", low=5)),
        gate="test_*",
        recheck={"nets": BUNDLED},
    ),
    Protocol(
        "C2",
        "Cached features give the frozen backbone's accuracy.",
        "within 0.2 points",
        measure_c2,
        ("net",),
        (Bar("*/difference", low=-0.2, high=0.2),),
        costly=True,
        gate="*",
    ),
    Protocol(
        "C3",
        "BatchNorm left in train mode changes a frozen backbone and, at batch size "
        "4, costs accuracy; nets without BatchNorm do not drift.",
        "cost and drift above 0 on the BatchNorm nets, drift 0 on the others",
        measure_c3,
        ("net",),
        (
            Bar("test_[re]*/cost", low=0),
            Bar("test_[re]*/drift", low=0),
            Bar("*/drift", low=0, high=0),
        ),
        costly=True,
    ),
    Protocol(
        "C4",
        "Wrong normalisation at inference costs accuracy: missing, and done twice.",
        "cost above 0 for every net",
        measure_c4,
        ("net",),
        (Bar("*/cost *", low=0),),
    ),
)
