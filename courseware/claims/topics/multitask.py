"""C13: two heads on one backbone against two models, with many labels and with few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from course_utils.datasets import (
    MISSING,
    AttributeDataset,
    ImageDataset,
    load_dataset,
    with_attributes,
)
from course_utils.layer_groups import hold_batchnorm
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
RATES = (1e-4, 3e-4, 1e-3, 3e-3)  # of a whole pretrained net

NAMED, NAMED_EPOCHS, NAMED_BATCH = 5, 2, 32  # pictures of a class with a species
REPEATS = 20  # of a named picture among those whose questions are answered
QUESTIONS = {  # what the species decides, as they are drawn
    "middle": ("daisy", "sunflower"),  # is it wide?
    "disc": ("periwinkle", "primrose"),  # do the petals close up into one?
}


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
        return max((self.tuned(lr) for lr in RATES), key=self.valued)

    def valued(self, model: nn.Module) -> float:
        """Mean validation accuracy of the tasks."""
        return self._scores(model, self.val)["accuracy"]

    def scores(self, model: nn.Module) -> dict[str, float]:
        """Test accuracy of each task."""
        found = self._scores(model, self.test)
        tasks = self.train.tasks
        if len(tasks) == 1:
            return {next(iter(tasks)): found["accuracy"]}
        return {task: found[f"accuracy_{task}"] for task in tasks}

    def _scores(self, model: nn.Module, part: AttributeDataset) -> dict[str, float]:
        return evaluate(model, make_loader(part, batch_size=200), step=MultiTaskStep())


class FewNamed(Pictures):
    """All 1,500 flowers with some questions answered, and five a class with a species.

    A batch has about one named picture in four. With no question there are only the
    named ones, and as many steps. BatchNorm keeps its statistics in every arm.
    """

    @classmethod
    def draw(cls, net: str, tasks: tuple[str, ...], seed: int) -> FewNamed:
        info = load_backbone(net, weights="bundled").weights_info
        data = load_dataset("flowers", transform=info.transform)
        parts = [with_attributes(_answered(p), ("species", *tasks))
                 for p in (data.train, data.val, data.test)]  # fmt: skip
        every, species = parts[0], parts[0].labels["species"]
        rng = np.random.default_rng(seed)
        named = np.concatenate([
            rng.choice(np.flatnonzero(species == k), NAMED, replace=False)
            for k in range(len(data.classes))
        ])  # fmt: skip
        others = np.setdiff1d(np.arange(len(every)), named)
        steps = -(-(REPEATS * len(named) + len(every)) // NAMED_BATCH)
        rows = [*np.tile(named, REPEATS), *range(len(every))]
        if not tasks:
            rows = list(np.resize(named, steps * NAMED_BATCH))  # in turn
        species[torch.from_numpy(others)] = MISSING
        return cls(net, every.subset(rows), *parts[1:], seed)

    def tuned(self, lr: float) -> MultiTaskModel:
        model = hold_batchnorm(self.model())
        loader = make_loader(
            self.train, batch_size=NAMED_BATCH, shuffle=True, seed=self.seed
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
        fit(model, loader, None, optimizer=optimizer, epochs=NAMED_EPOCHS,
            step=MultiTaskStep(), progress=False)  # fmt: skip
        return model

    def valued(self, model: nn.Module) -> float:
        """Validation accuracy of the species."""
        found = self._scores(model, self.val)
        return found.get("accuracy_species", found["accuracy"])


def _answered(part: ImageDataset) -> ImageDataset:
    """The same pictures with a column for each of `QUESTIONS`."""
    species = np.array(part.classes)[part.labels]
    columns = {name: np.isin(species, yes) for name, yes in QUESTIONS.items()}
    return ImageDataset(
        part.images, part.labels, part.classes, transform=part.transform,
        attributes=part.attributes.assign(**columns),
        attribute_values={**part.attribute_values,
                          **{name: [False, True] for name in columns}},
    )  # fmt: skip


def measure_few(net: str, seed: int) -> Rows:
    """Species from 25 labels, alone and beside questions answered for 1,500 pictures.

    The questions are the two of `QUESTIONS`, which the species decides, or the colour,
    which it does not. `gain` is the shared model's accuracy less that of one which
    learns the species alone, in points; both choose among four rates by the species of
    the validation pictures.
    """
    arms = {"": tuple(QUESTIONS), ", beside colour": ("colour",)}
    alone = FewNamed.draw(net, (), seed)
    separate = alone.scores(alone.best())["species"]
    rows: Rows = {}
    for name, tasks in arms.items():
        pictures = FewNamed.draw(net, tasks, seed)
        joint = pictures.scores(pictures.best())["species"]
        key = f"{net}/species, {NAMED * 5} labels{name}"
        rows |= {f"{key}/separate": separate, f"{key}/joint": joint,
                 f"{key}/gain": 100 * (joint - separate)}  # fmt: skip
    return rows


def measure_c13(
    seed: int, *, nets: Iterable[str] = NETS, few: Iterable[str] = NETS[:1]
) -> Rows:
    """Flowers, 20 a class, 12 epochs: species and colour by one model, and by two.

    Every model tries four rates. `parameters` is the share of the joint model's in the
    two models' together; `gain` is joint less separate, in points. `few` are the nets
    that also learn species from 25 labels: see `measure_few`.
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
    for net in few:
        rows |= measure_few(net, seed)
    return rows


def _size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


PROTOCOLS = (
    Protocol(
        "C13",
        "Two heads on one backbone have about half the parameters of two models; "
        "their accuracy is reported as it falls. Where one task has few labels, "
        "questions about the same thing, answered for all pictures, help it.",
        "parameters at most 0.6 times (time: in the benchmark and in lesson 10); "
        "with few labels a gain above 0",
        measure_c13,
        ("net", "task"),
        (Bar("*/parameters", high=0.6), Bar("*labels/gain", low=0)),
        costly=True,
        looseness=4,
        weights="test_[rc]*.safetensors",
        gate="*/parameters",
        recheck={"nets": ("test_resnet",), "few": ()},
    ),
)
