# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Feature extraction
#
# **40 minutes of reading, about a minute of compute.** Needs: lesson 01.
#
# After this lesson you can
#
# 1. freeze a backbone and train a new head on it: linear, with dropout, with a hidden
#    layer, binary;
# 2. get features out of any net in three ways, and say why a popular snippet fails;
# 3. use features without training a net at all: probe, nearest neighbours, search;
# 4. cache features, and name what that rules out;
# 5. catch the "frozen" backbone that is not: BatchNorm;
# 6. compare feature extraction with fine-tuning on five aspects, by measurement.

# %%
import time

import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch import nn

from course_utils.datasets import default_dataset, load_dataset
from course_utils.features import extract_features, fit_head
from course_utils.layer_groups import (
    freeze,
    layer_groups,
    trainable_parameters,
)
from course_utils.metrics import mean_interval, paired_interval
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader
from course_utils.weights import default_backbone, load_backbone

seed_everything(0)
backbone = load_backbone(default_backbone())
data = load_dataset(default_dataset("flowers"), image_size="auto")
num_classes = len(data.classes)
print(data.report)

# %% [markdown]
# ## The problem
#
# Some labelled pictures, and an afternoon. Training a whole net from nothing on them would
# waste what a pretrained net knows. So keep its body as it is, and learn only the last step:
# from features to *your* classes. One picture of each class, and the stages of the small net
# that the cells by hand use:

# %%
from course_utils.plots import show_images

first = [data.train.labels.tolist().index(k) for k in range(num_classes)]
show_images(
    data.train.images[first],
    titles=data.classes,
    columns=num_classes,
    title="One training picture of each class",
)
plt.show()

groups = [
    (g.name, sum(p.numel() for p in g.parameters))
    for g in layer_groups(
        load_backbone(
            "test_resnet", weights="bundled", num_classes=num_classes
        )
    )
]
pd.DataFrame(groups, columns=["stage", "parameters"]).set_index("stage").T

# %% [markdown]
# Two ways to adapt a net. Switch between them, and see what learns and what must be kept in
# memory for the backward pass:

# %%
from course_utils.widgets import FlowSwitcher

FlowSwitcher(groups)

# %% [markdown]
# ## By hand: freeze, replace, train
#
# Freezing is one flag for each parameter. The new head is new, so it learns.

# %% tags=["nbval-check-output"]
net = load_backbone("test_resnet", weights="bundled")
for parameter in net.parameters():
    parameter.requires_grad = False  # no gradient: nothing to update
net.fc = nn.Linear(net.fc.in_features, 5)  # new: it learns

learns = sum(p.numel() for p in net.parameters() if p.requires_grad)
total = sum(p.numel() for p in net.parameters())
print(f"{learns:,} of {total:,} parameters learn ({learns / total:.1%})")

# %% [markdown]
# The loop is the usual one. Two lines hide decisions: the optimiser gets only what learns,
# and the net stays in `eval()`, because a frozen BatchNorm must not move (more below).
# Score *before* training, so that you know what training gave.

# %%
small = load_dataset("flowers", transform=net.weights_info.transform)
train_loader = make_loader(
    small.train.sample_per_class(20), batch_size=20, shuffle=True
)
val_loader = make_loader(small.val, batch_size=150)
optimizer = torch.optim.AdamW(net.fc.parameters(), lr=3e-3)
print(f"before: {evaluate(net, val_loader)['accuracy']:.2f}")
net.eval()
for _ in range(10):
    for images, labels in train_loader:
        loss = nn.functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(f"after:  {evaluate(net, val_loader)['accuracy']:.2f}")

# %% [markdown]
# ## By the package, for any architecture
#
# The head is called `fc` here, `classifier.1` there, `heads.head` elsewhere, and SqueezeNet's
# is a convolution. `replace_head` finds it, in all of them. Four heads that you will need, of
# which the binary one has a single logit:

# %%
from course_utils.heads import find_heads, replace_head

for name, outputs, options in (
    ("linear", num_classes, {}),
    ("dropout", num_classes, {"dropout": 0.3}),
    ("hidden layer", num_classes, {"hidden": 64, "dropout": 0.3}),
    ("binary", 1, {}),
):
    net = load_backbone(default_backbone())
    freeze(replace_head(net, outputs, **options))
    count = sum(p.numel() for p in trainable_parameters(net))
    print(f"{name:13} {count:>7,} parameters", *find_heads(net))

# %% [markdown]
# **Binary** tasks have two honest forms: one logit with `BCEWithLogitsLoss`, or two logits
# with cross-entropy. Where the two logits differ by the one, the loss is the same. Do not mix
# the halves: cross-entropy over a single logit is always zero.

# %% tags=["nbval-check-output"]
logit = torch.tensor([0.8])
two = torch.tensor([[0.0, 0.8]])
one_logit = nn.functional.binary_cross_entropy_with_logits(
    logit, torch.tensor([1.0])
)
two_logits = nn.functional.cross_entropy(two, torch.tensor([1]))
mixed = nn.functional.cross_entropy(logit[None], torch.tensor([0]))
print(f"one logit {one_logit:.4f}, two logits {two_logits:.4f}")
print(f"cross-entropy over one logit {mixed:.4f}")

# %% [markdown]
# ## Three ways to get features
#
# The vector before the head *is* the feature. Three ways to stop there:

# %%
net = load_backbone("test_resnet", weights="bundled")
batch = torch.stack([small.test[i][0] for i in range(4)])

head, net.fc = net.fc, nn.Identity()  # 1. Identity as head
with torch.inference_mode():
    identity = net(batch)
net.fc = head

body = nn.Sequential(*list(net.children())[:-1])  # 2. all but the last
with torch.inference_mode():
    truncated = body(batch)

kept = {}  # 3. a hook: look, change nothing
hook = net.fc.register_forward_pre_hook(
    lambda module, inputs: kept.update(features=inputs[0])
)
with torch.inference_mode():
    net(batch)
hook.remove()

print(
    tuple(identity.shape),
    tuple(truncated.shape),
    tuple(kept["features"].shape),
)
print(
    torch.allclose(identity, truncated),
    torch.allclose(identity, kept["features"]),
)

# %% [markdown]
# All agree here. The second is the most popular and the most fragile: `children()` lists
# modules in the order of *definition* and forgets whatever `forward` does in between.
#
# **Predict:** DenseNet's `forward` calls `relu`, pooling and `flatten` as functions. What
# does the truncated version give?

# %% tags=["nbval-check-output"]
from torchvision import models

densenet = models.densenet121().eval()
body = nn.Sequential(*list(densenet.children())[:-1])
densenet.classifier = nn.Identity()
image = torch.rand(1, 3, 64, 64)
with torch.inference_mode():
    outputs = {"truncated": body(image), "Identity": densenet(image)}
for way, found in outputs.items():
    signs = "has" if (found < 0).any() else "no"
    print(f"{way:9} {tuple(found.shape)}, {signs} negative values")

# %% [markdown]
# A feature map instead of a vector, and without the last ReLU, hence the negative values. No
# error was raised. For layers inside the net, use hooks.
#
# ### A popular snippet that fails
#
# This one is in many tutorials. The idea is right. **Predict** the error:

# %% tags=["nbval-check-output"]
backbone_with_head = models.resnet50()
classifier = nn.Sequential(
    nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 5)
)
snippet = nn.Sequential(backbone_with_head, classifier).eval()
try:
    snippet(torch.rand(1, 3, 64, 64))
except RuntimeError as error:
    print(error)

backbone_with_head.fc = nn.Identity()  # the cure
print("cured:", tuple(snippet(torch.rand(1, 3, 64, 64)).shape))

# %% [markdown]
# `resnet50()` still ends in its own head, so it hands over 1,000 logits, not 2,048
# features. Had the numbers met, it would have run, and learnt from *logits*. Take the old
# head off first.
#
# ## What the features look like
#
# Each layer answers "where is my pattern?" with a map for each channel. Walk through the
# layers: early ones show edges and colours, late ones are coarse and pick out parts.

# %%
from course_utils.widgets import FeatureMapViewer

FeatureMapViewer(net, small.test.images[3])

# %% [markdown]
# ## Features without training a net
#
# One pass over the pictures gives a table of numbers: rows are pictures. Any classifier can
# take it from there. Where we measure with `backbone` and `data`, the cells follow
# `COURSE_BACKBONE`, `COURSE_WEIGHTS` and `COURSE_DATA`.

# %%
train = extract_features(backbone, data.train)
test = extract_features(backbone, data.evaluation)
print(
    "train",
    tuple(train.features.shape),
    data.evaluation_name,
    tuple(test.features.shape),
)

# %%
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from course_utils.probe import knn_probe, linear_probe

x, y = train.features.numpy(), train.labels.numpy()
random_net = load_backbone(default_backbone(), weights="random")
random_train = extract_features(random_net, data.train)
random_test = extract_features(random_net, data.evaluation)
scores = {
    "most frequent class": DummyClassifier().fit(x, y),
    "linear probe": linear_probe(train.features, train.labels),
    "5 nearest neighbours": knn_probe(train.features, train.labels, k=5),
    "support vector machine": SVC().fit(x, y),
    "random forest": RandomForestClassifier(random_state=0).fit(x, y),
}
rows = {
    name: m.score(test.features.numpy(), test.labels.numpy())
    for name, m in scores.items()
}
random_probe = linear_probe(random_train.features, random_train.labels)
rows["linear probe, random weights"] = random_probe.score(
    random_test.features.numpy(), random_test.labels.numpy()
)
pd.Series(rows, name="accuracy").round(3).to_frame()

# %% [markdown]
# The two baselines matter as much as the winner. Random weights are a *feature extractor*
# too; what pretraining gave is the difference.
#
# Features also measure likeness. The nearest pictures by cosine similarity:

# %%
from course_utils.probe import similarity_search

query = 7
found, likeness = similarity_search(
    test.features[query], train.features, k=5
)
names = [f"query: {data.classes[test.labels[query]]}"] + [
    f"{data.classes[train.labels[i]]} {s:.2f}"
    for i, s in zip(found.tolist(), likeness.tolist(), strict=True)
]
pictures = [data.evaluation.images[query]] + [
    data.train.images[i] for i in found
]
show_images(
    pictures,
    titles=names,
    columns=6,
    title="A query and its five nearest training pictures",
)
plt.show()

# %% [markdown]
# ## Caching: the frozen part need run only once
#
# The backbone does not change, so the same picture gives the same features in each epoch.
# `extract_features` keeps them on disk, under a key made of the weights, the transform and
# the data. The usual loop runs the frozen backbone again in every epoch; two of its epochs
# are enough to know what twenty take. **Predict:** how many times faster are 20 epochs on
# cached features, if the one pass that fills the cache counts too? And at what accuracy?


# %%
def head_run(seed):
    """Train a head for 20 epochs on features: seconds, accuracy."""
    start = time.perf_counter()
    head = fit_head(*train, num_classes, lr=1e-2, seed=seed)
    seconds = time.perf_counter() - start
    with torch.inference_mode():
        right = head(test.features).argmax(1) == test.labels
    return seconds, right.double().mean().item()


start = time.perf_counter()
train = extract_features(backbone, data.train, cache=False)  # one pass
one_pass = time.perf_counter() - start
seconds, accuracies = zip(*(head_run(s) for s in range(5)), strict=True)
cached = [one_pass + s for s in seconds]

usual = freeze(
    replace_head(load_backbone(default_backbone()), num_classes)
)
history = fit(
    usual,
    make_loader(data.train, batch_size=64, shuffle=True),
    None,
    optimizer=torch.optim.AdamW(trainable_parameters(usual), lr=1e-2),
    epochs=2,
    progress=False,
)
loop = 20 * history["seconds"]
for what, times in (("cached", cached), ("usual loop", loop)):
    print(f"20 epochs, {what:10} {min(times):6.1f} to {max(times):.1f} s")
fewest, most = min(loop) / max(cached), max(loop) / min(cached)
print(f"{fewest:.1f} to {most:.1f} times faster")
print(f"accuracy, cached: {mean_interval(accuracies)}  (5 seeds)")

from courseware.claims import load_claim

load_claim("C2").table

# %% [markdown]
# The same accuracy in a fraction of the time. The table compares both ways with the same start and
# the same batches. The price:
# caching rules out whatever changes the input or the net between epochs. **Augmentation**,
# above all. The package refuses, rather than silently reuse one random crop for ever:

# %%
from course_utils.datasets import training_transform

augment = training_transform(backbone.weights_info, data.image_size)
try:
    extract_features(backbone, data.train.with_transform(augment))
except ValueError as error:
    print(error)

# %% [markdown]
# ## Pitfall: the frozen backbone that moves
#
# `requires_grad = False` stops gradients. BatchNorm's running mean and variance are not
# learnt by gradients: they are *buffers*, updated by every forward pass in train mode.
# **Predict:** all parameters are frozen, and there is not even an optimiser. Does the net
# change in one epoch of `model.train()`? And if our `freeze` did the freezing? (This cell takes
# four bundled nets and the bundled flowers, whatever `COURSE_BACKBONE` says.)


# %%
def buffer_drift(name, hold):
    """Relative change of the buffers in one frozen epoch."""
    net = load_backbone(name, weights="bundled", num_classes=5)
    net.requires_grad_(False)
    if hold:
        freeze(net)
    net.train()  # the mistake
    before = {
        k: b.clone()
        for k, b in net.named_buffers()
        if b.is_floating_point()
    }
    with torch.no_grad():
        for images, _ in make_loader(small.train, batch_size=4):
            net(images)
    after = dict(net.named_buffers())
    moved = sum((after[k] - b).square().sum() for k, b in before.items())
    size = sum(b.square().sum() for b in before.values())
    return float((moved / size).sqrt()) if before else 0.0


nets = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit")
drift = {
    "requires_grad = False": [buffer_drift(name, False) for name in nets],
    "freeze()": [buffer_drift(name, True) for name in nets],
}
pd.DataFrame(drift, index=nets).round(3)

# %% [markdown]
# Two of the four have BatchNorm. The others normalise each picture by itself (LayerNorm):
# they are the controls, and do not move. `freeze` keeps a frozen BatchNorm in eval mode, even
# when `train()` is called. What the mistake costs in accuracy, over five seeds:

# %%
load_claim("C3").table

# %% [markdown]
# ## Which layer transfers best?
#
# The nearer a layer is to the end, the more it may be about its own *source* task
# ([Yosinski et al., 2014](https://arxiv.org/abs/1411.1792)). In miniature, a linear probe
# after each stage of `test_resnet` (the bundled net on bundled pictures, whatever
# `COURSE_BACKBONE` says), 20 pictures a class, three targets, five draws. **Predict:** is the
# last stage the best place to stop?

# %%
probe_net = load_backbone("test_resnet", weights="bundled")
layers = ["conv1", "layer1", "layer2", "layer3", "layer4"]
by_layer = {}
for name in ("flowers", "cells", "defects"):
    target = load_dataset(name, transform=probe_net.weights_info.transform)
    for layer in layers:
        all_test = extract_features(probe_net, target.test, layer=layer)
        accuracies = []
        for seed in range(5):
            few = target.train.sample_per_class(20, seed=seed)
            found = extract_features(probe_net, few, layer=layer)
            probe = linear_probe(found.features, found.labels)
            accuracies.append(
                probe.score(all_test.features, all_test.labels)
            )
        by_layer[name, layer] = accuracies
    last, before = by_layer[name, "layer4"], by_layer[name, "layer3"]
    gain = paired_interval(last, before)
    print(f"{name:8} layer4 less layer3: {gain:+z.3f}")

fig, ax = plt.subplots(figsize=(7, 3.2))
for name, marker in (("flowers", "o"), ("cells", "s"), ("defects", "^")):
    found = [mean_interval(by_layer[name, layer]) for layer in layers]
    ax.errorbar(
        layers,
        [i.mean for i in found],
        marker=marker,
        capsize=3,
        label=name,
        yerr=[i.high - i.mean for i in found],
    )
ax.set(
    title="Linear probe after each stage (5 draws, 95 % interval)",
    xlabel="stage",
    ylabel="test accuracy",
)
ax.legend()
plt.show()

# %% [markdown]
# For the cells each stage helps, the last one too. For flowers and defects the interval of
# the difference between the last two holds zero (the draws are shared, so it compares them in
# pairs): five draws cannot say which of the two is better. For the defects the mean of
# `layer3` is even the higher. So the last stage is a good first guess, not a law.
#
# ## Feature extraction or fine-tuning? Five aspects, measured
#
# The bundled `test_resnet` and flowers again, whatever `COURSE_BACKBONE` says. One way leaves the
# net as it is and fits a probe on its features. The other trains the whole net, with care: a
# rate that suits it, and BatchNorm's statistics held (`hold_batchnorm`, lesson 05 says why).
# **Predict:** which is better with 2 pictures a class, which with 40, and where do they cross?


# %%
from course_utils.layer_groups import hold_batchnorm

frozen_net = load_backbone("test_resnet", weights="bundled")
unseen = extract_features(frozen_net, small.test)


def frozen(few, seed):
    """Accuracy on the few, and on the test pictures."""
    known = extract_features(frozen_net, few, cache=False)
    probe = linear_probe(*known)
    return probe.score(*known), probe.score(*unseen)


def fine_tuned(few, seed):
    """The same, with all of the net trained for at least 40 steps."""
    seed_everything(seed)
    net = replace_head(load_backbone("test_resnet", weights="bundled"), 5)
    hold_batchnorm(net)
    batches = make_loader(few, batch_size=20, shuffle=True, seed=seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    epochs = max(10, 40 // len(batches))
    fit(
        net,
        batches,
        None,
        optimizer=optimizer,
        epochs=epochs,
        progress=False,
    )
    test = make_loader(small.test, batch_size=200)
    return evaluate(net, batches)["accuracy"], evaluate(net, test)[
        "accuracy"
    ]


# %%
sizes, runs = (2, 5, 10, 20, 40), []
for per_class in sizes:
    for seed in range(3):
        few = small.train.sample_per_class(per_class, seed=seed)
        for way in (frozen, fine_tuned):
            start = time.perf_counter()
            train, test = way(few, seed)
            seconds = time.perf_counter() - start
            runs.append(
                (per_class, way.__name__, seed, train, test, seconds)
            )
columns = ["pictures a class", "way", "seed", "train", "test", "seconds"]
runs = pd.DataFrame(runs, columns=columns)
means = runs.pivot_table(
    index="pictures a class", columns="way", values="test"
)

fig, ax = plt.subplots(figsize=(6.5, 3.6))
for way, color in (("frozen", "#0072B2"), ("fine_tuned", "#D55E00")):
    its = runs[runs["way"] == way]
    ax.plot(means.index, means[way], color=color)
    ax.plot(
        its["pictures a class"], its["test"], "o", color=color, alpha=0.5
    )
    ax.annotate(
        way.replace("_", "-"), (42, means[way].iloc[-1]), color=color
    )
ax.set(
    title="The frozen way begins ahead, and is overtaken",
    xlabel="labelled pictures a class (log scale)",
    ylabel="accuracy on 600 new flowers",
    xscale="log",
    xlim=(1.8, 90),
)
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.minorticks_off()
plt.show()

# %%
runs["train less test"] = runs["train"] - runs["test"]
aspects = runs[runs["pictures a class"].isin((2, 40))]
aspects = aspects.groupby(["pictures a class", "way"])
aspects[["seconds", "test", "train less test"]].mean().round(2)

# %% [markdown]
# Memory, of the same net, is the fifth aspect. Backward needs the activations of every layer
# that learns *or* lies behind one that learns. PyTorch can tell us what it keeps:


# %%
def saved_megabytes(net):
    """Megabytes that autograd keeps for 32 pictures."""
    kept, own = {}, {p.data_ptr() for p in net.parameters()}

    def pack(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = net(torch.rand(32, 3, 64, 64)).sum()
    return sum(kept.values()) / 2**20 if loss.requires_grad else 0.0


net = replace_head(load_backbone("test_resnet", weights="bundled"), 5)
print(f"fine-tuning        {saved_megabytes(net):6.2f} MB")
print(f"feature extraction {saved_megabytes(freeze(net)):6.2f} MB")

# %% [markdown]
# Aspect by aspect, for this net and these flowers. *Speed* and *memory* speak for the frozen
# backbone: nothing is sent back through it, so nothing is kept. *Data* decides about
# *accuracy*: with a handful of pictures the frozen way is ahead, with many the whole net is.
# *Overfitting*: with two pictures a class both know their few by heart, and fine-tuning has
# the wider gap to what is new. Each dot is one draw of the pictures, and dots of one size
# spread by many points: one draw can show you either. (Where the curves cross depends on net
# and data. Lesson 07 measures more of both.)
#
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("04")

# %% [markdown]
# ## Summary
#
# 1. Freeze with `requires_grad = False`, replace the head, hand the optimiser what learns.
# 2. Identity and hooks are safe; a truncated `Sequential` holds only where `forward` is
#    plain. Take the old head off first.
# 3. Features are a table: probe, neighbours, search, any classifier.
# 4. Cache what is frozen; it rules out augmentation.
# 5. BatchNorm moves in train mode; `freeze` holds it.
# 6. Few labels: freeze, and fit a probe well. Many: fine-tune with care.
#
# **Try next:** `COURSE_DATA=folder:my_photos course lab`, and run this
# lesson on pictures of your own.
#
# ## So what do I do on Monday?
#
# > - Freeze, fit a probe, look. It takes seconds, and there is nothing to get wrong.
# > - Label more, and draw the curve. Fine-tune when it has flattened below what you need.
# > - Whatever you do, `eval()` and the weights' own preprocessing.
#
# **Exercise:** [04 · Feature extraction](../exercises/04_feature_extraction.ipynb).
# **Next lesson:** [05 · Gradual unfreezing](05_gradual_unfreezing.ipynb).
