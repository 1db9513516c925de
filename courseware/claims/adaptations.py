"""What the arms of a fine-tuning claim share: one net, its pictures, a seed.

Every arm begins with the same weights and sees the same batches. An arm with a setting
tries four values of it, trains once with each, and keeps the model that did best on the
validation pictures (ties: the least loss).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from course_utils import layer_groups, param_groups
from course_utils.datasets import ImageDataset, ImageSplits, load_dataset
from course_utils.features import Features, extract_features, fit_head
from course_utils.heads import find_heads
from course_utils.probe import linear_probe
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import load_backbone

SIDE = 64  # pixels
PER_CLASS = 20
BATCH = 20
EPOCHS = 12
RATES = (1e-4, 3e-4, 1e-3, 3e-3)  # of a whole pretrained net
HEAD_RATES = (1e-3, 3e-3, 1e-2, 3e-2)  # of a new head, pretrained stages below it
PENALTIES = (0.01, 0.1, 1.0, 10.0)  # C of a linear probe
LITE = "tf_efficientnet_lite0"  # with real ImageNet weights, from the install


def pretrained(net: str, **options) -> nn.Module:
    """A net with the weights that came with the course, or with the install."""
    kind = "imagenet" if net == LITE else "bundled"
    return load_backbone(net, weights=kind, **options)


def prepared(net: str, side: int) -> Callable:
    """What a net's weights expect of a picture, at a side in pixels."""
    return pretrained(net).weights_info.transform_for(side)


@dataclass(frozen=True)
class Task:
    """A net, the pictures that it shall learn from, and a seed."""

    net: str
    data: ImageSplits
    pictures: ImageDataset
    seed: int
    epochs: int = EPOCHS
    batch_size: int = BATCH

    @classmethod
    def draw(
        cls,
        net: str,
        name: str,
        seed: int,
        *,
        per_class: int | None = PER_CLASS,
        **options,
    ) -> Task:
        """Take so many pictures a class of a data set, or all (None)."""
        data = load_dataset(name, transform=cls.transform(net))
        pictures = data.train
        if per_class is not None:
            pictures = pictures.sample_per_class(per_class, seed=seed)
        return cls(net, data, pictures, seed, **options)

    @staticmethod
    def transform(net: str) -> Callable:
        return prepared(net, SIDE)

    def new(self) -> nn.Module:
        """The pretrained net with a new head; the same in every arm."""
        seed_everything(self.seed)
        classes = len(self.data.classes)
        return pretrained(self.net, num_classes=classes)

    def train(self, model: nn.Module, optimizer, *, callbacks: Iterable = ()) -> None:
        loader = make_loader(
            self.pictures, batch_size=self.batch_size, shuffle=True, seed=self.seed
        )
        fit(model, loader, None, optimizer=optimizer, epochs=self.epochs,
            callbacks=tuple(callbacks), progress=False)  # fmt: skip

    def tuned(
        self,
        lr: float,
        *,
        start: nn.Module | None = None,
        gradual: bool = False,
        held: bool = False,
        since: str | None = None,
        **grouping,
    ) -> nn.Module:
        """Fine-tune the net with AdamW, without weight decay, at constant rates.

        `start` is a model to begin with, `since` the first stage that learns; `held`
        keeps BatchNorm's statistics; `gradual` wakes the head in epoch 1, then the next
        stage, in equal steps, until all learn.
        """
        model = self.new()
        if start is not None:
            model.load_state_dict(start.state_dict())
        if held:
            layer_groups.hold_batchnorm(model)
        if since is not None:
            layer_groups.freeze(model, until=since)
        optimizer = torch.optim.AdamW(param_groups.param_groups(model, lr, **grouping))
        callbacks = []
        if gradual:
            every = self.epochs // len(layer_groups.layer_groups(model))
            callbacks = [layer_groups.UnfreezeSchedule.gradual(model, every=every)]
        self.train(model, optimizer, callbacks=callbacks)
        return model

    def best(self, rates: Iterable[float], **options) -> nn.Module:
        """Fine-tune once at each rate; return the model that validates best."""
        return max((self.tuned(lr, **options) for lr in rates), key=self.valued)

    def valued(self, model: nn.Module) -> tuple[float, float]:
        """Accuracy on the validation pictures, then the loss, negative."""
        found = evaluate(model, make_loader(self.data.val, batch_size=200))
        return found["accuracy"], -found["loss"]

    def score(self, model: nn.Module, pictures: ImageDataset | None = None) -> float:
        """Accuracy on the test pictures, or on others."""
        loader = make_loader(pictures or self.data.test, batch_size=200)
        return evaluate(model, loader)["accuracy"]

    def features(self, pictures: ImageDataset) -> Features:
        """What the frozen pretrained net gives."""
        backbone = pretrained(self.net)
        return extract_features(backbone, pictures, cache=pictures is not self.pictures)

    def probe(self) -> float:
        """Test accuracy of a linear probe whose penalty was chosen on validation."""
        train, val = self.features(self.pictures), self.features(self.data.val)
        probes = [linear_probe(*train, C=C) for C in PENALTIES]
        best = max(probes, key=lambda probe: probe.score(*val))
        return float(best.score(*self.features(self.data.test)))

    def head(self, lr: float, *, epochs: int) -> nn.Linear:
        """A linear head trained on the frozen net's features."""
        return fit_head(*self.features(self.pictures), len(self.data.classes), lr=lr,
                        epochs=epochs, batch_size=self.batch_size,
                        seed=self.seed)  # fmt: skip

    def with_trained_head(self) -> nn.Module:
        """The pretrained net and a head trained for 50 epochs on its frozen features."""
        model = self.new()
        (head,) = find_heads(model).values()
        head.load_state_dict(self.head(1e-2, epochs=50).state_dict())
        return model.eval()
