"""10.4: weights that are learnt."""

from __future__ import annotations

from torch import exp, log

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t10 import totals
from courseware.tasks.t10.totals import UncertaintyLoss, term, total, total_of

TASK = Task(
    title="Weights that are learnt",
    points=3,
    hints=(
        "nn.Parameter, kept as an attribute of a module, is what parameters() gives. In "
        "`forward`, look each loss up by its task, not by its place in the dict.",
        "`self.s = nn.Parameter(torch.zeros(len(tasks)))`. The term of a task is "
        "`torch.exp(-s) * loss + s / 2`, without detach() or item().",
        "`for task, loss in losses.items(): s = self.s[self.tasks.index(task)]`; `total = "
        "total + torch.exp(-s) * loss + s / 2`",
    ),
    solution=UncertaintyLoss,
    tolerance=Tolerance(1e-4, 1e-4),
    mistakes={
        "instance": At(
            "the class itself was handed over",
            "That is an object of your class. Hand over the class, without brackets.",
        ),
        "no-s": When(
            lambda it: it.fact == "type of s" and it.got is None,
            "The module has no attribute `s`: `self.s = nn.Parameter(…)`.",
        ),
        "not-parameter": At(
            "type of s",
            "s is not an nn.Parameter, so parameters() does not give it, no optimiser gets "
            "it, and the weights stay at 1: `self.s = nn.Parameter(…)`.",
        ),
        "shape": At("the shape of s", "One value for each task, in one parameter."),
        "frozen": At("s learns", "s must learn: floats, with requires_grad."),
        "extra": At("parameters beside s", "s is all that is to be learnt."),
        "left-out": Raises(
            "KeyError",
            "`losses` may leave a task out, for the batch had no label for it: go through "
            "the tasks that are there.",
        ),
        "in-place": Raises(
            "leaf Variable",
            "Begin with `total = 0` and write `total = total + …`.",
        ),
        "one-total": When(
            lambda it: it.key == "type" or it.fact == "the shape of the total",
            "The total is one tensor of shape (), the sum over the tasks, with its graph: "
            "no dict, and no float by item().",
        ),
        "detached": At(
            "the gradient of s",
            "s gets no gradient, or a part of it only, so the weights are not learnt. "
            "Compute with `self.s` itself: no item(), detach(), data or torch.tensor(…).",
        ),
        "losses-detached": At(
            "the gradients of the losses",
            "The losses' graph is cut off, so the net would not learn: no item(), detach() "
            "or torch.tensor(…) on them.",
        ),
        "start": At("s at the start", "Every s starts at 0, and every weight at 1."),
        "no-half": Wrong(
            term(lambda s, x: exp(-s) * x),
            "The s/2 is missing. Without it the total falls as s grows, for nothing holds "
            "it: every weight would go to 0, and nothing be learnt.",
        ),
        "whole-s": Wrong(
            term(lambda s, x: exp(-s) * x + s),
            "Half of s: log σ is half of log σ².",
        ),
        "minus-half": Wrong(
            term(lambda s, x: exp(-s) * x - s / 2),
            "s/2 is added: it makes it dear to call a task uncertain. Subtracted, s would "
            "grow without end.",
        ),
        "plus": When(
            any_of(
                term(lambda s, x: exp(s) * x + s / 2),
                term(lambda s, x: exp(s) * x),
            ),
            "The sign in the exponent is turned: the more uncertain a task (the larger s), "
            "the less its loss counts, so exp(-s).",
        ),
        "regression": Wrong(
            term(lambda s, x: (exp(-s) * x + s) / 2),
            "The half before the loss belongs to a regression. For cross-entropy it is "
            "exp(-s)·L + s/2.",
        ),
        "log-sigma": When(
            any_of(
                term(lambda s, x: exp(-2 * s) * x + s),
                term(lambda s, x: exp(-2 * s) * x + s / 2),
            ),
            "s is log σ², not log σ: the term is exp(-s)·L + s/2.",
        ),
        "sigma": When(
            any_of(
                term(lambda s, x: x / s**2 + log(s)),
                term(lambda s, x: x / (2 * s**2) + log(s)),
                term(lambda s, x: x / s + log(s) / 2),
            ),
            "That learns σ or σ² itself, which a step of the optimiser can make 0 or "
            "negative: the total is then infinite or NaN. Learn s = log σ², which may be "
            "any number.",
        ),
        "no-exp": When(
            any_of(
                term(lambda s, x: s * x),
                term(lambda s, x: s * x + s / 2),
                term(lambda s, x: -s * x + s / 2),
            ),
            "s itself is no weight: it may be negative, and a negative weight would make "
            "the loss grow. The weight is exp(-s).",
        ),
        "unused": Wrong(
            term(lambda s, x: x),
            "That is the plain sum of the losses: s has no part in it. Use the `self.s` "
            "that `__init__` makes once.",
        ),
        "zero": Wrong(
            total(lambda s, x: total_of(s, {t: x[t] for t in x if x[t]})),
            "A loss of 0 is a loss, too. Ask whether a task is in `losses`, not whether "
            "its loss is true.",
        ),
        "absent": Wrong(
            total(lambda s, x: total_of(s, x) + sum(s[t] / 2 for t in {*s} - {*x})),
            "A task that `losses` leaves out adds nothing, its s/2 too: with no loss "
            "against it, s would fall without end.",
        ),
        "mean": When(any_of(*totals.MEANS), "The sum over the tasks, not their mean."),
        "sorted": Wrong(
            totals.by_alphabet, "In the order of the list `tasks`, not by alphabet."
        ),
        "order": Wrong(
            totals.by_place,
            "The losses come in any order. Take the s of each task by its place in "
            "`tasks`, not by that in the dict.",
        ),
        "value": "Work out exp(-s)·L + s/2 for each task in `losses`, and add. An s may be "
        "negative.",
    },
)
