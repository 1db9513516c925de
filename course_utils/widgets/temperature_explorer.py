"""What a teacher tells a student about real pictures, as the temperature moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import traitlets
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from course_utils.arguments import checked
from course_utils.datasets import ImageDataset, labels_of
from course_utils.distillation import (
    Teacher,
    entropy_bits,
    odds_against,
    soft_gradient,
    soft_targets,
)
from course_utils.modes import inference
from course_utils.weights import default_weights_info

from .base import CourseWidget, png_data_url, script, style
from .feature_maps import Picture, as_seen, prepare
from .temperature_static import static_lines, static_table

__all__ = ["TemperatureExplorer"]

TEMPERATURES = (1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18,
                20)  # fmt: skip
SHOWN = 7  # classes with a bar of their own; the others share one
SIDE = 128  # pixels of a picture at most, as it goes to the browser
MOST = 24  # pictures
IN_TABLE = (1.0, 2.0, 4.0, 8.0, 20.0)  # temperatures of the static form


class TemperatureError(ValueError, traitlets.TraitError):
    """A temperature or a picture that this explorer does not show."""


class TemperatureExplorer(CourseWidget):
    """Move the temperature, and see what the teacher tells about a picture.

    `teacher` is a net, or a `Teacher` where pictures come with other preprocessing.
    `pictures` are a dataset of (picture, label), of which `count` are taken, each class
    in turn, or pictures: PIL images, uint8 arrays (H, W, 3), or prepared float tensors
    (3, S, S), as a list or a batch. Their class indices are then `labels`, if known.
    `classes` are the names, by default the dataset's or the teacher's own.

    For each picture: probabilities at T beside those at 1, entropy in bits, the odds of
    every class against the best, and how long the soft part's gradient is, with T² and
    without, for a student whose logits are all equal, as multiples of that at T = 1.

    From Python as from the browser: `T`, one of `temperatures` (1 first, rising), and
    `picture`, a place from 0. `table` is what is shown. The teacher is asked once, in
    eval mode; its BatchNorm does not move.

    Raises `ValueError` for a teacher with one class, names and labels that do not fit
    its logits, and temperatures that cannot be. Hinton et al., 2015,
    https://arxiv.org/abs/1503.02531

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.weights import load_backbone
    >>> from course_utils.widgets import TemperatureExplorer
    >>> flowers = load_dataset("flowers", per_class=2)
    >>> teacher = load_backbone("resnet10t", weights="bundled", num_classes=5)
    >>> explorer = TemperatureExplorer(teacher, flowers.test, T=4.0)
    >>> list(explorer.table), len(explorer.table)
    (['logit', 'T = 1', 'T = 4', 'best is likelier, times'], 5)
    """

    _esm = script("temperature_explorer")
    _css = style("temperature_explorer")

    teacher_name = traitlets.Unicode().tag(sync=True)
    num_classes = traitlets.Int().tag(sync=True)
    temperatures = traitlets.List(traitlets.Float()).tag(sync=True)
    pictures = traitlets.List(traitlets.Dict()).tag(sync=True)
    T = traitlets.Float(1.0).tag(sync=True)
    picture = traitlets.Int(0).tag(sync=True)

    @checked
    def __init__(
        self,
        teacher: nn.Module | Teacher,
        pictures: Dataset | Tensor | Sequence[Picture],
        *,
        labels: Sequence[int] | Tensor | None = None,
        classes: Sequence[str] | None = None,
        temperatures: Sequence[float] = TEMPERATURES,
        T: float = 4.0,
        count: int = 8,
    ):
        steps = _checked_temperatures(temperatures)
        teacher = teacher if isinstance(teacher, Teacher) else Teacher(teacher)
        info = getattr(teacher.model, "weights_info", None) or default_weights_info()
        found = collect(pictures, labels=labels, count=count, info=info)
        logits = ask(teacher, found.prepared)
        names = _names(classes, pictures, info, logits.shape[1])
        _check_labels(found.labels, names)
        self._logits, self._labels, self._names = logits, found.labels, names
        super().__init__(
            teacher_name=type(teacher.model).__name__,
            num_classes=logits.shape[1],
            temperatures=steps,
            pictures=[
                {"src": png_data_url(_small(pixels)), **told(row, label, names, steps)}
                for pixels, row, label in zip(
                    found.pixels, logits, found.labels, strict=True
                )
            ],
        )
        self.T = T

    @property
    def table(self) -> pd.DataFrame:
        """Logits, probabilities at 1 and at T, and odds at T, the best class first."""
        row = self._logits[self.picture]
        order = row.argsort(descending=True, stable=True)
        found = {
            "logit": row,
            "T = 1": soft_targets(row, 1),
            f"T = {self.T:g}": soft_targets(row, self.T),
            "best is likelier, times": odds_against(row, self.T),
        }
        names = pd.Index([self._names[i] for i in order], name="class")
        return pd.DataFrame({k: v[order].numpy() for k, v in found.items()}, names)

    @traitlets.validate("T")
    def _known_temperature(self, proposal: Any) -> float:
        known, value = self.temperatures, proposal["value"]
        if known and value not in known:
            listed = ", ".join(f"{t:g}" for t in known)
            raise TemperatureError(
                f"T = {value:g} is none of the temperatures here, {listed}: set one of "
                f"them, or make a new explorer with temperatures=(1, …, {value:g})"
            )
        return value

    @traitlets.validate("picture")
    def _known_picture(self, proposal: Any) -> int:
        known, value = len(self.pictures), proposal["value"]
        if known and not 0 <= value < known:
            raise TemperatureError(f"no picture {value}; there are 0 to {known - 1}")
        return value

    def static_html(self) -> str:
        """Return the chosen picture, and a table of classes by temperatures."""
        return static_table(*self._shown())

    def static_text(self) -> str:
        """Return the same table as lines of text."""
        return "\n".join(static_lines(*self._shown()))

    def _shown(self) -> tuple[dict[str, Any], list[int], list[float]]:
        """The chosen picture, and which temperatures enter its table: a few, and T."""
        steps = self.temperatures
        places = {steps.index(t) for t in (*IN_TABLE, self.T) if t in steps}
        return self.pictures[self.picture], sorted(places), steps


class Collected:
    """Hold pictures as the teacher takes them, as a person sees them, and labels."""

    def __init__(self, rows: list[tuple[Tensor, np.ndarray, int | None]]):
        self.prepared = [row[0] for row in rows]
        self.pixels = [row[1] for row in rows]
        self.labels = [row[2] for row in rows]


def collect(source: Any, *, labels: Any, count: int, info: Any) -> Collected:
    """Take pictures from a dataset, each class in turn, or from a list or batch.

    Raises `ValueError` for none, for too many, and for labels that do not fit.
    """
    if isinstance(source, Dataset):
        if labels is not None:
            raise ValueError("labels come from the dataset: leave labels= out")
        labels = labels_of(source, most=4 * MOST).tolist()
        return Collected([_item(source, i, info) for i in in_turn(labels, count)])
    found = list(source) if isinstance(source, Sequence | Tensor | np.ndarray) else []
    if not found:
        raise ValueError(
            f"no pictures in a {type(source).__name__}: hand over a dataset, such as "
            "data.test, or a list of pictures"
        )
    if len(found) > MOST:
        raise ValueError(
            f"{len(found)} pictures are too many to choose from: at most {MOST}"
        )
    known = [None] * len(found) if labels is None else [int(x) for x in labels]
    if len(known) != len(found):
        raise ValueError(f"{len(known)} labels do not fit {len(found)} pictures")
    ready = [prepare(picture, info) for picture in found]
    seen = [as_seen(image, info) for image in ready]
    return Collected(list(zip(ready, seen, known, strict=True)))


def in_turn(labels: Sequence[int], count: int) -> list[int]:
    """Return places of `count` pictures: the first of each class, then the second."""
    if not 1 <= count <= MOST:
        raise ValueError(f"count must be from 1 to {MOST}, got {count}")
    if not len(labels):
        raise ValueError("the dataset is empty: there is no picture to show")
    values = pd.Series(labels)
    nth = values.groupby(values).cumcount().to_numpy()
    return np.lexsort((values.to_numpy(), nth))[:count].tolist()


def ask(teacher: Teacher, images: list[Tensor]) -> Tensor:
    """Return the teacher's logits (N, C) in float64.

    Raises `ValueError` for anything but finite logits of two classes or more.
    """
    if len({image.shape for image in images}) > 1:
        shapes = ", ".join(sorted({str(tuple(image.shape)) for image in images}))
        raise ValueError(f"the pictures differ in shape: {shapes}; bring them to one")
    with inference(teacher.model) as device:
        logits = teacher.model(teacher.prepared(torch.stack(images).to(device)))
    name = type(teacher.model).__name__
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        shape = getattr(logits, "shape", None)
        what = f"shape {tuple(shape)}" if shape is not None else type(logits).__name__
        raise ValueError(f"{name} must give logits (B, C), got {what}")
    if logits.shape[1] < 2:
        raise ValueError(
            f"{name} knows one class: soft targets need at least 2. Replace its head "
            "and train it, or load one that was trained"
        )
    if not logits.isfinite().all():
        raise ValueError(f"{name} gives logits that are not finite (NaN or inf)")
    return logits.cpu().double().clone()  # no longer of inference mode


def told(
    logits: Tensor, label: int | None, names: list[str], temperatures: list[float]
) -> dict[str, Any]:
    """Return what the browser shows of one picture: its classes, and each temperature.

    The best `SHOWN` classes come first, and the true one is among them.
    """
    order = logits.argsort(descending=True, stable=True).tolist()
    shown = order if len(order) <= SHOWN + 1 else order[:SHOWN]
    if label is not None and label not in shown:
        shown = [*shown[:-1], label]
    truth = None if label is None else shown.index(label)
    return {
        "name": "a picture" if label is None else names[label],
        "classes": [names[i] for i in shown],
        "truth": truth,
        "others": len(order) - len(shown),
        "steps": [_step(logits, shown, T) for T in temperatures],
    }


def _step(logits: Tensor, shown: list[int], T: float) -> dict[str, Any]:
    shares, odds = soft_targets(logits, T), odds_against(logits, T)
    equal = torch.zeros_like(logits)  # a student that knows nothing yet
    gradients = [soft_gradient(equal, logits, t).norm().item() for t in (1, T)]
    plain = gradients[1] / gradients[0] if gradients[0] else 1.0
    kept = shares[shown]
    return {
        "shares": _rounded(kept),
        "rest": _rounded(1 - kept.sum()),
        "odds": _rounded(odds[shown]),
        "entropy": _rounded(entropy_bits(shares)),
        "plain": _rounded(plain),
        "scaled": _rounded(T**2 * plain),
    }


def _rounded(values: Tensor | float) -> Any:
    """Round to five digits; a saved notebook carries them along."""
    if isinstance(values, Tensor) and values.ndim:
        return [_rounded(value) for value in values.tolist()]
    return float(f"{float(values):.5g}")


def _item(dataset: Dataset, index: int, info: Any) -> tuple[Tensor, np.ndarray, int]:
    image, label, *_ = dataset[index]
    if isinstance(dataset, ImageDataset):
        return image, np.asarray(dataset.images[index]), int(label)
    return image, as_seen(image, info), int(label)


def _small(pixels: np.ndarray) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    return picture


def _checked_temperatures(temperatures: Sequence[float]) -> list[float]:
    found = [float(t) for t in temperatures]
    rising = all(a < b for a, b in zip(found, found[1:], strict=False))
    if not found or found[0] != 1 or not rising or not math.isfinite(found[-1]):
        raise ValueError(
            f"temperatures must rise from 1, such as (1, 2, 4, 8), got {found}"
        )
    return found


def _names(classes: Any, source: Any, info: Any, num_classes: int) -> list[str]:
    if classes is None:
        offered = (getattr(source, "classes", None), getattr(info, "classes", None))
        fitting = [list(c) for c in offered if c and len(c) == num_classes]
        if not fitting and offered[0]:
            classes = offered[0]  # a dataset's names that do not fit: say so below
        else:
            classes = (fitting or [[f"class {i}" for i in range(num_classes)]])[0]
    if len(classes) != num_classes:
        raise ValueError(
            f"{len(classes)} names of classes do not fit the teacher's {num_classes} "
            "logits: its head must know these classes, or give classes= its names"
        )
    return [str(name) for name in classes]


def _check_labels(labels: list[int | None], names: list[str]) -> None:
    if strange := [x for x in labels if x is not None and not 0 <= x < len(names)]:
        raise ValueError(
            f"label {strange[0]} is none of the classes 0 to {len(names) - 1}"
        )
