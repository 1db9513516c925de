"""05.1: what learns in a model, epoch by epoch, however the model came."""

from __future__ import annotations

from courseware.grading.observing import Case
from courseware.tasks.t05.nets import is_another, resnet, staged

_TRAINABLE = "with all of it trainable"
_FROZEN = "with all of it frozen, in eval mode"
_LEFT = "as the last call left it"
_KEPT = ("layers", "weights", "statistics", "mode", "hooks")


def cases(seed):
    soon, late = 4 + seed % 3, 7 + 2 * (seed % 3)
    usual = {1: ["fc"], soon: ["layer4"], late: ["layer3", "layer2"]}
    unsorted = {late - 1: ["stage10"], 1: ["fc"], soon - 1: ["stage1", "blocks.2"]}
    single = {1: ["fc"]}
    for make, *calls in (
        (resnet, (single, soon - 1, _TRAINABLE), (single, 1, _TRAINABLE)),
        (resnet, (usual, soon + 1, _TRAINABLE)),
        (resnet, (usual, soon - 1, _TRAINABLE)),
        (resnet, (usual, soon, _TRAINABLE)),
        (resnet, (usual, 1, _TRAINABLE)),
        (resnet, (usual, late + 1, _FROZEN), (usual, soon + 1, _LEFT)),
        (staged, (unsorted, soon, _TRAINABLE)),
        (staged, (unsorted, soon - 2, _TRAINABLE)),
        (staged, (unsorted, late, _TRAINABLE), ({2: ["fc"]}, 1, _LEFT)),
    ):
        yield Case("", make=make, calls=calls)


def observe(set_learning, case, seen):
    model = case.make()
    for schedule, epoch, came in case.calls:
        if came != _LEFT:
            model.requires_grad_(came == _TRAINABLE).train(came == _TRAINABLE)
        seen.given = f"schedule {schedule}, epoch {epoch}, the model came {came}"
        before = _attributes(model)
        got = seen.call(set_learning, model, schedule, epoch, keeps=_KEPT)
        facts = {
            "no other model comes back": not is_another(got, model),
            "attributes that were made up": _attributes(model) - before,
            "what learns": _learning(model),
        }
        seen.notes(facts)


def _attributes(model):
    """Such as nothing reads: `requires_grad` of a layer, a misspelt one of a parameter."""
    parts = [*model.modules(), *model.parameters()]
    return {name for part in parts for name in vars(part) if "grad" in name}


def _learning(model):
    """What learns: a module of which all learns stands for its own parameters."""
    found = {name for name, p in model.named_parameters() if p.requires_grad}
    for name, module in model.named_modules():  # each before its parts
        inside = {f"{name}.{own}" for own, _ in module.named_parameters()}
        found = found - inside | {name} if inside and inside <= found else found
    return found
