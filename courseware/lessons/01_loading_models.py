# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Loading pretrained models
#
# > **The botanical garden's developer is on the telephone.** He has loaded the network of
# > lesson 00, from the very same file, and shown it the same cup of coffee. There was no
# > error and no warning. Would you run his code, please, and tell him what is wrong?

# %%
import numpy as np
import torch

from course_utils.datasets import sample_photos
from course_utils.weights import load_backbone

photos = sample_photos()
model = load_backbone("tf_efficientnet_lite0", weights="imagenet")
names = model.weights_info.classes


def say(pixels, net=model, k=3):
    """Print the k most probable names of one prepared picture."""
    with torch.inference_mode():
        chances = net(pixels[None]).softmax(dim=1)[0]
    values, indices = chances.topk(k)
    for value, index in zip(values.tolist(), indices, strict=True):
        print(f"{value:6.1%}  {names[index]}")


small = photos["coffee"].resize((224, 224))
pixels = torch.tensor(np.array(small)).permute(2, 0, 1).float()
say(pixels)

# %% [markdown]
# A loudspeaker. The network is the right one and its weights are the right ones.
# **Predict:** which line of his is the culprit?
#
# <details><summary>The culprit</summary>
#
# The last but one. His pixels run from 0 to 255. These weights have only ever seen numbers
# between −1 and 1.
#
# </details>
#
# The same network, and the same cup prepared as its weights want it:

# %%
import matplotlib.pyplot as plt

his, ours = pixels, model.weights_info.transform(photos["coffee"])
fig, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
axes[0].imshow(photos["coffee"])
axes[0].set(title="What both saw", xticks=[], yticks=[])
for ax, title, prepared in (
    (axes[1], "His preparation", his),
    (axes[2], "The weights' own", ours),
):
    with torch.inference_mode():
        found = model(prepared[None]).softmax(dim=1)[0].topk(3)
    words = [names[i] for i in found.indices]
    bars = ax.barh(words, found.values, color="#0072B2")
    ax.bar_label(bars, [f"{v:.0%}" for v in found.values], padding=3)
    ax.invert_yaxis()
    ax.set(title=title, xlim=(0, 1.25), xticks=[])
    ax.spines[["top", "right", "bottom"]].set_visible(False)
fig.suptitle("One cup, prepared in two ways: loudspeaker, espresso")
plt.show()
print(photos.captions["coffee"], f"({photos.licences['coffee']})")

# %% [markdown]
# A pretrained model is **three things that belong together**: a definition (which layers),
# weights (which numbers), and a preparation (what a picture must look like to them). Get one
# of them wrong and nothing complains. It answers all the same.
#
# After this lesson you can
#
# 1. say what pretrained weights cost to make, what they save you, and why they transfer;
# 2. load a model from torchvision, `torch.hub` or timm, and edit its definition without
#    losing its weights;
# 3. load a checkpoint file, and read the error when it does not fit;
# 4. prepare a photograph as the weights expect it, and get its five likeliest names.
#
# **40 minutes of reading, about a minute of compute.** Needs: lesson 00, basic PyTorch.

# %%
import pandas as pd
import timm
from IPython.display import HTML, display
from torch import nn
from torchvision import models

from course_utils.datasets import load_dataset
from course_utils.predictions import top_k
from course_utils.runtime import seed_everything
from course_utils.storage import data_dir
from course_utils.weights import default_backbone
from courseware.claims import load_claim

BLUE, ORANGE, SKY = "#0072B2", "#D55E00", "#56B4E9"
_ = seed_everything(0)

# %% [markdown]
# ## Why not train your own?
#
# The garden has 100 labelled pictures, 20 of each species. That is too few to learn what an
# edge is, what a petal is, *and* which petals make a daisy. Somebody else has already taught
# this network the first two.

# %%
transform = model.weights_info.transform_for(96)
flowers = load_dataset("flowers", image_size=96, transform=transform)
few = flowers.train.sample_per_class(20)
fig, axes = plt.subplots(1, 5, figsize=(7, 1.8))
for ax, name in zip(axes, flowers.classes, strict=True):
    position = few.labels.tolist().index(flowers.classes.index(name))
    ax.imshow(few.images[position])
    ax.set(title=name, xticks=[], yticks=[])
fig.suptitle("One of 20 training pictures of each species", y=1.08)
plt.show()

# %% [markdown]
# **Predict.** We read the network's features of those 100 pictures, and fit a linear
# classifier on them (a **linear probe**, lesson 04). Once with the ImageNet weights, once
# with the random weights that every new model starts from. Guessing gives 20 %. How far apart
# will the two be?

# %%
from course_utils.features import extract_features
from course_utils.probe import linear_probe

probes = {}
for source in ("random", "imagenet"):
    net = load_backbone("tf_efficientnet_lite0", weights=source)
    train = extract_features(net, few)
    test = extract_features(net, flowers.test)
    probes[source] = linear_probe(train.features, train.labels)
    share = probes[source].score(test.features, test.labels)
    print(f"{source:8} right on {share:.0%} of {len(test.labels)} flowers")

# %% [markdown]
# One draw of 20 pictures a class is an anecdote. So the course repeated it: five networks,
# four sets of pictures, and five draws of each. The first four networks are small ones that
# the course trained itself on its own drawings. Each dot is one draw.

# %%
claim = load_claim("C1")
nets = list(dict.fromkeys(key.split("/")[0] for key in claim.rows))
sets = list(dict.fromkeys(key.split("/")[1] for key in claim.rows))
fig, axes = plt.subplots(
    1, len(sets), figsize=(7, 2.9), sharey=True, layout="constrained"
)
ahead, pairs = 0, 0
for ax, data in zip(axes, sets, strict=True):
    for y, name in enumerate(nets):
        start = claim.rows[f"{name}/{data}/random"]
        gained = claim.rows[f"{name}/{data}/pretrained"]
        ax.plot([np.mean(start), np.mean(gained)], [y, y], color="0.8")
        ax.plot(start, [y] * len(start), "o", color=ORANGE, alpha=0.5)
        ax.plot(gained, [y] * len(gained), "o", color=BLUE, alpha=0.5)
        ahead += sum(b > a for a, b in zip(start, gained, strict=True))
        pairs += len(start)
    ax.set_title(data, fontsize=10)
    ax.set(xlim=(0, 1.05), xticks=[0, 0.5, 1], yticks=range(len(nets)))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="0.92")
axes[0].set_yticklabels(nets)
axes[0].invert_yaxis()
axes[0].text(0.02, 4.45, "random", color=ORANGE, fontsize=9)
axes[0].text(0.55, 4.45, "pretrained", color=BLUE, fontsize=9)
axes[0].set_ylim(4.8, -0.5)
fig.supxlabel(
    "accuracy of a linear probe, 20 pictures a class", fontsize=9
)
fig.suptitle(
    f"Pretrained features are ahead in {ahead} of {pairs} pairs of draws"
)
plt.show()

# %% [markdown]
# Where the orange dots are far to the right already, there is little left to gain. That is
# the case for the digits: tiny, clean, centred. Random features are no straw man.
#
# Here are the four rows of our network. `±` is half a 95 % interval over five draws of the
# pictures and of the random weights. It does not cover training the backbone again.

# %%
shown = claim.table.loc["tf_efficientnet_lite0"]
shown = shown.drop(columns="verdict")
display(shown)
display(
    HTML(
        "<details><summary>All the rows. The verdict is about a gain of "
        "15 points on flowers and 5 elsewhere.</summary>"
        f"{claim.table.to_html()}</details>"
    )
)

# %% [markdown]
# ("Points" are hundredths of accuracy.) On three of the four sets the gain is large. On the
# digits it stays open whether there is any.
#
# ## What pretraining costs
#
# How much work is in a file of ImageNet weights? Count it. A training step costs about
# three forward passes (one forward, two backward), and a multiply-add is two operations.
#
# The time is that of a published run, 256 GPUs for one hour
# ([Goyal et al., 2017](https://arxiv.org/abs/1706.02677)). Put in your own price, and the
# size of your own problem.

# %%
meta = models.ResNet50_Weights.IMAGENET1K_V1.meta
images, epochs = 1_281_167, 90
operations = meta["_ops"] * 1e9 * 2 * 3 * images * epochs
print(f"{operations:.1e} operations to train ResNet-50 once")

gpu_hours_imagenet = 256  # Goyal et al. 2017: 256 P100 GPUs, 1 hour
price_per_gpu_hour = 2.0  # US dollars: put in what you pay
your_images, your_epochs = 1_000, 20

share = your_images * your_epochs / (images * epochs)
costs = pd.DataFrame(
    {
        "from scratch on ImageNet": [
            images,
            images * epochs,
            gpu_hours_imagenet,
        ],
        "fine-tune all of it": [
            your_images,
            your_images * your_epochs,
            gpu_hours_imagenet * share,
        ],
    },
    index=["labelled pictures", "pictures seen", "GPU hours"],
    dtype=float,
)
costs.loc["days on one GPU"] = costs.loc["GPU hours"] / 24
costs.loc["US dollars"] = costs.loc["GPU hours"] * price_per_gpu_hour
costs.map(lambda v: f"{v:,.0f}" if v >= 100 else f"{v:.3f}")

# %% [markdown]
# The table is arithmetic, not a benchmark. It takes the same time for each picture. Two
# things are not in it at all: somebody had to label 1.28 million pictures, and somebody had
# to find out how to train on them.
#
# ## Why do the weights help? Look where training starts
#
# People often say that the pretrained start lies *nearer* to a good solution. We can measure
# that, on a net small enough to be trained six times while you wait: `test_resnet`, at 64
# pixels, with weights that the course made from its own drawings ("bundled"). Train it from
# both starts, three times each. After each epoch, note how far the weights have travelled
# and what the loss on the 100 pictures is.
#
# **Predict.** Which start has the lower loss *before* training? And which one has the longer
# way to go until the loss is below 1?

# %%
from torch.nn.utils import parameters_to_vector

from course_utils.metrics import mean_interval
from course_utils.training import evaluate, fit, make_loader

small_net = load_backbone("test_resnet", weights="bundled")
tiny = load_dataset("flowers", transform=small_net.weights_info.transform)
hundred = tiny.train.sample_per_class(20)


def journey(source, seed, epochs=10):
    """Fine-tune; return (distance from the start, loss) by epoch."""
    seed_everything(seed)
    net = load_backbone("test_resnet", weights=source, num_classes=5)
    start = parameters_to_vector(net.parameters()).detach()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    loader = make_loader(hundred, batch_size=20, shuffle=True, seed=seed)
    same = make_loader(hundred, batch_size=100)
    way = [(0.0, evaluate(net, same)["loss"])]
    for _ in range(epochs):
        fit(
            net,
            loader,
            None,
            epochs=1,
            optimizer=optimizer,
            progress=False,
        )
        now = parameters_to_vector(net.parameters()).detach()
        length = (now - start).norm().item()
        way.append((length, evaluate(net, same)["loss"]))
    return way


ways = {
    source: [journey(source, seed) for seed in range(3)]
    for source in ("random", "bundled")
}

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
needed = {}
for source, colour in (("random", ORANGE), ("bundled", BLUE)):
    for way in ways[source]:
        ax.plot(*zip(*way, strict=True), "o-", color=colour, markersize=4)
    distance, loss = ways[source][0][2]
    ax.annotate(source, (distance + 0.3, loss + 0.12), color=colour)
    net = load_backbone("test_resnet", weights=source)
    length = extract_features(net, hundred).features.norm(dim=1).mean()
    before = ", ".join(f"{way[0][1]:.2f}" for way in ways[source])
    print(f"{source:8} features of length {length:.1f},", end=" ")
    print(f"loss before training {before}")
    needed[source] = [
        next(d for d, loss in way if loss < 1) for way in ways[source]
    ]
    print(f"{source:8} way until the loss is below 1:", end=" ")
    print(mean_interval(needed[source]), "(3 runs, 95 % interval)")
shorter = max(needed["bundled"]) < min(needed["random"])
ax.axhline(1, color="grey", linewidth=1)
ax.set(
    title="The pretrained start has the shorter way, in each run"
    if shorter
    else "Loss on the way, from both starts",
    xlabel="distance of all weights from their start (a dot an epoch)",
    ylabel="training loss (nats)",
)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# At distance 0 neither start knows the species, because the head is new. The random net's
# loss is that of a guess (with five classes, ln 5 ≈ 1.6). The pretrained one starts *worse*.
# Its features are longer, so a random head turns them into confident answers, and those are
# mostly wrong. The first epoch puts that right. In ten epochs both travel about equally far.
# What differs is what a step is worth. (Each run ends at a solution of its own, so this is
# distance *travelled*, not distance to one common optimum.)
#
# ## ImageNet, the usual source
#
# | | |
# |---|---|
# | pictures in all | 14 million, in 21,841 categories (WordNet synsets) |
# | the competition's part (ILSVRC, "ImageNet-1K") | 1.28 million training pictures, 1,000 classes |
# | a person who was tested on it | about 5 % top-5 error |
#
# **Top-5 error** is the share of pictures whose right name is not among the five likeliest.
#
# Why should weights that tell a tench from a goldfish be of use in a blood laboratory? Four
# reasons are usually given. Look at what the network had to learn:

# %%
groups = {
    "living": names[:398:57],
    "made by hands": names[398:910:71],
    "food": names[924:969:5],
    "places": names[972:980],
}
for group, examples in groups.items():
    print(f"{group:14}", ", ".join(examples[:6]))
dogs = names[151:269]
print(f"\n{len(dogs)} breeds of dog, from {dogs[0]} to {dogs[-1]}")
print(len(models.list_models(module=models)), "architectures and", end=" ")
recipes = [models.get_model_weights(m) for m in models.list_models(models)]
print(sum(map(len, recipes)), "sets of weights in torchvision alone")

# %% [markdown]
# - **Diversity.** Animals, tools, food, coasts. Whatever separates a lemon from an
#   orange and a church from a castle must be made of the same few things: edges, colours,
#   textures, and how they lie to each other. Those are in your pictures too.
# - **Scale.** A thousand and more pictures a class. A detail that happens to mark the class
#   in ten pictures fails in the other thousand, so the net must look for what lasts.
# - **Hierarchy.** Dog against lorry asks for coarse shape. A hundred breeds of dog ask for
#   the curl of a coat. One net has to see both.
# - **Community.** For a decade everybody tuned on it, so weights, recipes and known bugs are
#   there for the asking. This one flatters: what was tuned on ImageNet looks good on
#   ImageNet.
#
# They are reasons, not proofs. The picture of dots above is what we measured, and it holds
# no X-ray. Lesson 03 asks which layers carry over to strange pictures, and lesson 07
# measures how far.

# %%
winners = pd.DataFrame(
    [
        (2010, "NEC-UIUC", 28.2),
        (2011, "XRCE", 25.8),
        (2012, "AlexNet", 16.4),
        (2013, "Clarifai", 11.7),
        (2014, "GoogLeNet", 6.7),
        (2015, "ResNet", 3.6),
        (2016, "Trimps-Soushen", 3.0),
        (2017, "SENet", 2.3),
    ],
    columns=["year", "winner", "error"],
)
fig, ax = plt.subplots(figsize=(7, 3))
ax.bar(winners["year"], winners["error"], color=SKY)
for row in winners.itertuples():
    height = max(row.error, 5) + 0.7
    label = row.winner.replace("-", "-\n")
    ax.annotate(label, (row.year, height), ha="center", fontsize=8)
ax.axhline(5, color=ORANGE, linestyle="--")
ax.annotate("a person,\nabout 5 %", (2017.6, 5.6), color=ORANGE)
ax.spines[["top", "right"]].set_visible(False)
ax.set(
    title="Winners of the ImageNet challenge (ILSVRC, classification)",
    xlabel="year",
    ylabel="top-5 error (%)",
    xlim=(2009.4, 2018.9),
    xticks=winners["year"],
    ylim=(0, 32),
)
plt.show()

# %% [markdown]
# VGG came second in 2014, with 7.3 %, and is still used today. Second place is no shame.
#
# The **bundled** weights of `test_resnet` and its small sisters are *not* ImageNet weights.
# They were trained on pictures that the course draws itself. One line always tells you which
# you are using.
#
# ## Definition and weights are two things
#
# A definition says which layers there are. Weights are the numbers in them. A new definition
# holds random ones, so it guesses. It can be edited like any Python object: to be shallower,
# or to take the steel mill's grey pictures (one channel).

# %%
definition = timm.create_model("test_resnet", num_classes=5)
picture = hundred[0][0][None]  # (1, 3, 64, 64)
with torch.inference_mode():
    print(
        "a guess:", definition.eval()(picture).softmax(1).numpy().round(2)
    )


shallow = models.ResNet(models.resnet.BasicBlock, layers=[1, 1, 1, 1])
grey = models.resnet18()
grey.conv1 = nn.Conv2d(
    1, 64, kernel_size=7, stride=2, padding=3, bias=False
)
for name, net in (
    ("resnet18", models.resnet18()),
    ("shallow", shallow),
    ("grey", grey),
):
    count = sum(p.numel() for p in net.parameters())
    print(f"{name:9} {count:>11,} parameters")

# %% [markdown]
# **Predict.** The bundled weights expect three channels. What happens when you load them
# into a one-channel definition?

# %%
from safetensors.torch import load_file

state = load_file(data_dir() / "weights" / "test_resnet.safetensors")
one_channel = timm.create_model(
    "test_resnet", in_chans=1, num_classes=state["fc.bias"].numel()
)
try:
    one_channel.load_state_dict(state)
except RuntimeError as error:
    print(error)

# %% [markdown]
# Only the first layer disagrees. Nothing need be lost: a grey picture is the same value in
# all three channels (if they are normalised alike), so *adding* the three filters gives the
# same answer, up to rounding.

# %%
first = next(k for k, v in state.items() if v.ndim == 4)
summed = dict(state)
summed[first] = state[first].sum(dim=1, keepdim=True)
# (C, 3, k, k) -> (C, 1, k, k)
one_channel.load_state_dict(summed)

three_channel = load_backbone("test_resnet", weights="bundled")
value = torch.rand(1, 1, 64, 64)
with torch.inference_mode():
    colour = three_channel(value.expand(-1, 3, -1, -1))
    difference = one_channel.eval()(value) - colour
print("largest difference:", f"{difference.abs().max():.0e}")

# %% [markdown]
# ## Way 1: torchvision
#
# Weights are named members of an enum. They carry their own facts (`meta`) and their own
# preparation (`transforms()`). Four lines, and each hides a decision:
#
# | line | what you decide |
# |---|---|
# | `weights = …IMAGENET1K_V2` | which recipe, by a name that will still mean it next year |
# | `weights.transforms()` | that pictures are prepared for *these* weights |
# | `weights.meta["categories"]` | what logit 0, 1, 2 … mean |
# | `get_model("resnet50", weights=None)` | no download. With `weights=weights` it would fetch a file, once, into `torch.hub.get_dir()`. The table says how many MB. |
#
# Lessons never download unasked.

# %%
weights = models.ResNet50_Weights.IMAGENET1K_V2
preprocess = weights.transforms()
classes = weights.meta["categories"]
net = models.get_model("resnet50", weights=None)
print(classes[:3])

rows = []
for weights in models.get_model_weights("resnet50"):
    top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    rows.append(
        (
            weights.name,
            top1,
            weights.meta["num_params"],
            round(weights.meta["_file_size"]),
            weights.transforms().resize_size[0],
            weights is models.ResNet50_Weights.DEFAULT,
        )
    )
columns = ["weights", "top-1 %", "parameters", "MB", "resize", "DEFAULT"]
pd.DataFrame(rows, columns=columns)

# %% [markdown]
# Same definition, same number of parameters, several points apart. V2 is the better
# training recipe, and wants another resize. `DEFAULT` is whatever the library thinks best
# today, so name the version when somebody must be able to repeat your result.
#
# What does `transforms()` do to a picture? Let us watch it. **Predict:** the photograph of
# the coffee is 600 pixels wide and 400 high. How much of it will the net see?

# %%
photo = photos["coffee"]
prepared = preprocess(photo)  # (3, 224, 224), float32
crop, resize = preprocess.crop_size[0], preprocess.resize_size[0]
side = min(photo.size) * crop / resize  # in the photo's own pixels
left, top = ((length - side) / 2 for length in photo.size)
print(preprocess)

fig, axes = plt.subplots(1, 3, figsize=(7, 2.6), layout="constrained")
axes[0].imshow(photo)
axes[0].add_patch(
    plt.Rectangle((left, top), side, side, fill=False, color="w", lw=2)
)
axes[0].set(title=f"{photo.size[0]} × {photo.size[1]}: what is kept")
axes[1].imshow(
    prepared.movedim(0, -1) * torch.tensor(preprocess.std)
    + torch.tensor(preprocess.mean)
)
axes[1].set(title=f"{crop} × {crop}: what it sees")
for ax in axes[:2]:
    ax.set(xticks=[], yticks=[])
for channel, colour in zip(
    prepared, (ORANGE, "#009E73", BLUE), strict=True
):
    axes[2].hist(
        channel.flatten().numpy(), bins=50, color=colour, alpha=0.6
    )
axes[2].set(title="Values, by colour", xlabel="value", yticks=[])
axes[2].spines[["top", "right", "left"]].set_visible(False)
fig.suptitle("The frame that is kept, what it sees, the values that enter")
plt.show()
share = side**2 / (photo.size[0] * photo.size[1])
print(f"{share:.0%} of the photograph is left")

# %% [markdown]
# Four steps: resize the shorter side, cut out the middle, bring bytes to 0 … 1, then subtract
# a mean and divide by a deviation, colour by colour. What lies outside the frame is never
# seen. A crack at the edge of a sheet of steel would be gone.
#
# This is the preparation for *inference*. Training wants another one, with random crops and
# flips (lesson 08).
#
# **Old code says `pretrained=True`.** It did not say *which* weights, so it went away
# (deprecated since torchvision 0.13). See what it says today:

# %%
import warnings

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    models.squeezenet1_0(pretrained=False)  # True would download
for warning in said:
    print(str(warning.message).split(". ")[0].rstrip(".") + ".")

# %% [markdown]
# ## Way 2: `torch.hub`
#
# A repository with a file `hubconf.py` is a hub. Each public function in it is an entry
# point. Let us make one, so that you see all there is to it. The first two prints are what
# `torch.hub.list("owner/repository")` and `torch.hub.help(…)` do with one on GitHub.

# %% tags=["nbval-check-output"]
import runpy
import tempfile
from pathlib import Path

hub = Path(tempfile.mkdtemp())
(hub / "hubconf.py").write_text('''
dependencies = ["timm"]

def tiny_resnet(num_classes=5):
    """A very small ResNet for 64-pixel pictures."""
    import timm
    return timm.create_model("test_resnet", num_classes=num_classes)
''')
entries = runpy.run_path(hub / "hubconf.py")  # this runs its code!
print([name for name, entry in entries.items() if callable(entry)])
print(entries["tiny_resnet"].__doc__)
net = torch.hub.load(
    str(hub), "tiny_resnet", source="local", num_classes=3
)
print(type(net).__name__, net.num_classes)

# %% [markdown]
# With `torch.hub.load("owner/repository", …)` the same happens after a download from
# GitHub: **the repository's code runs on your machine**. Answer the question about trust
# (`trust_repo`) as you would for any program, and pin a tag or commit
# (`"owner/repository:v1.0"`). A repository without `hubconf.py` cannot be loaded this way.
#
# ## Way 3: timm
#
# `list_models` searches and `pretrained_cfg` describes. `create_model` sets the head for you.
# You get ten logits, or one feature vector for each picture, or the last feature map with its
# height and width.

# %%
print(
    len(timm.list_models()),
    "architectures,",
    len(timm.list_pretrained()),
    "weight sets",
)
print(timm.list_models("test_*")[:4])
cfg = timm.get_pretrained_cfg("test_resnet.r160_in1k")
print(cfg.hf_hub_id, cfg.input_size, cfg.license)

batch = torch.rand(2, 3, 64, 64)
for options in (
    {"num_classes": 10},
    {"num_classes": 0},
    {"num_classes": 0, "global_pool": ""},
):
    net = timm.create_model("test_resnet", **options).eval()
    print(f"{str(options):40} -> {tuple(net(batch).shape)}")

config = timm.data.resolve_model_data_config(net)
print({k: config[k] for k in ("input_size", "mean", "std", "crop_pct")})
timm.data.create_transform(**config, is_training=False)

# %% [markdown]
# ## Which way when
#
# | you want | take | because |
# |---|---|---|
# | a well-known net, results others can repeat | torchvision | weights are versioned enums, facts in `meta` |
# | the newest or the most, one interface for all | timm | a thousand architectures, `num_classes=0`, `features_only` |
# | a paper's own repository | `torch.hub` | if it has a `hubconf.py`, and you trust it |
# | to learn here, offline or not | `load_backbone` | one line, says what it loaded |
#
# ## The course's way
#
# `load_backbone` takes any torchvision or timm name, and never touches the network.
# `weights="auto"` means ImageNet if it is already on your disk, else the bundled weights. It
# keeps the three things together: definition, weights, and `weights_info`, which prepares.

# %%
for net in (
    load_backbone("tf_efficientnet_lite0", weights="imagenet"),
    load_backbone(default_backbone()),
):
    info = net.weights_info
    print(info.describe())
    print("  licence  ", info.licence)
    print("  mean, std", info.mean, info.std)
    print("  in eval mode:", not net.training)

# %% [markdown]
# ## A checkpoint file
#
# Weights in a file are a dictionary from names to tensors. Build the definition, then fill
# it. `weights_only=True` refuses anything but plain data, because a pickle can run code. (A
# `.safetensors` file, as above, holds nothing but tensors, so it cannot.)

# %%
path = hub / "mine.pth"
torch.save(three_channel.state_dict(), path)
state = torch.load(path, weights_only=True)
print(len(state), "tensors, the first is", next(iter(state)))
fresh = timm.create_model(
    "test_resnet", num_classes=three_channel.num_classes
)
print(fresh.load_state_dict(state))

# %% [markdown]
# ### A pitfall: `strict=False`
#
# When names do not match, the error lists them. The tempting cure is `strict=False`.
# **Predict:** what does this load?

# %% tags=["nbval-check-output"]
renamed = {f"module.{name}": tensor for name, tensor in state.items()}
fresh = timm.create_model(
    "test_resnet", num_classes=three_channel.num_classes
)
result = fresh.load_state_dict(renamed, strict=False)
print(len(state), "tensors in the file;", end=" ")
print(len(result.unexpected_keys), "names that the model does not know")

# %% [markdown]
# Every name was unknown, so nothing was loaded, and without a word. The net is still
# random. (`module.` is what `DataParallel` puts in front.) Strip the prefix, or look at
# `missing_keys` and `unexpected_keys` each time.
#
# ## Preparation, by hand
#
# Back to the developer. Here is what he should have done, in four lines: size, range 0 to 1,
# then minus mean, divided by standard deviation, per channel.

# %%
info = model.weights_info
mean, std = (torch.tensor(v).view(3, 1, 1) for v in (info.mean, info.std))
small = photos["coffee"].resize((224, 224))
pixels = torch.tensor(np.array(small)).permute(2, 0, 1) / 255
by_hand = (pixels - mean) / std  # (3, 224, 224)
print(f"raw      {pixels.min():.2f} to {pixels.max():.2f}")
print(f"prepared {by_hand.min():.2f} to {by_hand.max():.2f}")
say(by_hand)
print(info.transform)

# %% [markdown]
# The package's line keeps the proportions and cuts the middle out. Ours squeezes the picture.
# It is forgiven.
#
# **Predict.** How will it take these slips: no normalisation, normalisation done twice (the
# data set did it, the model does it again), blue in the place of red, and the developer's own?
# Which of them would *you* notice? Switch, and read the names.

# %%
from course_utils.widgets import PictureSwitcher

slips = {
    "right": by_hand,
    "not normalised": pixels,
    "normalised twice": (by_hand - mean) / std,
    "blue for red": by_hand.flip(0),
    "0 to 255": pixels * 255,
}
pictures, descriptions = {}, {}
for name, tensor in slips.items():
    with torch.inference_mode():
        found = model(tensor[None]).softmax(dim=1)[0].topk(5)
    words = [names[i] for i in found.indices]
    fig, (ax, bars) = plt.subplots(
        1, 2, figsize=(6.5, 2.4), layout="constrained"
    )
    ax.imshow(tensor.movedim(0, -1).clamp(-1, 1).add(1).div(2))
    low, high = tensor.min(), tensor.max()
    ax.set(title=f"Values {low:.0f} to {high:.0f}", xticks=[], yticks=[])
    bars.barh(words, found.values, color=BLUE)
    bars.invert_yaxis()
    bars.set(title="What it says", xlim=(0, 1), xlabel="probability")
    bars.spines[["top", "right"]].set_visible(False)
    plt.close(fig)
    pictures[name] = fig
    descriptions[name] = f"{name}: " + ", ".join(
        f"{word} {value:.0%}"
        for word, value in zip(words, found.values, strict=True)
    )
display(PictureSwitcher(pictures, label="Slip", alt=descriptions))

# %% [markdown]
# Only the last one is loud. The others still say *espresso*, a little less sure. You would
# ship them. What they cost shows over many pictures only. So take the probe that we fitted
# on the flowers above, and prepare the test pictures wrongly:

# %%
right = torch.stack([flowers.test[i][0] for i in range(0, 600, 3)])
labels = flowers.test.labels[::3]
raw = right * std + mean
for name, batch in {
    "right": right,
    "not normalised": raw,
    "normalised twice": (right - mean) / std,
    "0 to 255": raw * 255,
}.items():
    with torch.inference_mode():
        maps = model.forward_features(batch)
        features = model.forward_head(maps, pre_logits=True)  # (N, 1280)
    share = probes["imagenet"].score(features, labels)
    print(f"{name:17} {share:.0%} of {len(labels)} flowers right")

# %% [markdown]
# How much a slip costs depends on the net. The course measured two of them on four small
# nets, with five draws of the training pictures each:

# %%
claim = load_claim("C4")
nets = list(dict.fromkeys(key.split("/")[0] for key in claim.rows))
fig, ax = plt.subplots(figsize=(7, 2.6))
for slip, colour, shift in (
    ("missing", BLUE, -0.12),
    ("twice", ORANGE, 0.12),
):
    for y, name in enumerate(nets):
        costs = claim.rows[f"{name}/cost if {slip}"]
        ax.plot(costs, [y + shift] * 5, "o", color=colour, alpha=0.6)
    ax.text(66, y + shift, slip, color=colour, va="center")
least = min(min(v) for k, v in claim.rows.items() if "cost" in k)
ax.set(
    title=f"Wrong normalisation costs {least:.0f} points or more",
    xlabel="accuracy lost (points), a dot a run",
    xlim=(0, 76),
    yticks=range(len(nets)),
    yticklabels=nets,
)
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
ax.grid(axis="x", color="0.92")
plt.show()

# %% [markdown]
# Some nets forgive more than others. None of them complains.
#
# ## Inference: `eval()`, `inference_mode`, softmax, top 5
#
# The developer has mended his pixels, and calls again. Now his net says something else every
# time he starts it with other pictures in the batch. Some layers behave differently while
# training. Which? Ask each layer twice, once in train mode, once in eval mode:


# %%
def differing_layers(model, batch):
    """Types of layer whose output differs between train and eval mode."""
    seen, differs = {}, set()
    hooks = [
        m.register_forward_hook(lambda m, x, y: seen.update({m: x}))
        for m in list(model.modules())[1:]
        if list(m.parameters(recurse=False)) or not list(m.children())
    ]
    model.eval()(batch)
    for hook in hooks:
        hook.remove()
    for layer, inputs in seen.items():
        if not torch.equal(layer.train()(*inputs), layer.eval()(*inputs)):
            differs.add(type(layer).__name__)
    return sorted(differs) or ["none"]


batch = torch.stack([tiny.test[i][0] for i in range(8)])
nets = {
    "test_resnet": timm.create_model("test_resnet"),
    "test_efficientnet": timm.create_model("test_efficientnet"),
    "test_vit": timm.create_model("test_vit", img_size=64),
    "test_vit, stochastic depth 0.2": timm.create_model(
        "test_vit", img_size=64, drop_path_rate=0.2
    ),
    "squeezenet1_0": models.squeezenet1_0(),
}
with torch.no_grad():
    for name, net in nets.items():
        print(f"{name:32}", ", ".join(differing_layers(net, batch)))

# %% [markdown]
# BatchNorm uses the batch's own mean in train mode, so a picture's answer depends on its
# neighbours. Dropout and stochastic depth throw dice. A plain ViT has neither. `eval()`
# changes *modes*. It does not stop gradients: that is what `inference_mode` is for.

# %%
output = three_channel(picture)
print("needs gradients, eval() alone:", output.requires_grad)
with torch.inference_mode():
    output = three_channel(picture)
print("needs gradients, inference_mode:", output.requires_grad)

# %% [markdown]
# **Predict.** The cat, rightly prepared, alone in its batch, and the net left in train mode.
# What will it be?

# %%
import copy

print(photos.captions["cat"], f"({photos.licences['cat']})")
cat = model.weights_info.transform(photos["cat"])
say(cat)
print("left in train mode:")
say(cat, net=copy.deepcopy(model).train())  # a copy, because it moves

# %% [markdown]
# Normalised by itself alone, the cat is nothing in particular, and the likeliest of the
# thousand names is hardly likelier than the rest. (The mistake even changed that copy of the
# net. BatchNorm keeps a running mean of what it sees. Lesson 04 comes back to this.)
#
# Now the whole way from photograph to words, line by line, and then the one line that does
# the same:

# %%
photo = photos["camera"]
model.eval()  # modes: BatchNorm, dropout
with torch.inference_mode():  # no gradients
    logits = model(model.weights_info.transform(photo)[None])  # (1, 1000)
probabilities = logits.softmax(dim=1)[0]  # (1000,), they sum to one
values, indices = probabilities.topk(5)
by_hand = [names[i] for i in indices]

table = top_k(model, photo)
assert by_hand == table["class"].tolist()
fig, ax = plt.subplots(figsize=(2.4, 2.4))
ax.imshow(photo)
ax.set(title="A man and his camera", xticks=[], yticks=[])
plt.show()
print(photos.captions["camera"], f"({photos.licences['camera']})")
table.round(3)

# %% [markdown]
# Ask it for others: `photos` has nineteen of them. It has no way to say "none of these". A
# softmax sums to one over its list, also when the right name is not on it.

# %%
for name in ("motorcycle", "china", "coins"):
    first = top_k(model, photos[name], k=1).iloc[0]
    print(photos.captions[name])
    print(f"    {first['class']}, {first['probability']:.0%}")

# %% [markdown]
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("01")

# %% [markdown]
# ## Summary
#
# 1. **Three things** belong together: definition, weights, preparation. Slips are silent.
# 2. **Why pretrained.** With 20 pictures a class a probe on such features is far ahead of
#    random ones on flowers, cells and defects. On the digits little was left to gain.
# 3. **Three ways in.** torchvision for repeatable, timm for many, `torch.hub` for a paper's
#    own. Edit the definition, then make the weights fit.
# 4. **Inference** is `eval()` *and* `inference_mode()`, then softmax over the right names.
#
# ## So what do I do on Monday?
#
# What you tell the garden's developer:
#
# > - Name the weights, not only the net, and take the preparation from them.
# > - `eval()`, then `inference_mode()`. You need both.
# > - From a file: `weights_only=True`, and read the keys that are missing.
# > - Show it a photograph whose answer you know. That would have caught the loudspeaker.
# > - Then a hundred labelled ones. That catches the slips that one photograph forgives.
#
# **Try next:** put another of the nineteen photographs into the cell with the slips, and find
# the one that takes them worst.
#
# **Exercise:** [01 · Loading pretrained models](../exercises/01_loading_models.ipynb).
# **Next lesson:** [03 · Inside a model](03_inside_a_model.ipynb). Lesson
# [02, the model zoo](02_model_zoo.ipynb), is an extra.
