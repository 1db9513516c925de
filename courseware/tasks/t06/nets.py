"""The nets that exercise 06 is tried on: small ones, most of which are only taken apart."""

from __future__ import annotations

import torch
from torch import nn


def frozen(model: nn.Module, *names: str) -> nn.Module:
    """Freeze the layers of these names; return the model."""
    for name in names:
        model.get_submodule(name).requires_grad_(False)
    return model


def resnet() -> nn.Module:
    """Return layers that are called like those of a ResNet."""
    convs = [nn.Conv2d(3, 4, 3), *(nn.Conv2d(4, 4, 3) for _ in range(4))]
    parts = [{"conv1": conv, "bn1": nn.BatchNorm2d(4)} for conv in convs]
    stages = {f"layer{i}": nn.ModuleDict(part) for i, part in enumerate(parts[1:], 1)}
    return nn.ModuleDict({**parts[0], **stages, "fc": nn.Linear(4, 6)})


def rungs() -> nn.Module:
    """Return ten layers of a kind, and a norm whose name begins like the head's."""
    layers = {f"layer{i}": nn.Linear(3, 3) for i in range(1, 11)}
    return nn.ModuleDict(
        {**layers, "head_norm": nn.LayerNorm(3), "head": nn.Linear(3, 2)}
    )


def row() -> nn.Module:
    """Return layers that are reached by dotted names, registered behind the head."""
    blocks = [nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)) for _ in "abc"]
    classifier = nn.Sequential(nn.Dropout(), nn.Linear(4, 3))
    features = nn.Sequential(nn.Conv2d(3, 4, 3), *blocks)
    return nn.ModuleDict({"classifier": classifier, "features": features})


def namesakes() -> nn.Module:
    """Return a head of two layers, and layers whose names or shapes are like its own.

    The head is not the last to be registered.
    """
    return nn.ModuleDict(
        {
            "stem": nn.Conv2d(3, 5, 3),
            "fc1": nn.Linear(5, 5),
            "fc": nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)),
            "squeeze": nn.ModuleDict({"fc": nn.Linear(5, 5, bias=False)}),
            "twin": nn.Linear(5, 4),
        }
    )


def scaled() -> nn.Module:
    """Return these namesakes with a parameter that is in none of the layers."""
    model = namesakes()
    model.scale = nn.Parameter(torch.ones(5))
    return model


def in_a_row() -> nn.Module:
    """Return a net whose layers have numbers for names."""
    maps = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.GroupNorm(2, 4)
    return nn.Sequential(*maps, nn.Flatten(), nn.Linear(4, 2))


def mixed() -> nn.Module:
    """Return parameters of every kind: of layers, of the net itself, of one number."""
    model = nn.ModuleDict(
        {
            "words": nn.Embedding(7, 4),
            "bn_out": nn.Linear(4, 4),  # its name lies
            "mix": nn.Linear(4, 3, bias=False),
            "first": nn.Conv1d(4, 4, 1),
            "second": nn.GroupNorm(2, 4),
            "third": nn.LayerNorm(4),
            "score": nn.Linear(4, 7),
        }
    )
    model.temperature = nn.Parameter(torch.tensor(0.5))
    model.token = nn.Parameter(torch.ones(1, 1, 4))
    model.gamma = nn.Parameter(torch.ones(4))
    model.score.weight = model.words.weight  # one parameter, two names
    return frozen(model, "third")


def small(seed: int, training: bool) -> nn.Module:
    """Return a net whose BatchNorm has seen something, in train or in eval mode."""
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()
    net = nn.Sequential(*layers, nn.Linear(6 * 9, 3))
    with torch.no_grad():
        net(torch.rand(6, 3, 5, 5))
    return net.train(training)


def overflowing() -> nn.Module:
    """Return a layer to which a huge input gives a loss that is infinite, and not NaN."""
    layer = nn.Linear(1, 2, bias=False).eval()
    layer.load_state_dict({"weight": torch.tensor([[1.0], [-1.0]])})
    return layer
