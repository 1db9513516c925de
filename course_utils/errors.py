"""Errors that say what was wrong and what to do; all name the thing they speak of."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")


class DatasetError(ValueError):
    """A data set is missing, broken or unusable as asked.

    >>> from course_utils.datasets import load_dataset
    >>> load_dataset("flower")
    Traceback (most recent call last):
        ...
    course_utils.errors.DatasetError: no dataset 'flower'; did you mean 'flowers'? Your
    own images load as 'folder:PATH'
    """


class HomeUnavailable(OSError):
    """The course's own folder cannot be made.

    >>> from course_utils.errors import HomeUnavailable
    >>> raise HomeUnavailable(13, "Permission denied", "/course")
    Traceback (most recent call last):
        ...
    course_utils.errors.HomeUnavailable: the course's own folder /course cannot be made
    (Permission denied): set COURSE_HOME to a folder that you may write to
    """

    def __str__(self) -> str:
        return (
            f"the course's own folder {self.filename} cannot be made ({self.strerror}): "
            "set COURSE_HOME to a folder that you may write to"
        )


class WrongArgument(TypeError, ValueError):
    """An argument is of another kind than a function takes, or out of its range.

    Both errors in one, for where it comes from decides which one callers look for.

    >>> from torch import nn
    >>> from course_utils.heads import replace_head
    >>> replace_head(nn.Linear(8, 5), "5")
    Traceback (most recent call last):
        ...
    course_utils.errors.WrongArgument: replace_head: num_classes must be a whole number
    of at least 0, got '5'
    """


class UnknownModel(ValueError):
    """No architecture has this name.

    >>> from course_utils.weights import find_weights
    >>> find_weights("test_resnett")
    Traceback (most recent call last):
        ...
    course_utils.errors.UnknownModel: no torchvision or timm model is named
    'test_resnett'. Nearest: test_resnet, ...
    """


class CheckpointError(ValueError):
    """A file of weights is damaged, unsafe, or belongs to another architecture.

    >>> import torch
    >>> from course_utils.weights import load_backbone
    >>> torch.save({"fc.weight": torch.zeros(5, 96)}, "mine.pth")
    >>> load_backbone("test_resnet", weights="mine.pth")
    Traceback (most recent call last):
        ...
    course_utils.errors.CheckpointError: mine.pth does not fit ResNet: 76 keys missing,
    such as bn1.bias, bn1.running_mean, bn1.running_var. Check that the architecture is
    the one that was saved.
    """


class DamagedCheckpoint(CheckpointError):
    """A file of weights is cut short or not one at all.

    >>> from pathlib import Path
    >>> from course_utils.weights import load_backbone
    >>> written = Path("mine.pth").write_text("<!DOCTYPE html>")
    >>> load_backbone("test_resnet", weights="mine.pth")
    Traceback (most recent call last):
        ...
    course_utils.errors.DamagedCheckpoint: mine.pth is a web page, not weights: the link
    led to a page about the file, or to a login. Download the file itself.
    """


class WeightsUnavailable(RuntimeError):
    """Weights are not on this machine, or could not be fetched.

    >>> from course_utils.weights import load_backbone
    >>> load_backbone("resnet18", weights="imagenet")
    Traceback (most recent call last):
        ...
    course_utils.errors.WeightsUnavailable: no ImageNet weights for 'resnet18' on this
    machine. Ways out: fetch ImageNet weights once, with a connection: `course fetch
    resnet18`; ...
    """


class CannotInspect(ValueError):
    """A model cannot be run on meta tensors; the message names the cause.

    >>> from course_utils.inspection import inspect_model
    >>> from course_utils.weights import load_backbone
    >>> model = load_backbone("test_resnet", weights="bundled")
    >>> inspect_model(model, input_size=(1, 64, 64))
    Traceback (most recent call last):
        ...
    course_utils.errors.CannotInspect: ResNet cannot run on a batch of (2, 1, 64, 64)
    without values in conv1.0: ... Give the input_size it was made for; ...
    """


class CannotCut(ValueError):
    """A network cannot be run from its first trainable stage on.

    >>> from course_utils.cut import CutModel
    >>> from course_utils.weights import load_backbone
    >>> CutModel(load_backbone("test_resnet", weights="bundled"))
    Traceback (most recent call last):
        ...
    course_utils.errors.CannotCut: nothing is frozen at the start: conv1 learns. Call
    freeze(model, until=…) first
    """


def command(*words: str) -> str:
    """Return a command of the course as errors name it, such as "course fetch NAME".

    >>> from course_utils.errors import command
    >>> command("fetch", "resnet18")
    'course fetch resnet18'
    """
    return " ".join(("course", *words))


@contextmanager
def explained_channels() -> Iterator[None]:
    """Say what to do where images have other channels than the model takes.

    Torch's `RuntimeError` becomes a `ValueError`; other errors pass.

    >>> import torch
    >>> from course_utils.errors import explained_channels
    >>> with explained_channels():
    ...     torch.nn.Conv2d(3, 8, 3)(torch.zeros(2, 1, 64, 64))
    Traceback (most recent call last):
        ...
    ValueError: images have 1 channels, but the model takes 3: load them with
    load_dataset, or convert them with image.convert("RGB"); a batch is (B, C, H, W)
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
