"""Last stage and head trained behind a cut, against the ordinary loop.

    python -m tests.benchmarks.cut_training [NET…] [--epochs 10]

Both arms begin with the same weights, see the same batches and use the same optimiser.
The cut's time includes the pass that fills the cache. Two bounds of the speed-up stand
beside it. `MACs` is what the multiply-accumulates allow: a frozen layer costs one forward
pass in each epoch of the ordinary loop and one in all behind a cut, a trained one three in
both. `by hand` is what a perfect cut would reach on this machine: the ordinary loop's time
over that of the frozen layers, once, and of the learning ones, called one after another on
tensors in memory in a loop without a library. It is lower where the learning layers are
held by memory and not by arithmetic (BatchNorm, depthwise convolutions, the optimiser).
The second table is that loop in milliseconds a batch, beside a batch of `fit`.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import torch
from torch import Tensor, nn

from course_utils.cut import CutModel, cached_activations
from course_utils.datasets import load_dataset
from course_utils.inspection import inspect_model
from course_utils.layer_groups import freeze, layer_groups, trainable_parameters
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import BUNDLED, load_backbone

BATCH = 64
BEFORE_HEAD = (
    "norm_pre",
    "norm",
    "conv_head",
    "bn2",
)  # what timm's nets run after stages

LEARNING = ("data", "forward", "backward", "optimizer")


class Reached(Exception):
    """Carry what arrived at a layer out of a forward pass, which ends there."""


class Clock:
    """Add up seconds by name."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(trainable_parameters(model), lr=1e-3)


def train(model: nn.Module, learner: nn.Module, dataset, epochs: int) -> None:
    """Train what learns of a model, by calling `learner`."""
    loader = make_loader(dataset, batch_size=BATCH, shuffle=True)
    fit(
        learner,
        loader,
        None,
        optimizer=optimizer_of(model),
        epochs=epochs,
        progress=False,
    )


def frozen_part(model: nn.Module, stage: str, images: Tensor) -> Tensor:
    """What enters a stage, computed without what comes behind it."""

    def stop(_, given: tuple) -> None:
        raise Reached(given[0])

    handle = model.get_submodule(stage).register_forward_pre_hook(stop)
    try:
        with torch.no_grad():
            model(images)
    except Reached as reached:
        return reached.args[0]
    finally:
        handle.remove()
    raise ValueError(f"{stage} was not run")


def learning_part(model: nn.Module, stage: str) -> nn.Sequential:
    """The layers from a stage to the head, as they follow one another in timm's nets."""
    name, _, place = stage.partition(".")
    children = dict(model.named_children())
    stages = children[name][int(place) :] if place else children[name]
    later = [children[each] for each in BEFORE_HEAD if each in children]
    return nn.Sequential(stages, *later)


def by_hand(model: nn.Module, stage: str, dataset, epochs: int, clock: Clock) -> None:
    """The frozen part once, the learning part `epochs` times, in plain torch."""
    model.eval()
    with clock("frozen"):
        seen = [(frozen_part(model, stage, images), labels)
                for images, labels in make_loader(dataset, batch_size=BATCH)]  # fmt: skip
    maps, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
    if maps.ndim == 4:
        maps = maps.contiguous(memory_format=torch.channels_last)
    rest, optimizer = learning_part(model, stage), optimizer_of(model)
    rest.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(BATCH):
            with clock("data"):
                images, truth = maps[rows], labels[rows]
            with clock("forward"):
                logits = model.forward_head(rest(images))
                loss = nn.functional.cross_entropy(logits, truth)
                loss.item()
            with clock("backward"):
                optimizer.zero_grad()
                loss.backward()
            with clock("optimizer"):
                optimizer.step()


def compare(name: str, *, epochs: int, seed: int = 0) -> tuple[dict, dict]:
    """Time both arms and the loop by hand; score the arms on the test pictures."""
    torch.manual_seed(seed)
    model = load_backbone(name, weights="bundled", num_classes=5)
    data = load_dataset("flowers", transform=model.weights_info.transform)
    last = last_stage(model)
    freeze(model, until=last)
    other, bare = copy.deepcopy(model), copy.deepcopy(model)
    clock = Clock()
    with clock("ordinary"):
        train(model, model, data.train, epochs)
    with clock("cut"):
        cut = CutModel(other)
        kept = cached_activations(cut, data.train)
        with clock("fit"):
            train(other, cut, kept, epochs)
    by_hand(bare, last, data.train, epochs, clock)
    test = make_loader(data.test, batch_size=200)
    scores = [evaluate(m, test)["accuracy"] for m in (model, other)]
    batches = epochs * -(-len(data.train) // BATCH)
    return (
        _speed(name, clock.seconds, allowed(model, epochs))
        | {"points apart": 100 * (scores[1] - scores[0])},
        {"net": name, "learns from": last, **_a_batch(clock.seconds, batches)},
    )


def _speed(name: str, seconds: dict[str, float], macs: float) -> dict:
    times = seconds["ordinary"] / seconds["cut"]
    least = seconds["frozen"] + sum(seconds[part] for part in LEARNING)
    hand = seconds["ordinary"] / least
    return {
        "net": name, "ordinary s": seconds["ordinary"], "cut s": seconds["cut"],
        "times": times, "MACs": macs, "of MACs": times / macs,
        "by hand": hand, "of by hand": times / hand,
    }  # fmt: skip


def _a_batch(seconds: dict[str, float], batches: int) -> dict:
    """Milliseconds a batch: the learning part by hand, and by `fit` behind the cut."""
    return {part: 1000 * seconds[part] / batches for part in (*LEARNING, "fit")}


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
    for table in zip(*rows, strict=True):
        print(pd.DataFrame(table).set_index("net").round(2).to_string())


if __name__ == "__main__":
    main()
