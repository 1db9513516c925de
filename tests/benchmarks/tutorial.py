"""Fine-tuning as PyTorch's tutorial does it, against the same with this package.

    python -m tests.benchmarks.tutorial FOLDER [--nets resnet18 resnet50] [--epochs 3]
        [--device cuda] [--workers 4] [--size 224] [--write FILE]

The tutorial's way (docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html):
ImageFolder that decodes in every epoch, float32, channels first, eager, a loss that is
fetched at each batch. Ours: `load_dataset`, `fit` with an `Engine` in channels_last and,
where the device has it, bfloat16. Both train the whole net on the same pictures (train
and val of FOLDER) for the same epochs, from random weights: this is about time, not about
accuracy. The first epoch is counted: it holds what decoding once costs. `--write` keeps
the figures with device and versions.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import pandas as pd
import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from course_utils.datasets import load_dataset
from course_utils.training import Engine, fit, make_loader
from course_utils.zoo.machine import device_name

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 32


def usual(size: int) -> v2.Compose:
    """What the tutorial does with a picture of the validation set."""
    return v2.Compose([
        v2.ToImage(), v2.Resize(size), v2.CenterCrop(size),
        v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD),
    ])  # fmt: skip


def by_the_tutorial(name: str, folder: Path, options) -> list[float]:
    """Seconds of each epoch."""
    parts = {p: ImageFolder(folder / p, usual(options.size)) for p in ("train", "val")}
    loaders = {
        part: DataLoader(
            data, BATCH, shuffle=part == "train", num_workers=options.workers
        )
        for part, data in parts.items()
    }
    net = torchvision.models.get_model(name, num_classes=len(parts["train"].classes))
    net.to(options.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    seconds = []
    for _ in range(options.epochs):
        begun = time.perf_counter()
        for part, loader in loaders.items():
            net.train(part == "train")
            running = 0.0
            for images, labels in loader:
                images, labels = images.to(options.device), labels.to(options.device)
                optimizer.zero_grad()
                with torch.set_grad_enabled(part == "train"):
                    loss = nn.functional.cross_entropy(net(images), labels)
                    if part == "train":
                        loss.backward()
                        optimizer.step()
                running += loss.item()
        seconds.append(time.perf_counter() - begun)
    return seconds


def by_ours(name: str, folder: Path, options, engine: Engine) -> list[float]:
    """Seconds of each epoch, the first with the load."""
    begun = time.perf_counter()
    normalised = v2.Compose(
        [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    )
    data = load_dataset(
        f"folder:{folder}", image_size=options.size, transform=normalised
    )
    loading = time.perf_counter() - begun
    net = torchvision.models.get_model(name, num_classes=len(data.classes))
    net.to(options.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    train = make_loader(data.train, batch_size=BATCH, shuffle=True)
    held = make_loader(data.evaluation, batch_size=BATCH)
    history = fit(net, train, held, optimizer=optimizer, epochs=options.epochs,
                  engine=engine, progress=False)  # fmt: skip
    seconds = history["seconds"].tolist()
    return [seconds[0] + loading, *seconds[1:]]


def compare(name: str, folder: Path, options) -> list[dict]:
    """A row for each way."""
    ways = {
        "tutorial": lambda: by_the_tutorial(name, folder, options),
        "ours, channels_last": lambda: by_ours(
            name, folder, options, Engine(channels_last=True)
        ),
        "ours, bfloat16 too": lambda: by_ours(
            name, folder, options, Engine(channels_last=True, precision="bfloat16")
        ),
    }
    rows = []
    for way, run in ways.items():
        torch.manual_seed(0)
        seconds = run()
        later, whole = min(seconds[1:] or seconds), sum(seconds)
        row = {"net": name, "way": way, "first epoch s": seconds[0],
               "a later one s": later, "all s": whole}  # fmt: skip
        first = rows[0]["all s"] if rows else row["all s"]
        rows.append(row | {"times": first / row["all s"]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nets", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    rows = [row for n in options.nets for row in compare(n, options.folder, options)]
    print(pd.DataFrame(rows).set_index(["net", "way"]).round(2).to_string())
    if options.write:
        made_with = {
            "device": device_name(torch.device(options.device)),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "python": platform.python_version(),
        }
        options.write.write_text(
            json.dumps({"made with": made_with, "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
