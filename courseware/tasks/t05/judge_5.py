"""05.5: first the probe, then fine-tuning: LP-FT."""

from __future__ import annotations

from functools import partial

import torch
from torch.nn import functional as F

from courseware.grading.facts import Tolerance
from courseware.grading.judging import At, Raises, Task, When, Wrong
from courseware.tasks.t05 import judge_5_runs as runs
from courseware.tasks.t05.judge_5_runs import solution

_PROBE = "what moves in the probe"

TASK = Task(
    title="First the probe, then fine-tuning: LP-FT",
    points=3,
    hints=(
        "Two runs one after the other, on one model: which parameters learn in each, and "
        "which optimiser has them?",
        "`freeze(model)` of course_utils.layer_groups freezes all but the head and holds "
        "BatchNorm still; `unfreeze(model)` undoes both. `train_one_epoch(model, loader, "
        "optimizer)` is one epoch; a loop over `range(0)` does nothing.",
        "`freeze(model)`; an SGD over `model.fc.parameters()` with `lr=probe_lr, "
        "momentum=0.9`; probe_epochs times `train_one_epoch`; `unfreeze(model)`; a new SGD "
        "over `model.parameters()` with `lr=tune_lr, momentum=0.9`; tune_epochs times.",
    ),
    solution=solution,
    tolerance=Tolerance(1e-5, 0),  # rounding moves these weights by 1e-7
    mistakes={
        "no-epochs": Raises(
            "at least 1, got 0",
            "fit wants an epoch at least, and a part may have 0: leave it out then.",
        ),
        "all-frozen": Raises(
            "does not require grad",
            "Nothing learns in this part. The model may come frozen, its head too: "
            "`model.fc.requires_grad_(True)`.",
        ),
        "copy": At(
            "no other model comes back",
            "Train the model that was given, no copy of it: nothing need be returned.",
        ),
        "epochs": At(
            "passes over the loader",
            "probe_epochs passes for the head, then tune_epochs for everything, each of "
            "them over the whole loader. Either may be 0.",
        ),
        "order": Wrong(
            lambda m, x, n, k, *lr: [solution(m, x, *e, *lr) for e in ((0, k), (n, 0))],
            "The probe comes first, and the fine-tuning after it.",
        ),
        "head-asleep": When(
            lambda it: it.fact == _PROBE and not it.got,
            "The head did not move in the probe: it came frozen, it was reset afterwards, "
            "or `optimizer.step()` is missing.",
        ),
        "backbone-moved": At(
            _PROBE,
            "The probe trains the head alone: freeze the backbone, or give the optimiser "
            "`model.fc.parameters()` only.",
        ),
        "batchnorm": At(
            "whose BatchNorm statistics move in the probe",
            "BatchNorm's statistics moved while the backbone was frozen. `freeze(model)` "
            "holds them; by hand, `eval()` after `train()`.",
        ),
        "rates": Wrong(
            lambda *how: solution(*how[:4], how[5], how[4]),
            "The probe runs at probe_lr, and what comes after it at tune_lr.",
        ),
        "one-rate": Wrong(
            lambda *how: solution(*how[:4], how[4], how[4]),
            "Everything was tuned at the probe's rate: the second part runs at tune_lr.",
        ),
        "fresh-start": Wrong(
            lambda model, *how: (runs.reset(model), solution(model, *how)),
            "The head was started anew before the probe. Train it as it comes.",
        ),
        "fresh-head": Wrong(
            partial(solution, between=runs.reset),
            "The head was started anew after the probe, which is lost then: go on from it.",
        ),
        "softmax": Wrong(
            partial(solution, loss=lambda x, y: F.cross_entropy(x.softmax(1), y)),
            "No softmax before cross-entropy: it has one inside, and wants plain logits.",
        ),
        "summed": Wrong(
            partial(solution, loss=partial(F.cross_entropy, reduction="sum")),
            "The loss was summed over the batch. Cross-entropy takes the mean by itself.",
        ),
        "no-zero": Wrong(
            partial(solution, zero=lambda batch: False),
            "The gradients add up from step to step: `zero_grad()` before each backward.",
        ),
        "fewer-steps": When(
            lambda it: "probe" in it.fact and runs.fewer_steps(it),
            "An epoch here is a single step. zero_grad, backward and step belong into the "
            "loop over the loader, and each batch of it gets a step.",
        ),
        "anew": Wrong(
            partial(solution, begin=lambda o: o.state.clear()),
            "A new optimiser in each epoch forgets the momentum: one for each part.",
        ),
        "same-optimiser": Wrong(
            partial(solution, tuning=runs.joined),
            "The probe's optimiser went on, with the head's momentum. Make a new one.",
        ),
        "joined": Wrong(
            partial(solution, tuning=partial(runs.joined, head_as_before=True)),
            "The backbone joined the probe's optimiser, in which the head has its momentum "
            "and probe_lr. Make a new one, with tune_lr for all.",
        ),
        "head-rate": Wrong(
            partial(solution, tuning=runs.head_as_before),
            "The head kept the probe's rate: in the second part all runs at tune_lr.",
        ),
        "no-momentum": When(
            runs.of_kind(torch.optim.SGD),
            "A part has no momentum: `momentum=0.9` in both.",
        ),
        "adam": When(
            runs.of_kind(torch.optim.Adam),
            "That is Adam: `torch.optim.SGD` with momentum 0.9 is asked for in both parts.",
        ),
        "probe": At(
            "the head after the probe",
            "The probe is plain: SGD with lr=probe_lr and momentum=0.9 over the head, "
            "cross-entropy, one pass an epoch, a step for each batch.",
        ),
        "still-frozen": At(
            "what moves in fine-tuning",
            "In the second part everything learns, the head too: set `requires_grad` "
            "again, and give a new optimiser all of `model.parameters()`.",
        ),
        "batchnorm-asleep": At(
            "whose BatchNorm statistics move in fine-tuning",
            "BatchNorm stayed in eval mode, though everything learns: `unfreeze(model)`, "
            "or `train()` again.",
        ),
        "tuning": At(
            "the weights in the end",
            "The second part goes on from the probe's head: SGD with lr=tune_lr and "
            "momentum=0.9 over all parameters, no other option, a step for each batch.",
        ),
    },
)
