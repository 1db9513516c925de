"""04.2: features, and leave no trace."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Task, When, Wrong, any_of


def solution(model, images, pool=lambda maps: maps.mean((2, 3))):
    mode = model.training
    with torch.inference_mode():
        found = pool(model.eval().forward_features(images))
    model.train(mode)
    return found


@torch.inference_mode()
def _logits(model, images):
    return model(images)


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
        "no-head": When(
            lambda it: "'NoneType' object" in it.error or "'fc'" in it.error,
            "The net calls its head, so something must stand there that can be called: "
            "nn.Identity() hands on what it is given.",
        ),
        "hook-inputs": When(
            lambda it: it.key == "type" and "tuple" in str(it.difference.got),
            "That is a tuple: a hook is handed all inputs of its layer. Take the first.",
        ),
        "logits": Wrong(_logits, "These are logits: the head is still at work."),
        "maps": When(
            any_of(
                lambda m, x: solution(m, x, lambda maps: maps),
                lambda m, x: solution(m, x, lambda maps: maps.flatten(1)),
            ),
            "This is the feature map; average it over height and width.",
        ),
        "shape": At("the shape of the features", "One vector a picture: (N, D)."),
        "gradients": At(
            "the features carry no graph",
            "The features still carry a graph, which costs memory: compute them inside of "
            "`with torch.inference_mode():`. Without the `with`, the call does nothing.",
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
