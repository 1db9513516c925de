"""Lesson and exercise 00: the shape of a batch, counting parameters, accuracy."""

from __future__ import annotations

import torch
from torch import nn

from courseware.grading.registry import task


@task(
    "00.0",
    title="The shape of a batch",
    points=1,
    hints=(
        "Four numbers: how many pictures, then what one picture is made of.",
        "PyTorch puts the channels before height and width.",
        "(number of pictures, colour channels, height, width)",
    ),
)
def batch_shape(answer, c):
    c.type(answer, (tuple, list, torch.Size), "the shape")
    shape = tuple(answer)
    c.that(all(type(n) is int for n in shape), "whole numbers", key="type",
           hint="A shape is made of whole numbers.", got=shape)  # fmt: skip
    c.that(len(shape) == 4, "number of dimensions", key="dimensions",
           hint="A batch has four dimensions: the pictures, and three of each picture.",
           expected="4 numbers", got=shape)  # fmt: skip
    c.that(shape != (32, 64, 64, 3), "order of the dimensions", key="channels-last",
           hint="That is the order of image files and matplotlib. PyTorch puts the "
           "channels second.", got=shape)  # fmt: skip
    c.that(shape != (3, 32, 64, 64), "order of the dimensions", key="batch-first",
           hint="The batch comes first.", got=shape)  # fmt: skip
    c.that(shape[1:2] != (1,), "channels", key="channels",
           hint="The pictures are in colour: how many channels is that?",
           got=shape)  # fmt: skip
    c.same(
        list(shape),
        [32, 3, 64, 64],
        "the shape",
        hint="32 pictures, 3 channels, 64 rows, 64 columns, in PyTorch's order.",
    )


def _nets() -> list[nn.Module]:
    frozen = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
    frozen[0].requires_grad_(False)
    shared = nn.Linear(5, 5)
    return [
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)),
        frozen,
        nn.Sequential(shared, nn.ReLU(), shared),
        nn.Conv2d(2, 6, (1, 5), bias=False),
    ]


@task(
    "00.1",
    title="Count the parameters",
    points=2,
    hints=(
        "`model.parameters()` gives all parameters, one tensor after the other.",
        "Each tensor knows how many numbers it holds: `tensor.numel()`.",
        "sum(p.numel() for p in model.parameters())",
    ),
)
def count_parameters(answer, c):
    for net in _nets():
        right = sum(p.numel() for p in net.parameters())
        got = c.call(answer, net, given=str(net))
        c.type(got, int, "what your function returns")
        c.that(got != len(list(net.parameters())) or got == right, "the count",
               key="tensors", hint="You counted tensors. Each holds many numbers: "
               "numel().", given=str(net), expected=right, got=got)  # fmt: skip
        learns = sum(p.numel() for p in net.parameters() if p.requires_grad)
        c.that(got != learns or got == right, "the count", key="frozen",
               hint="Frozen parameters count too.", given=str(net),
               expected=right, got=got)  # fmt: skip
        state = sum(t.numel() for t in net.state_dict().values())
        c.that(got != state or got == right, "the count", key="buffers",
               hint="state_dict() also holds buffers (BatchNorm's statistics) and "
               "lists a shared layer twice. Use parameters().", given=str(net),
               expected=right, got=got)  # fmt: skip
        c.same(
            got,
            right,
            "the count",
            given=str(net),
            hint="Add up numel() over model.parameters().",
        )


@task(
    "00.2",
    title="Accuracy of a batch",
    points=2,
    hints=(
        "The predicted class of a picture is the position of its largest logit.",
        "`logits.argmax(dim=1)` gives one class a picture.",
        "(logits.argmax(dim=1) == labels).float().mean().item()",
    ),
)
def accuracy(answer, c):
    generator = torch.Generator().manual_seed(7)
    cases = [
        (torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]]), torch.tensor([0, 2])),
        (torch.tensor([[0.0, 1.0], [0.2, 0.9], [0.8, 0.1]]), torch.tensor([1, 1, 1])),
        (torch.randn(12, 12, generator=generator) - 4, torch.arange(12)),
        (torch.randn(40, 5, generator=generator) * 3, torch.arange(40) % 5),
    ]
    for logits, labels in cases:
        right = (logits.argmax(1) == labels).double().mean().item()
        given = f"logits of shape {tuple(logits.shape)}"
        got = c.call(answer, logits, labels, given=given)
        if isinstance(got, torch.Tensor):
            c.tensor(got, "the accuracy", shape=(), shape_hint="One number for the "
                     "whole batch: take the mean.")  # fmt: skip
            c.fail("type of the accuracy", key="tensor", expected="float",
                   got="Tensor", hint="Turn the one-element tensor into a float with "
                   ".item().")  # fmt: skip
        c.type(got, (float, int), "the accuracy")
        c.that(got == got, "the accuracy", key="value", given=given,
               hint="NaN: look for a division by zero.")  # fmt: skip
        if right:
            c.that(abs(got - right * 100) > 1e-4, "the range", key="percent",
                   hint="Give a share from 0 to 1, not per cent.", expected=right,
                   got=got, given=given)  # fmt: skip
            c.that(abs(got - right * len(labels)) > 1e-4, "the range", key="count",
                   hint="Divide by the number of pictures.", expected=right, got=got,
                   given=given)  # fmt: skip
        if len(logits) == logits.shape[1]:
            wrong = (logits.argmax(0) == labels).double().mean().item()
            c.that(got != wrong or wrong == right, "the dimension", key="dim",
                   hint="dim=0 compares pictures. Classes are along dim=1.",
                   expected=right, got=got, given=given)  # fmt: skip
        c.close(got, right, "the accuracy", given=given,
                hint="Compare each picture's largest logit with its label.")  # fmt: skip
