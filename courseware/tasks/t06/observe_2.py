"""06.2: the groups of backbone and head, and the rate of each parameter."""

from __future__ import annotations

from courseware.tasks.t06.groups import called, note_places, option
from courseware.tasks.t06.inputs import numbered_case
from courseware.tasks.t06.nets import frozen, namesakes, resnet, scaled

_BODY = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")


def cases(seed):
    for what, make, asleep, lr, head_lr in (
        ("a small ResNet", resnet, (), 1e-3, 1e-2),
        (
            "a small ResNet, conv1 and layer1 frozen",
            resnet,
            ("conv1", "layer1"),
            3e-4,
            3e-2,
        ),
        ("", namesakes, (), 1e-4, 2e-3),
        ("", scaled, ("stem", "fc.0"), 1e-4, 2e-3),
        ("", resnet, _BODY, 1e-4, 1e-3),
    ):
        needed = {"make": make, "asleep": asleep, "hidden": not what}
        yield numbered_case(seed, what, {"lr": lr, "head_lr": head_lr}, **needed)


def observe(backbone_and_head, case, seen):
    model = frozen(case.make(), *case.asleep)
    learns = {name: p.requires_grad for name, p in model.named_parameters()}
    groups = called(seen, backbone_and_head, model, *case.numbers)
    asleep = {name for name in learns if not learns[name]}
    awake = {name for name, p in model.named_parameters() if p.requires_grad}
    seen.note("frozen parameters that were woken", asleep & awake)
    note_places(seen, groups, learns.keys() - asleep)
    seen.note("no more than two groups", len(groups) <= 2)
    option(seen, groups, "lr")
    rates = {name: group.options["lr"] for group in groups for name in group.names}
    seen.note("frozen parameters in a group", asleep & rates.keys())
    seen.note("the rate of each parameter", rates)
