"""Distillation of features: a layer of the student is pulled to one of the teacher."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils.activations import find_layer, layout_of, watched
from course_utils.arguments import Positive, checked
from course_utils.distillation.teacher import Teacher, as_teacher
from course_utils.meta_tensors import unwrapped
from course_utils.tracing import trace
from course_utils.training import Batch, Step, classification_step


class FeatureDistillation(nn.Module):
    """A step for `training.fit` that also pulls a layer's features to the teacher's.

    `layers` names one of the student and one of the teacher. Where their widths differ,
    the student's go through `projector`, a 1×1 convolution on maps (B, C, H, W) and
    tokens (B, N, C), a Linear on vectors (B, C); maps of another size are resized to the
    teacher's. Each position is brought to length 1, and the loss is the squared distance,
    mean over positions (0 to 4), times `weight`, added to the loss of `step`: the labels'
    cross-entropy, or a distillation step. The history has it as `train_features`.

    The projector learns, so hand its parameters to the optimiser; it is no part of the
    student, and goes after training (a checkpoint takes the step as one of `modules`).
    Only hooks watch the layers, during each pass; the teacher is in eval mode, and no
    BatchNorm of it moves.

    Raises `ValueError` for unknown layers and for maps matched with vectors. Romero et
    al., 2015 (FitNets), https://arxiv.org/abs/1412.6550

    >>> import torch
    >>> from course_utils.distillation import FeatureDistillation
    >>> from course_utils.weights import load_backbone
    >>> student = load_backbone("test_resnet", weights="bundled")
    >>> teacher = load_backbone("resnet10t", weights="bundled")
    >>> step = FeatureDistillation(student, teacher, layers=("layer4", "layer4"))
    >>> optimizer = torch.optim.AdamW([*student.parameters(), *step.parameters()])
    >>> step.projector
    Conv2d(96, 512, kernel_size=(1, 1), stride=(1, 1))
    """

    @checked
    def __init__(
        self,
        student: nn.Module,
        teacher: Teacher | nn.Module,
        *,
        layers: tuple[str, str],
        weight: Positive = 1.0,
        step: Step = classification_step,
        input_size: tuple[int, int, int] | None = None,
    ):
        super().__init__()
        self.teacher, (own, its) = as_teacher(teacher), layers
        self.weight, self.step = weight, step
        self.own = _Layer(student, own, input_size)
        self.its = _Layer(self.teacher.model, its, None)
        self.projector = _projector(student, self.own.shape, self.its.shape)

    def forward(self, model: nn.Module, batch: Batch):
        """Be a step: model and batch -> loss, logits and the loss's parts."""
        images = batch[0]
        own = unwrapped(model).get_submodule(self.own.name)
        its = self.teacher.model.get_submodule(self.its.name)
        with watched(own) as seen, watched(its) as wanted:
            loss, logits, *parts = self.step(model, batch)
            if not wanted:  # a distillation step has asked the same teacher already
                self.teacher(images)
        theirs = wanted[-1].clone().to(seen[-1].device)
        distance = self.distance(
            self.own.maps(seen[-1], images), self.its.maps(theirs, images)
        )
        parts = {**(parts[0] if parts else {}), "features": (distance, len(images))}
        return loss + self.weight * distance, logits, parts

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the mean squared distance of two layers' maps, brought to length 1.

        Both are (B, C, H, W), or vectors (B, C).
        """
        student = self.projector(student)
        if student.shape[2:] != teacher.shape[2:]:
            student = functional.interpolate(
                student, size=teacher.shape[2:], mode="bilinear", antialias=True
            )
        student, teacher = functional.normalize(student), functional.normalize(teacher)
        return (student - teacher.to(student.dtype)).square().sum(1).mean()


class _Layer:
    """A layer that is matched: how to read it, and the shape of its maps, on meta."""

    def __init__(self, model: nn.Module, name: str, input_size: tuple | None):
        found = trace(model, input_size=input_size)
        if name not in found.calls or found.calls[name].output_shape is None:
            find_layer(model, name)  # names the nearest, where there is no such layer
            raise ValueError(f"{type(model).__name__} does not run layer {name!r}")
        _, height, width = found.input_size
        shape = (1, *found.calls[name].output_shape)
        square = shape if height == width else None
        self.name, self._layout = name, layout_of(model, name, shape=square)
        blank = torch.empty(shape, device="meta")
        self.shape = tuple(self._layout.maps(blank, aspect=height / width).shape[1:])

    def maps(self, output: Tensor, images: Tensor) -> Tensor:
        """What it gave for these pictures, as maps (B, C, H, W) or vectors (B, C)."""
        return self._layout.maps(output, aspect=images.shape[-2] / images.shape[-1])


def _projector(student: nn.Module, own: tuple, wanted: tuple) -> nn.Module:
    if len(own) != len(wanted):
        raise ValueError(
            f"the student's layer gives {own}, the teacher's {wanted}: match maps with "
            "maps, or vectors with vectors"
        )
    if own[0] == wanted[0]:
        return nn.Identity()
    parameter = next(student.parameters())
    like = {"device": parameter.device, "dtype": parameter.dtype}
    if len(own) == 1:
        return nn.Linear(own[0], wanted[0], **like)
    return nn.Conv2d(own[0], wanted[0], kernel_size=1, **like)
