"""What a step does with a batch: logits out of an answer, labels fit for the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.arguments import check_argument, checked
from course_utils.tracing import tensors_in
from course_utils.training.batches import (
    Batch,
    explained_pass,
    images_and_labels,
    images_of,
    range_of,
)

Parts = Mapping[str, tuple[Tensor, int]]  # a mean, and how many pictures it is over
Logits = Tensor | Mapping[str, Tensor]
Step = Callable[
    [nn.Module, Batch], tuple[Tensor, Logits] | tuple[Tensor, Logits, Parts]
]
_LABELS = (
    "they must be class indices (B,), whole numbers such as labels.long() or, of one-hot "
    "rows, labels.argmax(1). For probabilities (B, C), as of MixUp, step=soft_label_step"
)
_TOLERANCE = 0.01  # of what probabilities add up to, rounded to half precision


@checked(own=("batch",))
def classification_step(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """One forward pass: the mean cross-entropy and the logits (B, C).

    Labels are class indices (B,), whole numbers of any kind. Of a model that gives
    auxiliary logits too (Inception, GoogLeNet), or an object with `logits` (Hugging
    Face's), the loss is that of the logits alone. Raises `ValueError` for batches, labels
    and answers of other kinds, which it describes.

    >>> import torch
    >>> from course_utils.training import classification_step
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 5))
    >>> batch = (torch.ones(2, 3, 2, 2), torch.tensor([0, 4]))
    >>> loss, logits = classification_step(net, batch)
    >>> loss.shape, logits.shape
    (torch.Size([]), torch.Size([2, 5]))
    """
    images, labels = images_and_labels(batch)
    logits = class_logits(model(images), labels)
    labels = class_labels(labels, logits.shape)
    return nn.functional.cross_entropy(logits, labels), logits


@checked(own=("batch",))
def soft_label_step(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """As `classification_step`, for labels that may be probabilities (B, C) too.

    That is what one-hot rows, MixUp and CutMix give: each row adds up to 1. The accuracy
    compares with each row's largest.

    >>> import torch
    >>> from course_utils.training import soft_label_step
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> batch = (torch.ones(1, 3, 2, 2), torch.tensor([[0.7, 0.3]]))
    >>> loss, logits = soft_label_step(net, batch)
    >>> bool(loss > 0.61)  # the entropy of the label: no answer has less
    True
    """
    images, labels = images_and_labels(batch)
    logits = class_logits(model(images), labels)
    if isinstance(labels, Tensor) and labels.shape == logits.shape:
        labels = _probabilities(labels)
    else:
        labels = class_labels(labels, logits.shape)
    return nn.functional.cross_entropy(logits, labels), logits


def run_step(step: Step, model: nn.Module, batch: Batch) -> tuple:
    """Call a step; return (loss, logits) or (loss, logits, parts), of the right kinds."""
    check_argument(step, Callable, "step")
    with explained_pass(model, images_of(batch)):
        found = step(model, batch)
    if not isinstance(found, tuple | list) or len(found) not in (2, 3):
        raise TypeError(
            f"the step gives a {type(found).__name__}: return (loss, logits), or (loss, "
            "logits, parts)"
        )
    if not isinstance(found[0], Tensor) or found[0].numel() != 1:
        shape = tuple(getattr(found[0], "shape", ()))
        raise TypeError(
            f"the step's loss is a {type(found[0]).__name__} of shape {shape}, not a "
            "tensor of one number: return its mean over the batch"
        )
    return found


def logits_of(output: Any) -> Tensor:
    """Return the logits in what a model gave: a tensor, or what is named `logits`.

    Of several outputs with none of that name it cannot tell which: a `ValueError`.

    >>> import torch
    >>> from course_utils.training import logits_of
    >>> logits_of({"logits": torch.ones(2, 5), "hidden": torch.ones(2, 9)}).shape
    torch.Size([2, 5])
    """
    found = main_output(output)
    if isinstance(found, Tensor):
        return found
    what = f"a {type(output).__name__}"
    if isinstance(output, Mapping):
        what = f"a dictionary ({', '.join(map(str, output))})"
    elif isinstance(output, tuple | list):
        what = f"{len(output)} outputs"
    raise ValueError(
        f"the model gives {what}, not logits (B, C): give a step that says which are the "
        "logits (step=…), or step=MultiTaskStep() where they are those of tasks"
    )


def main_output(output: Any) -> Any:
    """Return the logits in what a model gave; all of it where none are named so."""
    if isinstance(output, Mapping):
        main = output.get("logits")
    elif isinstance(output, tuple | list) and len(output) == 1:
        main = output[0]
    else:
        main = getattr(output, "logits", None)
    return main if isinstance(main, Tensor) else output


def class_logits(output: Any, labels: Any) -> Tensor:
    """Return a model's logits (B, C), of 2 classes or more; refuse other shapes."""
    logits, pictures = logits_of(output), len(tensors_in(labels)[0])
    if logits.ndim != 2 or len(logits) != pictures:
        raise ValueError(
            f"the model gives {tuple(logits.shape)} for {pictures} pictures, not logits "
            "(B, C): replace its head, or give a step for what it gives (step=…)"
        )
    if logits.shape[1] < 2:
        raise ValueError(
            f"the head has {logits.shape[1]} classes: cross-entropy needs two or more. "
            "replace_head(model, 2), or give a step with "
            "binary_cross_entropy_with_logits (step=…)"
        )
    return logits


def class_labels(labels: Any, shape: tuple[int, int]) -> Tensor:
    """Return labels as indices (B,) of int64, fit for logits of a shape (B, C).

    Whole numbers of any kind, (B,) or (B, 1). Raises `ValueError` for all else.
    """
    if isinstance(labels, Mapping):
        raise ValueError(
            f"labels are by task ({', '.join(map(str, labels))}): hand over "
            "step=MultiTaskStep(), or those of one task"
        )
    if isinstance(labels, Tensor) and labels.shape == (shape[0], 1):
        labels = labels[:, 0]  # (B, 1) -> (B,)
    check_labels(labels, shape[1])
    if len(labels) != shape[0]:
        raise ValueError(f"{len(labels)} labels, but {shape[0]} rows of logits")
    return labels.long()


def _probabilities(labels: Tensor) -> Tensor:
    if not probability_rows(labels).all():
        raise ValueError(
            f"labels {tuple(labels.shape)} must be rows of probabilities, from 0 to 1, "
            "that add up to 1. Several labels a picture need a step with "
            "binary_cross_entropy_with_logits (step=…)"
        )
    return labels if labels.is_floating_point() else labels.float()


def probability_rows(labels: Tensor) -> Tensor:
    """Tell which rows of (B, C) are probabilities: none below 0, and adding up to 1."""
    rows = labels.float()
    return (rows.min(1).values >= 0) & ((rows.sum(1) - 1).abs() <= _TOLERANCE)


def check_labels(labels: Any, num_classes: int) -> None:
    """Raise `ValueError` where labels are not whole (B,), from 0 to num_classes - 1.

    >>> import torch
    >>> from course_utils.training import check_labels
    >>> check_labels(torch.tensor([1, 2, 3]), num_classes=3)
    Traceback (most recent call last):
    ValueError: labels run from 1 to 3, but the head has 3 classes (0 to 2)...
    """
    if not isinstance(labels, Tensor):
        raise ValueError(
            f"labels are a {type(labels).__name__}, not a tensor: {_LABELS}"
        )
    if labels.is_floating_point() or labels.ndim != 1:
        raise ValueError(
            f"labels are {str(labels.dtype)[6:]} of shape {tuple(labels.shape)}: {_LABELS}"
        )
    if not len(labels):
        raise ValueError("there are no labels: the batch is empty")
    least, most = range_of(labels)
    check_none_missing(labels)
    if least < 0 or most >= num_classes:
        raise ValueError(
            f"labels run from {least} to {most}, but the head has {num_classes} classes "
            f"(0 to {num_classes - 1}): replace the head"
        )


def check_none_missing(labels: Tensor) -> None:
    """Raise `ValueError` where the least of labels (B,) is -1: one is missing.

    >>> import torch
    >>> from course_utils.training import check_none_missing
    >>> check_none_missing(torch.tensor([0, -1]))
    Traceback (most recent call last):
    ValueError: labels hold -1, which says that a label is missing...
    """
    if range_of(labels)[0] == -1:
        raise ValueError(
            "labels hold -1, which says that a label is missing: leave those pictures "
            "out (known = labels >= 0)"
        )


def count_right(logits: Any, labels: Any) -> tuple[Tensor, Tensor] | None:
    """Count right answers, and the labels that are known; None where that says nothing.

    Both as tensors of one number, on the device of the logits.

    Labels are indices (B,) or (B, 1), below 0 where unknown, or rows (B, C) of
    probabilities, of which the largest counts. Other labels, and one column of logits,
    have no right class.
    """
    if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[1] < 2:
        return None
    if not isinstance(labels, Tensor):
        return None
    answers = logits.argmax(1)
    if labels.shape == logits.shape:
        known = probability_rows(labels)
        right = (answers == labels.argmax(1)) & known
        return right.sum(), known.sum()
    if labels.shape == (len(logits), 1):
        labels = labels[:, 0]
    if labels.shape != answers.shape:
        return None
    return (answers == labels).sum(), (labels >= 0).sum()


def tells_nothing_apart(logits: Logits) -> bool:
    """Whether a net gives the same logits, to the bit, for each of several pictures."""
    each = logits.values() if isinstance(logits, Mapping) else [logits]
    return any(
        isinstance(values, Tensor) and values.ndim == 2 and len(values) > 1
        and bool(torch.equal(values, values[:1].expand_as(values)))
        for values in each
    )  # fmt: skip
