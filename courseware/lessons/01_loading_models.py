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
# **40 minutes of reading, about a minute of compute.** Needs: lesson 00, basic PyTorch.
#
# After this lesson you can
#
# 1. say what a set of pretrained weights costs to make, and what it saves you;
# 2. tell a model's *definition* from its *weights*, and edit the one without losing the other;
# 3. load a model in three ways (torchvision, `torch.hub`, timm) and choose between them;
# 4. load a checkpoint file and read the error when it does not fit;
# 5. prepare an image as the weights expect it, and measure what happens when you do not;
# 6. run a model for inference: `eval()`, `inference_mode`, softmax, top 5.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import timm
import torch
from torch import nn
from torchvision import models

from course_utils.datasets import load_dataset, sample_photos
from course_utils.predictions import recorded_top_k, top_k
from course_utils.runtime import seed_everything
from course_utils.storage import data_dir
from course_utils.weights import default_backbone, load_backbone
from courseware.claims import load_claim

generator = seed_everything(0)

# %% [markdown]
# ## The problem: a hundred flowers
#
# You have 100 labelled pictures of flowers, 20 of each species. That is too few to learn
# what an edge is, what a petal is, *and* which petals make a daisy.
#
# Somebody else has already learnt the first two. The pictures come prepared as the weights
# of `test_resnet` expect them; what that means, and costs where it is forgotten, comes below.

# %%
net = load_backbone("test_resnet", weights="bundled")
flowers = load_dataset("flowers", transform=net.weights_info.transform)
few = flowers.train.sample_per_class(20)
fig, axes = plt.subplots(1, 5, figsize=(9, 2.2))
for ax, name in zip(axes, flowers.classes, strict=True):
    position = few.labels.tolist().index(flowers.classes.index(name))
    ax.imshow(few.images[position])
    ax.set(title=name, xticks=[], yticks=[])
fig.suptitle("One of 20 training pictures of each species", y=1.08)
plt.show()

# %% [markdown]
# **Predict.** We take the features of `test_resnet` and train a linear classifier on those
# 100 pictures: once with pretrained weights, once with the random weights that a new model
# starts from. With five species, guessing gives 20 %. How far apart will the two be?

# %%
from course_utils.features import extract_features
from course_utils.probe import linear_probe

for source in ("random", "bundled"):
    model = load_backbone("test_resnet", weights=source)
    train, test = (
        extract_features(model, few),
        extract_features(model, flowers.test),
    )
    probe = linear_probe(train.features, train.labels)
    share = probe.score(test.features, test.labels)
    length = train.features.norm(dim=1).mean()
    print(f"{source:8} right {share:.2f}, features of length {length:.1f}")

# %% [markdown]
# One draw of 20 pictures a class is an anecdote. The course repeats such comparisons over
# five seeds and keeps them in a file that a test recomputes. Here is that claim:

# %%
claim = load_claim("C1")
print(claim.sentence())
claim.table

# %% [markdown]
# Each row is a mean over five seeds, with a 95 % interval. The interval covers which
# pictures were drawn and which random weights were used; it does not cover training
# the backbone again. Random features are no straw man: where they are good already, there
# is little left to gain, and a bar that is missed is reported as missed.
#
# ## What pretraining costs
#
# How much work is in a file of ImageNet weights? Count it: a training step costs about
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
# The table is arithmetic, not a benchmark: it holds the time per picture fixed. The
# labelling of 1.28 million pictures is not in it at all.
#
# ## Why do the weights help? Look where training starts
#
# People often say that the pretrained start lies *nearer* to a good solution. We can measure
# that. Train the same net from both starts, three times each; after each epoch, note how far
# the weights have travelled and what the loss on the 100 pictures is.
#
# **Predict.** Which start has the lower loss *before* training? And which one has the longer
# way to go until the loss is below 1?

# %%
from torch.nn.utils import parameters_to_vector

from course_utils.metrics import mean_interval
from course_utils.training import evaluate, fit, make_loader


def journey(source, seed, epochs=10):
    """Fine-tune; return (distance from the start, loss) by epoch."""
    seed_everything(seed)
    model = load_backbone("test_resnet", weights=source, num_classes=5)
    start = parameters_to_vector(model.parameters()).detach()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = make_loader(few, batch_size=20, shuffle=True, seed=seed)
    same = make_loader(few, batch_size=100)
    way = [(0.0, evaluate(model, same)["loss"])]
    for _ in range(epochs):
        fit(
            model,
            loader,
            None,
            epochs=1,
            optimizer=optimizer,
            progress=False,
        )
        now = parameters_to_vector(model.parameters()).detach()
        length = (now - start).norm().item()
        way.append((length, evaluate(model, same)["loss"]))
    return way


fig, ax = plt.subplots(figsize=(7, 3.2))
for source, style in (("random", "o--"), ("bundled", "s-")):
    ways = [journey(source, seed) for seed in range(3)]
    colour = "#D55E00" if source == "random" else "#0072B2"
    for way in ways:
        (line,) = ax.plot(*zip(*way, strict=True), style, color=colour)
    line.set_label(source)
    before = ", ".join(f"{way[0][1]:.2f}" for way in ways)
    print(f"{source:8} loss before training: {before}")
    needed = [next(d for d, loss in way if loss < 1) for way in ways]
    print(f"{source:8} way until the loss is below 1:", end=" ")
    print(mean_interval(needed), "(3 seeds, 95 % interval)")
ax.axhline(1, color="grey", linewidth=1)
ax.set(
    title="Loss on the way (a marker for each epoch, three runs each)",
    xlabel="distance of all weights from their start (L2)",
    ylabel="training loss (nats)",
)
ax.legend(title="start")
plt.show()

# %% [markdown]
# At distance 0 neither start knows the species: the head is new. The random net's loss is that
# of a guess (with five classes, ln 5 ≈ 1.6). The pretrained one starts *worse*, in each run:
# its features are far longer (the probe's cell printed it), so a random head turns them into
# confident answers, which are mostly wrong. The first epoch puts that right. In ten epochs
# both travel about equally far. What differs is what a step is worth: the pretrained start is
# below 1 after a much shorter way. Each run ends at a solution of its own, so this is distance
# *travelled*, not distance to one common optimum.
#
# ## ImageNet, the usual source
#
# | | |
# |---|---|
# | pictures in all | 14 million, in 21,841 categories (WordNet synsets) |
# | the competition's part (ILSVRC, "ImageNet-1K") | 1.28 million training pictures, 1,000 classes |
# | a person who was tested on it | about 5 % top-5 error |
#
# Four reasons are usually given why its weights transfer: **diversity** (animals, objects,
# scenes, textures), **scale**, **hierarchy** (120 breeds of dog ask for fine detail, dog
# against lorry for coarse shape), and a **community** that tuned architectures on it for
# a decade. The last one flatters: what is tuned on ImageNet looks good on ImageNet.

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
fig, ax = plt.subplots(figsize=(8.5, 3))
ax.bar(winners["year"], winners["error"], color="#56B4E9")
for row in winners.itertuples():
    height = max(row.error, 5) + 0.7
    ax.annotate(row.winner, (row.year, height), ha="center", fontsize=8)
ax.axhline(5, color="#D55E00", linestyle="--")
ax.annotate("a person,\nabout 5 %", (2017.6, 5.6), color="#D55E00")
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
# VGG came second in 2014, with 7.3 %, and is still used today; second place is no shame.
#
# The weights **bundled** with this course are *not* ImageNet weights. They were trained on
# pictures that the course draws itself, so that every lesson runs offline. One line always
# tells you which you are using.
#
# ## Definition and weights are two things
#
# A definition says which layers there are. Weights are the numbers in them; a new
# definition holds random ones, so it guesses. It can be edited like any Python object: to be
# shallower, or to take grey pictures (one channel).

# %%
definition = timm.create_model("test_resnet", num_classes=5)
picture = few[0][0][None]  # (1, 3, 64, 64)
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
# preprocessing (`transforms()`). With `weights=weights` instead of `weights=None`, the fourth
# line would download a file, once, into `torch.hub.get_dir()`; the table says how many MB.
# Lessons never download unasked.

# %%
weights = models.ResNet50_Weights.IMAGENET1K_V2  # names a recipe
preprocess = weights.transforms()  # belongs to these weights
classes = weights.meta["categories"]  # what logit 0, 1, 2 … mean
net = models.get_model("resnet50", weights=None)  # no download
print(
    len(models.list_models(module=models)), "architectures;", classes[:3]
)

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
# Same definition, same number of parameters, several points apart: V2 is the better
# training recipe, and wants another resize. `DEFAULT` is whatever the library thinks best
# today, so name the version when somebody must be able to repeat your result.
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
# `list_models` searches, `pretrained_cfg` describes, and `create_model` sets the head for
# you: ten logits; one feature vector for each picture; or the last feature map with its height
# and width.

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
# `weights="auto"` means ImageNet if it is already on your disk, else the bundled weights.

# %%
model = load_backbone(default_backbone(), num_classes=None)
info = model.weights_info
print("kind      ", info.kind)
print("licence   ", info.licence)
print("mean, std ", info.mean, info.std)
print("in eval mode:", not model.training)

# %% [markdown]
# ## A checkpoint file
#
# Weights in a file are a dictionary from names to tensors. Build the definition, then fill
# it. `weights_only=True` refuses anything but plain data: a pickle can run code.

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
# Every name was unknown, so nothing was loaded, and without a word: the net is still
# random. (`module.` is what `DataParallel` puts in front.) Strip the prefix, or look at
# `missing_keys` and `unexpected_keys` each time.
#
# ## Preprocessing belongs to the weights
#
# First by hand, in four lines. The picture must arrive as the weights saw theirs: size,
# range 0 to 1, then minus mean, divided by standard deviation, per channel.

# %%
photo = sample_photos()["hopper"]
info = three_channel.weights_info
mean, std = (torch.tensor(v).view(3, 1, 1) for v in (info.mean, info.std))
small = photo.resize((64, 64))
pixels = torch.tensor(np.array(small)).permute(2, 0, 1) / 255
by_hand = (pixels - mean) / std  # (3, 64, 64)
print("raw      ", f"{pixels.min():.2f} to {pixels.max():.2f}")
print("prepared ", f"{by_hand.min():.2f} to {by_hand.max():.2f}")
print(info.transform)

# %% [markdown]
# **Predict.** A head is trained on rightly prepared pictures. At test time somebody forgets
# the normalisation, or does it twice (the dataset did it, the model does it again). No error
# is raised. What happens to accuracy?

# %%
from IPython.display import display

from course_utils.widgets import PictureSwitcher

shown = {
    "right": by_hand,
    "missing": pixels,
    "twice": (by_hand - mean) / std,
}
pictures = {}
for name, tensor in shown.items():
    fig, (ax, bars) = plt.subplots(1, 2, figsize=(8, 2.6))
    ax.imshow(tensor.permute(1, 2, 0).clamp(-3, 3).add(3).div(6))
    ax.set(title=f"{name}: as the net sees it", xticks=[], yticks=[])
    bars.hist(tensor.flatten().numpy(), bins=60, color="#1f77b4")
    bars.set(
        title="Values that enter the net",
        xlabel="value",
        ylabel="pixels",
        xlim=(-12, 12),
    )
    fig.tight_layout()
    plt.close(fig)
    pictures[name] = fig
display(PictureSwitcher(pictures, label="Normalisation"))
load_claim("C4").table

# %% [markdown]
# The table, over five seeds for each bundled net, says how many points of accuracy each mistake
# costs. Some nets forgive more than others; none of them complains.
#
# ## Inference: `eval()`, `inference_mode`, softmax, top 5
#
# Some layers behave differently while training. Which? Ask each layer: same input, once in
# train mode, once in eval mode.


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


batch = torch.stack([flowers.test[i][0] for i in range(8)])
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
# changes *modes*; it does not stop gradients. That is what `inference_mode` is for. Now the
# whole way from photo to words, first by hand. `top_k` then does the same in one line; beside
# it stands what a net with ImageNet weights said of this photo, as recorded.

# %%
output = three_channel(picture)
print("needs gradients, eval() alone:", output.requires_grad)
with torch.inference_mode():
    logits = model(model.weights_info.transform(photo)[None])  # (1, C)
probabilities = logits.softmax(dim=1)[0]  # (C,)
values, indices = probabilities.topk(5)
for value, index in zip(values.tolist(), indices.tolist(), strict=True):
    print(f"{value:6.1%}  {model.weights_info.classes[index]}")

recorded = recorded_top_k("hopper")
print("\nrecorded: SqueezeNet 1.0,", recorded.attrs["source"])
pd.concat(
    {"here": top_k(model, photo), "ImageNet, recorded": recorded}, axis=1
).round(3)

# %% [markdown]
# The bundled nets know only the shapes that the course draws, so on a portrait they can but
# answer in shapes. A softmax always sums to one, also over the wrong list.
#
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("01")

# %% [markdown]
# ## Summary
#
# 1. **Cost.** A set of ImageNet weights is about 10¹⁸ operations and a million labels;
#    20 pictures a class and a linear probe already profit.
# 2. **Definition and weights** are two things. Edit the definition, then make the weights
#    fit: three input filters can be summed into one.
# 3. **Three ways.** torchvision for repeatable, timm for many, `torch.hub` for a paper's own.
# 4. **Checkpoints.** `weights_only=True`, and read `missing_keys`.
# 5. **Preprocessing** belongs to the weights; mistakes are silent.
# 6. **Inference** is `eval()` *and* `inference_mode()`, then softmax over the right classes.
#
# **Try next:** `course fetch squeezenet1_0`, set
# `COURSE_BACKBONE=squeezenet1_0`, and run this notebook again.
#
# **Exercise:** [01 · Loading pretrained models](../exercises/01_loading_models.ipynb).
# Then on to [lesson 03, inside a model](03_inside_a_model.ipynb); lesson
# [02, the model zoo](02_model_zoo.ipynb), is an extra.
