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
from course_utils.metrics import mean_interval
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
# A few hundred labelled pictures, and an afternoon. Training a whole net on them overfits;
# throwing the pretrained net's knowledge away would be a waste. So keep its body as it is,
# and learn only the last step: from features to *your* classes.

# %%
from course_utils.plots import show_images

first = [data.train.labels.tolist().index(k) for k in range(num_classes)]
show_images(
    data.train.images[first], titles=data.classes, columns=num_classes
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
# Freezing is one flag a parameter. The new head is new, so it learns.

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
# is a convolution. `replace_head` finds it, in all of them. Four heads that you will need:

# %%
from course_utils.heads import find_heads, replace_head

for name, options in {
    "linear": {},
    "dropout": {"dropout": 0.3},
    "hidden layer": {"hidden": 64, "dropout": 0.3},
}.items():
    net = replace_head(
        load_backbone(default_backbone()), num_classes, **options
    )
    freeze(net)
    count = sum(p.numel() for p in trainable_parameters(net))
    print(f"{name:13} {count:>7,} parameters", *find_heads(net))

# %% [markdown]
# **Binary** tasks have two honest forms: two logits with cross-entropy, or one logit with
# `BCEWithLogitsLoss`. They are the same model; do not mix the halves of one with the other.

# %% tags=["nbval-check-output"]
logit = torch.tensor([0.8])
two = torch.tensor([[0.0, 0.8]])
one_logit = nn.functional.binary_cross_entropy_with_logits(
    logit, torch.tensor([1.0])
)
two_logits = nn.functional.cross_entropy(two, torch.tensor([1]))
print(f"one logit {one_logit:.4f}, two logits {two_logits:.4f}")

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
with torch.inference_mode():
    print("truncated:", tuple(body(torch.rand(1, 3, 64, 64)).shape))
    densenet.classifier = nn.Identity()
    print("Identity: ", tuple(densenet(torch.rand(1, 3, 64, 64)).shape))

# %% [markdown]
# A feature map instead of a vector, and without the last ReLU. No error was raised. For
# layers inside the net, use hooks.
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

# %% [markdown]
# `resnet50()` still ends in its own head, so it hands over 1,000 logits, not 2,048
# features. Had the numbers met, it would run, and learn from *logits*. The cure is one line:

# %% tags=["nbval-check-output"]
backbone_with_head.fc = nn.Identity()
print(tuple(snippet(torch.rand(1, 3, 64, 64)).shape))

# %% [markdown]
# ## What the features look like
#
# Each layer answers "where is my pattern?" with a map a channel. Walk through the layers:
# early ones show edges and colours, late ones are coarse and pick out parts.

# %%
from course_utils.widgets import FeatureMapViewer

FeatureMapViewer(
    load_backbone("test_resnet", weights="bundled"), small.test.images[3]
)

# %% [markdown]
# ## Features without training a net
#
# One pass over the pictures gives a table of numbers: rows are pictures. Any classifier can
# take it from there. From here on we measure, so the cells follow `COURSE_BACKBONE`,
# `COURSE_WEIGHTS` and `COURSE_DATA`.

# %%
print(backbone.weights_info.describe())
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
# too; what pretraining gave is the difference (claim C1 has it over five seeds).
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
show_images(pictures, titles=names, columns=6)
plt.show()

# %% [markdown]
# ## Caching: the frozen part need run only once
#
# The backbone does not change, so the same picture gives the same features in each epoch.
# `extract_features` keeps them on disk, under a key made of the weights, the transform and
# the data. **Predict:** how many times faster are 20 epochs?


# %%
def head_accuracy(seed):
    """Train a linear head for 20 epochs on cached features."""
    head = fit_head(
        train.features, train.labels, num_classes, lr=1e-2, seed=seed
    )
    with torch.inference_mode():
        right = head(test.features).argmax(1) == test.labels
    return right.double().mean().item()


start = time.perf_counter()
accuracies = [head_accuracy(seed) for seed in range(5)]
cached_seconds = (time.perf_counter() - start) / 5
print(f"accuracy {mean_interval(accuracies)}  (5 seeds, 95 % interval)")

# %% [markdown]
# And the usual loop, which runs the frozen backbone again in every epoch. One epoch is
# enough to know what twenty take:

# %%
usual = freeze(
    replace_head(load_backbone(default_backbone()), num_classes)
)
optimizer = torch.optim.AdamW(trainable_parameters(usual), lr=1e-3)
loader = make_loader(data.train, batch_size=64, shuffle=True)
start = time.perf_counter()
fit(usual, loader, None, optimizer=optimizer, epochs=1, progress=False)
loop_seconds = 20 * (time.perf_counter() - start)
print(f"20 epochs, cached features: {cached_seconds:6.1f} s")
print(f"20 epochs, usual loop:      {loop_seconds:6.1f} s")
print(f"{loop_seconds / cached_seconds:.0f} times faster")

from course_utils.claims import load_claim

load_claim("C2").table

# %% [markdown]
# Same accuracy, a fraction of the time (claim C2). The price: caching rules out whatever
# changes the input or the net between epochs. **Augmentation**, above all. The package
# refuses, rather than silently reuse one random crop for ever:

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
# **Predict:** all parameters are frozen, the optimiser has only the head. Does the net
# change in one epoch of `model.train()`?


# %%
def buffer_drift(name):
    """Relative change of the buffers in one frozen epoch."""
    net = load_backbone(name, weights="bundled", num_classes=5)
    net.requires_grad_(False).train()  # train(): the mistake
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
pd.Series({name: buffer_drift(name) for name in nets}, name="drift").round(
    3
)

# %% [markdown]
# Two of the four have BatchNorm. The others normalise each picture by itself (LayerNorm):
# they are the controls, and do not move. What it costs in accuracy, over five seeds:

# %%
load_claim("C3").table

# %% [markdown]
# `freeze` handles it: a frozen BatchNorm stays in eval mode, even when `train()` is called.

# %%
net = freeze(
    replace_head(load_backbone("test_resnet", weights="bundled"), 5)
)
before = {k: b.clone() for k, b in net.named_buffers()}
net.train()
net(batch)
print(
    "moved:",
    [k for k, b in net.named_buffers() if not torch.equal(b, before[k])],
)

# %% [markdown]
# ## Which layer transfers best?
#
# The last layer is not always the best place to stop: late layers know the *source* task
# ([Yosinski et al., 2014](https://arxiv.org/abs/1411.1792)). In miniature, a linear probe
# after each stage of `test_resnet`, 20 pictures a class, on three targets, five draws:

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
        by_layer[name, layer] = mean_interval(accuracies)

fig, ax = plt.subplots(figsize=(7, 3.2))
for name, marker in (("flowers", "o"), ("cells", "s"), ("defects", "^")):
    found = [by_layer[name, layer] for layer in layers]
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
# Read the maximum of each curve. Where it comes before the end, the last stage is too much
# about its own source.
#
# ## Feature extraction or fine-tuning? Five aspects, measured
#
# Same net, same pictures. One run freezes, the other trains everything.


# %%
def adapt(frozen, per_class, seed=0, epochs=10):
    """Train on few pictures; return seconds and accuracies."""
    seed_everything(seed)
    net = replace_head(load_backbone("test_resnet", weights="bundled"), 5)
    if frozen:
        freeze(net)
    few = make_loader(
        small.train.sample_per_class(per_class, seed=seed),
        batch_size=20,
        shuffle=True,
        seed=seed,
    )
    optimizer = torch.optim.AdamW(
        trainable_parameters(net), lr=3e-3 if frozen else 1e-3
    )
    start = time.perf_counter()
    fit(net, few, None, optimizer=optimizer, epochs=epochs, progress=False)
    seconds = time.perf_counter() - start
    test_score = evaluate(net, make_loader(small.test, batch_size=200))[
        "accuracy"
    ]
    return {
        "seconds": seconds,
        "train": evaluate(net, few)["accuracy"],
        "test": test_score,
    }


rows = []
for per_class in (5, 50):
    for frozen in (True, False):
        runs = pd.DataFrame(
            [adapt(frozen, per_class, seed) for seed in range(3)]
        )
        rows.append(
            {
                "pictures a class": per_class,
                "strategy": "feature extraction"
                if frozen
                else "fine-tuning",
                "seconds": round(runs["seconds"].median(), 1),
                "test accuracy": str(mean_interval(runs["test"])),
                "train minus test": round(
                    (runs["train"] - runs["test"]).mean(), 2
                ),
            }
        )
pd.DataFrame(rows).set_index(["pictures a class", "strategy"])

# %% [markdown]
# Memory is the fifth aspect. Backward needs the activations of every layer that learns *or*
# lies behind one that learns. PyTorch can tell us what it keeps:


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
print(f"fine-tuning        {saved_megabytes(net):6.1f} MB")
print(f"feature extraction {saved_megabytes(freeze(net)):6.1f} MB")

# %% [markdown]
# ## Quick check

# %%
from course_utils.widgets import Question, Quiz

Quiz(
    [
        Question(
            "All is frozen, yet the outputs changed after an epoch. Why?",
            [
                "The optimiser's weight decay",
                "BatchNorm's running statistics, in train mode",
                "Dropout",
            ],
            answer=1,
            why=[
                "The optimiser had only the head.",
                "Right: buffers move with each pass in train mode.",
                "Dropout leaves no trace after eval().",
            ],
        ),
        Question(
            "What does caching features rule out?",
            [
                "Dropout in the head",
                "Random crops of the pictures",
                "A hidden layer in the head",
            ],
            answer=1,
            why=[
                "The head still runs in every epoch.",
                "Right: a cached feature belongs to one fixed picture.",
                "Anything behind the cut may change.",
            ],
        ),
        Question(
            "Why does the truncated Sequential fail on DenseNet?",
            [
                "It has no children",
                "forward() does work that is in no child module",
                "It needs 224-pixel pictures",
            ],
            answer=1,
            why=[
                "It has: features and classifier.",
                "Right: relu, pooling and flatten are functions there.",
                "It is fully convolutional up to its pooling.",
            ],
        ),
    ]
)

# %% [markdown]
# ## Summary
#
# 1. Freeze with `requires_grad = False`, replace the head, hand the optimiser what learns.
# 2. Identity and hooks are safe; a truncated `Sequential` holds only where `forward` is
#    plain. Take the old head off first.
# 3. Features are a table: probe, neighbours, search, any classifier.
# 4. Cache what is frozen (claim C2); it rules out augmentation.
# 5. BatchNorm moves in train mode (claim C3); `freeze` holds it.
# 6. Five aspects: speed, data, memory, accuracy, overfitting, as measured above.
#
# **Try next:** `COURSE_DATA=folder:my_photos python -m course_utils lab`, and run this
# lesson on pictures of your own.
#
# **Exercise:** [04 · Feature extraction](../exercises/04_feature_extraction.ipynb).
