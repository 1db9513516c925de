"""01.3: colour filters for grey pictures."""

from __future__ import annotations

from functools import partial

import torch

from courseware.grading.judging import Raises, Task, When, Wrong, any_of


def solution(weight):
    return weight.sum(dim=1, keepdim=True)


def weighted(weight, shares):
    return solution(weight * torch.tensor(shares).view(1, 3, 1, 1))


_ONE = (1, 0, 0), (0, 1, 0), (0, 0, 1)  # a single channel's share


TASK = Task(
    title="Colour filters for grey pictures",
    points=2,
    hints=(
        "A grey picture in a colour net has the same value in all three channels.",
        "The convolution adds the three channels' products, so the filters add.",
        "`weight.sum(dim=1, keepdim=True)`",
    ),
    solution=solution,
    mistakes={
        "axis": When(
            any_of(
                lambda weight: weight.sum(dim=0, keepdim=True),
                lambda weight: weight.sum(dim=0),
                lambda weight: weight.sum(dim=0)[:, None],
            ),
            "That adds up the filters themselves, as Python's own `sum(weight)` does. The "
            "channels are the second dimension: sum over `dim=1`.",
        ),
        "front": Wrong(
            lambda weight: weight.sum(dim=1)[None],
            "The channel's dimension stands second, not first: `[:, None]` or "
            "`unsqueeze(1)`.",
        ),
        "no-dimension": When(
            lambda it: it.key == "shape" and len(it.got.shape) == 3,
            "One input channel must remain: `keepdim=True` keeps the dimension.",
        ),
        "reshaped": Wrong(
            lambda weight: weight.reshape(-1, 1, *weight.shape[2:]),
            "Now there are three times as many filters: `reshape` adds nothing up.",
        ),
        "three-channels": Wrong(
            lambda weight: solution(weight).repeat(1, 3, 1, 1),
            "These filters still have three input channels: one must remain.",
        ),
        "fixed-size": Raises(
            "is invalid for input of size",
            "A size is written down that other filters do not have: take it from "
            "`weight.shape`.",
        ),
        "shape": "As many filters of the same size, each with one channel: (C, 1, h, w).",
        "mean": Wrong(
            lambda weight: weight.mean(dim=1, keepdim=True),
            "The mean gives a third of the right answer: a convolution adds the "
            "channels up.",
        ),
        "one-channel": When(
            any_of(*(partial(weighted, shares=one) for one in _ONE)),
            "The other two channels' filters are lost.",
        ),
        "two-channels": Wrong(
            partial(weighted, shares=(1, 1, 0)),
            "The last channel's filters are lost: `[:2]` stops before the third.",
        ),
        "tripled": When(
            any_of(*(partial(weighted, shares=[3 * x for x in one]) for one in _ONE)),
            "The three channels' filters differ: one of them, tripled, is not their sum.",
        ),
        "largest": Wrong(
            lambda weight: weight.amax(dim=1, keepdim=True),
            "These are the largest of three. A convolution adds the channels up.",
        ),
        "luminance": Wrong(
            partial(weighted, shares=(0.299, 0.587, 0.114)),
            "These shares turn a colour picture grey. Here the picture is grey already, "
            "and stands in all three channels with its full value.",
        ),
        "value": "For a grey picture the answer must be the same as that of the colour "
        "filters: their three channels, added up.",
    },
)
