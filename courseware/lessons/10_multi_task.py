# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Multi-task heads
#
# **35 minutes of reading, about a minute of compute.** Needs: lesson 06.
#
# After this lesson you can
#
# 1. put several heads on one backbone, and train them together;
# 2. weigh their losses, by hand and by learnt uncertainty;
# 3. compare one shared model with separate ones: accuracy, parameters, time;
# 4. measure whether two tasks pull the shared weights the same way;
# 5. train on pictures that are labelled for some tasks only.

# %%
import time

import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch import nn

from course_utils.datasets import load_dataset
from course_utils.plots import show_images
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import default_backbone, load_backbone

seed_everything(0)
name = default_backbone()
info = load_backbone(name).weights_info
data = load_dataset("flowers", transform=info.transform)
few = data.train.sample_per_class(20)
few.attributes.head(3)

# %% [markdown]
# ## The problem
#
# A picture of a flower answers several questions: which species, which colour, how many
# petals. Three nets would look at it three times. Yet their early stages find the same
# edges and colours: why not look once?

# %%
titles = [
    f"{data.classes[label]}\n{row.colour}, {row.petals} petals"
    for label, row in zip(
        few.labels[:6], few.attributes[:6].itertuples(), strict=True
    )
]
show_images(few.images[:6], titles=titles, columns=6)
plt.show()

# %% [markdown]
# This lesson needs pictures with several labels, so it always takes the bundled flowers;
# the backbone follows `COURSE_BACKBONE`.
#
# ## By hand: one body, two heads
#
# Take the old head off, and put two linear layers side by side on the features:

# %% tags=["nbval-check-output"]
body = load_backbone("test_resnet", weights="bundled")
width = body.fc.in_features
body.fc = nn.Identity()
heads = nn.ModuleDict(
    {"species": nn.Linear(width, 5), "colour": nn.Linear(width, 6)}
)
prepared = few.with_transform(body.weights_info.transform)
pictures = torch.stack([prepared[i][0] for i in range(4)])
features = body(pictures)  # once
logits = {task: head(features) for task, head in heads.items()}
print({task: tuple(values.shape) for task, values in logits.items()})

# %% [markdown]
# The loss is the sum of both tasks' losses. **Predict:** after `backward`, which weights
# have a gradient from the species, which from the colour?

# %% tags=["nbval-check-output"]
targets = {"species": torch.tensor([0, 1, 2, 3]),
           "colour": torch.tensor([0, 0, 1, 1])}  # fmt: skip
for task in heads:
    body.zero_grad()
    heads.zero_grad()
    loss = nn.functional.cross_entropy(
        heads[task](body(pictures)), targets[task]
    )
    loss.backward()
    reached = [
        n for n, m in [*body.named_children(), *heads.items()]
        if any(p.grad is not None for p in m.parameters())
    ]  # fmt: skip
    print(f"loss of {task} ->", *reached)

# %% [markdown]
# The body hears both, each head only its own. That is all there is to it.
#
# ## By the package, for any architecture
#
# `with_attributes` makes a dataset whose labels are dictionaries (a colour has the same
# number in train and val, even where one of them lacks some colours), `MultiTaskModel`
# finds and replaces the head of any net, and `MultiTaskStep` is a *step* handed to `fit`:
# the training loop itself knows nothing of tasks.

# %%
from course_utils.datasets import with_attributes
from course_utils.multitask import (
    MultiTaskModel,
    MultiTaskStep,
)

tasks = ["species", "colour", "petals"]
train = with_attributes(few, tasks)
val = with_attributes(data.val, tasks)
print(train)
print(train.tasks)

# %% [markdown]
# `joint` trains one model for all tasks of its pictures; `extra` are parameter groups
# beside the model's, which a later section needs.


# %%
def joint(pictures=train, seed=0, weights=None, extra=(), watch=None):
    """Train one model for all tasks of the pictures, 8 epochs."""
    seed_everything(seed)
    model = MultiTaskModel(load_backbone(name), pictures.tasks)
    history = fit(
        model,
        make_loader(pictures, batch_size=20, shuffle=True, seed=seed),
        watch,
        optimizer=torch.optim.AdamW(
            [*extra, {"params": model.parameters()}], lr=1e-3
        ),
        epochs=8,
        step=MultiTaskStep(weights=weights),
        progress=False,
    )
    return model, history


val_loader = make_loader(val, batch_size=150)


def scores(model):
    """Validation accuracy of each of the model's tasks."""
    found = evaluate(model, val_loader, step=MultiTaskStep())
    return {task: found[f"accuracy_{task}"] for task in model.tasks}


# %%
seed_everything(0)
untrained = MultiTaskModel(load_backbone(name), train.tasks)
model, history = joint(watch=val_loader)
frequent = {
    task: torch.bincount(val.labels[task]).max().item() / len(val)
    for task in tasks
}
pd.DataFrame(
    {
        "most frequent class": frequent,
        "before": scores(untrained),
        "after": scores(model),
    }
).T.round(2)

# %%
fig, ax = plt.subplots(figsize=(6, 3))
for task, style in zip(tasks, ("-o", "--s", ":^"), strict=True):
    ax.plot(
        history["epoch"],
        history[f"val_accuracy_{task}"],
        style,
        label=task,
    )
ax.axhline(
    max(frequent.values()), color="0.4", lw=1, label="most frequent class"
)
ax.set(
    title="Three tasks, one backbone",
    xlabel="epoch",
    ylabel="validation accuracy",
    ylim=(0, 1),
)
ax.legend()
plt.show()

# %% [markdown]
# A task that stays near its most frequent class has not been learnt, however well the
# others do. (With `test_resnet` that is the petals, from these 100 pictures.)
#
# Freezing, parameter groups, the range test, features, cached activations, checkpoints and
# studies (`study.run_study`, a grid of runs) take the model as it is: its stages are the
# backbone's, and all heads together the last one.

# %%
from course_utils.layer_groups import layer_groups

print(", ".join(group.name for group in layer_groups(model)))

# %% [markdown]
# ## One model or two?
#
# Two heads on one body, against two bodies with a head each. **Predict** the share of
# parameters, and of time for a training step:

# %%
pair = ["species", "colour"]
two_tasks = with_attributes(few, pair)
models = {
    "one model": [MultiTaskModel(load_backbone(name), two_tasks.tasks)],
    "two models": [
        MultiTaskModel(load_backbone(name), {t: two_tasks.tasks[t]})
        for t in pair
    ],
}
batch = next(iter(make_loader(two_tasks, batch_size=64)))
step, times = MultiTaskStep(), {what: [] for what in models}
for _ in range(8):  # in turn; the first round warms up
    for what, group in models.items():
        start = time.perf_counter()
        for net in group:
            step(net.train(), batch)[0].backward()
        times[what].append(1000 * (time.perf_counter() - start))

# %%
rows = {}
for what, group in models.items():
    ms = sorted(times[what][1:])
    rows[what] = {
        "parameters": sum(
            p.numel() for net in group for p in net.parameters()
        ),
        "ms a step": ms[3],
        "range of 7": f"{ms[0]:.0f} to {ms[-1]:.0f}",
    }
share = {
    column: rows["one model"][column] / rows["two models"][column]
    for column in ("parameters", "ms a step")
}
for row in rows.values():
    row["parameters"] = f"{row['parameters']:,}"
    row["ms a step"] = f"{row['ms a step']:.0f}"
rows["share"] = {c: f"{value:.2f}" for c, value in share.items()}
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# About half: the heads are small. (Where the ranges are wide, the machine was busy.) And
# the accuracy? Five seeds, two bundled nets, each model with the same search over four
# rates. **Predict:** does the company of another task help or harm?

# %%
from courseware.claims import load_claim

c13 = load_claim("C13")
print(c13.sentence())
c13.table

# %%
from course_utils.plots import plot_intervals

plot_intervals(
    {
        key.removesuffix("/gain"): c13.interval(key)
        for key in c13.rows
        if key.endswith("/gain")
    },
    title="One shared model less separate ones (5 seeds, 95 %)",
    xlabel="points of accuracy",
    zero=True,
)
plt.show()

# %% [markdown]
# Left of zero a task pays for sharing; on the right it gains. Here all four means are on
# the left, though only one interval wholly: on these flowers company harms a little. What
# you save is certain; what it costs depends on your tasks, and the next sections say where
# to look.
#
# ## Whose loss counts how much?
#
# A sum with weights 1 and 1 is a decision too: a task with many classes has the larger loss
# and pulls harder. Move the weight; each position is a stored run of three seeds:

# %%
from course_utils.measured import read_measured
from course_utils.widgets import LossWeightExplorer

LossWeightExplorer(read_measured("loss_weights").content)

# %% [markdown]
# A filled dot is on the front: no other run is better at one task without being worse at
# the other. There are several, so no weight is best for both tasks. Instead of searching,
# the weights can be *learnt*: [Kendall et al., 2018](https://arxiv.org/abs/1705.07115) give
# each task an uncertainty σ, and minimise exp(−s)·L + s/2 with s = log σ²; the weight is
# exp(−s). The optimiser needs a group for them, too. **Predict:** which task gets the
# larger weight, the easy or the hard one?

# %%
from course_utils.multitask import UncertaintyWeights

learnt = UncertaintyWeights(tasks)
start = learnt.weights
own = {"params": learnt.parameters(), "lr": 0.05, "weight_decay": 0.0}
weighed, uncertain = joint(weights=learnt, extra=[own])
last = uncertain.iloc[-1]
pd.DataFrame(
    {
        "weight at the start": start,
        "learnt": learnt.weights,
        "training loss": {t: last[f"train_loss_{t}"] for t in tasks},
        "accuracy, learnt weights": scores(weighed),
        "accuracy, weights of 1": scores(model),
    }
).round(2)

# %% [markdown]
# The smaller its loss, the more certain a task is taken to be, and the larger its weight:
# the hardest ends with the least. Where a loss stood still, its weight would settle at
# 1/(2L). These lag behind: while the losses were still large the weights fell, and since
# then the losses have fallen faster than the weights can rise. The accuracies are of one
# seed, and decide nothing.
#
# ### Pitfall: weights that never learn
#
# The uncertainties are parameters of their own module, *not* of the model. **Predict:** an
# optimiser made from `model.parameters()` alone: what happens to the weights?

# %% tags=["nbval-check-output"]
forgotten = UncertaintyWeights(["species", "colour"])
small = MultiTaskModel(load_backbone(name), two_tasks.tasks)
optimizer = torch.optim.AdamW(small.parameters(), lr=1e-3)  # the mistake
step = MultiTaskStep(weights=forgotten)
for images, labels in make_loader(two_tasks, batch_size=20):
    step(small, (images, labels))[0].backward()
    optimizer.step()
    optimizer.zero_grad()
print(forgotten.weights)

# %% [markdown]
# No error: they simply stay at 1. Look at `weights` after an epoch, always. A checkpoint
# does not hold them by itself either: `save_checkpoint(…, modules={"weights": weights})`
# does.
#
# ## Do the tasks pull together?
#
# At each stage, each task has a gradient. Their *cosine* says whether they agree: 1 the
# same way, 0 nothing to do with each other, below 0 against each other ([Yu et al.,
# 2020](https://arxiv.org/abs/2001.06782)). **Predict:** in which stage will tasks disagree
# most after training, near the stem or near the heads?

# %%
from course_utils.multitask import gradient_cosine

hundred = next(iter(make_loader(train, batch_size=len(train))))
before, after = [], []
for seed in range(3):
    seed_everything(seed)
    fresh = MultiTaskModel(load_backbone(name), train.tasks)
    before.append(gradient_cosine(fresh, hundred))
    after.append(gradient_cosine(joint(seed=seed)[0], hundred))
for seed, table in enumerate(after):
    most = table.mean(axis=1)  # over the pairs of tasks
    print(
        f"seed {seed}: most at odds in {most.idxmin()} ({most.min():.2f})"
    )
least = [table.mean(axis=1).idxmax() for table in after]
print("least at odds in", ", ".join(least))
cosines = {"before": sum(before) / 3, "after 8 epochs": sum(after) / 3}
pd.concat(cosines, axis=1).round(2)

# %% [markdown]
# The table is the mean of three seeds; believe what all three say. In `test_resnet`, after
# training, `layer1` or `layer2` is most at odds, and one of the two ends least: neither the
# stem nor the stage next to the heads, but what lies between. A negative cosine is no
# disaster: it says that a step for one task is, at that moment, a step back for the other.
#
# ## Labels that are missing
#
# Often one task is labelled everywhere, another only here and there. A missing label is -1
# and is masked: it adds nothing to the loss. **Predict:** with 90 % of the colours hidden,
# is it better to train on all pictures with a mask, or only on those with both labels?

# %%
hidden = with_attributes(few, pair, hide={"colour": 0.9})
print(hidden.label_counts())
both = [i for i in range(len(few)) if hidden.labels["colour"][i] >= 0]
often = few.subset(both * (len(few) // len(both)))  # for as many steps
rows = {}
for what, pictures in (
    ("all labels", two_tasks),
    ("90 % of colours hidden, masked", hidden),
    ("only pictures with both", with_attributes(often, pair)),
):
    found = [scores(joint(pictures, seed=seed)[0]) for seed in range(3)]
    found = pd.DataFrame(found)
    rows[what] = {
        task: f"{x.mean():.2f} ({x.min():.2f} to {x.max():.2f})"
        for task, x in found.items()
    }
pd.DataFrame(rows).T.rename_axis("mean and range of 3 seeds")

# %% [markdown]
# The mask keeps every label of the species, and with them its accuracy. It cannot bring the
# colours back: from the other pictures the colour's head learns nothing, and the body only
# what serves the species. With `test_resnet` the ten complete pictures, seen ten times as
# often, give the far worse species, but the better colour. So mask where the other tasks
# count; where only the rare one does, compare.
#
# And a batch without a single colour? Its colour loss is exactly 0, not NaN, the mean over
# nothing:

# %% tags=["nbval-check-output"]
none = {"species": torch.tensor([0, 1]), "colour": torch.tensor([-1, -1])}
loss, _, parts = MultiTaskStep()(small, (images[:2], none))
print("finite:", bool(torch.isfinite(loss)))
print("colour's part:", float(parts["loss_colour"][0]))

# %% [markdown]
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("10")

# %% [markdown]
# ## Summary
#
# 1. Features once, a head for each task, losses added; the loop need not know.
# 2. Weights decide whose loss counts; uncertainty weights learn it, if the optimiser has
#    them.
# 3. About half the parameters and half the time; what it costs in accuracy is in the table.
# 4. Gradient cosine, stage by stage, shows where tasks pull apart.
# 5. A missing label is -1, and masked: it costs its own task, not the others.
#
# **Try next:** hide the species instead of the colour.
#
# **Exercise:** [10 · Multi-task heads](../exercises/10_multi_task.ipynb).
