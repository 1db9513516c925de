"""04.2: features, and leave no trace."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Task, When, Wrong


def solution(model, images, pool=lambda maps: maps.mean((2, 3))):
    mode = model.training
    with torch.inference_mode():
        found = pool(model.eval().forward_features(images))
    model.train(mode)
    return found


@torch.inference_mode()
def _logits(model, images):
    return model(images)


def _of_shape(wrong):
    """A test: the shape is the one that another way to compute would give."""
    return lambda it: (
        it.fact == "the shape of the features" and it.shows_the_same(wrong)
    )


TASK = Task(
    title="Features, and leave no trace",
    points=3,
    hints=(
        "Stop before the head: nn.Identity in its place, or a hook on it.",
        "Put back what you changed: the head, and the mode (model.training).",
        "`head, mode = model.fc, model.training; model.eval(); model.fc = nn.Identity()`; "
        "compute under `inference_mode()`; restore both.",
    ),
    solution=solution,
    tolerance=Tolerance(1e-4),
    mistakes={
        "logits": When(
            _of_shape(_logits), "These are logits: the head is still at work."
        ),
        "maps": When(
            _of_shape(lambda m, x: solution(m, x, lambda maps: maps)),
            "This is the feature map; average it over height and width.",
        ),
        "shape": At("the shape of the features", "One vector a picture: (N, D)."),
        "gradients": At(
            "the features carry no graph",
            "The features still carry a graph, which costs memory: compute them under "
            "torch.inference_mode() or no_grad().",
        ),
        "head-lost": At(
            "the head is back", "model.fc is another one now: put the old head back."
        ),
        "max-pooled": Wrong(
            lambda m, x: solution(m, x, lambda maps: maps.amax((2, 3))),
            "These are the largest values of each map. The net's own features are the "
            "mean over height and width.",
        ),
        "normalised": Wrong(
            lambda m, x: F.normalize(solution(m, x)),
            "These have length 1. Hand the features over as they come out of the net.",
        ),
        "mode": When(
            lambda it: it.fact == "the features" and it.case.training,
            "In eval mode, a picture's features do not depend on its neighbours: call "
            "eval() before the forward pass.",
        ),
        "value": "These are not the features in front of the head: pooled by the mean, "
        "in eval mode, nothing done to them.",
        "changed-statistics": "BatchNorm's statistics moved: call eval() before the "
        "forward pass.",
        "mode-lost": At(
            "the mode is back",
            "Give the model back in the mode that it came in.",
        ),
    },
)
