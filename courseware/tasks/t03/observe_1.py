"""03.1: the work that is counted of a convolution."""

from __future__ import annotations

from torch import nn

from courseware.grading.observing import Case

# The layer, and channels, height and width of its output.
SHOWN = (
    (nn.Conv2d(7, 8, 3, padding=1), (8, 10, 11)),
    (nn.Conv2d(12, 10, (3, 5), stride=3, groups=2), (10, 7, 4)),
    (nn.Conv2d(8, 8, 3, groups=8, dilation=2, bias=False), (8, 9, 5)),
)
HIDDEN = (
    (nn.Conv2d(16, 24, 1), (24, 6, 11)),
    (nn.Conv2d(12, 6, (1, 7), stride=(1, 3), groups=3), (6, 13, 5)),
    (nn.Conv2d(4, 12, 5, groups=4, stride=4), (12, 3, 2)),
)


def cases(seed):
    for tried in (SHOWN, HIDDEN):
        for layer, (channels, height, width) in tried:
            shape = channels, height + 10 * (seed % 5), width + 10 * (seed % 7)
            given = f"{layer}, output_shape = {shape}"
            yield Case(given, layer=layer, shape=shape, hidden=tried is HIDDEN)


def observe(conv_macs, case, seen):
    seen.note("the MACs", seen.call(conv_macs, case.layer, case.shape))
