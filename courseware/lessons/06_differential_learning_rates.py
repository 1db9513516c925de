# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Differential learning rates
#
# **Twenty cells of each kind.** The blood laboratory has labelled them, and last week somebody
# fine-tuned a net that had seen a million photographs. It sorted nearly all new cells rightly.
# On Tuesday a colleague trains it again, with the same cells, the same net and the same code.
# One number is different.

# %%
import torch

from course_utils.datasets import default_dataset, load_dataset
from course_utils.layer_groups import hold_batchnorm
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import default_backbone, load_backbone

name = default_backbone("tf_efficientnet_lite0")
backbone = load_backbone(name)  # says where its weights come from
data = load_dataset(default_dataset("cells"), like=backbone, image_size=64)
num_classes = len(data.classes)
per_class = min(20, *data.train.class_counts().values())
few = data.train.sample_per_class(per_class)
loader = make_loader(few, batch_size=20, shuffle=True)
n_val = min(10, *data.val.class_counts().values())
val_loader = make_loader(data.val.sample_per_class(n_val), batch_size=150)


def fine_tuned(lr):
    """Train the whole net at one rate, BatchNorm held (lesson 05)."""
    seed_everything(0)
    net = load_backbone(name, num_classes=num_classes)
    hold_batchnorm(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
    fit(net, loader, None, optimizer=optimizer, epochs=6, progress=False)
    return evaluate(net, val_loader)["accuracy"]


print("of", len(val_loader.dataset), "new pictures:")
for lr in (3e-4, 3e-3):
    print(f"learning rate {lr:g}: right on {fine_tuned(lr):.0%}")

# %% [markdown]
# The number is the learning rate, and nothing in the log warned her. This lesson is about that
# number: how wide the range is in which nothing goes wrong, how to find it in a minute, and how
# to make it wider by giving each stage of the net a rate of its own.
#
# **40 minutes of reading, about a minute of compute.** Needs: lesson 05. After it you can
#
# 1. find a rate with a range test, by hand and with a tool, and read its curve;
# 2. build parameter groups for any net, each parameter in exactly one, norms without decay;
# 3. say what dividing the rate among stages buys, and what it does not;
# 4. choose a schedule, and step it at the right time.

# %%
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from torch import nn
from torch.nn.utils import parameters_to_vector

from course_utils.layer_groups import freeze, layer_groups
from course_utils.plots import plot_curves, plot_seeds

# %% [markdown]
# ## Why one rate displeases somebody
#
# A pretrained net with a new head is two nets in one: a body that is nearly right, and a head
# that knows nothing. The head wants large steps, the body small ones. First, how bad can it
# get?
#
# **Predict:** a rate of 0.1 is common when training from scratch with SGD. Fine-tune the
# whole net with it. How far do the pretrained weights move, as a share of their length?

# %%
optimizers = {
    "SGD, 0.01": partial(torch.optim.SGD, lr=0.01, momentum=0.9),
    "SGD, 0.1": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "Adam, 0.0003": partial(torch.optim.Adam, lr=3e-4),
    "Adam, 0.1": partial(torch.optim.Adam, lr=0.1),
}
rows = {}
for what, make in optimizers.items():
    seed_everything(0)
    net = hold_batchnorm(load_backbone(name, num_classes=num_classes))
    body = [p for g in layer_groups(net)[:-1] for p in g.parameters]
    start = parameters_to_vector(body).detach()
    rows[what] = {"highest training loss": "diverged"}
    try:
        history = fit(
            net,
            loader,
            val_loader,
            optimizer=make(net.parameters()),
            epochs=4,
            progress=False,
        )
    except ValueError:  # the loss is NaN: fit does not go on
        continue
    move = parameters_to_vector(body).detach() - start
    rows[what] = {
        "body moved by": f"{(move.norm() / start.norm()).item():.0%}",
        "highest training loss": f"{history['train_loss'].max():.2f}",
        "validation": f"{history['val_accuracy'].iloc[-1]:.2f}",
    }
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# The rates in the middle of each pair are usual ones. At 0.1 the weights are thrown far from
# where a million photographs had put them, and twenty pictures a class cannot bring them back.
# That is one seed. Over five seeds and four nets, how much worse than a linear probe on the
# frozen features (lesson 04) does 0.1 end?

# %%
from courseware.claims import load_claim, load_photographs

c5 = load_claim("C5")
costs = {
    key.replace("/cost of ", ", "): [-value for value in c5.rows[key]]
    for key in c5.rows
    if "/cost of " in key
}
plot_seeds(costs, title="A rate of 0.1 less the linear probe, in points")
plt.show()

# %% [markdown]
# Each dot is a seed, the line its 95 % interval, and left of zero the probe is ahead. The usual
# range for pretrained weights is 10⁻⁵ to 10⁻³ with Adam. But nets and data differ, so you
# had better *measure* it.
#
# ## The range test, by hand
#
# Train a few dozen steps while the rate climbs from 10⁻⁷ to 1, and write down the loss at
# each ([Smith, 2017](https://arxiv.org/abs/1506.01186)). Three phases should appear: nothing
# happens, the loss falls, it explodes. **Predict:** at which rate does each begin?

# %%
from itertools import cycle, islice

net = load_backbone("test_resnet", weights="bundled", num_classes=5)
hand = load_dataset("flowers", transform=net.weights_info.transform)
batches = make_loader(
    hand.train.sample_per_class(20), batch_size=20, shuffle=True
)
optimizer = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)
rates = torch.logspace(-7, 0, 60).tolist()
losses = []
net.train()
for lr, (images, labels) in zip(
    rates, islice(cycle(batches), 60), strict=True
):
    optimizer.param_groups[0]["lr"] = lr
    loss = nn.functional.cross_entropy(net(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

# %%
fig, ax = plt.subplots(figsize=(6, 3))
ax.plot(rates, losses)
ax.set(
    title="Range test by hand: test_resnet, SGD with momentum",
    xlabel="learning rate (log scale)",
    ylabel="loss of the batch",
    xscale="log",
    ylim=(0, 3 * losses[0]),
)
plt.show()

# %% [markdown]
# The curve is rough, because every point is another batch.
#
# ### Pitfall: training what the test has left behind
#
# The curve says that 10⁻² is a good rate. **Predict:** train with it, once the net that has
# just been tested, once a fresh one. Where do they begin, and where do they end?

# %%
hand_val = make_loader(hand.val, batch_size=150)
fresh = load_backbone("test_resnet", weights="bundled", num_classes=5)
for what, start in {"tested": net, "fresh": fresh}.items():
    before = evaluate(start, hand_val)["accuracy"]
    fit(
        start,
        batches,
        None,
        optimizer=torch.optim.SGD(
            start.parameters(), lr=1e-2, momentum=0.9
        ),
        epochs=6,
        progress=False,
    )
    after = evaluate(start, hand_val)["accuracy"]
    print(f"{what:6} net: {before:.2f} before, {after:.2f} after training")

# %% [markdown]
# The test *trains*, at the end with absurd rates. Both nets begin near chance, so the score
# does not give it away, but in one of them the pretrained body is gone. `lr_range_test` puts
# everything back: weights, BatchNorm's statistics, optimiser, mode, and the random
# generators, to the bit.

# %%
from course_utils.lr_finder import lr_range_test

net = load_backbone("test_resnet", weights="bundled", num_classes=5)
saved = {k: v.clone() for k, v in net.state_dict().items()}
optimizer = torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9)
curve = lr_range_test(net, batches, optimizer, num_iter=100)
same = all(torch.equal(v, saved[k]) for k, v in net.state_dict().items())
print("all as before:", same)
print("stopped by:", curve.stopped or "the last step")
curve.plot()
plt.show()

# %% [markdown]
# Three ways to read one curve, and they differ:
#
# - **steepest**: where the smoothed loss falls fastest; a bold choice.
# - **valley**: two thirds of the *steps* into the longest fall, which begins where nothing can
#   be seen yet; mostly the most careful of the three.
# - **minimum / 10**: a tenth of the rate at the bottom. At the bottom itself it is too late:
#   the next steps already climb.
#
# All assume a *constant* rate from now on and say nothing about the end of training. Take
# them as an order of magnitude. **Predict** how the curve changes with the optimiser, and
# with how much of the net learns:

# %%
suggested = {}
fig, ax = plt.subplots(figsize=(6.5, 3.2))
for part in ("head", "all"):
    for make in (torch.optim.SGD, torch.optim.Adam):
        seed_everything(0)
        net = hold_batchnorm(load_backbone(name, num_classes=num_classes))
        if part == "head":
            freeze(net)
        optimizer = make(net.parameters())
        test = lr_range_test(net, loader, optimizer, num_iter=50)
        ax.plot(
            test.lrs,
            test.smoothed,
            "--" if part == "head" else "-",
            label=f"{make.__name__}, {part}",
        )
        suggested[f"{make.__name__}, {part}"] = {
            how: f"{test.suggest(how):.0e}"
            for how in ("steepest", "valley", "minimum/10")
        }
ax.set(
    title=f"Range tests of {name}",
    xlabel="learning rate (log scale)",
    ylabel="smoothed loss",
    xscale="log",
    ylim=(0, 2 * test.smoothed[0]),
)
ax.legend()
plt.show()
pd.DataFrame(suggested).T

# %% [markdown]
# Compare the two Adam curves. Each of its steps has about the size of the rate (lesson 05), so
# a rate that a new head can stand wrecks the body below it. Two rates would suit both. (And
# mistrust a suggestion at the very left of a curve that never falls much: it read noise.)
#
# ## Parameter groups, by hand
#
# An optimiser takes a list of groups, each with a rate of its own. Every parameter in exactly
# one of them:

# %% tags=["nbval-check-output"]
net = load_backbone("test_resnet", weights="bundled", num_classes=5)
head = list(net.fc.parameters())
body = [p for n, p in net.named_parameters() if not n.startswith("fc.")]
optimizer = torch.optim.AdamW(
    [{"params": body, "lr": 1e-4}, {"params": head, "lr": 1e-3}]
)
for group in optimizer.param_groups:
    print(group["lr"], sum(p.numel() for p in group["params"]))

# %% [markdown]
# ### A popular snippet that fails
#
# Many tutorials loop over all trainable parameters, and then add the head. **Predict** what
# the optimiser says:

# %% tags=["nbval-check-output"]
groups = [{"params": [p], "lr": 1e-4} for p in net.parameters()]
groups.append({"params": net.fc.parameters(), "lr": 1e-3})
try:
    torch.optim.AdamW(groups)
except ValueError as error:
    print(error)

# %% [markdown]
# It does not say *which* parameter. A check of ours does; and a group for each parameter is
# needless anyway.

# %% tags=["nbval-check-output"]
from course_utils.param_groups import check_groups

groups[-1]["params"] = list(net.fc.parameters())
try:
    check_groups(net, groups)
except ValueError as error:
    print(error)

# %% [markdown]
# ## By the package, for any architecture
#
# `param_groups` cuts any net into stages and gives each group `ratio` times the rate of the
# one behind it. The rule of thumb says: three groups, a factor of ten.

# %%
from course_utils.param_groups import group_table, param_groups

group_table(param_groups(net, 1e-3, ratio=0.1, groups=3))

# %% [markdown]
# Five groups and a gentler ratio; or **layer-wise decay**, where each *block* gets a little
# less than the one behind it ([Clark et al., 2020](https://arxiv.org/abs/2003.10555)). The
# rates over the depth of the net, on a log axis:

# %%
plans = {
    "three groups, ratio 0.1": {"ratio": 0.1, "groups": 3},
    "five groups, ratio 0.3": {"ratio": 0.3, "groups": 5},
    "one a stage, ratio 0.5": {"ratio": 0.5},
    "layer-wise decay 0.75": {"decay": 0.75},
}
names = {id(p): n for n, p in net.named_parameters()}
order = list(names.values())
fig, ax = plt.subplots(figsize=(6.5, 3.2))
for what, options in plans.items():
    rate = {
        names[id(p)]: group["lr"]
        for group in param_groups(net, 1e-3, **options)
        for p in group["params"]
    }
    ax.step(range(len(order)), [rate[n] for n in order], label=what)
ax.set(
    title="Learning rate by depth (test_resnet, head at 1e-3)",
    xlabel="parameter, from stem to head",
    ylabel="learning rate (log scale)",
    yscale="log",
)
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# In a deep net the decay adds up. **Predict** the rate of a ViT's patch embedding, 13 blocks
# below a head at 10⁻³, with a decay of 0.65. (No weights are needed to know.)

# %% tags=["nbval-check-output"]
from course_utils.meta_tensors import build_on_meta

vit = build_on_meta("vit_b_16")
deep = param_groups(vit, 1e-3, decay=0.65)
held = param_groups(vit, 1e-3, decay=0.65, min_scale=0.05)
print(f"lowest of {len(deep)} groups: {min(g['lr'] for g in deep):.1e}")
print(f"with min_scale=0.05:   {min(g['lr'] for g in held):.1e}")

# %% [markdown]
# The rates stand in each group's `lr`. timm's own layer decay writes `lr_scale` instead, which
# timm's schedulers read and PyTorch's do not. Frozen parameters are in the groups too: they
# can wake later, and freezing does not shift the depth of the others.
#
# ## No weight decay on norms and biases
#
# Weight decay pulls every weight towards zero. For a norm's scale, whose neutral value is
# *one*, that is a push away from neutral, and biases hardly overfit; so both are left out
# ([He et al., 2019](https://arxiv.org/abs/1812.01187), section 3.1). All of them are vectors:

# %% tags=["nbval-check-output"]
vectors = [n for n, p in net.named_parameters() if p.ndim <= 1]
count = sum(p.numel() for p in net.parameters() if p.ndim <= 1)
print(f"{len(vectors)} of {len(order)} tensors, {count:,} numbers")
print(vectors[0], vectors[1], vectors[-1])
pair = param_groups(net, 1e-3, weight_decay=0.05, ratio=0.1, groups=3)
group_table(pair)[["lr", "weight_decay", "parameters"]]

# %% [markdown]
# ## What if? Rates and waking together
#
# The bars are the rates, the grid says when each stage learns. Drag the ratio; watch which
# stages end below 10⁻⁶, where they might as well be frozen.

# %%
from course_utils.widgets import FreezePlanner

FreezePlanner(
    load_backbone(name, num_classes=num_classes),
    epochs=8,
    lr=1e-3,
    ratio=0.1,
)

# %% [markdown]
# ## What does it buy? The picture of this lesson
#
# Back to Tuesday. Train the same net at seven rates of the head, from 10⁻⁴ to 10⁻¹, in four
# ways: one rate for all stages; three groups with the rule of thumb's factor of ten; each stage
# 2.6 times slower than the one behind it, which is the factor of the paper that made the idea
# popular ([Howard and Ruder, 2018](https://arxiv.org/abs/1801.06146)); and half at each stage.
# BatchNorm is held, 20 pictures a class, five seeds, on 600 test pictures. **Predict:** which of
# the four has the highest peak, and which the widest?

# %%
WAYS = ("one rate", "factor ten", "2.6 a stage", "halved")
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
c7, photos = load_claim("C7"), load_photographs("C7")


def curves(claim, of):
    """{way: {rate: one accuracy a seed}} of one net and data set."""
    return {
        way: {lr: claim.rows[f"{of}/{way} at {lr:.0e}"] for lr in RATES}
        for way in WAYS
    }


LITE = "tf_efficientnet_lite0"
plot_curves(
    {
        "Lite0, drawn flowers": curves(c7, f"{LITE}/flowers"),
        "small net, drawn flowers": curves(c7, "test_resnet/flowers"),
        "Lite0, photographs": curves(photos, f"{LITE}/photographs"),
    },
    title="One rate peaks early and falls; divided rates stand longer",
    xlabel="learning rate of the head",
)
plt.show()

# %% [markdown]
# Read it twice. First the *peaks*. Are the divided rates higher than the best single rate, each
# at the rate that ten validation pictures a class chose?

# %%
OF = {
    "Lite0, flowers": (c7, f"{LITE}/flowers"),
    "Lite0, defects": (c7, f"{LITE}/defects"),
    "Lite0, photographs": (photos, f"{LITE}/photographs"),
    "small net, flowers": (c7, "test_resnet/flowers"),
}
peaks = {
    f"{way}: {what}": claim.rows[f"{of}/difference of {way}"]
    for way in WAYS[1:3]
    for what, (claim, of) in OF.items()
}
plot_seeds(peaks, title="Best of a divided rate less best single rate")
plt.show()

# %% [markdown]
# No. Now the *width*: the range of rates that end within 3 points of a way's own best, in
# decades (1 decade is a factor of ten). How much wider than with one rate is it?

# %%
widths = {
    f"{way}: {what}": claim.rows[f"{of}/wider by {way}"]
    for way in WAYS[1:3]
    for what, (claim, of) in OF.items()
}
plot_seeds(
    widths,
    title="Safe range, wider than with one rate by",
    xlabel="decades of the learning rate",
)
plt.show()

# %% [markdown]
# With 2.6 a stage it is half a decade, on flowers and on photographs: the rate may be off by a factor
# of three more before it costs you anything. On the defects five seeds leave it open. The factor
# of ten gains less, and for the large net on drawings nothing that five seeds can show.
#
# > **If you remember one thing.** Dividing the rate gains nothing over the best single rate, and
# > you will not know the best single rate.
#
# ## Schedules: the rate over time
#
# Four that you will meet. **Warm-up** begins small, because early gradients are noise;
# **cosine** ends small, so that the weights settle; **one-cycle** does both; **step** divides
# at fixed epochs. PyTorch has all of them, and each scales every group, so ratios are kept.

# %%
from torch.optim import lr_scheduler as sched

steps = 40


def warm_cosine(optimizer):
    """A tenth of the steps up, the rest down a cosine."""
    warm = sched.LinearLR(optimizer, 0.1, total_iters=steps // 10)
    down = sched.CosineAnnealingLR(optimizer, steps - steps // 10)
    return sched.SequentialLR(
        optimizer, [warm, down], milestones=[steps // 10]
    )


schedules = {
    "constant": lambda o: sched.ConstantLR(o, 1.0),
    "step": lambda o: sched.StepLR(o, steps // 3 + 1, 0.1),
    "cosine": lambda o: sched.CosineAnnealingLR(o, steps),
    "warm-up + cosine": warm_cosine,
    "one-cycle": lambda o: sched.OneCycleLR(
        o, [g["lr"] for g in o.param_groups], total_steps=steps
    ),
}

# %%
fig, axes = plt.subplots(
    1, 5, figsize=(11, 2.4), sharey=True, layout="constrained"
)
for ax, (what, make) in zip(axes, schedules.items(), strict=True):
    optimizer = torch.optim.SGD(
        param_groups(net, 1e-3, ratio=0.1, groups=3)
    )
    scheduler, seen = make(optimizer), []
    for _ in range(steps):
        seen.append([g["lr"] for g in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    ax.plot(seen)
    ax.set(title=what, xlabel="step", yscale="log", ylim=(1e-8, 3e-3))
axes[0].set_ylabel("learning rate")
fig.suptitle("Five schedules, three groups (head uppermost)")
plt.show()

# %% [markdown]
# `lr_schedule` makes each of them by its name, with or without a warm-up. **Predict** which one
# ends best here. Same net, same number of steps, same highest rate, five seeds, in pairs:

# %%
from course_utils.lr_schedules import lr_schedule

arms = {
    "constant": {},
    "step": {},
    "cosine": {},
    "warm-up + cosine": {"how": "cosine", "warmup": 0.1},
    "one-cycle": {},
}


few_flowers = hand.train.sample_per_class(20)


def trained(how, seed, **options):
    """Train at 3e-3 under a schedule; return validation accuracy."""
    seed_everything(seed)
    net = load_backbone("test_resnet", weights="bundled", num_classes=5)
    hold_batchnorm(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    pictures = make_loader(
        few_flowers, batch_size=20, shuffle=True, seed=seed
    )
    fit(
        net,
        pictures,
        None,
        optimizer=optimizer,
        epochs=steps // len(pictures),
        batch_scheduler=lr_schedule(
            optimizer, how, steps=steps, **options
        ),
        progress=False,
    )
    return evaluate(net, hand_val)["accuracy"]


scores = {
    what: [
        trained(seed=seed, **{"how": what} | options) for seed in range(5)
    ]
    for what, options in arms.items()
}
gains = {
    what: [
        100 * (a - b) for a, b in zip(its, scores["constant"], strict=True)
    ]
    for what, its in scores.items()
    if what != "constant"
}
plot_seeds(gains, title="Each schedule less a constant rate (test_resnet)")
plt.show()

# %% [markdown]
# A row in colour leaves zero out, a grey one leaves the question open. Whatever you see here,
# compare it with what the rate alone did in the first cell of this lesson.
#
# ### Pitfall: a schedule stepped at the wrong time
#
# `OneCycleLR(total_steps=60)` counts *batches*. Handed to the epoch's end instead, it is
# stepped 12 times in 12 epochs. **Predict** the rates of those epochs:

# %% tags=["nbval-check-output"]
pinned = load_backbone("test_resnet", weights="bundled", num_classes=5)
optimizer = torch.optim.AdamW(pinned.parameters(), lr=1e-3)
wrong = sched.OneCycleLR(optimizer, 1e-3, total_steps=60)
seen = []
for _ in range(12):
    seen.append(f"{optimizer.param_groups[0]['lr']:.0e}")
    optimizer.step()
    wrong.step()
print(" ".join(seen))

# %% [markdown]
# Still climbing when the training ends: the cosine's quiet landing never comes. In this
# course `fit(batch_scheduler=…)` steps after each batch, `fit(scheduler=…)` after each epoch.
#
# ## A cell gets its name
#
# The laboratory's net, trained once more with divided rates, and looked at where it hurts. Here
# are the test pictures that it is most sure of and wrong about; above each what it says, how
# sure it is, and what the laboratory says.

# %%
from course_utils.plots import show_images
from course_utils.predictions import predict, top_k

seed_everything(0)
net = hold_batchnorm(load_backbone(name, num_classes=num_classes))
groups = param_groups(net, 1e-3, ratio=1 / 2.6, weight_decay=0.01)
optimizer = torch.optim.AdamW(groups)
fit(net, loader, None, optimizer=optimizer, epochs=6, progress=False)
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
        title="Sure and wrong: said, and what it is",
    )
    plt.show()

# %% [markdown]
# And one picture by itself, as the laboratory will use it:

# %%
top_k(net, data.test.images[0], k=3, classes=data.classes).round(3)

# %% [markdown]
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("06")

# %% [markdown]
# ## Summary
#
# 1. At 0.1 the pretrained weights are gone. The usual range is 10⁻⁵ to 10⁻³ with Adam.
# 2. A range test shows where the loss falls and where it explodes. Restore the net afterwards.
# 3. `param_groups(model, lr, ratio=…, groups=…)` or `decay=…` puts each parameter into one group,
#    with a real rate; `weight_decay=…` there spares norms and biases.
# 4. Divided rates widen the range in which nothing goes wrong. They do not raise the peak.
# 5. Warm-up, cosine, one-cycle, step: know whether yours counts batches or epochs.
#
# ## So what do I do on Monday?
#
# > - With time for a search, take one rate: try 1e-4, 3e-4 and 1e-3 on validation pictures.
# > - With time for one run, divide by 2.6 a stage and give the head 1e-3.
# > - Hold BatchNorm either way, and keep weight decay off norms and biases.
# > - Never ship a run whose loss you have not looked at: the bad rate gave no error.
#
# **Try next:** a range test on groups. `lr_range_test` keeps their ratio; does the rate that it
# suggests for the head change?
#
# **Exercise:** [06 · Differential learning
# rates](../exercises/06_differential_learning_rates.ipynb).
# **Next lesson:** [09 · Distillation](09_distillation.ipynb), an extra.
