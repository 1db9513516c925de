"""A net that only answers, steps for `fit` that listen to it, and its answers kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset
from torchvision.transforms import InterpolationMode, v2

from course_utils.arguments import Count, Positive, Share, checked
from course_utils.datasets import check_views, preprocessing
from course_utils.distillation.loss import (
    check_tensor,
    distillation_parts,
)
from course_utils.features import check_one_task
from course_utils.meta_tensors import dtype_of
from course_utils.modes import inference
from course_utils.reading import batches
from course_utils.training import Batch, images_and_labels
from course_utils.training.batches import parts_of, to_net
from course_utils.training.outputs import main_output


class Teacher:
    """A net that only answers: (B, C, H, W) -> logits, whatever mode it is left in.

    Each call holds it in eval and inference mode: BatchNorm does not move, dropout drops
    nothing, no gradient is kept, and it is given back as it was. It is no module, so it
    enters neither the student's parameters nor its checkpoints.

    Give `student_transform`, the transform of the dataset (or the student's
    `weights_info`), where the teacher was trained with other preprocessing: then the
    student's normalisation is undone on the tensors, they are resized to the teacher's
    side, and normalised as it expects. Teacher and student so see the same crop, which
    matters (Beyer et al., 2022, https://arxiv.org/abs/2106.05237). `transform` says what
    the teacher expects; by default its own `weights_info`.

    Raises `ValueError` for a transform that cannot be read: one made of your functions.

    >>> import torch
    >>> from course_utils.distillation import Teacher
    >>> from course_utils.weights import load_backbone
    >>> teacher = Teacher(load_backbone("resnet10t", weights="bundled").train())
    >>> teacher(torch.zeros(2, 3, 64, 64)).requires_grad, teacher.model.training
    (False, True)
    """

    @checked
    def __init__(
        self,
        model: nn.Module,
        *,
        student_transform: Any | None = None,
        transform: Any | None = None,
    ):
        self.model = model
        self._given = self._wanted = None
        if student_transform is not None:
            own = (
                getattr(model, "weights_info", None) if transform is None else transform
            )
            if own is None:
                raise ValueError(
                    f"{type(model).__name__} has no weights_info that says what it "
                    "expects: give the teacher's transform= too"
                )
            self._given, self._wanted = (
                preprocessing(student_transform),
                preprocessing(own),
            )
        elif transform is not None:
            raise ValueError("give student_transform too: what the pictures come as")

    def __call__(self, images: Tensor) -> Tensor:
        with inference(self.model) as device:
            (own,) = to_net((images,), device, dtype_of(self.model))
            logits = main_output(self.model(self.prepared(own)))
        check_tensor(logits, "teacher")
        # a copy: tensors of inference mode cannot enter a loss
        return logits.to(images.device).clone()

    def prepared(self, images: Tensor) -> Tensor:
        """Turn the student's pictures (B, C, H, W) into what the teacher expects."""
        if self._wanted is None or self._given[:2] == self._wanted[:2]:
            return self._resized(images)
        like = {"dtype": images.dtype, "device": images.device}
        mean, std, new_mean, new_std = (
            torch.tensor(values, **like)[:, None, None]
            for values in (*self._given[:2], *self._wanted[:2])
        )
        return (self._resized(images * std + mean) - new_mean) / new_std

    def _resized(self, images: Tensor) -> Tensor:
        size = self._wanted.size if self._wanted else None
        if size is None or images.shape[-2:] == size:
            return images
        mode = InterpolationMode(self._wanted.interpolation)
        return v2.functional.resize(images, list(size), mode, antialias=True)


class DistillationStep:
    """The step for `training.fit` that asks the teacher anew for each batch.

    The loss is `distillation_loss`; the history has both parts too, as `train_hard` and
    `train_soft`. The teacher sees the student's augmented pictures. The student trains
    as usual, its BatchNorm too; the teacher never moves.

    >>> import torch
    >>> from course_utils.distillation import DistillationStep
    >>> from course_utils.weights import load_backbone
    >>> teacher = load_backbone("resnet10t", weights="bundled", num_classes=5)
    >>> student = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> step = DistillationStep(teacher, T=4.0, alpha=0.7)
    >>> batch = torch.zeros(2, 3, 64, 64), torch.tensor([0, 4])
    >>> loss, logits, parts = step(student, batch)
    >>> sorted(parts)
    ['hard', 'soft']
    """

    @checked
    def __init__(
        self, teacher: Teacher | nn.Module, *, T: Positive = 4.0, alpha: Share = 0.7
    ):
        self.teacher, self.T, self.alpha = as_teacher(teacher), T, alpha

    def __call__(self, model: nn.Module, batch: Batch):
        images, labels = images_and_labels(batch, others=True)
        answers = self.teacher(images)
        return _taught(model(images), answers, labels, T=self.T, alpha=self.alpha)


class CachedDistillationStep:
    """As `DistillationStep`, with the answers that `cached_logits` put into the batch.

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.distillation import CachedDistillationStep, cached_logits
    >>> from course_utils.training import evaluate, make_loader
    >>> from course_utils.weights import load_backbone
    >>> flowers = load_dataset("flowers", per_class=2)
    >>> teacher = load_backbone("resnet10t", weights="bundled", num_classes=5)
    >>> student = load_backbone("test_resnet", weights="bundled", num_classes=5)
    >>> taught = make_loader(cached_logits(teacher, flowers.train))
    >>> sorted(evaluate(student, taught, step=CachedDistillationStep()))
    ['accuracy', 'hard', 'images', 'loss', 'soft']
    """

    @checked
    def __init__(self, *, T: Positive = 4.0, alpha: Share = 0.7):
        self.T, self.alpha = T, alpha

    def __call__(self, model: nn.Module, batch: Batch):
        if not isinstance(batch, tuple) or len(batch) != 3:
            raise ValueError(
                "the batch holds no answers of a teacher: make train and val with "
                "cached_logits(teacher, dataset)"
            )
        images, labels, answers = batch
        return _taught(model(images), answers, labels, T=self.T, alpha=self.alpha)


class TaughtDataset(Dataset):
    """Pictures with label and the teacher's logits: (image, label, (C,)).

    `logits` are (N, C), one row a picture, in the dataset's order.

    Raises `ValueError` for others.

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.distillation import cached_logits
    >>> from course_utils.weights import load_backbone
    >>> flowers = load_dataset("flowers", per_class=2)
    >>> teacher = load_backbone("resnet10t", weights="bundled", num_classes=5)
    >>> image, label, answer = cached_logits(teacher, flowers.train)[0]
    >>> tuple(image.shape), tuple(answer.shape)
    ((3, 64, 64), (5,))
    """

    @checked
    def __init__(self, dataset: Dataset | Sequence, logits: Tensor):
        if logits.ndim != 2 or len(logits) != len(dataset):
            raise ValueError(
                f"logits must be ({len(dataset)}, C), one row for each picture, got "
                f"{tuple(logits.shape)}"
            )
        self.dataset, self.logits = dataset, logits

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor]:
        item = self.dataset[index]
        return *parts_of(item), self.logits[index]

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, int, Tensor]]:
        fetch = getattr(self.dataset, "__getitems__", None)
        items = fetch(indices) if fetch else [self.dataset[i] for i in indices]
        rows = zip(items, self.logits[indices], strict=True)
        return [(*parts_of(item), answer) for item, answer in rows]


@checked
def cached_logits(
    teacher: Teacher | nn.Module,
    dataset: Dataset | Sequence,
    *,
    views: Count = 1,
    batch_size: Count = 64,
) -> TaughtDataset:
    """Ask the teacher once about each picture; return what `CachedDistillationStep` takes.

    The answers are kept in memory (N, C), the pictures still come from the dataset. Where
    its transform is random, an answer belongs to one crop only: then `views` above 1
    keeps so many versions of each picture, pixels and answers, and these are the
    augmentation; memory grows with them.

    Raises `ValueError` for a random transform with one view.

    >>> from course_utils.datasets import load_dataset
    >>> from course_utils.distillation import cached_logits
    >>> from course_utils.weights import load_backbone
    >>> flowers = load_dataset("flowers", per_class=2)
    >>> teacher = load_backbone("resnet10t", weights="bundled", num_classes=5)
    >>> taught = cached_logits(teacher, flowers.train)
    >>> len(taught), tuple(taught.logits.shape)
    (10, (10, 5))
    """
    if isinstance(dataset, TaughtDataset):
        raise ValueError("the dataset holds answers already: hand over its .dataset")
    if isinstance(dataset, IterableDataset) and views == 1:
        raise ValueError(
            "answers are kept by the pictures' places, and a stream has none: take "
            "several views, or DistillationStep, which asks the teacher each time"
        )
    check_views(
        dataset,
        views,
        otherwise=", or DistillationStep, which asks the teacher each time",
    )
    teacher = as_teacher(teacher)
    kept, labels, logits = [], [], []
    for _ in range(views):
        for images, target in batches(dataset, batch_size):
            check_one_task(target)
            logits.append(teacher(images).cpu())
            if views > 1:
                kept.append(images)
                labels.append(target)
    if not logits:
        raise ValueError("the dataset is empty: there is nothing to ask the teacher")
    if views > 1:
        dataset = TensorDataset(torch.cat(kept), torch.cat(labels))
    return TaughtDataset(dataset, torch.cat(logits))


def as_teacher(teacher: Teacher | nn.Module) -> Teacher:
    """Return a teacher as it is, and a net as one that only answers."""
    return teacher if isinstance(teacher, Teacher) else Teacher(teacher)


def _taught(logits: Tensor, answers: Tensor, labels: Tensor, *, T: float, alpha: float):
    """What a step returns: loss, logits, and both parts for the history."""
    logits = main_output(logits)
    found = distillation_parts(logits, answers, labels, T=T, alpha=alpha)
    parts = {"hard": (found.hard, len(labels)), "soft": (found.soft, len(labels))}
    return found.total, logits, parts
