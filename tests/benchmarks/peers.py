"""Ours held against four tools, on the cases where they differ.

    pip install torch-lr-finder && python -m tests.benchmarks.peers [--write]

torch-lr-finder and timm are run. Of fastai and Lightning, which the course does not
need, the rule in question is written down here in a few lines, after their sources. The
tables are printed as Markdown; `--write` puts them into docs/peers.md.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import timm
import torch
from timm.models import group_parameters
from timm.optim import param_groups_layer_decay
from timm.scheduler import CosineLRScheduler
from torch import nn
from torch.optim import lr_scheduler

from course_utils.architectures import torchvision_names
from course_utils.heads import find_heads
from course_utils.layer_groups import UnfreezeSchedule, freeze, layer_groups
from course_utils.meta_tensors import build_on_meta, default_input_size, image_batch
from course_utils.param_groups import param_groups
from courseware.making.survey import try_survey

PAGE = Path(__file__).parents[2] / "docs" / "peers.md"
COMMAND = "python -m tests.benchmarks.peers --write"
READ = {"fastai": "2.8.12", "lightning": "2.6.6"}  # releases whose source was read
FASTAI = "https://github.com/fastai/fastai/blob/main/fastai/vision/learner.py"
LIGHTNING = (
    "https://lightning.ai/docs/pytorch/stable/_modules/lightning/pytorch/callbacks/"
    "finetuning.html"
)
DECAY = 0.75  # timm's default


@dataclass(frozen=True)
class Section:
    """One table of the page, what stands above it and what it says."""

    title: str
    text: str
    table: pd.DataFrame

    def markdown(self) -> str:
        return f"### {self.title}\n\n{self.text}\n\n{markdown(self.table)}\n"


def markdown(table: pd.DataFrame) -> str:
    """Write a table as Markdown, without its index."""
    head = [row_text(table.columns), "|" + " --- |" * len(table.columns)]
    return "\n".join([*head, *(row_text(row) for row in table.to_numpy(object))])


def row_text(cells: Iterable) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


# -- torch-lr-finder ---------------------------------------------------------------------


def finder_sections() -> list[Section]:
    """Run both range tests; torch-lr-finder is imported here alone."""
    from tests.benchmarks import lr_finder

    cases = {"one group": {}, "two groups, 1 : 10": {"several": True},
             "NaN after 15 steps": {"nan_after": 15}}  # fmt: skip
    runs = {
        (case, tool): run(**options)
        for case, options in cases.items()
        for tool, run in (("ours", lr_finder.ours), ("theirs", lr_finder.theirs))
    }
    curves = [runs["one group", tool]["losses"] for tool in ("ours", "theirs")]
    far = max(abs(a - b) for a, b in zip(*curves, strict=True))
    kept = {key: _drop(run, "losses", "seconds") for key, run in runs.items()}
    rows = [{"case": c, "tool": t, **run} for (c, t), run in kept.items()]
    text = (
        f"`test_resnet`, {lr_finder.STEPS} steps from {lr_finder.START:g} to "
        f"{lr_finder.END:g}, the same batches, no smoothing; the net was in eval mode "
        "before. With one group both see the same curve: of "
        f"{len(curves[0])} losses, the largest difference is {far:.1e}."
    )
    return [
        Section("Range test", text, _yes_no(pd.DataFrame(rows))),
        Section("Rates of two groups", RATES, _recorded_rates(lr_finder)),
    ]


RATES = (
    "The rates that reach the optimiser at the first and the last step, body : head. "
    "`start_lr` is one number or, as torch-lr-finder allows, a list. Its history holds "
    "the rate of group 0; ours holds that of the largest and each group's share of it."
)


def _recorded_rates(lr_finder) -> pd.DataFrame:
    rows = []
    for tool, start in (
        ("ours", 1e-5), ("theirs", 1e-5), ("theirs", [1e-6, 1e-5]),
    ):  # fmt: skip
        rates, recorded = _short_test(lr_finder, tool, start)
        first, last = rates[0], rates[-1]
        rows.append({
            "tool": tool, "start_lr": start, "first step": _pair(first),
            "last step": _pair(last), "ratio, first": f"{first[0] / first[1]:.2f}",
            "ratio, last": f"{last[0] / last[1]:.2f}", "recorded": recorded,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _short_test(lr_finder, tool: str, start) -> tuple[list, str]:
    """Five steps with two groups: each group's rates, and what the history holds."""
    model, loader = lr_finder.fresh()
    end = lr_finder.END
    optimizer = lr_finder.Recorded(lr_finder.groups(model, several=True), lr=end)
    if tool == "ours":
        curve = lr_finder.lr_range_test(model, loader, optimizer, start_lr=start,
                                        end_lr=end, num_iter=5)  # fmt: skip
        shares = ", ".join(f"{scale:g}" for scale in curve.scales)
        return optimizer.rates, f"{curve.lrs[0]:.0e} … {curve.lrs[-1]:.0e} × ({shares})"
    finder = lr_finder.LRFinder(model, optimizer, nn.CrossEntropyLoss())
    finder.range_test(loader, start_lr=start, end_lr=end, num_iter=5)
    found = finder.history["lr"]
    return optimizer.rates, f"{found[0]:.0e} … {found[-1]:.0e}"


def _pair(rates: list[float]) -> str:
    return " : ".join(f"{rate:.0e}" for rate in rates)


# -- timm's layer decay ------------------------------------------------------------------

# Where the depths differ, and why. "" is for nets where each parameter has the same scale.
DEPTHS = {
    "vit_tiny_patch16_224": "", "deit_tiny_distilled_patch16_224": "",
    "swin_tiny_patch4_window7_224": "", "mixer_s32_224": "", "resnet18": "",
    "resnet152": "", "test_byobnet": "",
    "convnext_tiny": "timm counts the norm before the head to the head, ours to the "
                     "last block",
    "test_resnet": "timm takes a stem of three convolutions for one depth, ours for three",
    "test_nfnet": "the stem's four convolutions are one depth in timm, and the one "
                  "before the head is the last stage's; ours gives each its own",
    "levit_128s": "the stem's four convolutions are one depth in timm, and the norm "
                  "in the head is the head's; in ours it is the last block's",
    "efficientnet_b0": "timm counts the convolution before the head to the last block, "
                       "ours gives it its own depth; all before it move by one",
    "densenet121": "timm counts a transition to the block before it and the last norm "
                   "to the head; in ours its norm and its convolution are a depth each",
    "cait_xxs24_224": "timm counts the two token blocks as if they ran beside the last "
                      "two blocks; ours follows the order in which they run",
    "maxvit_tiny_tf_224": "timm decays by stage here, ours by block",
    "regnety_002": "timm decays by block here; ours by stage, as the blocks are "
                   "attributes of the stage and not a list",
}  # fmt: skip


def timm_sections() -> list[Section]:
    scales = pd.DataFrame([scale_row(name) for name in DEPTHS])
    same = sum(map(agree, scales["same scale"]))
    text = (
        f"`timm.optim.param_groups_layer_decay(layer_decay={DECAY})` against "
        f"`param_groups(decay={DECAY})`, parameter by parameter, on meta tensors: "
        f"{same} of these {len(scales)} nets agree in every tensor."
    )
    deep = pd.DataFrame([deep_row(n) for n in ("resnet152", "convnext_xxlarge",
                                               "densenet121")])  # fmt: skip
    return [
        Section("Layer decay: scales", text, scales),
        Section("Layer decay: rates that reach the optimiser", SCHEDULES,
                schedule_table()),
        Section("Layer decay: what else happens", OPTIONS, options_table()),
        Section("Layer decay: deep nets", DEEP, deep),
    ]  # fmt: skip


def timm_scales(model: nn.Module, **options) -> dict[int, float]:
    groups = param_groups_layer_decay(model, layer_decay=DECAY, **options)
    return {id(p): group["lr_scale"] for group in groups for p in group["params"]}


def our_scales(model: nn.Module, **options) -> dict[int, float]:
    options = options or {"decay": DECAY}
    groups = param_groups(model, 1.0, **options)
    return {id(p): group["lr"] for group in groups for p in group["params"]}


def scale_row(name: str) -> dict:
    """Depths of both, and how many of a net's tensors get the same scale."""
    model = build_on_meta(f"timm/{name}")
    ours, theirs = our_scales(model), timm_scales(model)
    same = sum(math.isclose(ours[key], theirs[key]) for key in theirs)
    return {
        "net": name,
        "depths, timm": len(_timm_depths(model)),
        "depths, ours": len(set(ours.values())),
        "same scale": f"{same} of {len(ours)}",
        "where they differ": DEPTHS[name],
    }


def agree(cell: str) -> bool:
    """Tell whether "12 of 12" tensors are the same."""
    return len(set(cell.split(" of "))) == 1


def _timm_depths(model: nn.Module) -> set[int]:
    matcher = model.group_matcher(coarse=False)
    return set(group_parameters(model, matcher, reverse=True).values())


SCHEDULES = (
    "`test_vit`, SGD with `lr=0.1`, the first depth and the head after five epochs. timm's "
    "groups hold `lr_scale`, which a torch scheduler does not know: every group gets the "
    "head's rate. timm's own schedulers apply it. Ours hold a real `lr`, which both scale. "
    "One-cycle sets the rates itself: hand it each group's own as `max_lr`; one number "
    "for all is one rate for all, with ours too."
)
LR, EPOCHS = 0.1, 10


def _one_cycle(optimizer, *, each: bool):
    rates = [group["lr"] for group in optimizer.param_groups] if each else LR
    return lr_scheduler.OneCycleLR(optimizer, max_lr=rates, total_steps=EPOCHS)


SCHEDULERS: dict[str, Callable | None] = {
    "none": None,
    "torch StepLR": lambda o: lr_scheduler.StepLR(o, 1, gamma=0.5),
    "torch CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS),
    "torch OneCycleLR, a max_lr a group": lambda o: _one_cycle(o, each=True),
    "torch OneCycleLR, one max_lr": lambda o: _one_cycle(o, each=False),
    "timm CosineLRScheduler": lambda o: CosineLRScheduler(o, t_initial=EPOCHS),
}


def schedule_table() -> pd.DataFrame:
    rows = []
    for name, schedule in SCHEDULERS.items():
        for tool in ("ours", "timm"):
            first, head = scheduled_rates(tool, schedule)
            rows.append({
                "scheduler": name, "groups": tool, "first depth": f"{first:.2e}",
                "head": f"{head:.2e}", "ratio": f"{first / head:.3f}",
            })  # fmt: skip
    return pd.DataFrame(rows)


def scheduled_rates(tool: str, schedule: Callable | None) -> tuple[float, float]:
    """Rates of the first depth and of the head after five epochs of a scheduler."""
    model = timm.create_model("test_vit")
    if tool == "ours":
        groups = param_groups(model, LR, decay=DECAY)
    else:
        groups = param_groups_layer_decay(model, layer_decay=DECAY)
    optimizer = torch.optim.SGD(groups, lr=LR)
    scheduler = schedule(optimizer) if schedule else None
    for epoch in range(1, 6):
        optimizer.step()
        if isinstance(scheduler, CosineLRScheduler):
            scheduler.step(epoch)
        elif scheduler:
            scheduler.step()
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    return rates[id(model.pos_embed)], rates[id(model.head.weight)]


OPTIONS = (
    "`test_vit` again. timm's `no_opt_scale` sets `requires_grad=False` on what lies "
    "below it, in the caller's model, and says nothing; what is frozen it leaves out of "
    "the groups, so that nothing can wake later. `min_scale` does the same in both."
)


def options_table() -> pd.DataFrame:
    """Count what the options do to a model's parameters."""
    rows = []
    for case, ours, theirs, until in (
        ("no option", {}, {}, None),
        ("min_scale=0.3", {"min_scale": 0.3}, {"min_scale": 0.3}, None),
        ("no_opt_scale=0.3", None, {"no_opt_scale": 0.3}, None),
        ("frozen until blocks.3", {}, {}, "blocks.3"),
    ):
        for tool, options in (("ours", ours), ("timm", theirs)):
            found = {"option": case, "tool": tool}
            if options is None:
                rows.append(found | dict.fromkeys(EFFECTS, "has none"))
                continue
            rows.append(found | _effects(tool, options, until))
    return pd.DataFrame(rows)


EFFECTS = ("in the groups", "frozen by it", "least scale")


def _effects(tool: str, options: dict, until: str | None) -> dict:
    model = timm.create_model("test_vit")
    if until:
        freeze(model, until=until)
    before = sum(p.requires_grad for p in model.parameters())
    if tool == "ours":
        scales = our_scales(model, decay=DECAY, **options)
    else:
        scales = timm_scales(model, **options)
    total = len(list(model.parameters()))
    frozen = before - sum(p.requires_grad for p in model.parameters())
    cells = f"{len(scales)} of {total}", frozen, f"{min(scales.values()):.3f}"
    return dict(zip(EFFECTS, cells, strict=True))


DEEP = (
    "The least share of the head's rate, with a rate for each block; then with "
    "`min_scale=0.01`, and with one rate for each stage instead (`ratio`)."
)


def deep_row(name: str) -> dict:
    model = build_on_meta(f"timm/{name}")
    return {
        "net": name,
        "timm": f"{min(timm_scales(model).values()):.1e}",
        "ours": f"{min(our_scales(model).values()):.1e}",
        "timm, min_scale": f"{min(timm_scales(model, min_scale=0.01).values()):.2f}",
        "ours, min_scale":
            f"{min(our_scales(model, decay=DECAY, min_scale=0.01).values()):.2f}",
        "ours, by stage": f"{min(our_scales(model, ratio=DECAY).values()):.2f}",
    }  # fmt: skip


# -- fastai's cut ------------------------------------------------------------------------

RIGHT, RAISES = "right", "raises: no child pools"
LISTED = {"densenet": -1, "squeezenet": -1, "resnet": -2, "vgg": -2, "alexnet": -2}


def pools(module: nn.Module) -> bool:
    """Tell whether a module is or holds a pooling layer, by its class's name."""
    return any(re.search(r"Pool[123]d$", type(m).__name__) for m in module.modules())


def fastai_cut(model: nn.Module) -> int:
    """The last child that pools; the body is what stands before it. May raise."""
    children = list(enumerate(model.children()))
    return next(i for i, child in reversed(children) if pools(child))


def listed_cut(name: str, model: nn.Module) -> int:
    """The cut by fastai's table of nets, else by its rule.

    Its VGGs are those with BatchNorm.
    """
    family = re.sub(r"[\d_].*", "", name)
    if family in LISTED and (family != "vgg" or name.endswith("_bn")):
        return LISTED[family]
    return fastai_cut(model)


def judge(model: nn.Module, cut: Callable[[nn.Module], int]) -> str:
    """What comes of cutting a model: right, an error, or what the body lacks.

    A body is right that runs, child by child, and lacks no parameters besides those in
    the child that holds the classifier.
    """
    try:
        place = cut(model)
    except StopIteration:
        return RAISES
    children = list(model.named_children())
    classifier = next(iter(find_heads(model))).split(".")[0]
    lost = [name for name, child in children[place:]
            if name != classifier and any(True for _ in child.parameters())]  # fmt: skip
    kept = [name for name, _ in children[:place]]
    if lost:
        return f"silently wrong: keeps {', '.join(kept) or 'nothing'}"
    try:
        nn.Sequential(*(child for _, child in children[:place]))(
            image_batch(default_input_size(model))
        )
    except (RuntimeError, NotImplementedError):
        return "the body does not run"
    return RIGHT


@cache
def cut_row(name: str) -> dict:
    """fastai's cut of a torchvision model, by rule and by table, and our stages."""
    model = build_on_meta(name)
    stages = [group.name for group in layer_groups(model)]
    return {
        "net": name,
        "fastai's rule": judge(model, fastai_cut),
        "with its table of nets": judge(model, lambda m: listed_cut(name, m)),
        "our head": ", ".join(find_heads(model)),
        "our stages": f"{len(stages)}: {', '.join(_short(stages))}",
    }


def _short(names: list[str]) -> list[str]:
    return names if len(names) <= 6 else [*names[:2], "…", *names[-2:]]


CUT = (
    "Rule: `create_body` keeps the children before the last one that is or holds a "
    "pooling layer ([source]({source}), release {release}), and chains them in an "
    "`nn.Sequential`. For some nets `vision_learner` has a table of cuts instead. A cut "
    "is right if the body runs and lacks no parameters but those in the classifier's "
    "child. Ours is right if `replace_head` makes the net answer with the new number of "
    "classes, each parameter is in exactly one stage, the stages are in the order in "
    "which they run, and the head is the last. All {count} torchvision classifiers, on "
    "meta tensors. timm's nets fastai does not cut: it calls their `forward_features`."
)


def fastai_sections() -> list[Section]:
    names = torchvision_names()
    rows = [cut_row(name) for name in names]
    by_kind = {
        key: Counter(kind(row[key]) for row in rows)
        for key in ("fastai's rule", "with its table of nets")
    }
    failures = [try_survey(name)["failure"] for name in names]
    by_kind["ours"] = Counter(kind(failure or RIGHT) for failure in failures)
    kinds = [RIGHT, RAISES, "the body does not run", "silently wrong"]
    known = {k for counts in by_kind.values() for k in counts}
    counts = pd.DataFrame([
        {"outcome": k, **{how: counts[k] for how, counts in by_kind.items()}}
        for k in [*kinds, *sorted(known - set(kinds))]
    ])  # fmt: skip
    text = CUT.format(source=FASTAI, release=READ["fastai"], count=len(names))
    wrong = pd.DataFrame([row for row in rows if row["fastai's rule"] != RIGHT])
    plain = judge(build_on_meta("googlenet", aux_logits=False), fastai_cut)
    note = (
        "GoogLeNet and Inception carry auxiliary classifiers among their children. "
        f"Without them, as GoogLeNet's weights come, its cut is: {plain}."
    )
    return [
        Section("Cut: counts", text, counts),
        Section("Cut: the nets where the rule fails", note, wrong),
    ]


def kind(outcome: str) -> str:
    """An outcome without what it names."""
    return "silently wrong" if outcome.startswith("silently") else outcome


# -- Lightning's callback ----------------------------------------------------------------

EQUAL = (
    "Gradual unfreezing from the head to the stem. `BaseFinetuning` adds parameters to "
    "the optimiser as they wake, but not those that `torch.equal` finds in it already "
    "([source]({source}), release {release}): a parameter whose *values* equal another's "
    "is taken for it, and never learns. That is so in nets that were not trained yet, "
    "whose norms are all ones and zeros, and in copied layers. Counted are the tensors in "
    "the optimiser at the end. Ours are in it from the start, known by identity."
)


def by_value(optimizer: torch.optim.Optimizer, parameters) -> list[nn.Parameter]:
    """Those whose values are in no group yet, as the callback looks for them."""
    known = [p for group in optimizer.param_groups for p in group["params"]]
    return [p for p in parameters if not any(torch.equal(p, k) for k in known)]


def in_optimizer(model: nn.Module, tool: str) -> set[str]:
    """Names of what learns once the last stage of a gradual unfreezing is awake."""
    stages = layer_groups(model)
    names = {id(p): name for name, p in model.named_parameters()}
    if tool == "ours":
        optimizer = torch.optim.SGD(param_groups(model, 0.1, ratio=0.5))
        UnfreezeSchedule.gradual(model).apply(model, epoch=len(stages))
    else:
        optimizer = torch.optim.SGD(stages[-1].parameters, lr=0.1)
        for stage in reversed(stages[:-1]):
            if new := by_value(optimizer, stage.parameters):
                optimizer.add_param_group({"params": new})
    held = [p for group in optimizer.param_groups for p in group["params"]]
    return {names[id(p)] for p in held if p.requires_grad}


def twins() -> nn.Module:
    """Two convolutions of equal values, as a copied layer has, and a head."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3), nn.Flatten(),
                          nn.Linear(3 * 12 * 12, 2))  # fmt: skip
    model[1].load_state_dict(model[0].state_dict())
    return model


def bundled(name: str) -> nn.Module:
    from course_utils.weights import load_backbone

    torch.manual_seed(0)
    return load_backbone(name, weights="bundled", num_classes=5)


NETS: dict[str, Callable[[], nn.Module]] = {
    "two equal convolutions": twins,
    "test_vit, fresh": lambda: timm.create_model("test_vit"),
    "test_vit, trained": lambda: bundled("test_vit"),
    "test_resnet, fresh": lambda: timm.create_model("test_resnet"),
    "test_resnet, trained": lambda: bundled("test_resnet"),
}


def equal_row(case: str) -> dict:
    model = NETS[case]()
    theirs, ours = (in_optimizer(model, tool) for tool in ("theirs", "ours"))
    lost = [n for n, _ in model.named_parameters() if n not in theirs]
    return {
        "net": case, "tensors": len(list(model.parameters())),
        "ours": len(ours), "Lightning": len(theirs),
        "lost, first of them": ", ".join(lost[:3]) or "none",
    }  # fmt: skip


NORMS = (
    "`test_resnet` with trained weights, frozen but for its head, in train mode. "
    "`BaseFinetuning.freeze` leaves BatchNorm learning unless `train_bn=False`; then it "
    "sets `track_running_stats=False` until it wakes the layer ([source]({source})). "
    "Statistics then stand still, but in train mode the "
    "layer normalises by the *batch*: one picture's features depend on its neighbours, "
    "and differ from those in eval mode. Ours holds frozen BatchNorm in eval mode, "
    "whatever `train()` says."
)


def freeze_like(model: nn.Module, how: str) -> nn.Module:
    """Freeze all but the head as a tool does; return the model in train mode."""
    if how == "ours":
        return freeze(model).train()
    head = {id(m) for m in find_heads(model).values()}
    for module in model.modules():
        norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        frozen = id(module) not in head and not (norm and how == "train_bn=True")
        if norm:
            module.track_running_stats = not frozen
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad = not frozen
    return model.train()


def norm_row(how: str) -> dict:
    """Forward one picture in two batches through a frozen net in train mode."""
    torch.manual_seed(0)
    model = bundled("test_resnet").eval()
    picture, others = torch.randn(1, 3, 64, 64), torch.randn(2, 7, 3, 64, 64)
    with torch.no_grad():
        plain = model(picture)
        model = freeze_like(model, how)
        before = {n: b.clone() for n, b in model.named_buffers()}
        found = [model(torch.cat([picture, rest]))[:1] for rest in others]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    moved = any(not torch.equal(b, before[n]) for n, b in model.named_buffers())
    return {
        "frozen by": how if how == "ours" else f"Lightning, {how}",
        "track_running_stats": all(m.track_running_stats for m in norms),
        "statistics moved": moved,
        "depends on the batch": not torch.allclose(*found, atol=1e-4),
        "as in eval mode": torch.allclose(found[0], plain, atol=1e-4),
    }


def lightning_sections() -> list[Section]:
    text = EQUAL.format(source=LIGHTNING, release=READ["lightning"])
    norms = [norm_row(how) for how in ("ours", "train_bn=True", "train_bn=False")]
    explained = NORMS.format(source=LIGHTNING)
    return [
        Section("Callback: parameters of equal values", text,
                pd.DataFrame([equal_row(case) for case in NETS])),
        Section("Callback: frozen BatchNorm", explained, _yes_no(pd.DataFrame(norms))),
    ]  # fmt: skip


# -- the page ----------------------------------------------------------------------------

PARTS = {
    "torch-lr-finder": finder_sections,
    "timm": timm_sections,
    "fastai": fastai_sections,
    "Lightning": lightning_sections,
}


def page(parts: dict[str, list[Section]]) -> str:
    """Put the tables under a head that says what made them."""
    ran = ", ".join(
        f"{name} {version(name).partition('+')[0]}"
        for name in ("torch", "torchvision", "timm", "torch-lr-finder")
    )
    read = " and ".join(f"{name} {release}" for name, release in READ.items())
    head = (
        "# Held against peers\n\n"
        "Cases where tools that people use for fine-tuning differ from `course_utils`: "
        "each run on both sides, in one go.\n\n"
        f"Made by `{COMMAND}`; no table is written by hand. Run with {ran}. "
        f"Of {read} the rule in question was read and written down in that file; neither "
        "is needed. There are no times here.\n"
    )
    body = [
        f"\n## {name}\n\n" + "\n".join(section.markdown() for section in sections)
        for name, sections in parts.items()
    ]
    return head + "".join(body)


def _drop(row: dict, *names: str) -> dict:
    return {key: value for key, value in row.items() if key not in names}


def _yes_no(table: pd.DataFrame) -> pd.DataFrame:
    said = {True: "yes", False: "no"}
    return table.map(lambda v: said[v] if isinstance(v, bool) else v)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="write docs/peers.md")
    options = parser.parse_args()
    with redirect_stdout(sys.stderr):  # what the tools say of their own accord
        text = page({name: make() for name, make in PARTS.items()})
    print(text)
    if options.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
