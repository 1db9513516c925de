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


def _by_exact_type(model):
    model.train()
    for module in model.modules():
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
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
        "nothing-changed": At(
            "something was changed in the model",
            "Every layer of the model is in eval mode, as it came: call train() first, on "
            "the very model that is given, not on a copy.",
        ),
        "not-train": At(
            "the model is in train mode",
            "The model itself must be in train mode: train() first.",
        ),
        "one-kind": Wrong(
            lambda model: solution(model, nn.BatchNorm2d),
            "A BatchNorm1d is still in train mode: there are BatchNorm1d, 2d and 3d.",
        ),
        "subclass": Wrong(
            _by_exact_type,
            "A BatchNorm of a class of its own is still in train mode, as timm has them "
            "(BatchNormAct2d): ask isinstance(module, ...), not type(module).",
        ),
        "train": At(
            "BatchNorm layers in train mode",
            "BatchNorm layers are still in train mode: only `module.eval()`, with its "
            "brackets, changes that, no requires_grad and no momentum. train() sets all "
            "children, so call eval() after it, at any depth, for every kind (1d, 2d, 3d).",
        ),
        "others": At(
            "other layers in eval mode",
            "Only BatchNorm layers stay in eval: containers and dropout must be in train "
            "mode.",
        ),
        "changed-requires_grad": "Running statistics are buffers: requires_grad has "
        "nothing to do with them, and must stay as it was.",
        "changed-statistics": "The statistics are what eval mode needs: leave them as they "
        "came.",
        "moved": At(
            "statistics that a forward pass moves",
            "A forward pass still moves the statistics.",
        ),
    },
)
