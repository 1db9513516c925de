"""Errors that say what was wrong and what to do; all name the thing they speak of."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")


class DatasetError(ValueError):
    """A data set is missing, broken or unusable as asked."""


class HomeUnavailable(OSError):
    """The course's own folder cannot be made."""

    def __str__(self) -> str:
        return (
            f"the course's own folder {self.filename} cannot be made ({self.strerror}): "
            "set COURSE_HOME to a folder that you may write to"
        )


class UnknownModel(ValueError):
    """No architecture has this name."""


class CheckpointError(ValueError):
    """A file of weights is damaged, unsafe, or belongs to another architecture."""


class DamagedCheckpoint(CheckpointError):
    """A file of weights is cut short or not one at all."""


class WeightsUnavailable(RuntimeError):
    """Weights are not on this machine, or could not be fetched."""


class CannotInspect(ValueError):
    """A model cannot be run on meta tensors; the message names the cause."""


class CannotCut(ValueError):
    """A network cannot be run from its first trainable stage on."""


def command(*words: str) -> str:
    """Return a command of the course as errors name it, such as "course fetch NAME"."""
    return " ".join(("course", *words))


def whole(name: str, value: Any, *, least: int) -> int:
    """Return a whole number of at least `least`; anything else is a `ValueError`."""
    kind = isinstance(value, Integral) and not isinstance(value, bool)
    if not kind or value < least:
        raise ValueError(
            f"{name} must be a whole number of at least {least}, got {value!r}"
        )
    return int(value)


def text(name: str, value: Any) -> str:
    """Return a string; anything else is a `ValueError`."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {value!r}")
    return value


def real(name: str, value: Any, *, least: float = -math.inf) -> float:
    """Return a number of at least `least`; NaN and anything else are a `ValueError`."""
    kind = isinstance(value, Real) and not isinstance(value, bool)
    if not kind or math.isnan(value) or value < least:
        bound = "" if least == -math.inf else f" of at least {least:g}"
        raise ValueError(f"{name} must be a number{bound}, got {value!r}")
    return value


@contextmanager
def explained_channels() -> Iterator[None]:
    """Say what to do where images have other channels than the model takes.

    Torch's `RuntimeError` becomes a `ValueError`; other errors pass.
    """
    try:
        yield
    except RuntimeError as error:
        if (found := _CHANNELS.search(str(error))) is None:
            raise
        wanted, given = map(int, found.groups())
        raise ValueError(
            f"images have {given} channels, but the model takes {wanted}: "
            f"{_other_channels(wanted)}; a batch is (B, C, H, W)"
        ) from error


def check_type(value: Any, kind: type | tuple[type, ...], name: str, hint: str) -> None:
    """Raise `TypeError` where an argument is not of a kind; `hint` says what to give."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {type(value).__name__}: {hint}")


def check_callable(value: Any, name: str) -> None:
    """Raise `TypeError` for what cannot be called."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} is a {type(value).__name__}, not a function to call")


def check_whole(
    value: Any, name: str, *, least: int = 1, most: int | None = None
) -> None:
    """Raise `ValueError` where a number is not whole, below `least` or above `most`."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if most is None and value < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    if most is not None and not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}, got {value!r}")


def check_positive(value: Any, name: str) -> None:
    """Raise `ValueError` where a number is not above 0 and finite."""
    if not _in_range(value) or value == 0:
        raise ValueError(f"{name} must be above 0 and finite, got {value!r}")


def check_share(value: Any, name: str) -> None:
    """Raise `ValueError` where a number is not from 0 to 1."""
    if not _in_range(value) or value > 1:
        raise ValueError(f"{name} must be from 0 to 1, got {value!r}")


def _in_range(value: Any) -> bool:
    """Whether a value is a finite number of at least 0."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    return real and 0 <= value < float("inf")


def _other_channels(wanted: int) -> str:
    """The way out for pictures of other channels than a model takes."""
    if wanted == 3:
        return 'load them with load_dataset, or convert them with image.convert("RGB")'
    if wanted == 1:
        return (
            "make them grey with torchvision's transforms.v2.Grayscale() or "
            'image.convert("L"), or make the model with in_chans=3 (timm)'
        )
    return (
        f"give it pictures of {wanted} channels, or make the model for yours "
        "(timm's in_chans)"
    )
