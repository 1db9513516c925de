"""04.5: train mode, but BatchNorm stays."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from courseware.grading.judging import At, Task, When, Wrong, any_of


def solution(model, kinds=_BatchNorm, among=lambda model: model.modules()):
    model.train()
    for module in among(model):
        if isinstance(module, kinds):
            module.eval()


def _among(layers):
    """A wrong solution: it looks at these layers only."""
    return lambda model: solution(model, among=layers)


_KINDS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
TASK = Task(
    title="Train mode, but BatchNorm stays",
    points=2,
    hints=(
        "model.train() first; then put some layers back into eval mode.",
        "Go through model.modules() and look at the type of each.",
        "`if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)): module.eval()`",
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
            "the very model that is given, not on a copy. A container's eval() would undo "
            "it: it reaches all that is inside.",
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
            _among(lambda model: [m for m in model.modules() if type(m) in _KINDS]),
            "A BatchNorm of a class of its own is still in train mode, as timm has them "
            "(BatchNormAct2d): ask isinstance(module, ...), not type(module).",
        ),
        "by-name": Wrong(
            _among(lambda model: [m for k, m in model.named_modules() if "bn" in k]),
            "Not every BatchNorm layer has `bn` in its name: go by type, `isinstance`.",
        ),
        "depth": When(
            any_of(
                _among(nn.Module.children),
                _among(
                    lambda net: [m for c in net.children() for m in (c, *c.children())]
                ),
            ),
            "BatchNorm layers deeper inside are still in train mode: `model.modules()` "
            "goes through all depths, `children()` through the outermost only.",
        ),
        "train": At(
            "BatchNorm layers in train mode",
            "BatchNorm layers are still in train mode: call `module.eval()`, with its "
            "brackets, on each of them after `train()`, which sets all that is inside of a "
            "module. Neither requires_grad nor momentum changes a mode.",
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
