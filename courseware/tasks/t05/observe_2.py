"""05.2: the modes of a model's layers, and the settings of its BatchNorm."""

from __future__ import annotations

from courseware.grading.observing import Case
from courseware.tasks.t05.nets import batchnorms, is_another, mixed, resnet

_KEPT = ("layers", "weights", "statistics", "requires_grad")
_ALL_KINDS = "a net with BatchNorm1d, 2d and 3d"
_CASES = (  # name, how it is made, the frozen stages, whether their weights are frozen
    ("test_resnet", resnet, ["layer1", "bn1", "conv1", "layer2"], True),
    (_ALL_KINDS, mixed, ["volume", "norm", "maps"], True),
    (_ALL_KINDS, mixed, ["rows", "maps"], True),
    (_ALL_KINDS, mixed, ["maps.0", "fc.1"], True),
    (f"{_ALL_KINDS}, all of it trainable,", mixed, ["norm", "rows"], False),
    (_ALL_KINDS, mixed, [], True),
)


def cases(seed):
    for name, make, stages, asleep in _CASES:
        frozen = stages[:1] + (stages[:0:-1] if seed % 2 else stages[1:])
        given = f"{name} in train mode, frozen = {frozen}"
        yield Case(given, make=make, frozen=frozen, asleep=asleep)


def observe(hold_batchnorm, case, seen):
    model = case.make().train()
    for stage in case.frozen:
        model.get_submodule(stage).requires_grad_(not case.asleep)
    for layer in batchnorms(model).values():  # else a reset would not show
        layer.running_mean.add_(0.5)
        layer.num_batches_tracked.add_(3)
    settings = _settings(model)
    got = seen.call(hold_batchnorm, model, case.frozen, keeps=_KEPT)
    norms = batchnorms(model)
    rest = {n or "the model itself" for n, m in model.named_modules() if not m.training}
    facts = {
        "no other model comes back": not is_another(got, model),
        "the BatchNorm layers are still there": norms.keys() == settings.keys(),
        "BatchNorm in eval mode": {
            f"{n} ({type(m).__name__})" for n, m in norms.items() if not m.training
        },
        "other layers in eval mode": rest - norms.keys(),
        "the settings of BatchNorm": _settings(model),
    }
    seen.notes(facts)


def _settings(model):
    return {
        name: (layer.momentum, layer.eps, layer.track_running_stats)
        for name, layer in batchnorms(model).items()
    }
