"""10.5: do two tasks pull together?"""

from __future__ import annotations

import math
from functools import partial
from operator import add
from statistics import fmean

from torch.nn import functional as F

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong, any_of
from courseware.tasks.t10.cosines import cosine, each, learning, own, part, solution

_EVAL = "every layer was in eval mode"
_thawed = any_of(lambda m, x, y: solution(m.requires_grad_(True), x, y))

TASK = Task(
    title="Do two tasks pull together?",
    points=4,
    hints=(
        "`torch.autograd.grad(loss, parameters)` returns the gradients and writes nothing "
        "into .grad. Both losses need the same graph.",
        "`shared = [p for p in model.backbone.parameters() if p.requires_grad]`; "
        "`torch.autograd.grad(loss, shared, retain_graph=True)`; put all of them into one "
        "vector: `torch.cat([g.flatten() for g in found])`.",
        "`F.cosine_similarity(a, b, dim=0).item()`. Remember `model.training` before you "
        "call eval(), and put it back with `model.train(training)`.",
    ),
    solution=solution,
    tolerance=Tolerance(1e-4),
    mistakes={
        "retain-graph": Raises(
            "backward through the graph a second time",
            "The first gradient frees the graph that both share: `retain_graph=True`.",
        ),
        "unused": Raises(
            "not have been used in the graph",
            "The head of one task has no part in the loss of the other. Take the "
            "backbone's parameters only: `model.backbone.parameters()`.",
        ),
        "names": Raises(
            "KeyError", "Tasks may have any name: take them from `labels`."
        ),
        "frozen": When(
            lambda it: "Tensors does not require" in it.error or _thawed(it),
            "Some parameters are frozen: leave out those whose requires_grad is False, "
            "and do not let them learn for this.",
        ),
        "no-grad": Raises(
            "does not require grad and does not have a grad_fn",
            "There is no graph: run the model with gradients, not under no_grad() or "
            "inference_mode(). eval() is enough.",
        ),
        "train-mode": When(
            lambda it: it.key == "value" and it.seen(_EVAL) is False,
            "The model, or a part of it, ran in train mode, where BatchNorm uses the "
            "batch's statistics, and moves its own, and dropout draws by chance. Call "
            "`model.eval()` first, for backbone and heads.",
        ),
        "heads": Wrong(
            partial(solution, pick=learning),
            "The heads are in it. They are not shared: each head's gradient is 0 for the "
            "other task, which lengthens both vectors and draws the cosine towards 0.",
        ),
        "mean-of-cosines": Wrong(
            partial(solution, put=lambda a, b: fmean(each(cosine, a, b))),
            "That is the mean of the layers' cosines. Put all gradients into one vector.",
        ),
        "part": When(
            any_of(
                *map(part, (slice(1), slice(-1, None), slice(-2, None))),
                partial(solution, pick=lambda m: [p for p in own(m) if p.dim() > 1]),
            ),
            "Only a part is in it. Take all of the backbone's parameters that learn.",
        ),
        "pictures": Wrong(
            lambda m, x, y: solution(m, x[:1], {task: y[task][:1] for task in y}),
            "That is the first picture alone: take the mean over the whole batch.",
        ),
        "softmax": Wrong(
            partial(solution, loss=lambda x, y: F.cross_entropy(x.softmax(1), y)),
            "cross_entropy takes logits and does the softmax itself.",
        ),
        "rounded": When(
            lambda it: (
                it.key == "value" and it.got in [round(it.right, n) for n in (1, 2, 3)]
            ),
            "The cosine was rounded: return it as it is.",
        ),
        "dot": Wrong(
            partial(
                solution,
                put=lambda a, b: sum(each(lambda x, y: (x * y).sum().item(), a, b)),
            ),
            "That is the dot product: divide by the lengths of both gradients.",
        ),
        "aliased": Wrong(
            partial(solution, put=lambda a, b: 1.0),
            "Both gradients are the same here. p.grad is one tensor that the second "
            "backward() writes into: clone what you keep, or use torch.autograd.grad.",
        ),
        "accumulated": Wrong(
            partial(solution, put=lambda a, b: cosine(a, each(add, a, b))),
            "backward() adds to what .grad holds, so the second gradient contains the "
            "first. Use torch.autograd.grad.",
        ),
        "sign": When(
            any_of(
                partial(solution, put=lambda a, b: -cosine(a, b)),
                partial(solution, put=lambda a, b: abs(cosine(a, b))),
            ),
            "The sign is turned or lost: below 0 the tasks pull against each other.",
        ),
        "distance": Wrong(
            partial(solution, put=lambda a, b: 1 - cosine(a, b)),
            "That is the cosine distance: the cosine itself is asked for.",
        ),
        "angle": Wrong(
            partial(solution, put=lambda a, b: math.acos(cosine(a, b))),
            "That is the angle: its cosine is asked for.",
        ),
        "range": When(
            lambda it: (
                it.fact == "the cosine"
                and it.key == "value"
                and abs(it.difference.got) > 1
            ),
            "A cosine lies from -1 to 1: divide by the lengths of both gradients, and "
            "leave it a share.",
        ),
        "old-gradients": When(
            lambda it: it.fact == "the cosine" and it.key == "value" and it.case.filled,
            "Here .grad holds something before your function runs: does it get into your "
            "gradients? backward() adds to it; torch.autograd.grad does not.",
        ),
        "value": "The dot product of the two gradients on the backbone, over the whole "
        "batch, divided by both lengths.",
        "changed-mode": "Give the model back in the mode that it came in, with all of its "
        "layers: `model.train(training)`.",
        "grad-written": At(
            "every .grad is as it was",
            "A parameter's .grad is another than before: the next step of an optimiser "
            "would use it. torch.autograd.grad writes nothing there; after backward() you "
            "must put back what was there.",
        ),
    },
)
