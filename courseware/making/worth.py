"""Measure what bundled weights are worth, and store the figures.

`course worth test_resnet --photos PATH` repeats the stored figures:
the pretrained net against the same net with random weights, over five seeds. Nothing
is tuned on the pictures that the figures are measured on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from course_utils.datasets import ImageSplits, load_dataset, training_transform
from course_utils.features import extract_features
from course_utils.metrics import mean_interval
from course_utils.probe import linear_probe
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import load_backbone
from courseware.making.pretraining import add_figures

TARGETS = ("flowers", "cells", "defects", "digits")
SEEDS = (0, 1, 2, 3, 4)
PER_CLASS = 20
LEARNING_RATES = (1e-3, 3e-3)  # each arm's own is chosen on val
EPOCHS = 40
ARMS = {"pretrained": "bundled", "random": "random"}
Figures = dict[str, dict[str, float]]


def measure_worth(
    name: str,
    *,
    targets: tuple[str, ...] = TARGETS,
    photos: str | Path | None = None,
    seeds: tuple[int, ...] = SEEDS,
) -> Figures:
    """Compare a bundled net with itself at random weights.

    Returns, for each comparison, the mean accuracy (0 to 1) of both arms over the seeds
    and the gain in points with its 95 % interval (Student's t, paired by seed):

    - `<target>, probe on 20 a class`: a linear probe on pooled features;
    - with `photos`, a folder with train and test (val is made where absent):
      `photos, probe on all` and `photos, fine-tuned on 20 a class` (all weights, the
      better of two learning rates on val, for each arm and seed).
    """
    figures = {}
    for target in targets:
        data = load_dataset(target, transform=_transform(name))
        values = [probe_both(name, data, seed=s, per_class=PER_CLASS) for s in seeds]
        figures[f"{target}, probe on {PER_CLASS} a class"] = summarise(values)
    if photos is not None:
        data = load_dataset(f"folder:{photos}", transform=_transform(name))
        values = [probe_both(name, data, seed=s) for s in seeds]
        figures["photos, probe on all"] = summarise(values)
        values = [fine_tune_both(name, data, seed=s) for s in seeds]
        figures[f"photos, fine-tuned on {PER_CLASS} a class"] = summarise(values)
    return figures


def probe_both(
    name: str, data: ImageSplits, *, seed: int, per_class: int | None = None
) -> dict[str, float]:
    """Probe both arms on the same pictures; return their test accuracies (0 to 1)."""
    train = data.train
    if per_class:
        train = train.sample_per_class(per_class, seed=seed)
    seed_everything(seed)
    models = {arm: load_backbone(name, weights=kind) for arm, kind in ARMS.items()}
    return {arm: _probe(model, train, data.test) for arm, model in models.items()}


def _probe(model: nn.Module, train, test) -> float:
    known = extract_features(model, train, cache=False)
    new = extract_features(model, test, cache=False)
    return float(linear_probe(*known).score(*new))


def fine_tune_both(
    name: str, data: ImageSplits, *, seed: int, epochs: int = EPOCHS
) -> dict[str, float]:
    """Train all weights of both arms on few pictures; return their test accuracies."""
    found = {}
    for arm, kind in ARMS.items():
        runs = [
            _fine_tuned(name, kind, data, seed, epochs, lr) for lr in LEARNING_RATES
        ]
        found[arm] = max(runs, key=lambda run: run[0])[1]  # by val alone
    return found


def _fine_tuned(
    name: str, kind: str, data: ImageSplits, seed: int, epochs: int, lr: float
) -> tuple[float, float]:
    """Accuracy on val and on test after training with one learning rate."""
    seed_everything(seed)
    model = load_backbone(name, weights=kind, num_classes=len(data.classes))
    few = data.train.sample_per_class(PER_CLASS, seed=seed)
    augment = training_transform(model.weights_info, data.image_size, jitter=0.0)
    loader = make_loader(
        few.with_transform(augment), batch_size=20, shuffle=True, seed=seed
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    fit(model, loader, None, optimizer=optimizer, epochs=epochs, scheduler=schedule,
        progress=False)  # fmt: skip
    val, test = (
        evaluate(model, make_loader(part, batch_size=200))["accuracy"]
        for part in (data.val, data.test)
    )
    return val, test


def summarise(values: list[dict[str, float]]) -> dict[str, float]:
    """Mean accuracy of each arm, and the gain in points with its interval."""
    found = {arm: round(_mean([v[arm] for v in values]), 3) for arm in ARMS}
    gain = mean_interval([100 * (v["pretrained"] - v["random"]) for v in values])
    points = {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
    points = {name: round(value, 1) for name, value in points.items()}
    return {**found, **points, "seeds": len(values)}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _transform(name: str):
    return load_backbone(name, weights="bundled").weights_info.transform


def _sentence(row: dict[str, float]) -> str:
    return (
        f"{row['pretrained']:.3f} against {row['random']:.3f}, gain {row['gain']:.1f} "
        f"points [{row['gain_low']:.1f}, {row['gain_high']:.1f}]"
    )


def main(argv: list[str] | None = None) -> int:
    """Command line: `course worth test_resnet --write`."""
    parser = argparse.ArgumentParser(prog="course worth")
    parser.add_argument("models", nargs="+", help="nets with bundled weights")
    parser.add_argument("--photos", type=Path, help="a folder with train and test")
    parser.add_argument("--write", action="store_true", help="keep the figures")
    options = parser.parse_args(argv)
    for name in options.models:
        figures = measure_worth(name, photos=options.photos)
        for what, row in figures.items():
            print(f"{name}, {what}: {_sentence(row)}", flush=True)
        if options.write:
            print(f"written to {add_figures(name, figures).name}")
    return 0
