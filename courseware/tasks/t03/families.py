"""The nets of 03.2, each with its head at another place."""

from __future__ import annotations

from torch import nn

from courseware.tasks.t03.nets import Net, in_order


def _body(width: int, norm: type[nn.Module] = nn.BatchNorm2d) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3, stride=2), norm(width), nn.ReLU())


def _flat(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *more)


def simple(width: int) -> Net:
    """Its head is called fc and stands last."""
    return Net(in_order, body=_body(width), pool=_flat(), fc=nn.Linear(width, 11))


def squeezed(width: int) -> Net:
    """Its head is a convolution with layers behind it; it holds no Linear at all."""
    layers = nn.Dropout(), nn.Conv2d(width, 12, 1), nn.ReLU(), _flat()
    return Net(in_order, features=_body(width), classifier=nn.Sequential(*layers))


def deep(width: int) -> Net:
    """Its head stands deep, has no bias, and a Linear of another width before it."""
    scores = nn.Linear(width, 20), nn.Tanh(), nn.Linear(20, 19, bias=False)
    top = Net(in_order, norm=nn.LayerNorm(width), scores=nn.Sequential(*scores))
    return Net(in_order, trunk=_body(width), pool=_flat(), top=top)


def unordered(width: int) -> Net:
    """Registers its head first, and last a layer of the same sizes that never runs."""
    return Net(
        lambda net, images: net.answer(net.pool(net.mix(net.stem(images)))),
        answer=nn.Linear(width, 13),
        stem=_body(width).requires_grad_(False),
        mix=nn.Conv2d(width, width, 1),
        pool=_flat(),
        pretext=nn.Linear(width, 13),
    )


def pooled(width: int) -> Net:
    """Pools first; then a convolution of 2 x 2 without bias gives the logits."""
    return Net(
        lambda net, images: net.out(net.pool(net.stem(images))).flatten(1),
        out=Net(in_order, project=nn.Conv2d(width, 14, 2, bias=False)),
        stem=_body(width, nn.Identity),
        pool=nn.AdaptiveMaxPool2d(2),
    )


def excited(width: int) -> Net:
    """Its head is a convolution; a Linear that weighs the channels runs before it."""
    return Net(
        lambda net, images: net.pool(net.predict(net.weighed(net.stem(images)))),
        stem=_body(width),
        predict=nn.Conv2d(width, 15, 1),
        weighed=Net(
            lambda net, maps: maps * net.gate(maps)[..., None, None],
            gate=_flat(nn.Linear(width, width), nn.Sigmoid()),
        ),
        pool=_flat(),
    )


def twice(width: int) -> Net:
    """Its head runs twice: on early maps, then on what a layer makes of them."""
    return Net(
        lambda net, images: net.both(net.stem(images)),
        stem=_body(width),
        both=Net(
            lambda net, maps: net.read(maps) + net.read(net.mix(maps)),
            mix=nn.Conv2d(width, width, 1),
            read=_flat(nn.Linear(width, 16)),
        ),
    )


# The family, its head's place, whether it comes in train mode, and the classes asked for.
FAMILIES = (
    (simple, "fc", True, 5),
    (squeezed, "classifier.1", False, 4),
    (deep, "top.scores.2", True, 2),
    (unordered, "answer", False, 7),
    (pooled, "out.project", True, 3),
    (excited, "predict", False, 6),
    (twice, "both.read.2", True, 4),
)
