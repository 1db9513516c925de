"""04.5: train mode, but BatchNorm stays."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from courseware.grading.judging import At, Task, Wrong


def solution(model, kinds=_BatchNorm):
    model.train()
    for module in model.modules():
        if isinstance(module, kinds):
            module.eval()


TASK = Task(
    title="Train mode, but BatchNorm stays",
    points=2,
    hints=(
        "model.train() first; then put some layers back into eval mode.",
        "Go through model.modules() and look at the type of each.",
        "`if isinstance(module, nn.BatchNorm2d): module.eval()`",
    ),
    solution=solution,
    mistakes={
        "removed": At(
            "the layers are still there",
            "The BatchNorm layers must stay in the model.",
        ),
        "not-train": At(
            "the model is in train mode",
            "The model itself must be in train mode: train() first.",
        ),
        "one-kind": Wrong(
            lambda model: solution(model, nn.BatchNorm2d),
            "A BatchNorm1d is still in train mode: there are BatchNorm1d, 2d and 3d.",
        ),
        "train": At(
            "every BatchNorm is in eval mode",
            "BatchNorm layers are still in train mode. train() sets all children, so put "
            "them back into eval after it, at any depth and of every kind (BatchNorm1d, "
            "2d, 3d).",
        ),
        "others": At(
            "other layers in eval mode",
            "Only BatchNorm layers stay in eval: containers and dropout must be in train "
            "mode.",
        ),
        "changed-requires_grad": "Running statistics are buffers: requires_grad has "
        "nothing to do with them, and must stay as it was.",
        "lost": At(
            "the statistics are still there",
            "The running statistics are gone; eval mode needs them.",
        ),
        "moved": At(
            "statistics that a forward pass moves",
            "A forward pass still moves the statistics.",
        ),
    },
)
