"""03.1: the solution, and what is mistaken in channels and positions."""

from __future__ import annotations

from math import prod

from courseware.grading.judging import Raises, When, Wrong


def solution(layer, shape, area=prod):
    """`area` reckons with the two sides of the kernel."""
    return area(layer.kernel_size) * (layer.in_channels // layer.groups) * prod(shape)


def _padded(layer, shape):
    return [n + 2 * p for n, p in zip(shape[1:], layer.padding, strict=True)]


MISTAKES = {
    "input-channels": Wrong(
        lambda layer, shape: prod(layer.kernel_size) * prod(shape),
        "One filter reads more than one channel of its input.",
    ),
    "output-channels": Wrong(
        lambda layer, shape: solution(layer, shape[1:]),
        "That is the work of one filter; there are out_channels of them.",
    ),
    "channels-twice": Wrong(
        lambda layer, shape: solution(layer, shape) * layer.out_channels,
        "The output's channels are counted twice: they stand in output_shape, and in "
        "the weights.",
    ),
    "shape-order": Wrong(
        lambda layer, shape: layer.weight.numel() * shape[0] * shape[1],
        "output_shape is (C, H, W): the channels stand first.",
    ),
    "one-side": Wrong(
        lambda layer, shape: solution(layer, shape[:2]),
        "The output's width is missing: a filter does its work at height x width "
        "positions.",
    ),
    "kernel-tuple": When(
        lambda it: "'tuple'" in it.error or it.difference.got == "tuple",
        "`layer.kernel_size` is a tuple of two numbers: multiply one by the other, "
        "`rows * columns`.",
    ),
    "run-at-output": Raises(
        "channels, but got",
        "output_shape is what the layer gives, not what it reads. Compute from the "
        "layer's attributes; it need not run.",
    ),
    "padding": Wrong(
        lambda layer, shape: solution(layer, (shape[0], *_padded(layer, shape))),
        "The padding is already in output_shape: it adds no positions to it.",
    ),
    "square-width": Wrong(
        lambda layer, shape: solution(layer, (shape[0], shape[2], shape[2])),
        "The output need not be square: height x width, not width x width.",
    ),
    "square-output": Wrong(
        lambda layer, shape: solution(layer, (*shape[:2], shape[1])),
        "The output need not be square: height x width, not height x height.",
    ),
}
