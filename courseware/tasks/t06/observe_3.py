"""06.3: the groups by weight decay, and what is in them."""

from __future__ import annotations

from courseware.tasks.t06.groups import called, note_places, option
from courseware.tasks.t06.inputs import numbered_case
from courseware.tasks.t06.nets import frozen, in_a_row, mixed, resnet

_IN_A_ROW = "Conv2d, BatchNorm2d, Conv2d, GroupNorm, Flatten and Linear in a row"


def cases(seed):
    for what, make, asleep, decay in (
        ("a small ResNet, conv1 frozen", resnet, ("conv1",), 0.05),
        (_IN_A_ROW, in_a_row, (), 1e-4),
        ("", mixed, (), 0.3),
    ):
        needed = {"make": make, "asleep": asleep, "hidden": not what}
        yield numbered_case(seed, what, {"weight_decay": decay}, **needed)


def observe(decay_groups, case, seen):
    model = frozen(case.make(), *case.asleep)
    groups = called(seen, decay_groups, model, *case.numbers)
    matrices = {name for name, p in model.named_parameters() if p.ndim > 1}
    seen.note("how many groups", len(groups))
    note_places(seen, groups, dict(model.named_parameters()))
    values = option(seen, groups, "weight_decay")
    seen.note("the values of weight_decay", sorted(values, key=str))
    decays = {n for g in groups if g.options["weight_decay"] for n in g.names}
    seen.note("vectors and numbers that decay", _told(model, decays - matrices))
    seen.note("weights that do not decay", _told(model, matrices - decays))
    seen.note("some weights decay", bool(matrices & decays))


def _told(model, names):
    """Say for each parameter what layer it belongs to."""
    layers = {
        name: type(model.get_submodule(name.rpartition(".")[0])) for name in names
    }
    return {f"{name} of a {kind.__name__}" for name, kind in layers.items()}
