"""The nets of 03.3, which run in another order than they were registered."""

from __future__ import annotations

from torch import Tensor, nn

from courseware.tasks.t03.nets import Net, in_order


def branched(width: int) -> Net:
    """One layer runs twice, on maps of two shapes; two do not run in eval mode."""
    odd = nn.LocalResponseNorm(2)  # a leaf of a kind that no list of layers names
    inner = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), odd)
    return Net(
        _with_branches,
        head=nn.Linear(width, 4),
        unused=nn.Linear(width, width),
        stem=nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width)),
        act=nn.ReLU(),
        block=nn.Sequential(inner),
        helper=nn.Conv2d(width, width, 1),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )


def _with_branches(net: Net, images: Tensor) -> Tensor:
    maps = net.block(net.act(net.stem(images)))
    if net.training:
        maps = maps + net.helper(maps)
    return net.head(net.flatten(net.act(net.pool(maps))))


def _block(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, width, 3), nn.BatchNorm2d(width), nn.GELU())


def row(width: int) -> Net:
    """Blocks of the same kind in a row, as in most nets."""
    blocks = nn.Sequential(_block(3, width), _block(width, width))
    return Net(in_order, blocks=blocks, head=nn.Conv2d(width, 2, 2))
