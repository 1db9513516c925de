# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · Inside a model
#
# > **The blood laboratory does not trust you yet.** "It names things, fine," says the doctor.
# > "But what is it *looking* at? And will it run on the small computer beside my
# > microscope?"
#
# Fair questions. Begin with photographs on which everybody can check the answer. Every
# picture that this network learnt from came with one word. Nobody ever told it *where* in the
# picture the thing was.
#
# **Predict.** Ask it about one photograph, three times, with another word each time. Can it
# point?

# %%
import matplotlib.pyplot as plt
import torch

from course_utils.datasets import sample_photos
from course_utils.weights import load_backbone

photos = sample_photos()
lite0 = load_backbone("tf_efficientnet_lite0", weights="imagenet")
names = list(lite0.weights_info.classes)


def grad_cam(image, word):
    """Where in a prepared picture the score of a word comes from."""
    maps = lite0.forward_features(image[None])  # (1, 1280, 7, 7)
    score = lite0.forward_head(maps)[0, names.index(word)]
    slope = torch.autograd.grad(score, maps)[0]
    weight = slope.mean((2, 3), keepdim=True)  # one number a channel
    return (weight * maps).sum(1).relu()[0].detach()  # (7, 7)


asked = {
    "hopper": ("mortarboard", "military uniform", "bow tie"),
    "astronaut": ("football helmet", "space shuttle", "wig"),
}
fig, axes = plt.subplots(2, 3, figsize=(5.8, 4.2), layout="constrained")
for row, (photo, words) in zip(axes, asked.items(), strict=True):
    image = lite0.weights_info.transform(photos[photo])
    for ax, word in zip(row, words, strict=True):
        ax.imshow((image / 2 + 0.5).movedim(0, -1))
        ax.imshow(
            grad_cam(image, word),
            extent=(0, 224, 224, 0),
            alpha=0.5,
            cmap="inferno",
            interpolation="bilinear",
        )
        ax.set(title=word, xticks=[], yticks=[])
fig.suptitle("Where the score of each word comes from")
plt.show()

# %% [markdown]
# The cap, then cap and shoulder, then the knot at the collar. The helmet on the table, the
# model of the shuttle, and, for want of a wig, her hair. It was never taught a place, and it
# points. (Grace Hopper, US Navy portrait by James S. Davis, and Eileen Collins, photograph by
# NASA, both in the public domain. `photos.captions` and `photos.licences` tell of the others.)
#
# This is **Grad-CAM** ([Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391)). The last
# maps have 1,280 channels of 7 × 7 places. The gradient says how much each channel matters for
# this word. Weigh the channels with it, add them up, drop what speaks against the word. The map
# is coarse, and it shows *where* the score comes from, not whether the answer is right. (The
# helmet is a space helmet.)
#
# After this lesson you can
#
# 1. look into any net: where it looks, what a channel answers to, what a layer gives;
# 2. read a layer table, and say where parameters and work are;
# 3. find and replace the classifier of a model that you have never seen;
# 4. predict how much memory inference, frozen and full training need, and check it.
#
# **40 minutes of reading, about a minute of compute.** Needs: lesson 01.

# %%
import pandas as pd
from IPython.display import display
from torch import nn
from torchvision import models

from course_utils.runtime import seed_everything

BLUE, ORANGE = "#0072B2", "#D55E00"
_ = seed_everything(0)

# %% [markdown]
# ### A map for every word
#
# Before you show this to the doctor, make it fail. **Predict:** Grace Hopper wears glasses.
# Where does the net find its *sunglasses*, and where in the back of an eye its *jellyfish*?

# %%
wrong = {"hopper": "sunglasses", "retina": "jellyfish"}
fig, axes = plt.subplots(1, 2, figsize=(4.4, 2.6), layout="constrained")
for ax, (photo, word) in zip(axes, wrong.items(), strict=True):
    image = lite0.weights_info.transform(photos[photo])
    with torch.inference_mode():
        chances = lite0(image[None]).softmax(1)[0]
    ax.imshow((image / 2 + 0.5).movedim(0, -1))
    ax.imshow(
        grad_cam(image, word),
        extent=(0, 224, 224, 0),
        alpha=0.5,
        cmap="inferno",
        interpolation="bilinear",
    )
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{word}, {chances[names.index(word)]:.1%}")
fig.suptitle("A map for a word that does not fit")
plt.show()

# %% [markdown]
# It finds the sunglasses near her name tag, and it lights up a healthy eye. Colours are scaled to each
# map's own brightest place, so *every* word gets a bright spot, however improbable. Read a
# map together with the probability, and never take it for a proof.
#
# ## What is in there?
#
# You get a model's name and a deadline. `print(model)` answers with pages. How many lines for
# a ResNet-18?

# %% tags=["nbval-check-output"]
resnet = models.resnet18()
print(len(str(resnet).splitlines()), "lines")
print(str(resnet)[:220])

# %% [markdown]
# They show neither shapes, nor cost, nor order. `print` lists modules as they were
# *defined*. What runs, and when, only a forward pass can tell.
#
# ## By hand: a hook on every layer
#
# A **forward hook** is a function that PyTorch calls after a layer has run, with its input
# and its output. Keep the handle, because a hook that is not removed stays for ever.

# %% tags=["nbval-check-output"]
rows = []


def note(name):
    def hook(layer, inputs, output):
        params = sum(p.numel() for p in layer.parameters())
        rows.append(
            (name, type(layer).__name__, tuple(output.shape), params)
        )

    return hook


handles = [
    layer.register_forward_hook(note(name))
    for name, layer in resnet.named_modules()
    if not list(layer.children())  # leaves only
]
with torch.inference_mode():
    resnet.eval()(torch.rand(1, 3, 224, 224))
for handle in handles:
    handle.remove()
columns = ["layer", "type", "output", "parameters"]
pd.DataFrame(rows, columns=columns).iloc[[0, 1, 2, 3, 4, -2, -1]]

# %% [markdown]
# A convolution with kernel $k \times k$ does $k \cdot k \cdot C_{in}$ multiplications and
# additions for each number that it puts out. Those **multiply-accumulates** (MACs) are the
# usual price tag. (Papers' "FLOPs" are often MACs too.) For the first layer:

# %% tags=["nbval-check-output"]
first = resnet.conv1
height, width = 112, 112
macs = 7 * 7 * 3 * first.out_channels * height * width
print(f"conv1: {first.weight.numel():,} parameters, {macs:,} MACs")

# %% [markdown]
# Few parameters, much work. **Predict:** which part of a ResNet-18 holds most *parameters*,
# the early or the late stages? And which does most of the *work*?
#
# ## By the package: any architecture, without its weights
#
# `inspect_model` does the same for a model or a mere name. It runs on **meta tensors**, which
# have a shape and no values. Nothing is computed, no memory is used, and your model is not
# touched.

# %%
from course_utils.inspection import inspect_model

report = inspect_model("resnet18")
print(f"{report.num_params:,} parameters, {report.macs:,} MACs")
stages = report.stages.set_index("stage")
display(stages)
share = 100 * stages[["params", "macs"]] / stages[["params", "macs"]].sum()
share.columns = ["parameters", "MACs"]
ax = share.plot.bar(figsize=(7, 3), rot=0, color=[BLUE, "#E69F00"])
ax.set(
    title="ResNet-18: where parameters are, and where the work is",
    xlabel="stage",
    ylabel="share of the whole (%)",
)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# From `layer2` on, each stage halves the side of the maps and doubles the channels. So the
# work stays level while the parameters grow fourfold a stage. Most of them are in `layer4`.
# Freezing early stages saves work and memory, but leaves most parameters to learn.
#
# All layers, in the order in which they run:

# %%
shown = ["path", "type", "kind", "output_shape", "params", "macs"]
report.layers[shown].head(12)

# %% [markdown]
# Is it right? torchvision publishes the cost of its models, counted by its authors. Compare
# eight very different ones:

# %%
checked = {}
for name in (
    "alexnet",
    "vgg16",
    "resnet50",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_b0",
    "convnext_tiny",
    "vit_b_16",
):
    weights = models.get_model_weights(name).DEFAULT
    side = weights.transforms().crop_size[0]
    found = inspect_model(name, input_size=(3, side, side))
    published = weights.meta["_ops"]
    checked[name] = {
        "ours (GMACs)": round(found.macs / 1e9, 3),
        "torchvision": published,
        "off by (%)": f"{100 * (found.macs / 1e9 / published - 1):z.2f}",
        "parameters agree": found.num_params == weights.meta["num_params"],
    }
pd.DataFrame(checked).T

# %% [markdown]
# ## The explorer
#
# Everything above, to walk through. Give it the name of any torchvision or timm model, or a
# model of your own. Click a stage, open the tree, search for a layer, freeze stages and watch
# what training would need. **Show the code** gives you what you have clicked together.

# %%
from course_utils.widgets import ArchitectureExplorer

ArchitectureExplorer("resnet18")

# %% [markdown]
# Two at a time. **Predict:** EfficientNet-B0 has less than half of ResNet-18's parameters and
# about a fifth of its MACs. Does it need less memory to *train*?

# %%
display(ArchitectureExplorer("resnet18", compare="efficientnet_b0"))
pair = {
    name: inspect_model(name, input_size=(3, 224, 224)).memory(
        32, mode="full", optimizer="sgd"
    )
    for name in ("resnet18", "efficientnet_b0")
}
pd.Series(
    {name: round(m.total / 1e6) for name, m in pair.items()},
    name="MB to train with SGD, batch 32",
).to_frame()

# %% [markdown]
# It needs *more*. It has many thin layers, and each of them leaves an activation that the
# backward pass will ask for. Small on disk is not small in training.
#
# ## A hierarchy of features
#
# What does a channel answer to? Matthew Zeiler and Rob Fergus
# ([2014](https://arxiv.org/abs/1311.2901)) had a simple idea. Show the net many pictures, and
# keep the nine patches that excite one channel most. Nineteen photographs are few, but you
# will see. Four stages of Lite0, three channels each:

# %%
from contextlib import ExitStack

from torchvision.utils import make_grid

from course_utils.activations import watched

pictures = torch.stack(
    [lite0.weights_info.transform(photo) for photo in photos.values()]
)  # (19, 3, 224, 224)
sides = {"conv_stem": 14, "blocks.1": 24, "blocks.2": 40, "blocks.4": 96}
with ExitStack() as stack, torch.inference_mode():
    seen = {  # `watched` is a forward hook that takes itself away
        name: stack.enter_context(watched(lite0.get_submodule(name)))
        for name in sides
    }
    lite0(pictures)


def nine_best(stage, channel):
    """The nine patches that excite a channel most, two a photo at most."""
    side, found = sides[stage], []
    maps = seen[stage][0][:, channel].clone()  # (19, H, W)
    for picture, answer in zip(pictures, maps, strict=True):
        scale = 224 // len(answer)
        for _ in range(2):
            y, x = divmod(int(answer.argmax()), len(answer))
            top, left = (
                min(max(int((p + 0.5) * scale) - side // 2, 0), 224 - side)
                for p in (y, x)
            )
            patch = picture[:, top : top + side, left : left + side]
            found.append((answer[y, x].item(), patch))
            near = side // 2 // scale + 1  # the second one lies elsewhere
            answer[
                max(0, y - near) : y + near + 1,
                max(0, x - near) : x + near + 1,
            ] = -torch.inf
    found.sort(key=lambda pair: -pair[0])
    return torch.stack([patch for _, patch in found[:9]])


# %%
channels = {
    "conv_stem": (4, 7, 15),
    "blocks.1": (10, 0, 17),
    "blocks.2": (9, 30, 20),
    "blocks.4": (36, 62, 7),
}
fig, axes = plt.subplots(4, 3, figsize=(5, 6.8), layout="constrained")
for row, (stage, chosen) in zip(axes, channels.items(), strict=True):
    for ax, channel in zip(row, chosen, strict=True):
        patches = nine_best(stage, channel) / 2 + 0.5
        grid = make_grid(patches, nrow=3, padding=1, pad_value=1)
        ax.imshow(grid.movedim(0, -1), interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f"channel {channel}", fontsize=8)
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(f"{stage}\n{sides[stage]} pixels wide")
fig.suptitle("The nine patches that excite a channel most")
plt.show()

# %% [markdown]
# The stem asks for one colour or one direction: orange, blue, a slanted edge. A little
# later it is stuff: 10 likes what is rough, 0 a bright line. In `blocks.2` it is small shapes.
# Channel 9 answers to something bright on a dark ground, channel 30 to ridges side by side, be
# they tiles, petals or gravel. In `blocks.4` it is things, and what is around them. Channel 36
# wants lights at night, 62 something that stands before a plain ground, and 7 an eye or a
# face, among other things.
#
# We picked channels that are easy to name, and the names are ours. Many channels have none.
# Put other numbers into the cell, and see.
#
# The same net, the other way round: one picture, all channels. Walk through the stages, and
# look how the maps grow coarser.

# %%
from course_utils.widgets import FeatureMapViewer

FeatureMapViewer(
    lite0,
    photos["cat"],
    layers=["conv_stem", "blocks.1", "blocks.2", "blocks.4", "blocks.6"],
)

# %% [markdown]
# How much of the picture can a unit see? That is its **receptive field**, and it can be
# measured. Take one position in the middle of a map, and ask which pixels its gradient
# reaches.


# %%
def receptive_field(model, layer, side=224):
    """Width in pixels of what the middle of a layer's map sees."""
    image = torch.rand(1, 3, side, side, requires_grad=True)
    with watched(model.get_submodule(layer)) as kept:
        model.eval()(image)
    middle = kept[0].shape[-1] // 2
    kept[0][0, :, middle, middle].sum().backward()
    reached = image.grad[0].abs().sum((0, 1)).nonzero()
    return int(reached.max() - reached.min() + 1)


pd.Series(
    {stage: receptive_field(lite0, stage) for stage in sides},
    name="pixels seen, of 224",
).to_frame().T

# %% [markdown]
# ## Which layer transfers least to X-rays?
#
# You may meet this table in tutorials:
#
# | layers | they find | "transferable to" |
# |---|---|---|
# | first | edges, colours | 99 % of domains |
# | middle | textures, simple shapes | 90 % of domains |
# | late | parts of objects | similar domains |
# | the classifier | the task's classes | must be retrained |
#
# The percentages are a rule of thumb, and we know of no source for them. The usual answer to
# the question is the last row, the classifier. Its thousand names are *tench, goldfish, …*,
# and no X-ray is any of them. So the names have to go. But the rest can be measured.
#
# We have no X-rays. We have drawn blood cells and drawn defects of steel, and neither looks
# like a photograph. After each stage we average the maps over the picture and fit a linear
# probe, 20 pictures a class. We do it with the ImageNet weights and with random ones, so that
# you see what *pretraining* gave, and not what any net would give.
#
# **Predict.** Where is the best place to stop: at the first layer, good for "99 % of
# domains", somewhere in the middle, or at the thousand scores for goldfish and the like?

# %%
from course_utils.datasets import load_dataset
from course_utils.probe import linear_probe

ends = ["conv_stem", *(f"blocks.{i}" for i in (1, 2, 4, 6))]
ends += ["bn2", "classifier"]


def pooled(net, images):
    """What each stage gives, averaged over places: {stage: (N, C)}."""
    with ExitStack() as stack, torch.inference_mode():
        kept = {
            name: stack.enter_context(watched(net.get_submodule(name)))
            for name in ends
        }
        for batch in images.split(50):
            net(batch)
    return {
        name: torch.cat(
            [m.flatten(2).mean(2) if m.ndim == 4 else m for m in found]
        )
        for name, found in kept.items()
    }


scores, chance = [], {}
for name in ("cells", "defects"):
    transform = lite0.weights_info.transform_for(96)
    data = load_dataset(name, image_size=96, transform=transform)
    test = torch.stack(
        [data.test[i][0] for i in range(0, len(data.test), 3)]
    )
    truth = data.test.labels[::3]
    chance[name] = 1 / len(data.classes)
    draws = [
        data.train.sample_per_class(20, seed=seed) for seed in range(3)
    ]
    for source in ("imagenet", "random"):
        net = load_backbone("tf_efficientnet_lite0", weights=source)
        unseen = pooled(net, test)
        for seed, few in enumerate(draws):
            known = pooled(net, torch.stack([image for image, _ in few]))
            for stage in ends:
                probe = linear_probe(known[stage], few.labels)
                share = probe.score(unseen[stage], truth)
                scores.append((name, source, seed, stage, share))
columns = ["data", "weights", "seed", "stage", "accuracy"]
scores = pd.DataFrame(scores, columns=columns)

# %%
means = scores.groupby(["data", "weights", "stage"])["accuracy"].mean()
fig, axes = plt.subplots(
    1, 2, figsize=(7, 3.2), sharey=True, layout="constrained"
)
ticks = ["stem", "1", "2", "4", "6", "last", "scores"]
for ax, name in zip(axes, ("cells", "defects"), strict=True):
    for source, colour in (("imagenet", BLUE), ("random", ORANGE)):
        its = scores.query("data == @name and weights == @source")
        ax.plot(means[name, source].loc[ends].to_numpy(), color=colour)
        places = [ends.index(stage) for stage in its["stage"]]
        ax.plot(places, its["accuracy"], "o", color=colour, alpha=0.5)
    ax.text(
        2.3, means[name, "imagenet", "blocks.2"], "imagenet", color=BLUE
    )
    height = means[name, "random", "blocks.6"] + 0.06
    ax.text(4, height, "random", color=ORANGE)
    ax.axhline(chance[name], color="grey", linewidth=1)
    best = ticks[ends.index(means[name, "imagenet"].idxmax())]
    ax.set(
        title=f"{name}: the mean is highest after {best}",
        xlabel="where we stop",
        xticks=range(len(ends)),
        xticklabels=ticks,
        ylim=(0, 1.05),
    )
    ax.tick_params(axis="x", labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.92")
axes[0].set_ylabel("accuracy of a linear probe")
plt.show()
table = means.unstack(["data", "weights"]).round(2)
table["channels", ""] = [known[stage].shape[1] for stage in table.index]
table.loc[["conv_stem", "blocks.2", "blocks.6", "classifier"]]

# %% [markdown]
# (The grey line is guessing. Three draws of the pictures, and one random net.)
#
# The first layer may well carry over to 99 % of domains. By itself it is of no use here. On both
# sets the stem is about as good with random weights as with those of ImageNet. An edge is an
# edge anywhere, and how many edges a picture has hardly tells one cell from another. What
# pretraining gave is in the later stages. And the scores? Somebody who describes a blood cell
# as "a little jellyfish, some bubble, no goldfish at all" says enough to sort it.
#
# So two things hide in one word. The classifier's *names* transfer least, and must be
# replaced. Its *information* was nearly all there, on these drawings at least. A fair warning:
# later stages are also wider (the last column of the table), and averaging throws away where
# things were. This curve compares places to stop, not layers.

# %% [markdown]
# ## The head, in any family
#
# To adapt a net you replace its classifier: one cut, one new layer.

# %%
fig, ax = plt.subplots(figsize=(7, 1.9))


def box(x, y, words, colour, line="-"):
    style = {"boxstyle": "round,pad=0.5", "linestyle": line}
    style |= {"facecolor": colour, "edgecolor": "0.5"}
    ax.text(x, y, words, ha="center", va="center", bbox=style)


def arrow(start, end):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->"})


for x, name in enumerate("stem layer1 layer2 layer3 layer4 pool".split()):
    box(1.1 * x, 0, name, "#DCEBF7")
    if x:
        arrow((1.1 * x - 0.72, 0), (1.1 * x - 0.42, 0))
box(7.3, 0.8, "old fc\n512 → 1,000", "white", "--")
box(7.3, -0.8, "new fc\n512 → 5", "#FFE3D1")
arrow((5.9, 0.1), (6.4, 0.6))
arrow((5.9, -0.1), (6.4, -0.6))
ax.text(8.4, 0.8, "cut off", va="center")
ax.text(8.4, -0.8, "put in", va="center")
ax.set(
    title="A ResNet-18 gets a head for five classes",
    xlim=(-0.5, 9.3),
    ylim=(-1.5, 1.5),
)
ax.axis("off")
plt.show()

# %% [markdown]
# What stands left of the cut stays, with its weights. But every family hides the classifier
# somewhere else:

# %% tags=["nbval-check-output"]
from course_utils.heads import find_heads
from course_utils.meta_tensors import build_on_meta

for name in (
    "resnet18",
    "vgg16",
    "squeezenet1_1",
    "densenet121",
    "vit_b_16",
    "swin_t",
    "maxvit_t",
    "googlenet",
    "timm/levit_128s",
):
    heads = find_heads(build_on_meta(name))
    print(f"{name:16}", {k: type(m).__name__ for k, m in heads.items()})

# %% [markdown]
# SqueezeNet's is a convolution. GoogLeNet has two auxiliary classifiers besides, LeViT has two
# heads. By hand you look up name and width, and write a line that fits one family only:

# %% tags=["nbval-check-output"]
resnet.fc = nn.Linear(resnet.fc.in_features, 5)

vgg = models.vgg11()
vgg.classifier[6] = nn.Linear(vgg.classifier[6].in_features, 5)

squeeze = models.squeezenet1_1()
squeeze.classifier[1] = nn.Conv2d(512, 5, kernel_size=1)

with torch.inference_mode():
    for model in (resnet, vgg, squeeze):
        print(tuple(model.eval()(torch.rand(2, 3, 64, 64)).shape))

# %% [markdown]
# `replace_head` does it for any of them, keeps device, type and mode, and adds dropout or a
# hidden layer on request. `check_head` proves it by a pass on meta tensors:

# %% tags=["nbval-check-output"]
from course_utils.heads import check_head, replace_head

for name in ("squeezenet1_1", "maxvit_t", "timm/levit_128s"):
    model = replace_head(build_on_meta(name), 5, dropout=0.2)
    check_head(model, 5)  # raises where the logits do not fit
    print(f"{name:16}", "new heads:", *find_heads(model))

# %% [markdown]
# The same was tried on every classifier that torchvision and timm list. The table of what was
# found comes with the course:

# %%
from course_utils.measured import read_measured

survey = read_measured("architectures").table()
failed = survey[survey["failure"] != ""]
print(
    f"{len(survey):,} architectures surveyed, {len(failed)} failed;",
    f"{survey['heads'].nunique()} different names of heads",
)
survey["heads"].value_counts().head(8).to_frame("architectures")

# %% [markdown]
# ### Pitfall: the head that sits on logits
#
# A common slip is to put the new layer *behind* the old head instead of in its place. It runs,
# it even learns. **Predict** what it does to a shape that you would look at:

# %% tags=["nbval-check-output"]
slip = models.resnet18()
slip.fc = nn.Sequential(slip.fc, nn.Linear(1000, 5))  # old head inside
right = replace_head(models.resnet18(), 5)
image = torch.rand(2, 3, 64, 64)
print("slip: ", tuple(slip.eval()(image).shape), slip.fc[1].in_features)
print("right:", tuple(right.eval()(image).shape), right.fc.in_features)
layers = inspect_model(slip).layers
print(layers.loc[layers["kind"].isin(["fc", "head"]), ["path", "params"]])

# %% [markdown]
# The same shape comes out, so no error tells you. The slip learns from 1,000 scores for
# *other* classes instead of 512 features, and drags the old head's parameters along. The
# layer table shows it: two linear layers at the end where there should be one.
#
# ## Inside, by name: `create_feature_extractor`
#
# Hooks are general. For torchvision models there is a second way. torchvision traces the
# graph and returns a new module that stops, or branches off, where you say.

# %% tags=["nbval-check-output"]
from torchvision.models.feature_extraction import (
    create_feature_extractor,
    get_graph_node_names,
)

train_nodes, eval_nodes = get_graph_node_names(right)
print(len(eval_nodes), eval_nodes[:5])
extractor = create_feature_extractor(
    right, {"layer2": "edges", "layer4": "parts"}
)
with torch.inference_mode():
    maps = extractor.eval()(torch.rand(1, 3, 224, 224))
print({name: tuple(m.shape) for name, m in maps.items()})

# %% [markdown]
# It needs a `forward` that can be traced symbolically. Where that branches on a value or a
# shape, tracing fails. Hooks do not mind:

# %% tags=["nbval-check-output"]
import timm

hybrid = timm.create_model("vit_tiny_r_s16_p8_224").eval()
try:
    create_feature_extractor(hybrid, ["blocks.3"])
except Exception as error:  # the type differs from model to model
    print("create_feature_extractor:", type(error).__name__)
kept = {}
hook = hybrid.blocks[3].register_forward_hook(
    lambda m, i, out: kept.update(tokens=out)
)
with torch.inference_mode():
    hybrid(torch.rand(1, 3, 224, 224))
hook.remove()
print("a hook:", tuple(kept["tokens"].shape))

# %% [markdown]
# ## Will it fit? Memory, predicted
#
# Now the doctor's second question. A training step holds four things:
#
# - the **weights**;
# - the **gradients**, one for each weight that learns;
# - the **optimiser's** state (SGD with momentum one value a weight, Adam two);
# - the **activations** that the backward pass will need.
#
# The first three you can do in your head:

# %% tags=["nbval-check-output"]
weights_mb = report.num_params * 4 / 1e6  # ResNet-18 in float32
print(f"weights          {weights_mb:6.1f} MB")
print(f"+ gradients      {weights_mb:6.1f} MB")
print(f"+ Adam's state   {2 * weights_mb:6.1f} MB")

# %% [markdown]
# Activations grow with the batch, and for images they win. `memory` runs the step on meta
# tensors and counts what each operator keeps:

# %%
modes = {
    "inference": {"mode": "inference"},
    "frozen, Adam": {"mode": "frozen", "optimizer": "adam"},
    "full, SGD": {"mode": "full", "optimizer": "sgd"},
    "full, Adam": {"mode": "full", "optimizer": "adam"},
}
parts = ["weights", "gradients", "optimizer", "activations"]
need = {
    label: {
        part: getattr(report.memory(32, **options), part) / 1e6
        for part in parts
    }
    for label, options in modes.items()
}
ax = pd.DataFrame(need).T.plot.barh(
    stacked=True,
    figsize=(7, 2.8),
    color=["#999999", "#56B4E9", "#0072B2", "#E69F00"],
)
ax.set(
    title="ResNet-18, 32 pictures of 224 pixels",
    xlabel="memory of tensors (MB)",
)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Frozen, the backbone's activations are thrown away as soon as the next layer has read them,
# because no backward pass goes through it. That is the main reason why feature extraction fits
# where fine-tuning does not.
#
# ### Measured
#
# On a processor we can watch every tensor come and go. Here is a training step of each kind
# against its prediction:

# %%
from course_utils.layer_groups import freeze
from courseware.claims import load_claim
from courseware.claims.topics.memory import training_bytes

for mode in ("frozen", "full"):
    model = models.resnet18()
    if mode == "frozen":
        freeze(model)
    measured = training_bytes(model, 8, "adam")
    guess = report.memory(8, mode=mode, optimizer="adam").peak
    print(
        f"{mode:7} predicted {guess / 1e6:6.1f} MB,",
        f"measured {measured / 1e6:6.1f} MB",
    )

# %% [markdown]
# The course did the same for four nets at five batch sizes, frozen and in full. A dot is one
# measurement. On the line, prediction and measurement agree.

# %%
claim = load_claim("C15")
marks = dict(
    zip(
        ("resnet18", "resnet50", "efficientnet_b0", "vit_b_32"),
        "osD^",
        strict=True,
    )
)
fig, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
ax.plot([50, 2500], [50, 2500], color="0.8", zorder=0)
for name, mark in marks.items():
    for mode, colour in (("frozen", BLUE), ("full", ORANGE)):
        x, y = (
            claim.rows[f"{name}/{mode}/{kind} MB"]
            for kind in ("predicted", "measured")
        )
        label = name if mode == "full" else None
        ax.plot(x, y, mark, color=colour, alpha=0.6, label=label)
worst = max(
    abs(e) for k, v in claim.rows.items() if "error" in k for e in v
)
ax.set(
    title=f"No prediction is off by more than {worst:.1f} %",
    xlabel="predicted (MB)",
    ylabel="measured (MB)",
    xscale="log",
    yscale="log",
)
ax.text(80, 500, "full", color=ORANGE)
ax.text(200, 75, "frozen", color=BLUE)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="lower right", fontsize=8)
plt.show()

# %% [markdown]
# Not in the prediction: what a GPU's allocator keeps in reserve, workspaces inside an
# operator, and the CUDA context itself (some hundred MB). Leave room.
#
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("03")

# %% [markdown]
# ## Summary
#
# 1. Ten lines show **where** a score comes from, nine patches **what** a channel answers to.
# 2. A net is a row of stages. In ResNet-18 the work is level, the parameters are at the end.
#    `inspect_model` gives the layer table of any architecture.
# 3. `find_heads`, `replace_head`, `check_head`: name, surgery, proof. Never stack a head on
#    logits.
# 4. Memory is weights + gradients + optimiser + activations. The last decide, and freezing
#    lets them go.
#
# ## So what do I do on Monday?
#
# What you tell the doctor:
#
# > - Yes, you can look where it looks. Do it for ten right answers and for ten wrong ones.
# > - The old classifier goes. The last stage before it is the first one to try.
# > - Before you buy a computer: `inspect_model(name).memory(batch)`. Frozen needs far less.
# > - After any surgery `check_head`, and one look at the layer table.
# > - Remove your hooks.
#
# **Try next:** put the name of the net that you use at work into the explorer, and freeze it
# stage by stage until it fits your machine. And ask `grad_cam` for a word of your own.
#
# **Exercise:** [03 · Inside a model](../exercises/03_inside_a_model.ipynb).
# **Next lesson:** [04 · Feature extraction](04_feature_extraction.ipynb).
