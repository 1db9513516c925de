"""C13: two heads on one backbone against two models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from course_utils.datasets import AttributeDataset, load_dataset, with_attributes
from course_utils.multitask import (
    MultiTaskModel,
    MultiTaskStep,
)
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import load_backbone
from courseware.claims.protocol import Bar, Protocol, Rows

NETS = ("test_resnet", "test_convnext")
TASKS = ("species", "colour")
PER_CLASS, EPOCHS, BATCH = 20, 12, 20
RATES = (1e-4, 3e-4, 1e-3, 3e-3)


@dataclass(frozen=True)
class Pictures:
    """The flowers with a label for each of some tasks."""

    net: str
    train: AttributeDataset
    val: AttributeDataset
    test: AttributeDataset
    seed: int

    @classmethod
    def draw(cls, net: str, tasks: tuple[str, ...], seed: int) -> Pictures:
        info = load_backbone(net, weights="bundled").weights_info
        data = load_dataset("flowers", transform=info.transform)
        few = data.train.sample_per_class(PER_CLASS, seed=seed)
        known = with_attributes(data.train, tasks).classes
        parts = (with_attributes(p, tasks, classes=known)
                 for p in (few, data.val, data.test))  # fmt: skip
        return cls(net, *parts, seed)

    def model(self) -> MultiTaskModel:
        seed_everything(self.seed)
        backbone = load_backbone(self.net, weights="bundled")
        return MultiTaskModel(backbone, self.train.tasks)

    def tuned(self, lr: float) -> MultiTaskModel:
        """Train backbone and heads with AdamW, the tasks' losses added."""
        model = self.model()
        loader = make_loader(self.train, batch_size=BATCH, shuffle=True, seed=self.seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
        fit(model, loader, None, optimizer=optimizer, epochs=EPOCHS,
            step=MultiTaskStep(), progress=False)  # fmt: skip
        return model

    def best(self) -> MultiTaskModel:
        """Train once at each of four rates; keep the best mean validation accuracy."""
        models = (self.tuned(lr) for lr in RATES)
        return max(models, key=lambda model: self._scores(model, self.val)["accuracy"])

    def scores(self, model: nn.Module) -> dict[str, float]:
        """Test accuracy of each task."""
        found = self._scores(model, self.test)
        tasks = self.train.tasks
        if len(tasks) == 1:
            return {next(iter(tasks)): found["accuracy"]}
        return {task: found[f"accuracy_{task}"] for task in tasks}

    def _scores(self, model: nn.Module, part: AttributeDataset) -> dict[str, float]:
        return evaluate(model, make_loader(part, batch_size=200), step=MultiTaskStep())


def measure_c13(seed: int, *, nets: Iterable[str] = NETS) -> Rows:
    """Flowers, 20 a class, 12 epochs: species and colour by one model, and by two.

    Every model tries four rates. `parameters` is the share of the joint model's in the
    two models' together; `gain` is joint less separate, in points.
    """
    rows: Rows = {}
    for net in nets:
        together = Pictures.draw(net, TASKS, seed)
        joint = together.best()
        found, parameters = together.scores(joint), 0
        for task in TASKS:
            apart = Pictures.draw(net, (task,), seed)
            model = apart.best()
            parameters += _size(model)
            (alone,) = apart.scores(model).values()
            rows[f"{net}/{task}/separate"] = alone
            rows[f"{net}/{task}/joint"] = found[task]
            rows[f"{net}/{task}/gain"] = 100 * (found[task] - alone)
        for task in TASKS:
            rows[f"{net}/{task}/parameters"] = _size(joint) / parameters
    return rows


def _size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


PROTOCOLS = (
    Protocol(
        "C13",
        "Two heads on one backbone have about half the parameters of two models; "
        "their accuracy is reported as it falls.",
        "parameters at most 0.6 times (time: in the benchmark and in lesson 10)",
        measure_c13,
        ("net", "task"),
        (Bar("*/parameters", high=0.6),),
        costly=True,
        looseness=4,
        weights="test_[rc]*.safetensors",
        gate="*",
        recheck={"nets": ("test_resnet",)},
    ),
)
