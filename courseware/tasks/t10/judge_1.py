"""10.1: one backbone, several heads."""

from __future__ import annotations

from torch import nn

from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t10.heads_judged import AGREE, HEADS

_PASSES = "passes of the backbone, batch by batch"
_ONE = "the shape of a single picture's logits"


class SharedNet(nn.Module):
    """The solution."""

    def __init__(self, backbone, num_features, tasks, bias=True):
        super().__init__()
        heads = {t: nn.Linear(num_features, n, bias=bias) for t, n in tasks.items()}
        self.backbone, self.heads = backbone, nn.ModuleDict(heads)

    def forward(self, images):
        features = self.backbone(images)
        return {task: head(features) for task, head in self.heads.items()}


TASK = Task(
    title="One backbone, several heads",
    points=2,
    hints=(
        "What must `__init__` keep so that parameters() finds it? And how often does "
        "`forward` need the features?",
        "nn.ModuleDict is a dict whose modules are registered: `self.heads[task] = "
        "nn.Linear(num_features, classes)`. In `forward` compute the features first, "
        "before you go through the heads.",
        "`features = self.backbone(images)`; `return {task: head(features) for task, head "
        "in self.heads.items()}`",
    ),
    solution=SharedNet,
    agree=AGREE,
    mistakes={
        "instance": At(
            "the class itself was handed over",
            "That is a net, made by calling SharedNet. Hand over the class itself, without "
            "brackets: the check builds its own nets.",
        ),
        "no-layers": Raises(
            "is not a Module subclass",
            "`tasks` has numbers of classes, no layers. What goes into the ModuleDict is "
            "an `nn.Linear(num_features, classes)` for each task.",
        ),
        "no-super": Raises(
            "before Module.__init__()",
            "`super().__init__()` comes first in `__init__`.",
        ),
        "no-self": Raises(
            "has no attribute 'backbone'",
            "The module does not have it. `self.backbone = backbone` keeps it; without "
            "`self.` the name ends with `__init__`.",
        ),
        "pictures": Raises(
            "(30x2 and",
            "A head gets the pictures. It takes what the backbone makes of them: "
            "`head(features)`.",
        ),
        "width": Raises(
            "cannot be multiplied",
            "A head expects another width than the features have: `num_features` says "
            "how wide they are.",
        ),
        "one-by-one": Raises(
            "more than 1 value per channel",
            "The backbone gets a single picture, of which BatchNorm cannot learn in train "
            "mode. Run it once, on the whole batch.",
        ),
        "fixed-tasks": When(
            lambda it: (
                ("unpack" in it.error and len(it.case.tasks) != 2)
                or "KeyError" in it.error
            ),
            "There may be one task, or many, of any name: go through `tasks`.",
        ),
        "tasks": At(
            "the tasks",
            "A dict with the logits of each task, by the task's name, and of nothing else. "
            "Take the names from `tasks`.",
        ),
        "guesses": When(
            lambda it: it.fact == "the shape of the logits" and it.key == "length",
            "The logits of each picture are asked for, (B, classes), and not a guess.",
        ),
        "backbone-lost": At(
            "parameters of the backbone that parameters() leaves out",
            "parameters() does not give those of the backbone: keep the very module that "
            "was given, as `self.backbone = backbone`. A copy, or a module in a plain "
            "list, will not do.",
        ),
        "unused": When(
            lambda it: it.fact == _PASSES and it.got[0] == 0,
            "The backbone that was given never ran: call `self.backbone(images)` in "
            "`forward`.",
        ),
        "kept": When(
            lambda it: it.fact == _PASSES and it.got[1] == 0,
            "The second batch gets the features of the first: compute them in each "
            "`forward` anew.",
        ),
        "passes": At(
            _PASSES,
            "The backbone runs more than once a forward pass. Compute the features before "
            "the loop over the heads: it is where the time goes, and BatchNorm would count "
            "the batch twice.",
        ),
        "bias": Wrong(
            lambda *given: SharedNet(*given, bias=False), "A head has a bias."
        ),
        **HEADS,
        "squeezed": At(
            _ONE,
            "A batch may hold one picture: its logits have the shape (1, classes). "
            "`squeeze()` takes that dimension away too.",
        ),
        "changed-mode": "Leave the backbone's mode alone: whoever trains calls train() "
        "and eval().",
    },
)
