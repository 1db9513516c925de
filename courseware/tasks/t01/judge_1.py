"""01.1: prepare a picture by hand."""

from __future__ import annotations

from functools import partial

import torch

from courseware.grading.facts import Tolerance
from courseware.grading.judging import Task, When, Wrong, any_of
from courseware.tasks.t01.observe_1 import IMAGENET


def solution(
    image,
    mean,
    std,
    turned=lambda image: image.permute(2, 0, 1),
    scaled=lambda pixels: pixels / 255,
    normalised=lambda pixels, mean, std: (pixels - mean) / std,
):
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))
    return normalised(scaled(turned(image).float()), mean, std)


def _scaled(how):
    return partial(solution, scaled=how)


def _normalised(how):
    return partial(solution, normalised=how)


def _by_its_own_numbers(pixels, mean, std):
    own = {"dim": (1, 2), "keepdim": True}
    return (pixels - pixels.mean(**own)) / pixels.std(**own)


TASK = Task(
    title="Prepare a picture by hand",
    points=2,
    hints=(
        "Three steps: order of the dimensions, range 0 to 1, normalisation.",
        "`permute(2, 0, 1)` brings (H, W, 3) to (3, H, W); then divide by 255.",
        "`mean` and `std` need the shape (3, 1, 1), so that they apply to each channel: "
        "`torch.tensor(mean).view(3, 1, 1)`.",
    ),
    solution=solution,
    tolerance=Tolerance(1e-4),
    mistakes={
        "batch": When(
            lambda it: it.key == "shape" and len(it.got.shape) == 4,
            "No batch dimension is asked for: one picture is (3, H, W). A model wants "
            "(N, 3, H, W); whoever makes the batch adds it.",
        ),
        "axis": When(
            lambda it: "must match the size" in it.error or "broadcast" in it.error,
            "The three numbers do not meet the three channels: `mean` and `std` need the "
            "shape (3, 1, 1) for (3, H, W), by `.view(3, 1, 1)`; (3,) is for (H, W, 3).",
        ),
        "channels-last": Wrong(
            lambda *given: solution(*given).permute(1, 2, 0),
            "PyTorch wants (3, H, W): `permute` moves the channels to the front.",
        ),
        "transposed": Wrong(
            partial(solution, turned=lambda image: image.permute(2, 1, 0)),
            "Height and width are swapped: `permute(2, 0, 1)`.",
        ),
        "reshape": Wrong(
            partial(solution, turned=lambda image: image.reshape(3, *image.shape[:2])),
            "`reshape` keeps the order of the numbers, so rows end up as channels. Use "
            "`permute(2, 0, 1)`, which moves dimensions.",
        ),
        "bgr": Wrong(
            partial(solution, turned=lambda image: image.flip(2).permute(2, 0, 1)),
            "Red and blue are swapped: leave the channels in their order.",
        ),
        "shape": "PyTorch wants (3, H, W), of the picture's own height and width.",
        "dtype": "The weights are float32, so the picture must be: `.float()`.",
        "range": Wrong(
            _scaled(lambda pixels: pixels),
            "Mean and std belong to values from 0 to 1: divide by 255 first.",
        ),
        "256": Wrong(
            _scaled(lambda pixels: pixels / 256),
            "The largest value is 255: divide by 255, so that white becomes 1.",
        ),
        "whole": Wrong(
            _scaled(lambda pixels: pixels // 255),
            "`//` drops what is behind the point, so that all but white becomes 0: "
            "divide by `/`.",
        ),
        "guessed": Wrong(
            _scaled(lambda pixels: pixels / 255 if pixels.max() > 1 else pixels),
            "The largest value does not tell whether a picture holds bytes: in a dark one "
            "none is above 1. The pictures are uint8, so divide each of them by 255.",
        ),
        "own-range": When(
            any_of(
                _scaled(lambda x: x / x.max()),
                _scaled(lambda x: x / x.amax((1, 2), keepdim=True)),
                _scaled(lambda x: (x - x.min()) / (x.max() - x.min())),
            ),
            "The brightest and the darkest pixel are others in every picture: divide by "
            "255, the largest value that a uint8 pixel can have.",
        ),
        "signed": Wrong(
            _scaled(lambda pixels: pixels / 127.5 - 1),
            "The pixels go from -1 to 1 here; mean and std belong to values from 0 to 1. "
            "Divide by 255, and subtract nothing but the mean.",
        ),
        "raw": Wrong(
            _normalised(lambda pixels, mean, std: pixels),
            "The range is right; the normalisation is missing.",
        ),
        "no-std": Wrong(
            _normalised(lambda pixels, mean, std: pixels - mean),
            "Divide by the standard deviation as well.",
        ),
        "times-std": Wrong(
            _normalised(lambda pixels, mean, std: (pixels - mean) * std),
            "Divide by the standard deviation: you multiply.",
        ),
        "brackets": Wrong(
            _normalised(lambda pixels, mean, std: pixels - mean / std),
            "Division goes before subtraction: put brackets around `picture - mean`.",
        ),
        "order": Wrong(
            _normalised(lambda pixels, mean, std: pixels / std - mean),
            "First subtract the mean, then divide by the standard deviation.",
        ),
        "one-channel": Wrong(
            _normalised(lambda x, mean, std: (x - mean[0]) / std[0]),
            "Every channel has a mean and a std of its own: `view(3, 1, 1)`.",
        ),
        "own-numbers": Wrong(
            _normalised(_by_its_own_numbers),
            "These are the picture's own mean and deviation. The net was trained with "
            "those of its data: use what your function is given.",
        ),
        "constants": Wrong(
            lambda image, mean, std: solution(image, *IMAGENET),
            "Use the `mean` and `std` that your function is given.",
        ),
        "value": "`(picture / 255 - mean) / std`, for each channel.",
    },
)
