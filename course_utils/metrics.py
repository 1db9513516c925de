"""Accuracies and the confidence intervals that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy import stats

from course_utils.arguments import checked

Numbers = Sequence[float] | np.ndarray | torch.Tensor


@dataclass(frozen=True)
class Interval:
    """Hold a mean with the ends of its confidence interval.

    `n` counts what was averaged: runs, pairs of runs, or images.

    >>> from course_utils.metrics import Interval
    >>> difference = Interval(0.031, 0.012, 0.05, n=5)
    >>> print(difference)
    0.031 ± 0.019
    >>> f"{difference:+.1%}"
    '+3.1% ± 1.9%'
    """

    mean: float
    low: float
    high: float
    n: int
    confidence: float = 0.95

    @property
    def half_width(self) -> float:
        """Return half the distance between the two ends."""
        return (self.high - self.low) / 2

    def as_dict(self) -> dict[str, float]:
        """Return the fields as plain numbers, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if self._is_symmetric():
            return f"{self.mean:z.3f} ± {self.half_width:.3f}"
        return f"{self.mean:z.3f} [{self.low:.3f}, {self.high:.3f}]"

    def __format__(self, spec: str) -> str:
        """Format all numbers with `spec`, as in `f"{interval:+.1%}"`."""
        if not spec:
            return str(self)
        if self._is_symmetric():
            return f"{self.mean:{spec}} ± {self.half_width:{spec.lstrip('+ ')}}"
        return f"{self.mean:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def _is_symmetric(self) -> bool:
        middle = (self.low + self.high) / 2
        return abs(self.mean - middle) <= 1e-6 * max(1.0, abs(self.mean))


@checked
def mean_interval(values: Numbers, *, confidence: float = 0.95) -> Interval:
    """Return the mean of independent runs with its Student t interval.

    `values` is one number a run (a seed), at least two. The interval speaks about
    the mean over further runs of the same kind, not about single runs.

    Raises `ValueError` for fewer than two values, values that are not finite, or a
    confidence outside (0, 1).

    >>> from course_utils.metrics import mean_interval
    >>> print(mean_interval([0.91, 0.93, 0.90]))
    0.913 ± 0.038
    >>> mean_interval([0.91])
    Traceback (most recent call last):
        ...
    ValueError: an interval needs at least 2 values, got n = 1: repeat the run with
    other seeds
    """
    numbers = _finite(values, "values")
    _check_confidence(confidence)
    if len(numbers) < 2:
        raise ValueError(
            f"an interval needs at least 2 values, got n = {len(numbers)}: "
            "repeat the run with other seeds"
        )
    mean = float(numbers.mean())
    error = float(numbers.std(ddof=1)) / len(numbers) ** 0.5
    half = float(stats.t.ppf((1 + confidence) / 2, len(numbers) - 1)) * error
    return Interval(mean, mean - half, mean + half, len(numbers), confidence)


@checked
def paired_interval(a: Numbers, b: Numbers, *, confidence: float = 0.95) -> Interval:
    """Return the mean of `a - b` with its Student t interval.

    The i-th values of both belong together (same seed, same split), which removes
    what the two runs of a pair have in common.

    Raises `ValueError` for unequal lengths and for what `mean_interval` refuses.

    >>> from course_utils.metrics import mean_interval, paired_interval
    >>> tuned, frozen = [0.93, 0.88, 0.95], [0.91, 0.86, 0.92]  # of seeds 0, 1 and 2
    >>> print(mean_interval(tuned), "and", mean_interval(frozen))
    0.920 ± 0.090 and 0.897 ± 0.080
    >>> print(paired_interval(tuned, frozen))
    0.023 ± 0.014
    """
    first, second = _finite(a, "a"), _finite(b, "b")
    if len(first) != len(second):
        raise ValueError(
            f"pairs need equal lengths, got {len(first)} and {len(second)} values: "
            "run both arms over the same seeds"
        )
    return mean_interval(first - second, confidence=confidence)


def accuracy(predictions: torch.Tensor | Numbers, labels: Numbers) -> float:
    """Return the share of right answers, from 0 to 1.

    `predictions` holds logits or probabilities (N, C), or class indices (N,);
    `labels` class indices (N,), whole numbers from 0 to C - 1.

    Raises `ValueError` for other shapes, unequal lengths or no images, NaN, indices that
    are not whole or below 0 (a missing label), and labels without a column.

    >>> import torch
    >>> from course_utils.metrics import accuracy
    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), [0, 0])
    0.5
    >>> accuracy(torch.tensor([0, 1]), [0, -1])
    Traceback (most recent call last):
        ...
    ValueError: labels[1] is -1, which is no class index (1 of 2 are none): -1 and NaN
    mark a missing label: score the others only, keep = labels >= 0, predictions[keep],
    labels[keep]
    """
    guessed, truth = _indices(predictions, labels)
    return (guessed == truth).double().mean().item()


@checked(own=("predictions", "labels"))
def confusion_matrix(
    predictions: torch.Tensor | Numbers,
    labels: Numbers,
    *,
    classes: Sequence[str] | None = None,
):
    """Count images by true class (rows) and predicted class (columns).

    `predictions` is (N, C) or (N,) as for `accuracy`. Returns a DataFrame named by
    `classes` where given, else by index. Raises `ValueError` for an index that has
    no class, and for what `accuracy` refuses.

    >>> from course_utils.metrics import confusion_matrix
    >>> print(confusion_matrix([0, 1, 1, 1], [0, 0, 1, 1], classes=["ants", "bees"]))
    predicted  ants  bees
    true
    ants          1     1
    bees          0     2
    """
    import pandas as pd
    from sklearn import metrics

    guessed, truth = _indices(predictions, labels)
    highest = int(max(guessed.max(), truth.max()))
    names = list(range(highest + 1)) if classes is None else list(classes)
    if highest >= len(names):
        raise ValueError(
            f"class index {highest} has no name: {len(names)} classes given"
        )
    counts = metrics.confusion_matrix(
        truth.cpu().numpy(), guessed.cpu().numpy(), labels=range(len(names))
    )
    table = pd.DataFrame(counts, index=names, columns=names)
    return table.rename_axis(index="true", columns="predicted")


def _indices(predictions, labels) -> tuple[torch.Tensor, torch.Tensor]:
    """Return predicted and true class indices, both (N,), on one device."""
    guessed, truth = _tensor(predictions, "predictions"), _tensor(labels, "labels")
    _check_shapes(guessed, truth)
    truth = _whole(truth, "labels", _MISSING)
    if guessed.ndim == 1:
        return _whole(guessed, "predictions", _SCORES), truth.to(guessed.device)
    if highest := _without_column(guessed, truth):
        raise ValueError(
            f"class index {highest} among the labels has no column in predictions "
            f"(N, C) = {tuple(guessed.shape)}: give the model a head for all classes"
        )
    if len(rows := guessed.isnan().any(dim=1).nonzero()):
        raise ValueError(
            f"predictions[{rows[0].item()}] holds NaN, and so do {len(rows)} of "
            f"{len(guessed)} rows: the training diverged (lower the learning rate), or "
            "an image holds NaN"
        )
    return guessed.argmax(dim=1), truth.to(guessed.device)  # (N, C) -> (N,)


_MISSING = (
    "-1 and NaN mark a missing label: score the others only, keep = labels >= 0, "
    "predictions[keep], labels[keep]"
)
_SCORES = (
    "scores of one class need a threshold first, (scores > 0.5).long() for "
    "probabilities, (logits > 0).long() for logits"
)


def _tensor(values, name: str) -> torch.Tensor:
    try:
        found = torch.as_tensor(values)
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # names, rows of other lengths
        raise ValueError(
            f"{name} must be numbers, all rows of one length ({error}). Names of classes "
            "become indices by [classes.index(name) for name in names]"
        ) from error
    return found.long() if found.dtype == torch.bool else found


def _check_shapes(guessed: torch.Tensor, truth: torch.Tensor) -> None:
    if truth.ndim == 2 and truth.shape[1] > 1:
        raise ValueError(
            f"expected labels (N,), got (N, C) = {tuple(truth.shape)}. One-hot rows: "
            "labels.argmax(dim=1). Several labels a picture: score each column c, "
            "(scores[:, c] > 0.5).long() against labels[:, c]"
        )
    if truth.ndim != 1:
        raise ValueError(
            f"expected labels (N,), got shape {tuple(truth.shape)}: labels.flatten()"
        )
    if guessed.ndim == 2 and guessed.shape[1] == 1:
        raise ValueError(
            "one column of logits cannot be ranked: threshold it first, "
            "(logits[:, 0] > 0).long()"
        )
    if guessed.ndim not in (1, 2) or 0 in guessed.shape[1:]:
        raise ValueError(
            f"expected logits (N, C) or indices (N,), got shape {tuple(guessed.shape)}"
        )
    _check_lengths(len(guessed), len(truth))


def _whole(values: torch.Tensor, name: str, way_out: str) -> torch.Tensor:
    """Return class indices (N,) as integers; refuse what is none."""
    wrong = (values != values.floor()) | (values < 0)  # NaN differs from itself
    if len(places := wrong.nonzero()):
        place = places[0].item()
        raise ValueError(
            f"{name}[{place}] is {values[place].item():.4g}, which is no class index "
            f"({len(places)} of {len(values)} are none): {way_out}"
        )
    return values.long()


def _without_column(guessed: torch.Tensor, truth: torch.Tensor) -> int | None:
    """The highest label where predictions (N, C) have no column for it, else None."""
    highest = int(truth.max())
    return highest if highest >= guessed.shape[1] else None


def _check_lengths(predictions: int, labels: int) -> None:
    if predictions != labels:
        raise ValueError(f"{predictions} predictions do not fit {labels} labels")
    if labels == 0:
        raise ValueError("no images to score: predictions and labels are empty")


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")


def _finite(values: Numbers, name: str) -> np.ndarray:
    """Return `values` as a float array (n,), refusing NaN and infinity."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers, got {values.dtype}")
    numbers = values.astype(float)
    if numbers.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        where = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(f"{name}[{where}] is {numbers[where]}: that run failed")
    return numbers
