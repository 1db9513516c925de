# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · The model zoo
#
# **35 minutes of reading, about half a minute of compute.** Needs: lesson 01.
#
# After this lesson you can
#
# 1. read the zoo as a table, and sort and filter it for your own question;
# 2. say what each family of architectures added, and when;
# 3. measure latency so that the figure means something;
# 4. find the Pareto front, and the best model under a budget;
# 5. say how far ImageNet accuracy tells how well a model *transfers*.

# %%
import time

import matplotlib.pyplot as plt
import pandas as pd
import torch
from torchvision import models

from course_utils.runtime import set_threads

set_threads(1)  # one thread: comparable on any machine

# %% [markdown]
# ## The problem
#
# "Use a ResNet-50" was good advice in 2016. torchvision alone now offers this many:

# %% tags=["nbval-check-output"]
names = models.list_models(module=models)
weights = [w for n in names for w in models.get_model_weights(n)]
print(len(names), "architectures,", len(weights), "sets of weights")

# %% [markdown]
# ## By hand: ask the weights
#
# Each set of weights carries its own figures. No list on the web is as fresh, or as exact:
# what counts is *this* file, with *its* preprocessing.

# %% tags=["nbval-check-output"]
meta = models.ResNet50_Weights.IMAGENET1K_V2.meta
score = meta["_metrics"]["ImageNet-1K"]
print(f"{meta['num_params'] / 1e6:.1f} M parameters")
print(f"{meta['_ops']} billion multiply-accumulates")
print(f"{meta['_file_size']:.0f} MB,", f"top-1 {score['acc@1']} %")

# %% [markdown]
# **Predict:** `IMAGENET1K_V1` holds the *same* architecture, trained in 2016's way. How many
# points of top-1 lie between the two?

# %% tags=["nbval-check-output"]
for member in models.ResNet50_Weights:
    found = member.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    print(member.name, found)

# %% [markdown]
# Nearly five points, from the training recipe alone. Keep that in mind whenever two
# *architectures* are compared by figures that came from two recipes.
#
# ## By the package: the whole zoo as a table

# %%
from course_utils.zoo import zoo_table

zoo = zoo_table(latency=True)
shown = ["architecture", "weights", "params", "gflops", "top1"]
zoo[shown].dropna().sort_values("top1", ascending=False).head(5).round(1)

# %% [markdown]
# The top of the list is not where you want to start: hundreds of millions of parameters.
# What does a parameter *buy*? Accuracy per million of them:

# %%
frugal = zoo.sort_values("top1_per_million_params", ascending=False)
columns = ["architecture", "weights", "params", "top1"]
frugal[[*columns, "top1_per_million_params"]].head(5).round(2)

# %% [markdown]
# And here the smallest nets win, whatever they score. A ratio of two figures rarely answers a
# question; a **front** does: all models that no other beats in both.

# %%
from course_utils.zoo import best_under, pareto_front

front = pareto_front(zoo, cost="params")
fig, ax = plt.subplots(figsize=(7, 3.6))
ax.scatter(zoo["params"], zoo["top1"], s=18, color="#999999", label="all")
ax.plot(
    front["params"],
    front["top1"],
    "o-",
    color="#0072B2",
    label="Pareto front",
)
ax.set(
    xscale="log",
    title="ImageNet accuracy against size",
    xlabel="parameters (millions, log scale)",
    ylabel="top-1 (%)",
)
ax.legend()
plt.show()

# %% [markdown]
# All of it to explore: sort by any column, filter, choose the cost on the axis, click a point
# for its family's idea and the line that loads it.

# %%
from course_utils.widgets import ZooExplorer

ZooExplorer(zoo)

# %% [markdown]
# ## Best under my budget
#
# State the budget first, then look. Three that are common:

# %%
budgets = {
    "a phone app": {"file_mb": 25, "gflops": 0.5},
    "a laptop, live": {"ms": 60},
    "a server": {"gflops": 10},
}
picked = {
    use: best_under(zoo, **limits)[["architecture", "weights", "top1"]]
    for use, limits in budgets.items()
}
pd.DataFrame(picked).T

# %% [markdown]
# The weights come with terms of their own. Some of the strongest may not be used commercially:

# %%
restricted = zoo[zoo["licence"] != ""]
print(len(restricted), "sets name a licence of their own, such as")
print(restricted.iloc[0][["architecture", "weights", "licence"]].tolist())

# %% [markdown]
# ## Ten years in one idea each
#
# Families differ by an idea. In the order in which they came:

# %%
from course_utils.zoo import family_of

in_zoo = {family_of(name) for name in names}
story = sorted(
    in_zoo, key=lambda f: (f.year, f.arxiv)
)  # an id begins with its month
pd.set_option("display.max_colwidth", None)  # show ideas in full
pd.DataFrame(
    [(f.year, f.name, f.key_idea, f.paper) for f in story],
    columns=["year", "family", "key idea", "paper"],
).set_index("year")

# %% [markdown]
# Two of the ideas, in code. In 2015 deeper nets had become *worse*, on their training pictures
# too. ResNet's **skip** adds each block's input to its output: the block learns what to add,
# and to do nothing is easy, so that more blocks can hardly harm. Plain and residual nets of
# 4 and of 40 blocks learn a chequered square. **Predict:** which of the four ends worst?

# %%
from torch import nn


class Block(nn.Module):
    def __init__(self, skip):
        super().__init__()
        self.layer, self.norm = nn.Linear(32, 32), nn.BatchNorm1d(32)
        nn.init.kaiming_normal_(self.layer.weight)
        self.skip = skip

    def forward(self, x):
        out = torch.relu(self.norm(self.layer(x)))
        return x + out if self.skip else out


def training_loss(skip, depth, seed, steps=150):
    """The last 30 steps' loss, and the first layer's first gradient."""
    torch.manual_seed(seed)
    points = torch.rand(512, 2) * 2 - 1
    labels = (torch.sin(6 * points).sum(1) > 0).long()
    blocks = [Block(skip) for _ in range(depth)]
    net = nn.Sequential(nn.Linear(2, 32), *blocks, nn.Linear(32, 2))
    optimizer, losses = torch.optim.Adam(net.parameters(), lr=1e-3), []
    for step in range(steps):
        batch = torch.randint(0, 512, (128,))
        loss = nn.functional.cross_entropy(
            net(points[batch]), labels[batch]
        )
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            first = net[0].weight.grad.norm().item()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-30:]) / 30, first


fig, ax = plt.subplots(figsize=(6, 3))
for skip, color in ((False, "#D55E00"), (True, "#0072B2")):
    name = "residual" if skip else "plain"
    for depth in (4, 40):
        runs = [training_loss(skip, depth, seed) for seed in range(3)]
        ax.plot(
            [f"{name}, {depth}"] * 3,
            [loss for loss, _ in runs],
            "o",
            color=color,
        )
        print(
            f"{name:8} {depth:2} blocks: first gradient {runs[0][1]:.2f}"
        )
ax.set(
    ylabel="training loss",
    title="Deeper is worse without the skip (3 seeds)",
)
ax.set_ylim(0)
plt.show()

# %% [markdown]
# Forty plain blocks have hardly begun to learn. It is not that no gradient arrives: their first
# layer gets the largest of the four. [He et al. (2015)](https://arxiv.org/abs/1512.03385) say so
# too, in their section 4.1: with normalisation, gradients do not vanish. Forty layers in a row
# are simply hard to *train*, even to do no more than four can.
#
# MobileNet's **depthwise-separable** convolution splits one $3 \times 3$ convolution in two:
# one filter a channel, then a $1 \times 1$ mix. **Predict** how much cheaper it is for 64 to
# 128 channels:

# %% tags=["nbval-check-output"]
full = nn.Conv2d(64, 128, 3, padding=1, bias=False)
depthwise = nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False)
pointwise = nn.Conv2d(64, 128, 1, bias=False)
split = depthwise.weight.numel() + pointwise.weight.numel()
print(full.weight.numel(), "against", split)
print(f"{full.weight.numel() / split:.1f} times fewer parameters and MACs")

# %% [markdown]
# ## Latency: measure it, and say how
#
# MACs count multiplications, not seconds. **Predict:** does a net with a quarter of the MACs
# run four times as fast? By hand, with the usual mistakes first: one pass, cold, in train
# mode, with gradients.

# %%
net = models.mobilenet_v3_small()
image = torch.rand(1, 3, 224, 224)
start = time.perf_counter()
net.train()(torch.cat([image, image]))
cold = 1000 * (time.perf_counter() - start)
print(f"first pass, as it comes: {cold:.1f} ms")
net.eval()
times = []
with torch.inference_mode():
    for _ in range(20):
        start = time.perf_counter()
        net(image)
        times.append(1000 * (time.perf_counter() - start))
warm = sorted(times[5:])
print(f"warm, eval, no gradients: {warm[len(warm) // 2]:.1f} ms (median)")

# %% [markdown]
# Warm up; `eval()` and `inference_mode()`; many passes; the *median* and a spread, because the
# machine does other things too; and name batch size, image size, threads and device.
# `measure_latency` does all that. Eight models, on *your* machine:

# %%
from course_utils.zoo import measure_latency

eight = (
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "resnet18",
    "resnet50",
    "convnext_tiny",
    "vit_b_32",
)
rows = {}
for name in eight:
    found = measure_latency(name, repeats=8, warmup=2, threads=1)
    best = zoo[(zoo["architecture"] == name) & zoo["default"]].iloc[0]
    rows[name] = {
        "GMACs": best["gflops"],
        "median ms": round(found.median_ms, 1),
        "10 to 90 %": f"{found.low_ms:.1f} to {found.high_ms:.1f}",
        "GMACs a second": round(1000 * best["gflops"] / found.median_ms),
    }
print(found)
pd.DataFrame(rows).T

# %% [markdown]
# The last column is the point: the same processor gets through several times as many
# multiplications a second in one net as in another. Depthwise convolutions and shuffles
# wait for memory; large dense ones keep the arithmetic busy. MACs compare models *within* a
# family; across families, measure.
#
# The whole zoo was measured once, and is stored with its machine:

# %%
print("one image, measured on:", zoo.attrs["machine"])
best = zoo[zoo["default"]].dropna(subset=["ms", "top1"])
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for ax, cost, label in zip(
    axes,
    ("gflops", "ms"),
    ("GMACs", "latency (ms)"),
    strict=True,
):
    line = pareto_front(best, cost=cost)
    ax.scatter(best[cost], best["top1"], s=18, color="#999999")
    ax.plot(line[cost], line["top1"], "o-", color="#D55E00")
    ax.set(
        xscale="log",
        xlabel=f"{label}, log scale",
        title=f"Front by {label}",
    )
axes[0].set(ylabel="top-1 (%)")
plt.show()
by_macs, by_ms = (
    set(pareto_front(best, cost=c)["architecture"])
    for c in ("gflops", "ms")
)
print("on the front by MACs only:", sorted(by_macs - by_ms))
print("on the front by time only:", sorted(by_ms - by_macs))

# %% [markdown]
# ### Pitfall: one lucky run
#
# A careless benchmark times one pass. So let something else run on the machine for half of the
# time, as a mail program or another notebook would, and time the *same* net ten times. **Predict:**
# how far apart will ten single passes be, and how far ten medians of 15?

# %%
import threading


def beside(stop):
    """Another program that computes, now and then."""
    big = torch.rand(1000, 1000)
    while not stop.is_set():
        end = time.perf_counter() + 0.05
        while time.perf_counter() < end:
            big @ big
        stop.wait(0.1)


def ten_times(**options):
    """Ten figures for one net, a moment apart."""
    found = []
    for _ in range(10):
        found.append(measure_latency("squeezenet1_1", **options).median_ms)
        time.sleep(0.03)
    return found


stop = threading.Event()
others = [threading.Thread(target=beside, args=[stop]) for _ in range(2)]
for other in others:
    other.start()
spread = {
    "single passes": ten_times(repeats=1, warmup=0),
    "medians of 15": ten_times(repeats=15, warmup=2),
}
stop.set()
for other in others:
    other.join()
fig, ax = plt.subplots(figsize=(6, 2))
for label, values in spread.items():
    ax.plot(values, [label] * 10, "o", alpha=0.6, color="#0072B2")
    apart = max(values) / min(values)
    print(f"{label:13} slowest {apart:.1f} times the fastest")
ax.set(xlabel="ms, one picture", title="The same net, timed ten times")
ax.set_xlim(0)
plt.show()

# %% [markdown]
# Who quotes a single pass can prove almost any net the faster one. Medians draw together;
# compare nets in turns, on the machine that will run them, and show the spread.

# %% [markdown]
# ## Which one for what
#
# | you need | begin with | why |
# |---|---|---|
# | a baseline that everyone understands | ResNet-50 | plain, fast on anything, much studied |
# | a small file, a phone | MobileNet v3, EfficientNet-B0 | depthwise convolutions, few parameters |
# | the best accuracy at moderate cost | EfficientNet v2-S, ConvNeXt-T | on the front above |
# | dense prediction, detection | ResNet-50, Swin-T, ConvNeXt-T | maps at several resolutions |
# | plenty of data and a GPU | ViT-B/16 with strong pretraining | scales best |
# | a laptop, this course | `test_resnet` and its like | 0.1 to 0.4 million parameters |
#
# These are habits of the field, not measurements; the rows above that are on *your* front
# come first.
#
# ## Does the better net transfer better?
#
# [Kornblith et al. (2019)](https://arxiv.org/abs/1805.08974) asked it of 16 nets and 12 data
# sets: ImageNet accuracy and transfer go together with r = 0.99 for fixed features and 0.96
# after fine-tuning. Here in miniature: four nets, each trained on this course's source world
# for 100, 400 and 1,600 steps. Source accuracy is the share of *shapes* named rightly;
# transfer is a linear probe on 20 pictures a class of another world.
#
# **Predict:** a straight line upwards, for each target?

# %%
from courseware.claims import load_claim

study = load_claim("S1")
print(study.sentence())
rungs = [k.rpartition("/")[0] for k in study.rows if k.endswith("/source")]


def means(quantity):
    """Mean over the seeds, for each checkpoint."""
    return [study.interval(f"{rung}/{quantity}").mean for rung in rungs]


quantities = ("source", "flowers", "cells", "defects")
points = pd.DataFrame({q: means(q) for q in quantities}, index=rungs)
points.round(3)

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True)
markers = {"resnet": "o", "efficientnet": "s", "convnext": "^", "vit": "D"}
for ax, target in zip(axes, ("flowers", "cells", "defects"), strict=True):
    for net, marker in markers.items():
        rows = points[points.index.str.startswith(f"test_{net},")]
        ax.scatter(rows["source"], rows[target], marker=marker, label=net)
    r = study.interval(f"r over all/{target}")
    ax.set(title=f"{target}: r = {r.mean:.2f}", xlabel="source accuracy")
axes[0].set(ylabel="probe accuracy (mean of 5 draws)")
axes[0].legend(fontsize=7)
fig.suptitle("Source accuracy against transfer, twelve checkpoints")
fig.tight_layout()
plt.show()

# %%
pd.Series(
    {
        target: str(study.interval(f"r over all/{target}"))
        for target in ("flowers", "cells", "defects")
    },
    name="r, mean over 5 draws with 95 % interval",
).to_frame()

# %% [markdown]
# Read it with care. The interval covers the draw of the 20 pictures, not the pretraining. A
# guess names one shape in 28 rightly, so the shortest runs are hardly better than guessing,
# and yet their features differ in what they are worth: the score of one task does not see
# all that a net has learnt. Between nets, the one that names shapes best need not be the one
# whose features travel best. So take source accuracy as a first
# filter, and then measure on **your** data: lesson 04 showed that it takes seconds.
#
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("02")

# %% [markdown]
# ## Summary
#
# 1. The weights' own metadata are the zoo's table; ratios mislead, fronts do not.
# 2. Families: skips (ResNet), separable convolutions (MobileNet), compound scaling
#    (EfficientNet), patches (ViT), windows (Swin), a modernised ResNet (ConvNeXt).
# 3. Latency: warm-up, eval, median, spread, and the conditions beside the figure.
# 4. State the budget, then take the best under it.
# 5. Source accuracy is a first filter; your own data decides.
#
# **Try next:** `course latency` times all 80 on your machine, and the
# explorer then shows your own front.
#
# ## So what do I do on Monday?
#
# > - Write your budget down first, in milliseconds and megabytes. Then take the best net under it.
# > - Time two or three candidates on the machine that will run them, in turns, and compare medians.
# > - Probe each on your own pictures: source accuracy is a first filter, and your data decides.
#
# **Exercise:** [02 · The model zoo](../exercises/02_model_zoo.ipynb).
# **Next lesson:** [03 · Inside a model](03_inside_a_model.ipynb).
