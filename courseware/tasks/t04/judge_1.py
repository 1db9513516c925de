"""04.1: freeze the backbone, give it a new head."""

from __future__ import annotations

from torch import nn

from courseware.grading.judging import At, Task, When, Wrong


def solution(model, num_classes):
    model.requires_grad_(False)
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


def _only_attributes(model, num_classes):
    model.requires_grad = False
    model.eval()
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model


TASK = Task(
    title="Freeze the backbone, give it a new head",
    points=1,
    hints=(
        "First freeze all parameters, then make the new head: it is trainable by itself.",
        "`for p in model.parameters(): p.requires_grad = False`",
        "`model.fc = nn.Linear(model.fc.in_features, num_classes); return model`",
    ),
    solution=solution,
    mistakes={
        "copy": At(
            "the model that was given comes back",
            "Change the model that was given, and return it.",
        ),
        "same-head": At(
            "the head is a new one", "model.fc is still the old one: replace it."
        ),
        "fixed-width": When(
            lambda it: "cannot be multiplied" in it.error,
            "The new head expects another width than the features have: ask the old head, "
            "`model.fc.in_features`, before you replace it; it comes first in nn.Linear.",
        ),
        "shape": At(
            "the shape of the logits",
            "The new head must give one logit a class: num_classes of them.",
        ),
        "softmax": When(
            lambda it: it.fact == "the head" and "oftmax" in str(it.got),
            "No softmax in the head: cross-entropy takes plain logits and has the softmax "
            "inside. Twice is too much.",
        ),
        "head": At("the head", "A new nn.Linear is asked for, and nothing beside it."),
        "all-frozen": At(
            "the head learns",
            "The new head was frozen too: freeze first, replace it after.",
        ),
        "nothing-frozen": Wrong(
            _only_attributes,
            "All of it still learns. `requires_grad = False` goes to each parameter, "
            "`for p in model.parameters()`: an attribute of the model does nothing (nor "
            "does `p.require_grad`, without its s), and eval() freezes nothing.",
        ),
        "not-frozen": At(
            "what learns in the backbone",
            "A part of the backbone still learns: requires_grad = False for each of its "
            "parameters, weights and biases, of convolutions and of norms, the stem too.",
        ),
        "part-of-head": At(
            "what of the head is frozen", "All of the new head must learn."
        ),
        "weights-changed": At(
            "the backbone's weights stay", "Freezing must not change a weight."
        ),
    },
)
