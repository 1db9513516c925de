"""Learning curves on a folder of real photographs, recorded with the device that ran them.

    course curves FOLDER [--device cuda] [--seeds 0 1 …] [--keep DIRECTORY] [--write]

EfficientNet-Lite0 with its ImageNet weights learns from 5 to 100 photographs a class, in
six ways. Each run sees batches of 20 for at least 100 steps and 10 epochs, AdamW at a
constant rate without weight decay or augmentation. A way with several rates keeps the one
that does best on 20 validation photographs a class. The photographs are not part of the
course; what was measured on them is.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torchvision
from torch import nn

from course_utils.datasets import ImageDataset, ImageSplits, load_dataset
from course_utils.features import extract_features
from course_utils.layer_groups import hold_batchnorm
from course_utils.measured import write_measured
from course_utils.probe import linear_probe
from course_utils.runtime import seed_everything
from course_utils.storage import atomic_path
from course_utils.training import Engine, evaluate, fit, make_loader
from course_utils.weights import load_backbone
from courseware.claims.adaptations import LITE

SIDE, BATCH, STEPS, EPOCHS, VALIDATION = 96, 20, 100, 10, 20
SIZES = (5, 20, 50, 100)  # photographs a class
SEEDS = (0, 1, 2, 3, 4)
CAREFUL = (1e-4, 3e-4, 1e-3)  # rates of a whole pretrained net
SCRATCH = (1e-3, 3e-3)
HEADS_RATE = 3e-3  # at which a new head alone learns best


@dataclass(frozen=True)
class Drawn:
    """The photographs of one draw, on the device that computes."""

    data: ImageSplits
    few: ImageDataset
    val: ImageDataset
    seed: int
    device: str

    @classmethod
    def of(cls, folder: Path, size: int, seed: int, device: str) -> Drawn:
        info = load_backbone(LITE, weights="imagenet").weights_info
        name = f"folder:{folder.resolve()}"
        data = load_dataset(name, image_size=SIDE, transform=info.transform_for(SIDE))
        few = data.train.sample_per_class(size, seed=seed)
        val = data.val.sample_per_class(VALIDATION, seed=seed)
        return cls(data, few, val, seed, device)

    def net(self, weights: str, **options) -> nn.Module:
        seed_everything(self.seed)
        return load_backbone(LITE, weights=weights, **options).to(self.device)

    def probed(self, weights: str) -> float:
        """Test accuracy of a linear probe on the frozen net's features."""
        net = self.net(weights)
        train, test = (
            extract_features(net, part, cache=False)
            for part in (self.few, self.data.test)
        )
        return float(linear_probe(*train).score(*test))

    def tuned(self, lr: float, *, weights: str, held: bool) -> nn.Module:
        """The whole net, fine-tuned or trained from random weights."""
        model = self.net(weights, num_classes=len(self.data.classes))
        if held:
            hold_batchnorm(model)
        loader = make_loader(self.few, batch_size=BATCH, shuffle=True, seed=self.seed)
        epochs = max(EPOCHS, math.ceil(STEPS / len(loader)))
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
        engine = Engine(device=self.device, channels_last=True)
        fit(model, loader, None, optimizer=optimizer, epochs=epochs, engine=engine,
            progress=False)  # fmt: skip
        return model

    def score(self, model: nn.Module, part: ImageDataset) -> float:
        return evaluate(model, make_loader(part, batch_size=100))["accuracy"]

    def best(self, rates: Iterable[float], **options) -> tuple[float, float]:
        """Test accuracy at the rate that validates best, and that rate."""
        models = {lr: self.tuned(lr, **options) for lr in rates}
        lr = max(models, key=lambda rate: self.score(models[rate], self.val))
        return self.score(models[lr], self.data.test), lr


def ways(drawn: Drawn) -> dict[str, float]:
    """Test accuracy (0 to 1) of each way, and the rates that were chosen."""
    counts = drawn.data.test.labels.bincount()
    held, its_rate = drawn.best(CAREFUL, weights="imagenet", held=True)
    trained, other = drawn.best(CAREFUL, weights="imagenet", held=False)
    careless, _ = drawn.best([HEADS_RATE], weights="imagenet", held=False)
    scratch, scratch_rate = drawn.best(SCRATCH, weights="random", held=False)
    return {
        "majority": counts.max().item() / counts.sum().item(),
        "frozen, random weights": drawn.probed("random"),
        "frozen": drawn.probed("imagenet"),
        "fine-tuned, BatchNorm held": held,
        "fine-tuned, BatchNorm trained": trained,
        "fine-tuned carelessly": careless,
        "from scratch": scratch,
        "rate held": its_rate,
        "rate trained": other,
        "rate scratch": scratch_rate,
    }


def measure(folder: Path, seeds: Iterable[int], device: str, keep: Path) -> None:
    """Measure every size for some seeds; each result is kept as a file of its own."""
    keep.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for size in SIZES:
            file = keep / f"{size}-{seed}.json"
            if not file.is_file():
                found = ways(Drawn.of(folder, size, seed, device))
                with atomic_path(file) as path:
                    path.write_text(json.dumps(found), encoding="utf-8")


def record(folder: Path, device: str, keep: Path) -> dict:
    """Join what was kept: {way: {size: [one accuracy a seed]}}."""
    data = Drawn.of(folder, SIZES[0], SEEDS[0], "cpu").data
    curves: dict[str, dict[str, list[float]]] = {}
    for size in SIZES:
        for seed in SEEDS:
            found = json.loads((keep / f"{size}-{seed}.json").read_text("utf-8"))
            for way, value in found.items():
                curves.setdefault(way, {}).setdefault(str(size), []).append(
                    round(value, 5)
                )
    return {
        "photographs": {
            "classes": list(data.classes),
            "test": len(data.test),
            "pixels": SIDE,
        },
        "net": LITE,
        "device": device,
        "seeds": list(SEEDS),
        "rates tried": {"fine-tuned": CAREFUL, "from scratch": SCRATCH},
        "curves": curves,
    }


def main(argv: list[str] | None = None) -> int:
    """Command line: measure, and with --write keep the record."""
    parser = argparse.ArgumentParser(prog="course curves", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder with train, val and test")
    parser.add_argument("--device", default="cpu", help="where to compute")
    parser.add_argument("--device-name", default="", help="what to call it")
    parser.add_argument("--seeds", type=int, nargs="*", choices=SEEDS, default=SEEDS)
    parser.add_argument("--keep", type=Path, default=Path("curves"))
    parser.add_argument("--write", action="store_true", help="keep it for the lessons")
    options = parser.parse_args(argv)
    measure(options.folder, options.seeds, options.device, options.keep)
    if options.write:
        name = options.device_name or options.device
        write_measured(
            "photo_curves",
            record(options.folder, name, options.keep),
            made_by="course curves FOLDER --write",
            made_with={
                "torch": torch.__version__.split("+")[0],
                "torchvision": torchvision.__version__.split("+")[0],
                "timm": timm.__version__,
            },
        )
    return 0
