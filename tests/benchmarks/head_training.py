"""Head training on cached features against the loop that re-runs the frozen backbone.

    python -m tests.benchmarks.head_training [--repeats 3] [--epochs 20]

Follows COURSE_BACKBONE, COURSE_WEIGHTS and COURSE_DATA. Both arms begin with the same
head, see the same batches and use the same optimiser; the cached arm's time includes the
extraction of the features, from an empty cache.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from course_utils.datasets import default_dataset, load_dataset
from course_utils.features import extract_features, fit_head
from course_utils.heads import replace_head
from course_utils.layer_groups import freeze, trainable_parameters
from course_utils.metrics import mean_interval
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import default_backbone, load_backbone


def cached(data, *, epochs: int, seed: int) -> tuple[float, float]:
    """Seconds and accuracy of a head trained on features that are extracted once."""
    model = load_backbone(default_backbone())
    start = time.perf_counter()
    train = extract_features(model, data.train, cache=False)
    head = fit_head(
        train.features, train.labels, len(data.classes), epochs=epochs, seed=seed
    )
    seconds = time.perf_counter() - start
    test = extract_features(model, data.evaluation)
    with torch.inference_mode():
        right = head(test.features).argmax(1) == test.labels
    return seconds, right.double().mean().item()


def usual(data, *, epochs: int, seed: int) -> tuple[float, float]:
    """Seconds and accuracy of the loop over pictures, its backbone frozen."""
    model = load_backbone(default_backbone())
    torch.manual_seed(seed)
    freeze(replace_head(model, len(data.classes)))
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-3)
    loader = make_loader(data.train, shuffle=True, seed=seed)
    start = time.perf_counter()
    fit(model, loader, None, optimizer=optimizer, epochs=epochs, progress=False)
    seconds = time.perf_counter() - start
    return seconds, evaluate(model, make_loader(data.evaluation))["accuracy"]


def main() -> None:
    """Run both arms in turn, several times, and print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    data = load_dataset(default_dataset(), image_size="auto")
    ratios, accuracies = [], {"cached": [], "usual": []}
    for seed in range(options.repeats):
        fast, a = cached(data, epochs=options.epochs, seed=seed)
        slow, b = usual(data, epochs=options.epochs, seed=seed)
        ratios.append(slow / fast)
        accuracies["cached"].append(a)
        accuracies["usual"].append(b)
        print(
            f"seed {seed}: cached {fast:.1f} s, {a:.4f}; usual {slow:.1f} s, {b:.4f}; "
            f"{ratios[-1]:.1f} times faster, {100 * (a - b):+.2f} points"
        )
    print(
        f"ratio: median {statistics.median(ratios):.1f}, "
        f"from {min(ratios):.1f} to {max(ratios):.1f}"
    )
    if options.repeats > 1:
        for arm, found in accuracies.items():
            print(f"accuracy, {arm}: {mean_interval(found)} ({options.repeats} seeds)")


if __name__ == "__main__":
    main()
