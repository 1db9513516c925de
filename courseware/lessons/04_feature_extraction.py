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
# **Twenty-five pictures.** That is what the botanical garden has, five of each flower, labelled by
# a gardener over lunch. At two o'clock the visitors come, and each of them holds a phone. Can it
# tell them what they are looking at?

# %%
import time

from course_utils.datasets import default_dataset, load_dataset
from course_utils.features import extract_features, fit_head
from course_utils.probe import knn_probe, linear_probe
from course_utils.weights import default_backbone, load_backbone

start = time.perf_counter()
backbone = load_backbone(default_backbone("tf_efficientnet_lite0"))
data = load_dataset(default_dataset(), like=backbone, image_size=96)
lunch = extract_features(backbone, data.train.sample_per_class(5))
test = extract_features(backbone, data.evaluation)
lunch_probe = linear_probe(*lunch)
right = lunch_probe.score(*test)
seconds = time.perf_counter() - start
print(f"right on {right:.0%} of {len(test.labels)} pictures", end=" ")
print(f"that it had never seen. {seconds:.1f} seconds.")

# %% [markdown]
# Nothing in the net was trained. It has seen a million photographs, and you fitted one table of
# numbers behind it, from twenty-five pictures. This lesson is about why that works, about how far
# it carries, and about the moment when it stops being enough. (If the seconds are few, features
# of an earlier run were kept on disk; more of that below.)
#
# **40 minutes of reading, about a minute of compute.** Needs: lesson 01. After it you can
#
# 1. freeze a backbone and train a new head on it, and get features out of any net;
# 2. use features without training a net at all: probe, nearest neighbours, search;
# 3. cache what is frozen, and catch the "frozen" backbone that is not;
# 4. choose between the frozen way and fine-tuning, by a learning curve.

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch import nn

from course_utils.layer_groups import (
    freeze,
    hold_batchnorm,
    layer_groups,
    trainable_parameters,
)
from course_utils.metrics import mean_interval
from course_utils.plots import plot_curves, plot_seeds, show_images
from course_utils.runtime import seed_everything
from course_utils.training import evaluate, fit, make_loader

seed_everything(0)
num_classes = len(data.classes)
first = [data.train.labels.tolist().index(k) for k in range(num_classes)]
show_images(
    data.train.images[first],
    titles=data.classes,
    columns=num_classes,
    title="One training picture of each class",
)
plt.show()

# %% [markdown]
# The drawings stand in for the garden's pictures, because we may ship them. The weights are real.
#
# ## Two ways to adapt a net
#
# Training a whole net from nothing on so little would waste what a pretrained net knows. So keep
# its body as it is, and learn only the last step, from features to *your* classes. Or let all of
# it learn. Switch between the two, and see what learns and what must be kept in memory for the
# backward pass. (These are the stages of the small net that the cells by hand use.)

# %%
from course_utils.widgets import FlowSwitcher

small_net = load_backbone(
    "test_resnet", weights="bundled", num_classes=num_classes
)
FlowSwitcher(
    [
        (g.name, sum(p.numel() for p in g.parameters))
        for g in layer_groups(small_net)
    ]
)

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

for kind, outputs, options in (
    ("linear", num_classes, {}),
    ("dropout", num_classes, {"dropout": 0.3}),
    ("hidden layer", num_classes, {"hidden": 64, "dropout": 0.3}),
    ("binary", 1, {}),
):
    net = load_backbone(default_backbone("tf_efficientnet_lite0"))
    freeze(replace_head(net, outputs, **options))
    count = sum(p.numel() for p in trainable_parameters(net))
    print(f"{kind:13} {count:>7,} parameters", *find_heads(net))

# %% [markdown]
# **Binary** tasks have two honest forms: one logit with `BCEWithLogitsLoss`, or two logits
# with cross-entropy. If the gap between the two logits equals the single logit, both losses agree.
# Do not mix the halves. Cross-entropy over a single logit is always zero.

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
# One pass over the pictures gives a table of numbers, one row a picture. What does such a table
# look like? Two nets of the same architecture, one with the weights of a million photographs, one
# with random ones; each table pressed flat by PCA, one dot a flower. **Predict:** will the
# colours lie apart in the second one, too?

# %%
from sklearn.decomposition import PCA

random_net = load_backbone(
    default_backbone("tf_efficientnet_lite0"), weights="random"
)
random_test = extract_features(random_net, data.evaluation)
fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for ax, found, what in zip(
    axes,
    (test, random_test),
    ("pretrained", "random weights"),
    strict=True,
):
    flat = PCA(2, random_state=0).fit_transform(found.features)
    for k, flower in enumerate(data.classes[:8]):
        of = found.labels == k
        ax.plot(*flat[of].T, "o", ms=3, alpha=0.6, label=flower)
    ax.set(title=what, xticks=[], yticks=[])
axes[1].legend(bbox_to_anchor=(1, 1), frameon=False, fontsize=8)
fig.suptitle("The same pictures in two tables of features")
plt.show()

# %% [markdown]
# Any classifier can take such a table. Here are sixty pictures a class, five ways, with two
# baselines. The cells that use `backbone` and `data` follow `COURSE_BACKBONE`, `COURSE_WEIGHTS`
# and `COURSE_DATA`.

# %%
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

sixty = min(60, *data.train.class_counts().values())
more = data.train.sample_per_class(sixty)
train = extract_features(backbone, more)
random_train = extract_features(random_net, more)
x, y = train.features.numpy(), train.labels.numpy()
scores = {
    "most frequent class": DummyClassifier().fit(x, y),
    "linear probe": linear_probe(*train, C=1.0),
    "5 nearest neighbours": knn_probe(*train, k=5),
    "support vector machine": SVC().fit(x, y),
    "random forest": RandomForestClassifier(random_state=0).fit(x, y),
}
rows = {
    name: m.score(test.features.numpy(), test.labels.numpy())
    for name, m in scores.items()
}
random_probe = linear_probe(*random_train, C=1.0)
rows["linear probe, random weights"] = random_probe.score(*random_test)
pd.Series(rows, name="accuracy").round(3).to_frame()

# %% [markdown]
# The two baselines matter as much as the winner. Random weights are a *feature extractor*
# too; what pretraining gave is the difference.
#
# Features also measure likeness. The nearest pictures by cosine similarity, and with them a
# warning. **Predict:** are the five nearest pictures always of the same flower?

# %%
from course_utils.probe import similarity_search


def look_up(query):
    """Show a test picture and the training pictures nearest to it."""
    found, likeness = similarity_search(
        test.features[query], train.features, k=5
    )
    pictures = [data.evaluation.images[query]]
    names = [f"query: {data.classes[test.labels[query]]}"]
    for i, s in zip(found.tolist(), likeness.tolist(), strict=True):
        pictures.append(more.images[i])
        names.append(f"{data.classes[train.labels[i]]} {s:.2f}")
    show_images(
        pictures,
        titles=names,
        columns=6,
        title="A query and its five nearest training pictures",
    )
    plt.show()


look_up(7)
nearest = knn_probe(*train, k=1)
fooled = (
    torch.from_numpy(nearest.predict(test.features.numpy())) != test.labels
)
print(
    int(fooled.sum()),
    "of",
    len(fooled),
    "have a nearest one that misleads",
)
if fooled.any():
    look_up(int(fooled.nonzero()[0]))

# %% [markdown]
# A likeness near 1 is no promise. It says that the *features* are alike, which may be the light
# or the ground.
#
# ### Pitfall: standardising
#
# "Bring every feature to mean 0 and variance 1" is good advice for a table of twelve columns. This
# one has many more columns than the garden has pictures, and some hardly vary. **Predict:** what
# does it do to the probe of the first cell?

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

standardised = make_pipeline(
    StandardScaler(), LogisticRegression(max_iter=2000)
)
new = test.features.numpy()
for a_class in (2, 5, 20):
    lost = []
    for seed in range(3):
        few = data.train.sample_per_class(a_class, seed=seed)
        known = extract_features(backbone, few)
        standardised.fit(known.features.numpy(), known.labels.numpy())
        plain = standardised.score(new, test.labels.numpy())
        lost.append(100 * (linear_probe(*known).score(*test) - plain))
    few_points, many = min(lost), max(lost)
    print(
        f"{a_class:2} a class: {few_points:.0f} to {many:.0f} points lost"
    )

# %% [markdown]
# A column that hardly varies is blown up until its noise is as loud as everything else.
# `linear_probe` puts a floor under the variance, and picks its penalty by cross-validation.
#
# ## Caching: the frozen part need run only once
#
# The backbone does not change, so the same picture gives the same features in each epoch.
# `extract_features` keeps them on disk, under a key made of the weights, the transform and
# the data. The usual loop runs the frozen backbone again in every epoch; one of its epochs
# is enough to know what twenty take. **Predict:** how many times faster are 20 epochs on
# cached features, if the one pass that fills the cache counts too? And at what accuracy?


# %%
def head_run(seed):
    """Train a head for 20 epochs on features: seconds, accuracy."""
    start = time.perf_counter()
    head = fit_head(*train, num_classes, lr=1e-2, seed=seed)
    took = time.perf_counter() - start
    with torch.inference_mode():
        hits = head(test.features).argmax(1) == test.labels
    return took, hits.double().mean().item()


start = time.perf_counter()
extract_features(backbone, more, cache=False)  # one pass
one_pass = time.perf_counter() - start
seconds, accuracies = zip(*(head_run(s) for s in range(5)), strict=True)
cached = [one_pass + s for s in seconds]

lite = default_backbone("tf_efficientnet_lite0")
usual = freeze(load_backbone(lite, num_classes=num_classes))
history = fit(
    usual,
    make_loader(more, batch_size=64, shuffle=True),
    None,
    optimizer=torch.optim.AdamW(trainable_parameters(usual), lr=1e-2),
    epochs=1,
    progress=False,
)
loop = 20 * history["seconds"]
for what, times in (("cached", cached), ("usual loop", loop)):
    print(f"20 epochs, {what:10} {min(times):6.1f} to {max(times):.1f} s")
fewest, most = min(loop) / max(cached), max(loop) / min(cached)
print(f"{fewest:.1f} to {most:.1f} times faster")
print(f"accuracy, cached: {mean_interval(accuracies)}  (5 seeds)")

# %%
from courseware.claims import load_claim, load_photographs

load_claim("C2").table

# %% [markdown]
# The table compares the two ways on two small nets, with the same start and the same batches. Same
# accuracy, a fraction of the time.
#
# The price is that caching rules out whatever changes the input or the net between epochs,
# **augmentation** above all. The package refuses, rather than silently reuse one random crop for ever:

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
        for images, _ in make_loader(part, batch_size=4):
            net(images)
    after = dict(net.named_buffers())
    moved = sum((after[k] - b).square().sum() for k, b in before.items())
    size = sum(b.square().sum() for b in before.values())
    return float((moved / size).sqrt()) if before else 0.0


part = small.train.sample_per_class(60)
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
# `COURSE_BACKBONE` says), 20 pictures a class, three targets, three draws. **Predict:** is the
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
        for seed in range(3):
            few = target.train.sample_per_class(20, seed=seed)
            found = extract_features(probe_net, few, layer=layer)
            probe = linear_probe(*found, C=1.0)
            accuracies.append(
                probe.score(all_test.features, all_test.labels)
            )
        by_layer[name, layer] = accuracies

plot_curves(
    {
        "linear probe after each stage": {
            name: {
                i: by_layer[name, layer] for i, layer in enumerate(layers)
            }
            for name in ("flowers", "cells", "defects")
        }
    },
    title="Later is better, up to the last stage but one",
    xlabel="stage: 0 the stem, 4 the last",
    log=False,
)
plt.show()
plot_seeds(
    {
        name: [
            100 * (last - before)
            for last, before in zip(
                by_layer[name, "layer4"],
                by_layer[name, "layer3"],
                strict=True,
            )
        ]
        for name in ("flowers", "cells", "defects")
    },
    title="The last stage less the one before, in pairs",
)
plt.show()

# %% [markdown]
# Each stage helps, up to the last but one. Whether the last one helps as well is another matter:
# look where the lines of the second picture lie. So the last stage is a good first guess, not a law. (The stages differ in
# width, too: the last has half as many features as the one before.)
#
# ## Frozen or fine-tuned? The picture of this lesson
#
# The garden can label more. When is it worth training the whole net? Four ways, from 2 to 50
# pictures a class, five draws each:
#
# - **frozen**: what you did above, a probe fitted to the end;
# - **careful**: the whole net, its rate searched, BatchNorm's statistics held (lesson 05 says why);
# - **careless**: the whole net, BatchNorm as it comes, at the rate that suits the head;
# - **scratch**: the whole net from random weights, with as many rates tried.
#
# **Predict:** which is best with 2 a class, which with 50, and where do they cross?

# %%
c6, photos = load_claim("C6"), load_photographs("C6")


def learning_curves(claim, of):
    """{way: {pictures a class: one accuracy a seed}}."""
    sizes = (2, 5, 10, 20, 50)
    return {
        way: {n: claim.rows[f"{of}/{n} a class/{way}"] for n in sizes}
        for way in ("frozen", "careful", "careless", "scratch")
    }


LITE = "tf_efficientnet_lite0"
plot_curves(
    {
        "Lite0, drawn flowers": learning_curves(c6, f"{LITE}/flowers"),
        "small net, drawn flowers": learning_curves(
            c6, "test_resnet/flowers"
        ),
        "Lite0, photographs": learning_curves(
            photos, f"{LITE}/photographs"
        ),
    },
    title="What each way makes of the labels",
    xlabel="labelled pictures a class",
)
plt.show()

# %% [markdown]
# Seed by seed, careful fine-tuning less the frozen way:

# %%
rows = {
    f"{what}, {n} a class": claim.rows[
        f"{of}/{n} a class/difference of careful and frozen"
    ]
    for what, claim, of in (
        ("Lite0, drawn", c6, f"{LITE}/flowers"),
        ("small net, drawn", c6, "test_resnet/flowers"),
        ("Lite0, photographs", photos, f"{LITE}/photographs"),
    )
    for n in (2, 10, 50)
}
plot_seeds(rows, title="Fine-tuned with care less frozen")
plt.show()

# %% [markdown]
# Three panels, three answers. The small net crosses: frozen is ahead with 2 a class, fine-tuned from
# 10 on. Lite0 gains by adapting to the drawings at every size, for nothing in its million
# photographs looks like them, least of all at 64 pixels. On photographs the two go together from
# end to end. The rest is the same in all three. Careless fine-tuning gives much of it away, by a lot
# or by a little as luck has it (look at its dots), and from scratch never comes near with so few.
#
# Accuracy and data are two aspects of five. Here are the other three, live: *speed*, *overfitting*
# (accuracy on the training pictures less that on new ones) and below them *memory*.


# %%
frozen_net = load_backbone("test_resnet", weights="bundled")
unseen = extract_features(frozen_net, small.test)


def frozen(few):
    """Accuracy on the few, and on the test pictures."""
    known = extract_features(frozen_net, few, cache=False)
    probe = linear_probe(*known)
    return probe.score(*known), probe.score(*unseen)


def fine_tuned(few):
    """The same, with all of the net trained for at least 40 steps."""
    seed_everything(0)
    net = replace_head(load_backbone("test_resnet", weights="bundled"), 5)
    hold_batchnorm(net)
    batches = make_loader(few, batch_size=20, shuffle=True, seed=0)
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
    new = make_loader(small.test, batch_size=200)
    known = evaluate(net, batches)["accuracy"]
    return known, evaluate(net, new)["accuracy"]


# %%
runs = []
for per_class in (2, 40):
    few = small.train.sample_per_class(per_class)
    for way in (frozen, fine_tuned):
        start = time.perf_counter()
        on_few, on_new = way(few)
        runs.append(
            {
                "a class": per_class,
                "way": way.__name__.replace("_", "-"),
                "seconds": time.perf_counter() - start,
                "on the few": on_few,
                "on new ones": on_new,
            }
        )
pd.DataFrame(runs).set_index(["a class", "way"]).round(2)

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
# *Speed* and *memory* speak for the frozen backbone. Nothing is sent back through it, so nothing is
# kept. With two pictures a class both ways know their few by heart and have a wide gap to what is
# new. (One run each; for the scatter look at the dots above.)
#
# ## A flower gets its name
#
# Two o'clock. The probe of the first cell, fitted on twenty-five pictures, meets a visitor's
# picture, and then the ones it gets most wrong: what it says, how sure it is, and what the
# gardener says.

# %%
inputs = test.features.numpy()
chances = torch.from_numpy(lunch_probe.predict_proba(inputs))
sure, said = chances.max(1)
print(
    f"visitor's picture: {data.classes[said[0]]}, {sure[0]:.0%} sure;",
    f"it is a {data.classes[test.labels[0]]}",
)
wrong = (said != test.labels).nonzero().flatten()
worst = wrong[sure[wrong].argsort(descending=True)][:10].tolist()
if worst:
    show_images(
        [data.evaluation.images[i] for i in worst],
        titles=[
            f"{data.classes[said[i]]}, {sure[i]:.0%}\n"
            f"is {data.classes[test.labels[i]]}"
            for i in worst
        ],
        columns=5,
        title="The ten worst errors of twenty-five pictures' worth",
    )
    plt.show()

# %%
from course_utils.metrics import confusion_matrix

table = confusion_matrix(said, test.labels, classes=data.classes)
table

# %% [markdown]
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
# 6. Fit the frozen way to the end before you compare. Then care, not the choice between the two,
#    decides most.
#
# **Try next:** `COURSE_DATA=folder:my_photos course lab`, and run this
# lesson on pictures of your own.
#
# ## So what do I do on Monday?
#
# > - Freeze, fit a probe, look. It takes seconds, and there is nothing to get wrong.
# > - Label more, and draw the curve. Fine-tune when it has flattened below what you need.
# > - Then hold BatchNorm and search the rate. Two careless settings cost more than you gain.
# > - Whatever you do: `eval()`, the weights' own preprocessing, one look at the worst errors.
#
# **Exercise:** [04 · Feature extraction](../exercises/04_feature_extraction.ipynb).
# **Next lesson:** [05 · Gradual unfreezing](05_gradual_unfreezing.ipynb).
