"""03.1: count the work of a convolution."""

from __future__ import annotations

from math import prod

from courseware.grading.judging import Task, When, Wrong
from courseware.tasks.t03 import judge_1_positions as positions
from courseware.tasks.t03.judge_1_positions import solution


def kernel(area):
    hint = (
        "A kernel has two sides, which may differ: multiply both numbers of "
        "`layer.kernel_size`."
    )
    return Wrong(lambda layer, shape: solution(layer, shape, area), hint)


def _extent(layer):
    sides = zip(layer.dilation, layer.kernel_size, strict=True)
    return prod(d * (k - 1) + 1 for d, k in sides)


_DILATION = (
    "Dilation spreads the kernel over more pixels; it multiplies no more of them."
)
_STRIDE = (
    "The stride is already in output_shape: a filter does its work once for each "
    "position of the *output*."
)

TASK = Task(
    title="Count the work of a convolution",
    points=2,
    hints=(
        "How many multiplications make one number of the output? And how many numbers "
        "does the output hold?",
        "One number of the output takes kernel height x kernel width x the channels that "
        "one filter sees: `layer.in_channels // layer.groups`.",
        "`rows, columns = layer.kernel_size`; multiply rows, columns, `in_channels // "
        "groups` and the three numbers of output_shape.",
    ),
    solution=solution,
    mistakes={
        "groups": Wrong(
            lambda layer, shape: solution(layer, shape) * layer.groups,
            "With groups, one filter sees a part of the input only: in_channels / groups "
            "channels.",
        ),
        "groups-twice": Wrong(
            lambda layer, shape: solution(layer, shape) // layer.groups,
            "You divided by groups twice. The filters see fewer channels each; there are "
            "still out_channels of them.",
        ),
        "times-groups": Wrong(
            lambda layer, shape: solution(layer, shape) * layer.groups**2,
            "With groups, one filter sees fewer channels: divide by groups, once.",
        ),
        "parameters": Wrong(
            lambda layer, shape: sum(p.numel() for p in layer.parameters()),
            "These are the layer's parameters. Each weight is used once at every position "
            "of the output: height x width times.",
        ),
        "weights": Wrong(
            lambda layer, shape: layer.weight.numel(),
            "These are the layer's weights. Each is used once at every position of the "
            "output: height x width times.",
        ),
        "flops": Wrong(
            lambda layer, shape: 2 * solution(layer, shape),
            "A multiplication with its addition is one MAC; you counted two (FLOPs).",
        ),
        "stride": Wrong(
            lambda layer, shape: solution(layer, shape) // prod(layer.stride), _STRIDE
        ),
        "at-input": Wrong(
            lambda layer, shape: solution(layer, shape) * prod(layer.stride), _STRIDE
        ),
        "bias": Wrong(
            lambda layer, shape: solution(layer, shape) + prod(shape),
            "Adding the bias is no MAC.",
        ),
        "bias-once": Wrong(
            lambda layer, shape: solution(layer, shape) + shape[0],
            "A bias a channel is counted here. Adding the bias is no MAC.",
        ),
        "kernel": kernel(lambda sides: sides[0] ** 2),
        "kernel-width": kernel(lambda sides: sides[1] ** 2),
        "one-side-of-it": kernel(lambda sides: sides[0]),
        "sides-added": kernel(sum),
        "no-kernel": Wrong(
            lambda layer, shape: solution(layer, shape, lambda sides: 1),
            "The kernel is missing: a filter multiplies at each of its places.",
        ),
        **positions.MISTAKES,
        "dilation-times": Wrong(
            lambda layer, shape: solution(layer, shape) * prod(layer.dilation),
            _DILATION,
        ),
        "dilation": Wrong(
            lambda layer, shape: solution(layer, shape, lambda sides: _extent(layer)),
            _DILATION,
        ),
        "millions": Wrong(
            lambda layer, shape: solution(layer, shape) // 10**6,
            "MACs are asked for, one by one: not in millions.",
        ),
        "float": When(
            lambda it: it.key == "type" and it.difference.got == "float",
            "MACs are counted: return an int. A division with `/` gives a float, one with "
            "`//` a whole number.",
        ),
        "value": "Kernel height x kernel width x in_channels / groups, for each number of "
        "the output.",
    },
)
