"""06.1: the groups by stage, what is in them, and their rates."""

from __future__ import annotations

from courseware.tasks.t06.groups import called, note_places, option
from courseware.tasks.t06.inputs import numbered_case
from courseware.tasks.t06.nets import frozen, resnet, row, rungs

_RESNET = {
    "stem": ["conv1", "bn1", "layer1"],
    "layer2": ["layer2"],
    "layer3": ["layer3"],
    "layer4": ["layer4"],
    "head": ["fc"],
}
_THREE = {
    "early": ["conv1", "bn1", "layer1", "layer2"],
    "late": ["layer3", "layer4"],
    "new": ["fc"],
}
_RUNGS = {
    "low": ["layer1"],
    "middle": [f"layer{i}" for i in range(2, 10)],
    "high": ["layer10", "head_norm"],
    "top": ["head"],
}
_DOTTED = {
    "first": ["features.0"],
    "second": ["features.1", "features.2"],
    "third": ["features.3"],
    "last": ["classifier.1"],
}


def cases(seed):
    for what, make, asleep, stages, lr, ratio in (
        ("a small ResNet", resnet, (), _RESNET, 1e-2, 0.1),
        (
            "a small ResNet, conv1 and layer2 frozen",
            resnet,
            ("conv1", "layer2"),
            _THREE,
            0.3,
            0.5,
        ),
        ("", rungs, (), _RUNGS, 1e-3, 0.2),
        ("", row, ("features.1",), _DOTTED, 0.05, 0.1),
    ):
        needed = {"make": make, "asleep": asleep, "stages": stages, "hidden": not what}
        named = f"{what}, groups {', '.join(stages)}"
        yield numbered_case(seed, named, {"lr": lr, "ratio": ratio}, **needed)


def observe(stage_groups, case, seen):
    model = frozen(case.make(), *case.asleep)
    groups = called(seen, stage_groups, model, case.stages, *case.numbers)
    seen.note("how many groups", len(groups))
    seen.note("the names of the groups", option(seen, groups, "name"))
    note_places(seen, groups, dict(model.named_parameters()))
    seen.note("the parameters of each group", [set(group.names) for group in groups])
    seen.note("the rates", option(seen, groups, "lr"))
