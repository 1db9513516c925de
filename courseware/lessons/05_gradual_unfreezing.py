# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · Gradual unfreezing
#
# **The botanical garden is careful.** Its net has seen a million photographs, and it shall learn
# five flowers without losing any of that. So the gardener trains it at a learning rate of a
# billionth, at which the weights as good as stand still. Then he puts the old head back, and
# asks it the old questions.

# %%
import torch

from course_utils.datasets import (
    default_dataset,
    load_dataset,
    sample_photos,
)
from course_utils.predictions import top_k
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import default_backbone, load_backbone

name = default_backbone("tf_efficientnet_lite0")
backbone = load_backbone(name)  # says where its weights come from
data = load_dataset(default_dataset(), like=backbone, image_size=64)
num_classes = len(data.classes)
per_class = min(20, *data.train.class_counts().values())
few = data.train.sample_per_class(per_class)

seed_everything(0)
net = load_backbone(name, num_classes=num_classes)
start = {n: p.detach().clone() for n, p in net.named_parameters()}
pictures = make_loader(few, batch_size=20, shuffle=True)
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-9)
fit(net, pictures, None, optimizer=optimizer, epochs=4, progress=False)
moved = max(
    (p.detach() - start[n]).abs().max().item()
    for n, p in net.named_parameters()
)
print(f"no weight has moved by more than {moved:.0e}")

# %%
import pandas as pd

from course_utils.heads import find_heads

old, photos = load_backbone(name, num_classes=None), sample_photos()
(place,) = find_heads(net)
net.set_submodule(place, find_heads(old)[place])
pd.DataFrame(
    {
        which: {
            photo: "{class}, {probability:.0%}".format(
                **top_k(model, photos[photo], k=1).iloc[0]
            )
            for photo in ("coffee", "cat", "motorcycle", "camera")
        }
        for which, model in {"before": old, "after": net}.items()
    }
)

# %% [markdown]
# The weights stood still, and what they knew is gone. Something else in the net has moved, and
# by the middle of this lesson you will have caught it. It is one of two things that can go
# wrong when more than the head learns. The other is the learning rate.
#
# **40 minutes of reading, about a minute of compute.** Needs: lesson 04. After it you can
#
# 1. place a plan on the spectrum from head to whole net, and say what each step costs;
# 2. wake stages on a schedule, and resume a run in the middle of one;
# 3. say what an optimiser and a scheduler do when new parameters wake, and what goes wrong;
# 4. see forgetting happen, and stop the two things that drive it.

# %%
import matplotlib.pyplot as plt
from torch import nn

from course_utils.layer_groups import (
    freeze,
    hold_batchnorm,
    layer_groups,
)
from course_utils.plots import plot_curves, plot_seeds

n_val = min(20, *data.val.class_counts().values())
val_loader = make_loader(data.val.sample_per_class(n_val), batch_size=150)

# %% [markdown]
# ## A whole spectrum
#
# Lesson 04 froze everything but the head: fast, safe, and the features stay what they were.
# Letting them adapt may give more, and may spoil them. How much of the net should learn, and
# from when on? A net is a stack of stages, so there is a whole spectrum of answers:

# %%
net = load_backbone(name, num_classes=num_classes)
stages = pd.DataFrame(
    [
        (g.name, sum(p.numel() for p in g.parameters))
        for g in layer_groups(net)
    ],
    columns=["stage", "parameters"],
)
stages["learn if woken from here"] = stages["parameters"][::-1].cumsum()
stages.set_index("stage")

# %% [markdown]
# **Predict:** three points on it: the head alone, the second half of the stages with it, all.
# Which is best with 20 pictures a class? And what does the net score *before* any training?

# %%
names = stages["stage"].tolist()
middle = names[len(names) // 2]
spectrum = {  # where learning begins, and a rate that suits it
    "head": (names[-1], 1e-2),
    f"from {middle} on": (middle, 3e-4),
    "all": (names[0], 3e-4),
}


def adapt(since, lr, seed):
    """Fine-tune from a stage on; seconds an epoch, and accuracies."""
    seed_everything(seed)
    net = hold_batchnorm(load_backbone(name, num_classes=num_classes))
    if since != names[0]:
        freeze(net, until=since)
    before = evaluate(net, val_loader)["accuracy"]
    history = fit(
        net,
        make_loader(few, batch_size=20, shuffle=True, seed=seed),
        None,
        optimizer=torch.optim.AdamW(net.parameters(), lr=lr),
        epochs=5,
        progress=False,
    )
    after = evaluate(net, val_loader)["accuracy"]
    return history["seconds"].median(), before, after


means = {}
for what, (since, lr) in spectrum.items():
    runs = [adapt(since, lr, seed) for seed in range(3)]
    columns = ["s an epoch", "before", "after"]
    means[what] = pd.DataFrame(runs, columns=columns).mean()
counts = data.val.class_counts().values()
print(f"most frequent class: {max(counts) / sum(counts):.2f}")
pd.DataFrame(means).T.round(2)

# %% [markdown]
# Before training a new head guesses. What learns deeper costs more time. Which is best? Three
# seeds on so few validation pictures are a hint, not an answer (lesson 04 compares with five,
# in pairs).
#
# ## By hand: wake a stage when its epoch comes
#
# The head learns from the start, the last stage from epoch 4, the one before from epoch 7:

# %% tags=["nbval-check-output"]
net = load_backbone("test_resnet", weights="bundled", num_classes=5)
small = load_dataset("flowers", like=net)
loader = make_loader(
    small.train.sample_per_class(20), batch_size=20, shuffle=True
)
wakes = {1: net.fc, 4: net.layer4, 7: net.layer3}

net.requires_grad_(False).eval()  # eval: BatchNorm holds still
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)  # all of them
for epoch in range(1, 10):
    if epoch in wakes:
        wakes[epoch].requires_grad_(True)
        learn = sum(p.numel() for p in net.parameters() if p.requires_grad)
        print(f"epoch {epoch}: {learn:,} parameters learn")
    for images, labels in loader:
        loss = nn.functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %% [markdown]
# It works, until the power fails. **Predict:** the run stopped after epoch 4 and is resumed
# at epoch 5 with the same loop, in a new process. What learns in epoch 5?


# %% tags=["nbval-check-output"]
def awake(net):
    """Names of the children that learn."""
    learn = (n for n, p in net.named_parameters() if p.requires_grad)
    return sorted({n.split(".")[0] for n in learn})


net.requires_grad_(False)  # as the loop above begins
for epoch in range(5, 10):  # resumed
    if epoch in wakes:
        wakes[epoch].requires_grad_(True)
    print(f"epoch {epoch}: {', '.join(awake(net)) or 'nothing'}")

# %% [markdown]
# In epoch 5 `backward` would at least raise an error. Resumed in epoch 7, the run would train
# `layer3` alone, without a word. The loop wakes a stage *when* its epoch comes, and the new
# process was not there. Derive the state from the epoch instead: all that was due by now is
# awake.
#
# ## By the package: a schedule
#
# An `UnfreezeSchedule` says from which epoch on a stage learns. It prints, it can be edited
# like a dictionary, and it keeps frozen BatchNorm still (lesson 04).

# %% tags=["nbval-check-output"]
from course_utils.layer_groups import UnfreezeSchedule

schedule = UnfreezeSchedule({1: "fc", 4: "layer4", 7: "layer3"})
print(schedule)
print("in epoch 5:", sorted(schedule.trainable(5)))
schedule.table(net, epochs=9).replace({True: "learns", False: "·"})

# %% [markdown]
# Handed to `fit` as a callback, it sets the state before each epoch; `TrainingMonitor` draws
# the run as it grows and marks where a stage wakes. Watch the curves at the marks, and in its
# table what becomes of `images/s`.

# %%
from IPython.display import display

from course_utils.widgets import TrainingMonitor

seed_everything(0)
net = hold_batchnorm(load_backbone(name, num_classes=num_classes))
half = len(names) // 2
schedule = UnfreezeSchedule(
    {1: names[-1], 4: names[half:-1], 7: names[:half]}
)
monitor = TrainingMonitor(
    schedule=schedule, title=f"{name}: the head, then half, then all"
)
display(monitor)
history = fit(
    net,
    pictures,
    val_loader,
    optimizer=torch.optim.AdamW(net.parameters(), lr=3e-4),
    epochs=9,
    callbacks=[schedule, monitor],
    progress=False,
)

# %% [markdown]
# ## What if? Plan it with the mouse
#
# Click cells to wake a stage earlier or later, drag the rates, try the presets. The counts
# below follow, and so does the code.

# %%
from copy import deepcopy

from course_utils.widgets import FreezePlanner

planned = hold_batchnorm(load_backbone(name, num_classes=num_classes))
fresh = deepcopy(planned.state_dict())
planner = FreezePlanner(planned, epochs=6, lr=1e-3, ratio=0.5)
planner

# %% [markdown]
# The plan is an object, and `fit` takes it. Change it above, then run this cell again.

# %%
planned.load_state_dict(fresh)  # the planner's own net, from the start
history = fit(
    planned,
    pictures,
    val_loader,
    optimizer=torch.optim.AdamW(planner.groups()),  # lesson 06
    epochs=planner.epochs,
    callbacks=[planner.schedule],
    progress=False,
)
history[["epoch", "train_accuracy", "val_accuracy"]].tail(3).round(2)

# %% [markdown]
# ## New parameters in a running optimiser
#
# Above, *all* parameters were in the optimiser from the start. There are two other ways to
# write it, and both go wrong. **Predict:** this optimiser was made while only the head was
# awake. Then `layer4` wakes. Does it learn?

# %% tags=["nbval-check-output"]
from course_utils.layer_groups import trainable_parameters, unfreeze
from course_utils.training import train_one_epoch


def copied(net):
    return {n: p.detach().clone() for n, p in net.named_parameters()}


def changed(net, before):
    """Names of the children whose parameters moved."""
    now = copied(net)
    moved = (n for n in now if not torch.equal(now[n], before[n]))
    return sorted({n.split(".")[0] for n in moved})


net = load_backbone("test_resnet", weights="bundled", num_classes=5)
freeze(net)
optimizer = torch.optim.SGD(trainable_parameters(net), lr=1e-2)
unfreeze(net, stages=["layer4"])  # too late: the optimiser is made
before = copied(net)
train_one_epoch(net, loader, optimizer, progress=False)
print("awake: ", ", ".join(awake(net)))
print("learnt:", ", ".join(changed(net, before)))

# %% [markdown]
# No error, no warning: gradients are computed and thrown away. (`fit` asks before its first
# epoch, and refuses; one epoch by hand does not.) The second way adds the woken stage later,
# with `add_param_group`. The optimiser is happy; ask the *scheduler*:

# %% tags=["nbval-check-output"]
from torch.optim import lr_scheduler

schedulers = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 9),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda e: 0.9**e),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(
        o, 0.01, total_steps=9
    ),
}
for which, make in schedulers.items():
    late = torch.optim.SGD(net.fc.parameters(), lr=1e-2)
    scheduler = make(late)
    for _ in range(3):  # the head alone
        late.step()
        scheduler.step()
    late.add_param_group({"params": list(net.layer4.parameters())})
    try:
        scheduler.step()
        rates = [f"{group['lr']:.4f}" for group in late.param_groups]
        print(f"{which:18} fc {rates[0]}, layer4 {rates[1]}")
    except (KeyError, ValueError) as error:
        print(f"{which:18} {type(error).__name__}")

# %% [markdown]
# Two of them break (in the torch that made these outputs). With the other two `layer4` runs
# ahead of the head, because it starts from the rate that the head had at first. So the rule of
# this course: **every parameter in the optimiser from the start, `requires_grad` decides.** A
# frozen parameter has no gradient; the optimiser passes it over and keeps nothing for it.

# %% tags=["nbval-check-output"]
net = load_backbone("test_resnet", weights="bundled", num_classes=5)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
plan = UnfreezeSchedule({1: "fc", 2: "layer4"})
for epoch in (1, 2):
    plan.apply(net, epoch)
    before = copied(net)
    train_one_epoch(net, loader, optimizer, progress=False)
    print(f"epoch {epoch}: learnt {', '.join(changed(net, before))}")
    for stage in ("fc", "layer4"):
        p = next(getattr(net, stage).parameters())
        steps = (
            int(optimizer.state[p]["step"]) if optimizer.state[p] else 0
        )
        print(f"   {stage}: {steps} steps of Adam behind it")

# %% [markdown]
# `layer4` woke with a fresh state, while the head's went on. That matters, because
# Adam's first step has about the size of the learning rate for *every* weight, however small
# its gradient. **Predict:** how far does one single step move `layer4`, as a share of its
# length, with Adam and with SGD at the same rate?

# %%
from torch.nn.utils import parameters_to_vector

images, labels = next(iter(loader))
rows = {}
for lr in (1e-4, 1e-3, 1e-2):
    for make in (torch.optim.SGD, torch.optim.Adam):
        seed_everything(0)
        net = load_backbone(
            "test_resnet", weights="bundled", num_classes=5
        )
        before = parameters_to_vector(net.layer4.parameters()).detach()
        optimizer = make(net.parameters(), lr=lr)
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
        after = parameters_to_vector(net.layer4.parameters()).detach()
        share = ((after - before).norm() / before.norm()).item()
        rows.setdefault(f"{lr:g}", {})[make.__name__] = f"{share:.3%}"
pd.DataFrame(rows).T.rename_axis("lr")

# %% [markdown]
# With Adam the rate *is* the step. This is why waking stages get a small rate, or a warm-up
# (lesson 06).
#
# ### Pitfall: the frozen weights that move
#
# Freezing after a few steps leaves *old gradients* behind, unless they are deleted. Since
# PyTorch 2.0 `zero_grad()` deletes them. Older code, and `set_to_none=False`, sets them to
# zero, and for an optimiser zero is a gradient like any other. **Predict:** after freezing,
# do the weights of `layer4` move?

# %% tags=["nbval-check-output"]
for set_to_none in (True, False):
    seed_everything(0)
    net = load_backbone("test_resnet", weights="bundled", num_classes=5)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=1e-2, momentum=0.9, weight_decay=1e-2
    )
    for step in range(4):
        if step == 2:
            net.layer4.requires_grad_(False)  # freeze, in mid-run
            optimizer.zero_grad(set_to_none=set_to_none)
            before = copied(net)
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=set_to_none)
    moved = "moved" if "layer4" in changed(net, before) else "held still"
    print(f"set_to_none={set_to_none}: layer4 {moved}")

# %% [markdown]
# Momentum keeps rolling and weight decay keeps pulling. Deleted gradients (`None`) stop both.
#
# ## Forgetting
#
# Back to the gardener's net. What a net learns on the new task can overwrite what it knew, which
# is called *catastrophic forgetting*. To measure it you need the old task's pictures. Nobody
# ships ImageNet's, but of the small bundled net we have them: its old head names the shapes of
# the drawings it was pretrained on. Fine-tune a copy on flowers, put the old head back, and
# count. **Predict:** at which rate does the old task go?

# %%
from courseware.making.drawing.source_world import draw_batch

drawings, answers = draw_batch(600, seed=11)
original = load_backbone("test_resnet", weights="bundled")
prepared = original.weights_info.normalize(drawings / 255)


def old_task(net, old_statistics=False):
    """Accuracy of the old head on the old task."""
    if old_statistics:  # BatchNorm's, as they were
        buffers = dict(original.named_buffers())
        net.load_state_dict(buffers, strict=False)
    head, net.fc = net.fc, original.fc
    with torch.inference_mode():
        guess = net.eval()(prepared).argmax(1)
    net.fc = head
    return (guess == answers["shape"]).double().mean().item()


rows, small_val = {}, make_loader(small.val, batch_size=150)
for lr in (1e-9, 1e-4, 1e-3, 1e-2, 1e-1):
    seed_everything(0)
    net = load_backbone("test_resnet", weights="bundled", num_classes=5)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
    fit(net, loader, None, optimizer=optimizer, epochs=8, progress=False)
    rows[f"{lr:g}"] = {
        "flowers (new)": evaluate(net, small_val)["accuracy"],
        "shapes (old)": old_task(net),
        "shapes, old BatchNorm statistics": old_task(net, True),
    }
forgetting = pd.DataFrame(rows).T.rename_axis("learning rate")
before, chance = old_task(original), 1 / original.fc.out_features
print(f"shapes before: {before:.2f}, by chance: {chance:.2f}")
forgetting.round(2)

# %%
ax = forgetting.plot(
    style=["o-", "s--", "^:"],
    figsize=(6, 3.4),
    ylim=(0, 1),
    xticks=range(len(forgetting)),
    title="What fine-tuning on flowers does to the old task (test_resnet)",
    xlabel="learning rate of the whole net (first: as good as none)",
    ylabel="accuracy",
)
ax.axhline(before, color="0.5", lw=1, label="shapes, before")
ax.axhline(chance, color="0.5", lw=1, ls="-.", label="shapes, by chance")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()

# %% [markdown]
# Two causes, told apart. At 10⁻⁹ the weights stand still, and the old task falls all the same:
# BatchNorm's statistics describe flowers now (lesson 04). Put back, they restore it. What is
# still missing then, the *weights* have forgotten: little at 10⁻⁴, most of it at the rate that
# serves flowers best. So a good score on flowers says nothing of the old knowledge. And at the
# highest rate both are gone: the pretrained weights have been wasted (lesson 06).
#
# ## Hold BatchNorm, and see
#
# So that was the gardener's culprit. Must the statistics move at all while the whole net learns?
# One verb holds them, `hold_batchnorm(model)`, through `train()`, schedules and `fit`, and
# leaves scale and shift to learn. Here is Lite0 with ten pictures a class, ten epochs, and four
# rates for each way, with the same batches. The middle panel is the customer's bad day: the same
# flowers in another light, by a worse camera. The right one is photographs. **Predict:** how many
# points lie between the two ways?

# %%
from courseware.claims import load_claim, load_photographs

LITE = "tf_efficientnet_lite0"
c16, on_photos = load_claim("C16"), load_photographs("C16")


def over_rates(claim, of, where):
    """{arm: {rate: one accuracy a seed}}: BatchNorm held, trained."""
    found = {"held": {}, "trained": {}}
    for key, scores in claim.rows.items():
        for arm in found:
            start = f"{of}/{arm} {where} at "
            if key.startswith(start):
                found[arm][float(key.removeprefix(start))] = scores
    return found


plot_curves(
    {
        "new flowers": over_rates(c16, f"{LITE}/flowers", "in"),
        "in another light": over_rates(c16, f"{LITE}/flowers", "out"),
        "photographs": over_rates(on_photos, f"{LITE}/photographs", "in"),
    },
    title="BatchNorm held is ahead where the rate is small",
    xlabel="learning rate of the whole net",
)
plt.show()

# %% [markdown]
# Each way at the rate that its own validation pictures chose, seed by seed:

# %%
gains = {
    f"{target}, {'new' if where == 'in' else 'in another light'}": (
        claim.rows[f"{LITE}/{target}/gain {where}"]
    )
    for claim, target, where in (
        (c16, "flowers", "in"),
        (c16, "flowers", "out"),
        (c16, "cells", "out"),
        (c16, "defects", "out"),
        (on_photos, "photographs", "in"),
    )
}
plot_seeds(gains, title="BatchNorm held less trained (Lite0, five seeds)")
plt.show()

# %% [markdown]
# A batch of twenty pictures knows less of the statistics than a million photographs did. Held,
# the net is far ahead at small rates, and falls apart at 3e-3. Trained, it wants a rate three to
# ten times higher, never gets as far, and hardly recognises the same flowers in another light. On
# photographs, where both ways find it harder, five seeds leave the lead open. So do they for the
# small bundled net, whose statistics come from drawings like these. With pretrained weights and few
# pictures, hold first, and begin at 1e-4. A net from random weights has to learn its statistics:
# `hold_batchnorm` refuses it.
#
# ## Does it help to unfreeze gradually?
#
# The argument is persuasive. The new head begins with random weights, its first gradients
# are noise, so let it settle before anything pretrained may move.
# [Howard and Ruder, 2018](https://arxiv.org/abs/1801.06146) made it popular for language
# models. Let us look where it should show: at the best rate for training all at once, at three
# times that, and at ten times; with right labels, and with 30 % wrong ones. BatchNorm is held, 20
# pictures a class, 16 epochs, the last four with everything awake. **Predict** the sign at each
# rate before you run the cell.

# %%
c8 = load_claim("C8")


def orders(of, labels):
    """{order: {times the best rate: one accuracy a seed}}."""
    return {
        order: {
            times: c8.rows[f"{of}/{order}, {labels} x{times}"]
            for times in (1, 3, 10)
        }
        for order in ("at once", "gradual")
    }


plot_curves(
    {
        "right labels": orders(f"{LITE}/flowers", "clean"),
        "30 % wrong labels": orders(f"{LITE}/flowers", "30 % wrong"),
        "small net, right labels": orders("test_resnet/flowers", "clean"),
    },
    title="Waking stages one after another, against all at once",
    xlabel="times the best rate of all at once",
)
plt.show()

# %%
gains = {
    f"{net_name}, {labels}, x{times}": c8.rows[
        f"{of}/flowers/gain, {labels} x{times}"
    ]
    for net_name, of in (("Lite0", LITE), ("small net", "test_resnet"))
    for labels in ("clean", "30 % wrong")
    for times in (1, 10)
}
plot_seeds(gains, title="Gradual less all at once (flowers, five seeds)")
plt.show()
print("Counted with the small net on defects:", c8.counted())

# %% [markdown]
# At the right rate the two lines lie on each other: waking gradually gains nothing and costs next to
# nothing. At ten times that rate it is ahead on average, by more where labels are wrong, but the
# seeds scatter so far that a single row leaves zero out. A safety net, then, with holes in it. A better rate is the better
# protection (lesson 06).
#
# What the recipe gives in any case is *cheap first epochs*: nothing below the woken stages needs
# a backward pass (`images/s` in the table of the run above).
#
# It can be cheaper still. What is frozen gives the same activation for the same picture in
# every epoch, so compute it once, cut the net there, and train what lies behind (lesson 04 did
# so with the head alone). **Predict:** last stage and head, 8 epochs: how many times faster?

# %%
import time

from course_utils.cut import CutModel, cached_activations

more = small.train.sample_per_class(50)


def train_last(behind_cut, seed):
    """Train last stage and head; return seconds and accuracy."""
    seed_everything(seed)
    net = load_backbone("test_resnet", weights="bundled", num_classes=5)
    learner, pictures = freeze(net, until="layer4"), more
    start = time.perf_counter()
    if behind_cut:
        learner = CutModel(net)  # begins at layer4
        pictures = cached_activations(learner, more)  # once
    fit(
        learner,
        make_loader(pictures, batch_size=20, shuffle=True, seed=seed),
        None,
        optimizer=torch.optim.AdamW(trainable_parameters(net), lr=1e-3),
        epochs=8,
        progress=False,
    )
    seconds = time.perf_counter() - start
    return seconds, evaluate(net, small_val)["accuracy"]


ways = {"usual loop": False, "behind the cut": True}
for way, behind_cut in ways.items():
    runs = [train_last(behind_cut, seed) for seed in range(3)]
    seconds, scores = zip(*runs, strict=True)
    print(f"{way:14} {min(seconds):.1f} to {max(seconds):.1f} s", end="; ")
    print("accuracies", ", ".join(f"{score:.3f}" for score in scores))

# %% [markdown]
# Seed by seed the same accuracy, in less time. As with cached features, random crops are out,
# unless several views of each picture are cached (`views=`).
#
# ## Head first, then everything: LP-FT
#
# [Kumar et al., 2022](https://arxiv.org/abs/2202.10054) give the argument another turn:
# a random head *distorts* good features while it is being learnt, mostly to the harm of
# pictures unlike the training ones. Their cure: a linear probe first (LP), then fine-tune
# all (FT). They report about 1 % more in distribution and 10 % more out of it, averaged over
# their data sets. How much a random head pushes, in our net:

# %%
from course_utils.features import extract_features, fit_head

few_small = small.train.sample_per_class(20)
backbone = load_backbone("test_resnet", weights="bundled")
found = extract_features(backbone, few_small)
push = {}
for head in ("new head", "trained head"):
    seed_everything(0)
    net = load_backbone("test_resnet", weights="bundled", num_classes=5)
    if head == "trained head":
        net.fc = fit_head(*found, 5, lr=1e-2, epochs=50, batch_size=20)
    loss = nn.functional.cross_entropy(net(images), labels)
    loss.backward()
    push[head] = {
        "loss": loss.item(),
        "gradient at layer4": nn.utils.get_total_norm(
            [p.grad for p in net.layer4.parameters()]
        ).item(),
    }
pd.DataFrame(push).T.round(3)

# %% [markdown]
# So the push is real. Whether it does *harm* is another question. We ask it three times, with
# BatchNorm held in both ways so that one thing is compared: on new pictures like the training
# ones, on the shifted ones, and on a trap. For the trap we drew flowers of which each species
# stands on a ground of its own, and tested on flowers that stand on another's. **Predict** the
# signs:

# %%
c9, c9_photos = load_claim("C9"), load_photographs("C9")
gains = {
    f"{net_name}: {target}, {'new' if where == 'in' else 'unlike'}": (
        c9.rows[f"{of}/{target}/gain {where}"]
    )
    for net_name, of in (("Lite0", LITE), ("small net", "test_resnet"))
    for target, where in (
        ("flowers", "in"),
        ("flowers", "out"),
        ("tied flowers", "in"),
        ("tied flowers", "out"),
    )
}
key = f"{LITE}/photographs/gain in"
gains["Lite0: photographs, new"] = c9_photos.rows[key]
plot_seeds(gains, title="LP-FT less FT (five seeds)")
plt.show()
print("With cells and defects:", c9.counted())

# %%
moved = {
    f"{net_name}, {target}": {
        arm: c9.interval(f"{of}/{target}/movement {arm}").mean
        for arm in ("FT", "LPFT")
    }
    for net_name, of in (("Lite0", LITE), ("small net", "test_resnet"))
    for target in ("flowers", "tied flowers")
}
print("How far the features of the test pictures moved, in their lengths")
pd.DataFrame(moved).T.round(2)

# %% [markdown]
# Two nets, two answers. The small net is the paper's picture. From a trained head its features
# move a fraction as far, and on the trap, where moving means learning the ground, LP-FT is ahead
# by far. Lite0 says the opposite on flowers: fine-tuned from a new head it is ahead of LP-FT, on new
# and on unlike pictures. Its features *had* to move a little for drawings, and the head that was
# trained to the end held them back. On photographs five seeds leave it open.
#
# ## A flower gets its name
#
# The garden's net at last, as this lesson would train it, and its worst errors. Above each
# picture stands what the net says and how sure it is, and below that what the gardener says.

# %%
from course_utils.plots import show_images
from course_utils.predictions import predict

seed_everything(0)
net = hold_batchnorm(load_backbone(name, num_classes=num_classes))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-4)
fit(net, pictures, None, optimizer=optimizer, epochs=6, progress=False)
answers = predict(net, data.test)
sure, said = answers.logits.softmax(1).max(1)
wrong = (said != answers.labels).nonzero().flatten()
print(f"{len(wrong)} of {len(said)} are wrong")
worst = wrong[sure[wrong].argsort(descending=True)][:6].tolist()
if worst:
    show_images(
        [data.test.images[i] for i in worst],
        titles=[
            f"{data.classes[said[i]]}, {sure[i]:.0%}\n"
            f"is {data.classes[answers.labels[i]]}"
            for i in worst
        ],
        columns=6,
        title="Sure and wrong",
    )
    plt.show()
top_k(net, data.test.images[0], k=3, classes=data.classes).round(3)

# %% [markdown]
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("05")

# %% [markdown]
# ## Summary
#
# 1. Head, last stages, all: a spectrum. Each step lets more parameters learn and costs more time.
# 2. Derive what is awake from the epoch; an `UnfreezeSchedule` does, and survives a resume.
# 3. All parameters in the optimiser from the start. Added later, they break some schedulers or
#    miss the rate. What wakes begins with a fresh state, and Adam's first step is as large as
#    the rate.
# 4. Forgetting has two causes, BatchNorm's statistics and weights that move with the rate, and
#    the new task's score shows neither.
# 5. With pretrained weights and few pictures, hold BatchNorm. It is the largest effect of this
#    lesson.
# 6. Waking gradually, and training the head first (LP-FT), protect some nets from some mistakes and
#    cost others. Measure before you adopt a recipe.
#
# ## So what do I do on Monday?
#
# > - Hold BatchNorm, put all parameters into the optimiser, and begin at 1e-4.
# > - Let a schedule wake the stages for cheap first epochs, or where you cannot search the rate.
# > - Train the head first if the features must not move; look whether it holds them back.
# > - If the old task still matters, test it. The new task's score does not show what was lost.
#
# **Try next:** change the epochs in the monitored run's schedule, and look at the marks.
#
# **Exercise:** [05 · Gradual unfreezing](../exercises/05_gradual_unfreezing.ipynb).
# **Next lesson:** [06 · Differential learning rates](06_differential_learning_rates.ipynb).
