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


_LINEAR = "the Linear layers"


def _old_head_works(it):
    return it.fact == _LINEAR and it.got and it.got[0][1] == (it.case.old or 7)


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
        "function": When(
            lambda it: it.key == "type" and it.difference.got == "function",
            "That is a function, whose layers no optimiser finds. Return a module: "
            "nn.Sequential(backbone, …), or an object of a class of your own.",
        ),
        "head-gone": When(
            lambda it: "'Identity' object" in it.error or "attribute 'fc'" in it.error,
            "The head is gone when it is asked for: read `backbone.fc.in_features` first, "
            "then put nn.Identity() in its place, which the backbone can call.",
        ),
        "no-backbone": When(
            lambda it: "(384x64 and" in it.error,
            "Your module expects features, and is handed the pictures themselves: the "
            "backbone must be a part of what you return, in front of the classifier.",
        ),
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
        "one-more": When(
            lambda it: it.fact == _LINEAR and len(it.got) > 2,
            "One Linear layer too many: put nn.Identity() in the head's place, so that "
            "your first Linear layer is handed the features.",
        ),
        "unregistered": When(
            lambda it: it.fact == _LINEAR and not it.got,
            "Your module knows of none of its Linear layers, so that they would not learn: "
            "in a plain list they are not registered. Take nn.Sequential or nn.ModuleList.",
        ),
        "backbone": At(
            "the backbone is part of the model",
            "The backbone's layers are not in your model: use the very backbone that is "
            "given, as a part of nn.Sequential or as an attribute of your module.",
        ),
        "layers": When(
            lambda it: _LINEAR in it.fact,
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
        "value": "Features, Linear, ReLU, Linear, and nothing before or behind them: "
        "cross-entropy wants plain logits.",
    },
)
