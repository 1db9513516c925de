"""What the arms of a fine-tuning claim share: one net, its pictures, a seed, a device.

Every arm begins with the same weights and sees the same batches: AdamW at constant rates,
without weight decay or augmentation. An arm with a setting tries as many values of it as
the others, trains once with each, and keeps the model that did best on the validation
pictures (ties: the least loss).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from course_utils import layer_groups, param_groups
from course_utils.datasets import ImageDataset, load_dataset
from course_utils.distillation import CachedDistillationStep
from course_utils.features import Features, extract_features, fit_head
from course_utils.heads import find_heads
from course_utils.probe import linear_probe
from course_utils.runtime import seed_everything
from course_utils.training import Engine, evaluate, fit, make_loader
from course_utils.weights import load_backbone
from courseware.making.drawing.tied import tied_flowers

SIDE = 64  # pixels
PER_CLASS = 20
BATCH = 20
EPOCHS = 12
PENALTIES = (0.01, 0.1, 1.0, 10.0)  # C of a linear probe
LITE = "tf_efficientnet_lite0"  # with real ImageNet weights, from the install
TIED = "tied flowers"  # each species on a ground of its own, and tests where it is not
SHIFTED = ("flowers", "cells", "defects")  # that have shifted pictures beside
SPLITS = ("train", "val", "test")
PHOTOGRAPHS = "photographs"  # what a folder's rows are called


def pretrained(net: str, **options) -> nn.Module:
    """A net with the weights that came with the course, or with the install."""
    kind = "imagenet" if net == LITE else "bundled"
    return load_backbone(net, weights=kind, **options)


def prepared(net: str, side: int) -> Callable:
    """What a net's weights expect of a picture, at a side in pixels."""
    return pretrained(net).weights_info.transform_for(side)


def label(name: str) -> str:
    """What a data set is called in a claim's rows: a folder, by what it holds."""
    return PHOTOGRAPHS if name.startswith("folder:") else name


@lru_cache(maxsize=4)
def splits(net: str, name: str, side: int = SIDE) -> dict[str, ImageDataset]:
    """The train, val and test pictures of a data set, prepared for a net.

    `elsewhere` are test pictures of another kind, where the course has them.
    """
    transform = prepared(net, side)
    if name == TIED:
        few = partial(tied_flowers, transform=transform)
        return {"train": few(60, seed=0, tied=True), "val": few(20, seed=1, tied=True),
                "test": few(60, seed=2, tied=True),
                "elsewhere": few(60, seed=3, tied=False)}  # fmt: skip
    if name.startswith("folder:"):
        found = load_dataset(name, image_size=side, transform=transform)
        return {part: getattr(found, part) for part in SPLITS}
    found = load_dataset(name, transform=transform)
    shifted = (
        {"elsewhere": load_dataset(f"{name}_shifted", transform=transform).test}
        if name in SHIFTED
        else {}
    )
    return {part: getattr(found, part) for part in SPLITS} | shifted


@lru_cache(maxsize=12)
def ready(pictures: ImageDataset) -> TensorDataset:
    """Read and prepare pictures once: (N, 3, S, S) and their labels (N,)."""
    images = torch.stack([image for image, _ in pictures])
    return TensorDataset(images, pictures.labels)


@dataclass(frozen=True)
class Task:
    """A net, the pictures that it shall learn from, and a seed.

    A run takes `steps` batches and `epochs` passes at least. `weights` are "pretrained"
    or "random". `answers` are a teacher's logits (N, C): they are learned instead of the
    labels.
    """

    net: str
    pictures: ImageDataset
    val: ImageDataset
    test: ImageDataset
    elsewhere: ImageDataset | None
    seed: int
    weights: str = "pretrained"
    steps: int = 1
    epochs: int = EPOCHS
    batch_size: int = BATCH
    device: str = "cpu"
    answers: Tensor | None = None

    @classmethod
    def draw(
        cls,
        net: str,
        name: str,
        seed: int,
        *,
        per_class: int | None = PER_CLASS,
        val_per_class: int | None = None,
        side: int = SIDE,
        **options,
    ) -> Task:
        """Take so many pictures a class of a data set, or all (None)."""
        parts = splits(net, name, side)
        pictures, val = (
            parts[part] if n is None else parts[part].sample_per_class(n, seed=seed)
            for part, n in (("train", per_class), ("val", val_per_class))
        )
        there = parts["test"], parts.get("elsewhere")
        return cls(net, pictures, val, *there, seed, **options)

    @property
    def classes(self) -> int:
        return len(self.pictures.classes)

    def new(self) -> nn.Module:
        """The net with a new head; the same in every arm."""
        return self._net(num_classes=self.classes)

    def _net(self, **options) -> nn.Module:
        seed_everything(self.seed)
        if self.weights == "random":
            model = load_backbone(self.net, weights="random", **options)
        else:
            model = pretrained(self.net, **options)
        return model.to(self.device)

    def train(self, model: nn.Module, optimizer, *, callbacks: Iterable = ()) -> None:
        """Train a model; one whose loss stops being finite is left as it stands."""
        options, pictures = {}, ready(self.pictures)
        if self.answers is not None:
            options = {"step": CachedDistillationStep(T=4.0, alpha=1.0)}
            pictures = TensorDataset(*pictures.tensors, self.answers)
        loader = make_loader(
            pictures, batch_size=self.batch_size, shuffle=True, seed=self.seed
        )
        engine = Engine(device=self.device, channels_last=True)
        epochs = max(self.epochs, math.ceil(self.steps / len(loader)))
        try:
            fit(model, loader, None, optimizer=optimizer, epochs=epochs, engine=engine,
                callbacks=tuple(callbacks), progress=False, **options)  # fmt: skip
        except ValueError as error:
            if "loss is" not in str(error):
                raise

    def tuned(
        self,
        lr: float,
        *,
        start: nn.Module | None = None,
        schedule: Callable[[nn.Module], layer_groups.UnfreezeSchedule] | None = None,
        held: bool = True,
        **grouping,
    ) -> nn.Module:
        """Fine-tune the net with AdamW.

        `start` is a model to begin with; `held` keeps BatchNorm's statistics; `schedule`
        says for a model which stages wake when.
        """
        model = self.new()
        if start is not None:
            model.load_state_dict(start.state_dict())
        if held:
            layer_groups.hold_batchnorm(model)
        optimizer = torch.optim.AdamW(param_groups.param_groups(model, lr, **grouping))
        callbacks = [] if schedule is None else [schedule(model)]
        self.train(model, optimizer, callbacks=callbacks)
        return model

    def search(self, rates: Iterable[float], **options) -> tuple[nn.Module, float]:
        """Fine-tune once at each rate; return what validates best, and its rate."""
        models = {lr: self.tuned(lr, **options) for lr in rates}
        lr = max(models, key=lambda rate: self.valued(models[rate]))
        return models[lr], lr

    def valued(self, model: nn.Module) -> tuple[float, float]:
        """Accuracy on the validation pictures, then the loss, negative."""
        found = self._evaluated(model, self.val)
        return found["accuracy"], -found["loss"]

    def score(self, model: nn.Module, pictures: ImageDataset | None = None) -> float:
        """Accuracy on the test pictures, or on others."""
        return self._evaluated(model, pictures or self.test)["accuracy"]

    def _evaluated(self, model: nn.Module, pictures: ImageDataset) -> dict:
        return evaluate(model, make_loader(ready(pictures), batch_size=200))

    def features(
        self, pictures: ImageDataset, model: nn.Module | None = None
    ) -> Features:
        """What the frozen net gives, or a model that was trained."""
        net = self._net() if model is None else model
        return extract_features(net, pictures, cache=False)

    def probe(self) -> float:
        """Test accuracy of a linear probe whose penalty was chosen on validation."""
        train, val = self.features(self.pictures), self.features(self.val)
        probes = [linear_probe(*train, C=C) for C in PENALTIES]
        best = max(probes, key=lambda probe: probe.score(*val))
        return float(best.score(*self.features(self.test)))

    def head(
        self, lr: float, *, epochs: int, features: Features | None = None
    ) -> nn.Linear:
        """A linear head trained on the frozen net's features."""
        known = self.features(self.pictures) if features is None else features
        return fit_head(*known, self.classes, lr=lr, epochs=epochs,
                        batch_size=self.batch_size, seed=self.seed)  # fmt: skip

    def with_trained_head(self) -> nn.Module:
        """The pretrained net and a head trained for 50 epochs on its frozen features."""
        model = self.new()
        (head,) = find_heads(model).values()
        head.load_state_dict(self.head(1e-2, epochs=50).state_dict())
        return model.eval()
