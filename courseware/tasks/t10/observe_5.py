"""10.5: the cosine that is returned, and what became of the model."""

from __future__ import annotations

import torch

from courseware.grading.observing import Case, generator
from courseware.tasks.t10.nets import TwoTasks, pictures

_TRACELESS = ("layers", "weights", "statistics", "requires_grad", "mode", "hooks")
_NAMES = "species", "colour"
_TRIED = (  # pictures, in train mode, with gradients in .grad, the net
    (8, False, False, {"apart": False, "freeze": False, "drop": 0.0}),
    (8, True, True, {"apart": True, "freeze": True, "drop": 0.0}),
    (6, True, False, {"apart": False, "freeze": False, "drop": 0.5}),
    (5, False, True, {"apart": False, "freeze": True, "drop": 0.5}),
)


def cases(seed):
    for i, (n, training, filled, net) in enumerate(_TRIED):
        given = f"{n} pictures, a model in {'train' if training else 'eval'} mode"
        given += ", its first layer frozen, gradients in .grad" * filled
        yield Case(
            given,
            hidden=i > 1,
            seed=10 * seed + i,
            n=n,
            training=training,
            filled=filled,
            names=_NAMES if i != 2 else ("age", "size"),
            net=net,
        )


def observe(gradient_cosine, case, seen):
    model = TwoTasks(case.seed, names=case.names, **case.net).train(case.training)
    for parameter in model.parameters():
        if case.filled and parameter.requires_grad:
            parameter.grad = torch.randn_like(parameter)
    before = _grads(model)
    got = seen.call(gradient_cosine, model, *_batch(case), keeps=_TRACELESS)
    seen.note("the cosine", got)
    seen.settle()
    seen.note("every layer was in eval mode", not any(model.trained))
    seen.note("every .grad is as it was", _grads(model) == before)


def _batch(case):
    """Pictures, and labels of both tasks: mostly 0, and the same but for one picture."""
    place = torch.arange(case.n)
    labels = torch.randint(3, (case.n,), generator=generator(case.seed)) * (
        place % 3 == 1
    )
    images = pictures(case.n, case.seed + 10)
    pair = labels, labels + (place == 0)
    return images, dict(zip(case.names, pair, strict=True))


def _grads(model):
    named = model.named_parameters()
    return {name: None if p.grad is None else p.grad.tolist() for name, p in named}
