"""04.3: a classifier behind a backbone's features."""

from __future__ import annotations

from torch import nn

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of


def solution(backbone, hidden, num_classes, between=nn.ReLU, behind=nn.Identity):
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    layers = nn.Linear(width, hidden), between(), nn.Linear(hidden, num_classes)
    return nn.Sequential(backbone, *layers, behind())


def with_activation(make):
    return lambda b, hidden, classes: solution(b, hidden, classes, between=make)


def _on_logits(it):
    return f"x{it.case.old} and" in it.error


def _old_head_works(it):
    sizes = it.seen("the Linear layers") or []
    return it.fact == "the Linear layers" and len(sizes) > len(it.right)


def _other_width(it):
    width = 10 if it.case.old is None else 96
    return f"(2x{width} and" in it.error


_OTHERS = nn.Sigmoid, nn.Tanh, nn.LeakyReLU, nn.SiLU, nn.ELU
TASK = Task(
    title="Find the bug: backbone and classifier",
    points=2,
    hints=(
        "What does the backbone give: features, or logits?",
        "Take the old head off before you put a new classifier behind it.",
        "`width = backbone.fc.in_features; backbone.fc = nn.Identity()`; then "
        "`nn.Sequential(backbone, nn.Linear(width, hidden), nn.ReLU(), …)`",
    ),
    solution=solution,
    tolerance=Tolerance(1e-4),
    mistakes={
        "old-head": When(
            _on_logits,
            "The backbone hands over its logits; your classifier expects its features. "
            "Take the head off.",
        ),
        "width": When(
            _other_width,
            "The features have another width than your first Linear layer expects: ask "
            "the old head, `backbone.fc.in_features`, before you take it off.",
        ),
        "children": Raises(
            "cannot be multiplied",
            "A net that is rebuilt from its children() loses what forward does between "
            "them, such as pooling and flattening. Keep the backbone whole, and put "
            "nn.Identity() in its head's place.",
        ),
        "shape": At("the shape of the logits", "One logit a class: (N, num_classes)."),
        "on-logits": When(
            _old_head_works,
            "The old head is still there, so the classifier learns from logits: put "
            "nn.Identity in its place.",
        ),
        "layers": When(
            lambda it: "the Linear layers" in it.fact,
            "Two Linear layers, with their biases: features to hidden, hidden to classes.",
        ),
        "no-relu": Wrong(
            with_activation(nn.Identity),
            "Without a ReLU between them, two Linear layers are one.",
        ),
        "gelu": Wrong(with_activation(nn.GELU), "That is a GELU: a ReLU is asked for."),
        "other-activation": When(
            any_of(*map(with_activation, _OTHERS)),
            "Between the Linear layers stands another activation: a ReLU is asked for.",
        ),
        "softmax": Wrong(
            lambda b, h, n: solution(b, h, n, behind=lambda: nn.Softmax(1)),
            "No softmax at the end: cross-entropy wants plain logits.",
        ),
        "no-graph": At(
            "the logits have a graph behind them",
            "Nothing could learn: the forward pass runs without gradients. Leave no_grad() "
            "to whoever calls the model.",
        ),
        "dropout": At(
            "the logits are drawn anew in train mode",
            "Linear, ReLU, Linear are asked for: no dropout between them.",
        ),
        "value": "Features, Linear, ReLU, Linear, and nothing behind them: cross-entropy "
        "wants plain logits.",
    },
)
