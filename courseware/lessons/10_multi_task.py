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
# > The **botanical garden** has 1,500 photographs of five flowers. Its gardener named 25 of
# > them, five of each, and went on holiday. Nobody at the ticket desk can tell a periwinkle
# > from a primrose, but they can answer simpler questions for every photograph: *Is the middle
# > wide? Do the petals close up into one disc? Which colour is it?*

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from course_utils.datasets import load_dataset, with_attributes
from course_utils.plots import show_images
from course_utils.weights import load_backbone

small = load_backbone("test_resnet", weights="bundled").weights_info
flowers = load_dataset("flowers", transform=small.transform_for(32))
yes = {
    "middle": ("daisy", "sunflower"),
    "disc": ("periwinkle", "primrose"),
}
for part in (flowers.train, flowers.val, flowers.test):
    species = np.array(part.classes)[part.labels]
    for question, named_so in yes.items():
        part.attributes[question] = np.isin(species, named_so)

first = [flowers.train.labels.tolist().index(k) for k in range(5)]
shown = flowers.train.attributes.iloc[first]
show_images(
    flowers.train.images[first],
    titles=[
        f"{flowers.classes[k]}\n{row.colour}"
        f"{', wide middle' * row.middle}{', disc' * row.disc}"
        for k, row in enumerate(shown.itertuples())
    ],
    columns=5,
    title="What the gardener says, and below what the ticket desk says",
)
plt.show()

# %% [markdown]
# The same small net learns the 25 names three times, for as many steps: alone, beside the two
# questions of form, and beside the colour. **Predict:** who names 600 new flowers best, and
# who worst?

# %%
from course_utils.layer_groups import hold_batchnorm
from course_utils.multitask import MultiTaskModel, MultiTaskStep
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader


def named_by_gardener(seed):
    """Five pictures of each species."""
    rng, labels = np.random.default_rng(seed), flowers.train.labels
    return np.concatenate(
        [
            rng.choice(np.flatnonzero(labels == k), 5, replace=False)
            for k in range(5)
        ]
    )


def learn(questions, seed):
    """Train on 25 names, beside questions answered for all 1,500."""
    pictures = with_attributes(flowers.train, ["species", *questions])
    named, every = named_by_gardener(seed), np.arange(len(pictures))
    unnamed = np.setdiff1d(every, named)
    pictures.labels["species"][unnamed] = -1  # no label
    rows = np.resize(named, 2000)  # alone: the 25, again and again
    if questions:
        rows = np.concatenate([np.tile(named, 20), every])
    seed_everything(seed)
    net = load_backbone("test_resnet", weights="bundled")
    model = hold_batchnorm(MultiTaskModel(net, pictures.tasks))
    fit(
        model,
        make_loader(
            pictures.subset(rows), batch_size=32, shuffle=True, seed=seed
        ),
        None,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
        epochs=1,
        step=MultiTaskStep(),
        progress=False,
    )
    return model


def named_right(model):
    """Share of the test flowers whose species is right."""
    test = with_attributes(flowers.test, list(model.tasks))
    loader = make_loader(test, batch_size=200)
    found = evaluate(model, loader, step=MultiTaskStep())
    return found.get("accuracy_species", found["accuracy"])


company = {
    "alone": [],
    "beside middle and disc": ["middle", "disc"],
    "beside colour": ["colour"],
}
models = {arm: [learn(qs, 0)] for arm, qs in company.items()}
right = {arm: [named_right(models[arm][0])] for arm in company}
for arm, (share,) in right.items():
    print(f"{arm:23} {share:.0%} of 600 new flowers named right")

# %% [markdown]
# No further flower was *named*. Asked about form, the net got better at names. Asked about
# colour, it got worse. This lesson is about why, and about whom to put into one net.
#
# After this lesson you can
#
# 1. put several heads on one backbone, and train them together, labels missing or not;
# 2. say which company helps a task with few labels, by measurement;
# 3. weigh the losses, by hand and by learnt uncertainty;
# 4. read the cosine of two tasks' gradients, and know when it tells you nothing.
#
# **35 minutes of reading, about a minute of compute.** Needs: lesson 06.
#
# The flowers are drawings, and the small net was trained on drawings too, both at 32 pixels
# here, so that a run takes seconds. In these drawings the species *decides* the two answers of
# form, so we read them off it, while the colour is drawn by lot. Later cells take the same
# flowers at 64 pixels, and their backbone follows `COURSE_BACKBONE`.
#
# ## By hand: one body, two heads
#
# Take the old head off, and put two linear layers side by side on the features:

# %% tags=["nbval-check-output"]
from torch import nn

body = load_backbone("test_resnet", weights="bundled")
width = body.fc.in_features
body.fc = nn.Identity()
heads = nn.ModuleDict(
    {"species": nn.Linear(width, 5), "colour": nn.Linear(width, 6)}
)
pictures = torch.stack([flowers.train[i][0] for i in range(4)])
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
# You have met all of it above. `with_attributes` makes a dataset whose labels are
# dictionaries. `MultiTaskModel` finds and replaces the head of any net. `MultiTaskStep` is a
# *step* handed to `fit`, so the training loop knows nothing of tasks. Three tasks now, with
# every label there, for 20 flowers of each species:

# %%
from course_utils.weights import default_backbone

name = default_backbone()
info = load_backbone(name).weights_info
data = load_dataset("flowers", transform=info.transform)
few = data.train.sample_per_class(20)
tasks = ["species", "colour", "petals"]
train = with_attributes(few, tasks)
val = with_attributes(data.val, tasks)
print(train)
print(train.tasks)

# %% [markdown]
# `joint` trains one model for all tasks of its pictures. (`extra` are parameter groups beside
# the model's, which a later section needs.)


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
    curve = history[f"val_accuracy_{task}"]
    (line,) = ax.plot(history["epoch"], curve, style)
    end = (8.2, curve.iloc[-1])
    ax.annotate(task, end, color=line.get_color(), va="center")
ax.axhline(max(frequent.values()), color="0.4", lw=1)
ax.annotate("most frequent class", (1, 0.03), color="0.4")
ax.set(
    title="Three tasks, one backbone",
    xlabel="epoch",
    ylabel="validation accuracy",
    ylim=(0, 1.05),
    xlim=(0.8, 9.8),
)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# A task that stays near its most frequent class has not been learnt, however well the others
# do. Look at each task by itself, for the mean of all hides it.
#
# Freezing, parameter groups, the range test, features and checkpoints take the model as it
# is. Its stages are the backbone's, and all heads together the last one:

# %%
from course_utils.layer_groups import layer_groups

print(", ".join(group.name for group in layer_groups(model)))

# %% [markdown]
# ## Labels that are missing
#
# A missing label is -1, and is masked: it adds nothing to the loss of its task, and the
# picture still counts for the others. `hide=` makes such a dataset, to try things out:

# %% tags=["nbval-check-output"]
pair = ["species", "colour"]
hidden = with_attributes(few, pair, hide={"colour": 0.9})
print(hidden.label_counts())

# %% [markdown]
# **Predict:** a batch comes without a single colour. What is the mean of no losses?

# %% tags=["nbval-check-output"]
net = MultiTaskModel(load_backbone(name), hidden.tasks)
images = torch.stack([few[0][0], few[1][0]])
none = {"species": torch.tensor([0, 1]), "colour": torch.tensor([-1, -1])}
loss, _, parts = MultiTaskStep()(net, (images, none))
print("mean of nothing:", torch.tensor([]).mean().item())
print("colour's part here:", float(parts["loss_colour"][0]))
print("the sum is finite:", bool(torch.isfinite(loss)))

# %% [markdown]
# PyTorch's mean of nothing is NaN, and one NaN ends every weight. So a task without a label in
# the batch adds exactly 0.
#
# ## Whom to put into one net
#
# Back to the garden. The first output of this lesson was one draw of 25 names. Four draws
# more, each used by all three nets. **Predict:** will every draw say the same?

# %%
from course_utils.metrics import mean_interval, paired_interval

for seed in range(1, 5):
    for arm, questions in company.items():
        models[arm].append(learn(questions, seed))
        right[arm].append(named_right(models[arm][seed]))

fig, ax = plt.subplots(figsize=(6.5, 3.4))
places = dict(zip(company, (1, 2, 0), strict=True))
order = sorted(company, key=places.get)
for draw in zip(*(right[arm] for arm in order), strict=True):
    ax.plot(range(3), draw, "-o", color="#0072B2", alpha=0.5)
gains = {
    arm: 100 * np.subtract(right[arm], right["alone"]) for arm in order
}
for arm in ("beside middle and disc", "beside colour"):
    found = mean_interval(gains[arm])
    ends = f"({found.low:+.0f} to {found.high:+.0f})"
    label = f"{found.mean:+.0f} points\n{ends}"
    ax.annotate(label, (places[arm], 0.98), ha="center", va="top")
ax.set_xticks(range(3), order)
ax.set(
    title="The same 25 names in three kinds of company",
    ylabel="species named right, of 600",
    ylim=(0.3, 1),
    xlim=(-0.5, 2.5),
)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# A line is one draw of 25 names. The figures are the mean gain over *alone*, in points
# (hundredths of accuracy), with the 95 % interval over the five draws. Start, names, rate and
# steps are the same in all three. Only the questions differ, and the pictures they are about.
#
# Why? The two answers sort the five species into three heaps: wide middles, discs, and the
# lotus, which has neither. **Predict:** does the net now only know the heaps better, or does
# it also tell apart two species of *one* heap, about which no answer says a word?

# %%
heap = torch.tensor([0, 1, 2, 2, 0])  # of each species
truth = flowers.test.labels
new = torch.stack([image for image, _ in flowers.test])


def in_heaps(model):
    """Share in the right heap, and right among the own heap's."""
    with torch.inference_mode():
        logits = model.eval()(new)["species"]
    outside = heap[None] != heap[truth][:, None]  # (B, 5)
    within = logits.masked_fill(outside, -torch.inf).argmax(1)
    two = heap[truth] != 1  # the lotus is alone in its heap
    return [
        (heap[logits.argmax(1)] == heap[truth]).double().mean().item(),
        (within == truth)[two].double().mean().item(),
    ]


by_arm = {
    arm: np.array([in_heaps(model) for model in models[arm]])
    for arm in company
}
for i, what in enumerate(("the right heap", "right within its heap")):
    print(what)
    for arm in list(company)[1:]:
        gain = paired_interval(
            100 * by_arm[arm][:, i], 100 * by_arm["alone"][:, i]
        )
        print(f"  {arm:23} {gain:+.1f} points")

# %% [markdown]
# All that the two questions give is in the heaps. Within a heap no gain shows, and how could
# it? No answer says anything of it. The net became no better botanist, only a better sorter,
# and more flowers get their right name all the same.
#
# The colour is drawn by lot in every species, so no answer about it says anything of the name.
# Yet it pulls at the same weights, with 1,500 labels against 25.
#
# That is the rule to take home. A second task helps as far as its answers tell something of
# the first. If they tell nothing, it is only in the way.
#
# One more thing before you hire a ticket desk. The net above is tiny. Ask the big one of
# lesson 00, frozen, with a probe on the same 25 names:

# %%
from course_utils.features import extract_features
from course_utils.probe import linear_probe

lite = load_backbone("tf_efficientnet_lite0", weights="imagenet")
large = lite.weights_info.transform_for(96)
test = extract_features(lite, flowers.test.with_transform(large))
shares = []
for seed in range(5):
    known = flowers.train.subset(named_by_gardener(seed))
    known = extract_features(lite, known.with_transform(large))
    shares.append(linear_probe(*known).score(*test))
print(f"frozen Lite0, 25 names: {mean_interval(shares):.2f}")
print(f"small net, company:     {mean_interval(right[order[-1]]):.2f}")

# %% [markdown]
# A better backbone is worth more than good company, and costs no label at all. Try it first.
#
# ## One model or two?
#
# Two heads on one body, against two bodies with a head each. **Predict** the share of
# parameters, and of time for a training step:

# %%
import time

two_tasks = with_attributes(few, pair)
built = {
    "one model": [MultiTaskModel(load_backbone(name), two_tasks.tasks)],
    "two models": [
        MultiTaskModel(load_backbone(name), {t: two_tasks.tasks[t]})
        for t in pair
    ],
}
batch = next(iter(make_loader(two_tasks, batch_size=64)))
step, times = MultiTaskStep(), {what: [] for what in built}
for _ in range(8):  # in turn; the first round warms up
    for what, group in built.items():
        start = time.perf_counter()
        for net in group:
            step(net.train(), batch)[0].backward()
        times[what].append(1000 * (time.perf_counter() - start))

# %%
rows = {}
for what, group in built.items():
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
# About half, for the heads are small. (Where the ranges are wide, the machine was busy.)
#
# And the accuracy, where species and colour have *every* label, 100 of each? Five seeds, two
# bundled nets, each model with the same search over four rates. **Predict** on which side of
# zero the dots lie:

# %%
from courseware.claims import load_claim

c13 = load_claim("C13")
rows = [
    f"{net}/{task}/gain"
    for net in ("test_resnet", "test_convnext")
    for task in pair
]
clear = sum(c13.interval(row).high < 0 for row in rows)
fig, ax = plt.subplots(figsize=(6.5, 3))
for y, row in enumerate(rows):
    found = c13.interval(row)
    ax.plot(
        [found.low, found.high], [y, y], color="#0072B2", lw=6, alpha=0.2
    )
    ax.plot(c13.rows[row], [y] * 5, "o", color="#0072B2", alpha=0.6)
    ax.plot(found.mean, y, "|", color="#0072B2", ms=18, mew=2)
ax.axvline(0, color="0.4", lw=1)
ax.set_yticks(range(4), [row.replace("/gain", "") for row in rows])
ax.set_ylim(3.6, -0.6)  # the first on top
ax.set(
    title=f"Two heads less two models: {clear} of 4 bands below zero",
    xlabel="points of test accuracy; dots are seeds, bands 95 % intervals",
)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Left of zero a task pays for sharing. All four means lie there: on these flowers, species and
# colour have little to tell each other, as you saw. Only where a band stays clear of zero is
# the price established, and the test flowers are always the same 600.
#
# What you save is certain. What it costs depends on the tasks, and the next sections say where
# to look.
#
# ## Whose loss counts how much?
#
# A sum with weights 1 and 1 is a decision too: a task with many classes has the larger loss
# and pulls harder. So give the species' loss the weight w and the colour's 1 − w. Each weight
# below was run with three seeds, on 200 flowers with both labels.
#
# A weight is a setting like any other, and is chosen on *validation* pictures:

# %%
from course_utils.measured import read_measured

record = read_measured("loss_weights").content
valued = {
    weight: np.mean(
        [
            run["val_accuracy"][task][-1]
            for run in runs
            for task in record["tasks"]
        ]
    )
    for weight, runs in record["runs"].items()
}
chosen = max(valued, key=valued.get)
for weight, mean in valued.items():
    mark = "  <- chosen" if weight == chosen else ""
    print(f"w = {weight:11} both tasks on validation {mean:.3f}{mark}")

# %% [markdown]
# *Now* move the weight, and see what each choice gave. The left picture shows the test
# flowers, which are there to look at and not to choose by. (A filled dot is on the *front*: no
# other run is better at one task without being worse at the other.) The right one shows
# validation:

# %%
from course_utils.widgets import LossWeightExplorer

LossWeightExplorer(record)

# %% [markdown]
# Before you believe in the best dot, count pictures:

# %%
for task in record["tasks"]:
    means = [
        np.mean([run["test"][task] for run in record["runs"][weight]])
        for weight in ("0.3", "0.5", "0.7")
    ]
    apart = (max(means) - min(means)) * record["pictures"]["test"]
    print(f"{task:8} w = 0.3 to 0.7: {apart:.0f} of 600 flowers apart")

# %% [markdown]
# The middle of the scale is a plain, and the extremes are cliffs. Whatever you choose between
# 0.3 and 0.7 will do here, and a "best" dot that owes its place to a few flowers proves nothing.
#
# Instead of searching, the weights can be *learnt*: [Kendall et al.,
# 2018](https://arxiv.org/abs/1705.07115) give each task an uncertainty σ, and minimise
# exp(−s)·L + s/2 with s = log σ². The weight is exp(−s). The optimiser needs a group for them,
# too. **Predict:** which task gets the larger weight, the easy or the hard one?

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
# The smaller its loss, the more certain a task is taken to be, and the larger its weight: the
# hardest ends with the least. Where a loss stood still, its weight would settle at 1/(2L).
# These lag behind: while the losses were still large the weights fell, and since then the
# losses have fallen faster than the weights can rise. The accuracies are of one seed, and
# decide nothing.
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
# No error: they simply stay at 1. (`fit` refuses such an optimiser; a loop of your own does
# not.) Look at `weights` after an epoch, always. A checkpoint does not hold them by itself
# either: `save_checkpoint(…, modules={"weights": weights})` does.
#
# ## Do the tasks pull together?
#
# Each task has a gradient on the shared weights. Their *cosine* says whether they agree: 1 the
# same way, 0 nothing to do with each other, below 0 against each other ([Yu et al.,
# 2020](https://arxiv.org/abs/2001.06782)). It is tempting to train, look once at the training
# pictures, and call a negative cosine a quarrel.
#
# You know two friends by now, species and disc, and two strangers, species and colour. Both
# pairs learn from 100 flowers. **Predict** four curves over the epochs: the cosine of the
# friends and of the strangers, on the training flowers, and on 100 that the net never sees.

# %%
from course_utils.multitask import gradient_cosine

moments = (0, 2, 4, 8, 16)  # epochs
friends, strangers = ["species", "disc"], ["species", "colour"]


def cosines(pair, seed):
    """Tables at each moment, on training and on held-out pictures."""
    both = [
        with_attributes(part.sample_per_class(20, seed=seed), pair)
        for part in (flowers.train, flowers.val)
    ]
    batches = [next(iter(make_loader(p, batch_size=100))) for p in both]
    loader = make_loader(both[0], batch_size=20, shuffle=True, seed=seed)
    seed_everything(seed)
    net = load_backbone("test_resnet", weights="bundled")
    model = MultiTaskModel(net, both[0].tasks)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    found = [[gradient_cosine(model, batch)] for batch in batches]
    for before, after in zip(moments, moments[1:], strict=False):
        fit(
            model,
            loader,
            None,
            optimizer=optimizer,
            epochs=after - before,
            step=MultiTaskStep(),
            progress=False,
        )
        for kept, batch in zip(found, batches, strict=True):
            kept.append(gradient_cosine(model, batch))
    return found


watched = {
    what: [cosines(pair, seed) for seed in range(3)]
    for what, pair in (("friends", friends), ("strangers", strangers))
}

# %%
fig, axes = plt.subplots(1, 2, figsize=(7, 3.3), sharey=True)
for ax, (what, runs) in zip(axes, watched.items(), strict=True):
    for i, (where, color) in enumerate(
        (("training", "#D55E00"), ("held out", "#0072B2"))
    ):
        curves = np.array([[t.mean().item() for t in r[i]] for r in runs])
        ax.plot(moments, curves.mean(0), color=color, lw=2)
        ax.plot(moments, curves.T, "o", color=color, alpha=0.5, ms=4)
        end = (16.5, curves.mean(0)[-1])
        ax.annotate(where, end, color=color, va="center")
    ax.axhline(0, color="0.4", lw=1)
    ax.set(title=what, xlim=(-1, 23), ylim=(-1, 1), xticks=moments)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set(title="friends: species and disc", xlabel="epochs")
axes[1].set(title="strangers: species and colour", xlabel="epochs")
axes[0].set(ylabel="cosine, mean over stages")
plt.show()

# %% [markdown]
# Lines are means of three seeds, the dots. On flowers that the net has never seen, the friends
# pull together more and more, and the strangers go their own ways. On its training flowers
# the cosine misses the friendship altogether. Why?
#
# Because training drives towards a point where the *summed* loss is at rest, and there
#
# $$g_1 + g_2 = 0 \quad\Rightarrow\quad g_2 = -g_1 \quad\Rightarrow\quad \cos(g_1, g_2) = -1$$
#
# whatever the two tasks are. (Three gradients of one length that add to zero have a cosine of
# −1/2 each with each. Where each is zero by itself, there is no cosine at all.) Sixteen epochs
# are not rest, so the curves do not arrive at −1, but that is where they are pulled. New
# flowers are bound by no such equation.
#
# So measure on held-out pictures, and *along the way*, as Yu et al. do. Even there a negative
# cosine is no verdict. It says that a step for one task sets the other back a little, at that
# moment. Whether two tasks belong together you see in their accuracy.
#
# The package gives the cosine stage by stage. Held out, after the last epoch, mean of the
# seeds:

# %%
last = {
    what: sum(held[-1] for _, held in runs).iloc[:, 0] / len(runs)
    for what, runs in watched.items()
}
pd.DataFrame(last).round(2)

# %% [markdown]
# ## Who is that?
#
# The net that learnt beside the two questions answers all three at once. Its six worst errors
# among the 600, where it was surest of a wrong name:

# %%
helped = models["beside middle and disc"][0]
with torch.inference_mode():
    answers = helped.eval()(new)
sure, said = answers["species"].softmax(1).max(1)
wrong = torch.where(said != truth, sure, 0.0).argsort(descending=True)[:6]
wide = answers["middle"].argmax(1).tolist()
disc = answers["disc"].argmax(1).tolist()
show_images(
    flowers.test.images[wrong.numpy()],
    titles=[
        f"{flowers.classes[truth[i]]}, called\n{flowers.classes[said[i]]}"
        f" {sure[i]:.0%}\n{'wide middle ' * wide[i]}{'disc' * disc[i]}"
        for i in wrong.tolist()
    ],
    columns=6,
    title="Six worst errors: name, name given, and the other answers",
)
plt.show()

# %% [markdown]
# The third line is what the net itself says of form. Do wrong names at least stay in their
# heap? All of them, not only these six:

# %%
errors = said != truth
stays = (heap[said] == heap[truth])[errors].double().mean().item()
print(f"{errors.sum()} wrong names, {stays:.0%} of them in the right heap")

# %% [markdown]
# Those that stay tell the garden what to ask next: a question that cuts a heap in two, such as *Are the
# petals notched?* The errors of the net choose the next column of the table.
#
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("10")

# %% [markdown]
# ## Summary
#
# 1. Features once, a head for each task, losses added. The loop need not know.
# 2. A missing label is -1, and masked. It adds exactly nothing.
# 3. Company helps as far as its answers tell something of your task, and harms if not.
# 4. Two heads have about half the parameters and half the time of two models.
# 5. Loss weights are chosen on validation, or learnt if the optimiser has them.
# 6. On training pictures the cosine of two tasks is pulled to −1 whatever they are. Look at
#    held-out ones.
#
# **Try next:** perhaps another rate suits the net that learns alone. Try `lr=3e-4` and `3e-3`
# in `learn`. Then ask about `petals` instead of the colour.
#
# ## So what do I do on Monday?
#
# > - Few labels? Take the better backbone first, frozen. It costs no label.
# > - Then ask cheap questions whose answers depend on what you want to know, and mask the rest.
# > - Leave out what is merely at hand. A table column is no reason for a head.
# > - Share one body to save time and memory, and let each task's own validation score say the
# >   price.
#
# **Exercise:** [10 · Multi-task heads](../exercises/10_multi_task.ipynb).
# **Next lesson:** 11 · Scaling up, when it is there. Until then,
# [the map in lesson 00](00_start_here.ipynb) shows what is left.
