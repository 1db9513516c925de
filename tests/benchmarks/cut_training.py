"""Last stage and head trained behind a cut, against the ordinary loop.

    python -m tests.benchmarks.cut_training [NET…] [--epochs 10]

Both arms begin with the same weights, see the same batches and use the same optimiser.
The cut's time includes the pass that fills the cache. `bound` is the speed-up that the
multiply-accumulates allow: a frozen layer costs one forward pass in each epoch of the
ordinary loop and one in all behind a cut, a trained one three in both.
"""

from __future__ import annotations

import argparse
import copy
import time

import pandas as pd
import torch
from torch import nn

from course_utils.cut import CutModel, cached_activations
from course_utils.datasets import load_dataset
from course_utils.inspection import inspect_model
from course_utils.layer_groups import freeze, layer_groups, trainable_parameters
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import BUNDLED, load_backbone


def train(model: nn.Module, learner: nn.Module, dataset, epochs: int) -> None:
    """Train what learns of a model, by calling `learner`."""
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-3)
    loader = make_loader(dataset, batch_size=64, shuffle=True)
    fit(learner, loader, None, optimizer=optimizer, epochs=epochs, progress=False)


def compare(name: str, *, epochs: int, seed: int = 0) -> dict:
    """Time both arms and score them on the test pictures."""
    torch.manual_seed(seed)
    model = load_backbone(name, weights="bundled", num_classes=5)
    data = load_dataset("flowers", transform=model.weights_info.transform)
    last = last_stage(model)
    freeze(model, until=last)
    other = copy.deepcopy(model)
    start = time.perf_counter()
    train(model, model, data.train, epochs)
    ordinary = time.perf_counter() - start
    start = time.perf_counter()
    cut = CutModel(other)
    train(other, cut, cached_activations(cut, data.train), epochs)
    behind = time.perf_counter() - start
    test = make_loader(data.test, batch_size=200)
    scores = [evaluate(m, test)["accuracy"] for m in (model, other)]
    bound = allowed(model, epochs)
    return {
        "net": name, "learns from": last, "ordinary s": ordinary, "cut s": behind,
        "times": ordinary / behind, "bound": bound, "of bound": ordinary / behind / bound,
        "points apart": 100 * (scores[1] - scores[0]),
    }  # fmt: skip


def last_stage(model: nn.Module) -> str:
    """The last stage before the head that holds more than a single convolution."""
    groups = layer_groups(model)[:-1]
    return next(g.name for g in reversed(groups) if len(g.parameters) > 4)


def allowed(model: nn.Module, epochs: int) -> float:
    """Speed-up that the multiply-accumulates allow."""
    stages = inspect_model(model).stages
    frozen = stages.loc[stages["trainable"] == "no", "macs"].sum()
    learns = stages["macs"].sum() - frozen
    return epochs * (frozen + 3 * learns) / (frozen + 3 * epochs * learns)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("nets", nargs="*", default=list(BUNDLED))
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    rows = [compare(name, epochs=options.epochs) for name in options.nets]
    print(pd.DataFrame(rows).set_index("net").round(2).to_string())


if __name__ == "__main__":
    main()
