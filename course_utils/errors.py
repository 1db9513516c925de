"""Errors that say what was wrong and what to do; all name the thing they speak of."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

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


class WrongArgument(TypeError, ValueError):
    """An argument is of another kind than a function takes, or out of its range.

    Both errors in one, for where it comes from decides which one callers look for.
    """


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
