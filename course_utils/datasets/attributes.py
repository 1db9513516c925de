"""Labels for several tasks: a picture's class, its colour, and whatever a table says."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from course_utils.arguments import Natural, Share, check_argument, checked
from course_utils.datasets.containers import ImageDataset, values_of
from course_utils.errors import DatasetError
from course_utils.storage import sha256_bytes
from course_utils.training.loaders import Stacked

MISSING = -1  # the label of a picture that has none for a task


class AttributeDataset(Dataset):
    """Pictures with a label for each task: (image, {task: class index or -1}).

    Made by `with_attributes`. `classes` are the tasks' class names, `tasks` how many
    there are, and `labels` all labels, {task: (N,)}.
    """

    def __init__(self, dataset: ImageDataset, labels: dict, classes: dict[str, list]):
        self.dataset, self.labels, self.classes = dataset, labels, classes

    @property
    def tasks(self) -> dict[str, int]:
        """How many classes each task has, as `MultiTaskModel` takes it."""
        return {task: len(names) for task, names in self.classes.items()}

    @property
    def transform(self) -> Callable | None:
        """The transform of the pictures."""
        return self.dataset.transform

    @property
    def fingerprint(self) -> str:
        """A sha256 over pictures and all labels."""
        labels = [values.numpy().tobytes() for values in self.labels.values()]
        names = repr(list(self.labels)).encode()
        return sha256_bytes(self.dataset.fingerprint.encode(), names, *labels)

    def with_transform(self, transform: Callable | None) -> AttributeDataset:
        """Return the same pictures and labels under another transform."""
        other = self.dataset.with_transform(transform)
        return AttributeDataset(other, self.labels, self.classes)

    def subset(self, indices: Sequence[int] | np.ndarray | Tensor) -> AttributeDataset:
        """Return the pictures at `indices` with their labels; classes stay."""
        chosen = self.dataset.subset(indices)
        places = torch.arange(len(self))[torch.as_tensor(indices)]
        labels = {task: values[places] for task, values in self.labels.items()}
        return AttributeDataset(chosen, labels, self.classes)

    def label_counts(self) -> dict[str, int]:
        """Count the pictures that have a label, for each task."""
        return {task: int((v != MISSING).sum()) for task, v in self.labels.items()}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, int]]:
        return self.dataset[index][0], self._labels_at(index)

    def __getitems__(self, indices: list[int]) -> Sequence[tuple[Tensor, dict]]:
        """Serve a DataLoader's batch, at once where the pictures come so."""
        pictures = self.dataset.__getitems__(indices)

        def items() -> list[tuple[Tensor, dict[str, int]]]:
            rows = zip(indices, pictures, strict=True)
            return [(picture, self._labels_at(i)) for i, (picture, _) in rows]

        if not isinstance(pictures, Stacked):
            return items()
        labels = {task: values[indices] for task, values in self.labels.items()}
        return Stacked((pictures.batch[0], labels), items)

    def __repr__(self) -> str:
        about = ", ".join(f"{t} ({n} labels)" for t, n in self.label_counts().items())
        return f"AttributeDataset({len(self)} images: {about})"

    def _labels_at(self, index: int) -> dict[str, int]:
        return {task: int(values[index]) for task, values in self.labels.items()}


@checked(own=("dataset",))
def with_attributes(
    dataset: ImageDataset,
    names: Sequence[str] | str,
    *,
    label: str = "species",
    classes: Mapping[str, Sequence] | None = None,
    hide: Mapping[str, float] | None = None,
    seed: Natural = 0,
) -> AttributeDataset:
    """Return a dataset whose labels are dictionaries, a task for each name.

    `names` are columns of `dataset.attributes`, or one of them; `label` is the name for
    the dataset's own classes. The classes of an attribute are its values in all splits,
    sorted, so a class has the same index in train, val and test; `classes` overrides
    them. `hide` is the share (0 to 1) of pictures that get no label (-1) for a task;
    which ones is drawn from `seed`, the same for the same seed, and a smaller share lies
    within a larger one. A value that is missing in the table is a missing label.

    Raises `DatasetError` for unknown names and values, and `ValueError` for shares.
    """
    columns = _columns(dataset, label)
    names = [names] if isinstance(names, str) else list(names)
    if unknown := [name for name in [*names, *(hide or {})] if name not in columns]:
        raise DatasetError(
            f"no attribute {unknown[0]!r}; there are {', '.join(columns)}. label= "
            "names the dataset's own classes"
        )
    if not names:
        raise DatasetError(f"name at least one attribute of {', '.join(columns)}")
    known = {**values_of(dataset.attributes), **dataset.attribute_values,
             label: dataset.classes, **(classes or {})}  # fmt: skip
    found, labels = {name: list(known[name]) for name in names}, {}
    for name in names:
        labels[name] = _codes(name, columns[name], found[name])
    for name, share in (hide or {}).items():
        if name not in labels:
            raise DatasetError(
                f"hide names {name!r}, which is none of the tasks {names}"
            )
        labels[name][_hidden(name, share, len(dataset), seed)] = MISSING
    return AttributeDataset(dataset, labels, found)


def _columns(dataset: ImageDataset, label: str) -> dict[str, pd.Series]:
    """The dataset's attributes and its own classes, by name."""
    if not isinstance(dataset, ImageDataset):
        raise DatasetError(
            f"a {type(dataset).__name__} has no table of attributes: hand over one split "
            "of load_dataset, such as data.train"
        )
    table = dataset.attributes
    own = pd.Series([dataset.classes[i] for i in dataset.labels.tolist()])
    found = {} if table is None else {str(name): table[name] for name in table}
    if label in found:
        raise DatasetError(f"{label!r} is an attribute already: choose another label=")
    return {label: own, **found}


def _codes(task: str, values: pd.Series, classes: list) -> Tensor:
    """Turn values into class indices (N,); what is missing in the table is -1."""
    places = {value: place for place, value in enumerate(classes)}
    if strange := sorted(set(values.dropna()) - places.keys(), key=str):
        known = ", ".join(map(str, classes))
        raise DatasetError(f"{task}: {strange[0]!r} is none of its classes {known}")
    found = [MISSING if pd.isna(value) else places[value] for value in values]
    return torch.tensor(found, dtype=torch.long)


def _hidden(task: str, share: float, n: int, seed: int) -> Tensor:
    """Draw which pictures lose a task's label: round(share · n) places."""
    check_argument(seed, Natural, "seed")
    check_argument(share, Share, f"hide[{task!r}]")
    order = np.random.default_rng([seed, zlib.crc32(task.encode())]).permutation(n)
    return torch.from_numpy(order[: round(share * n)])
