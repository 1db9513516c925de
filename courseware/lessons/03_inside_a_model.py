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
# **40 minutes of reading, about half a minute of compute.** Needs: lesson 01.
#
# After this lesson you can
#
# 1. walk through any architecture, from its stem to its head, and say where its parameters
#    and its work are;
# 2. read a layer table: shapes, parameters, multiply-accumulates, memory, what learns;
# 3. find and replace the classifier of a model that you have never seen;
# 4. look at what any layer computes, with a hook or with `create_feature_extractor`;
# 5. predict how much memory inference, frozen and full training need, and check it.

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch import nn
from torchvision import models

from course_utils.runtime import seed_everything
from course_utils.weights import load_backbone

_ = seed_everything(0)

# %% [markdown]
# ## The problem
#
# You get a model's name and a deadline. Which layers to freeze? What is the head called?
# Will it fit into memory? `print(model)` answers with pages. How many lines for this one?

# %% tags=["nbval-check-output"]
resnet = models.resnet18()
print(len(str(resnet).splitlines()), "lines")
print(str(resnet)[:220])

# %% [markdown]
# They show neither shapes, nor cost, nor order: `print` lists modules as they were
# *defined*. What runs, and when, only a forward pass can tell.
#
# ## By hand: a hook on every layer
#
# A **forward hook** is a function that PyTorch calls after a layer has run, with its input
# and its output. Keep the handle: a hook that is not removed stays for ever.

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
# usual price tag; papers' "FLOPs" are often MACs too. For the first layer:

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
# have a shape and no values: nothing is computed, no memory is used, your model is not
# touched.

# %%
from IPython.display import display

from course_utils.inspection import inspect_model

report = inspect_model("resnet18")
print(f"{report.num_params:,} parameters, {report.macs:,} MACs")
stages = report.stages.set_index("stage")
display(stages)
share = 100 * stages[["params", "macs"]] / stages[["params", "macs"]].sum()
share.columns = ["parameters", "MACs"]
ax = share.plot.bar(figsize=(7, 3), rot=0, color=["#0072B2", "#E69F00"])
ax.set(
    title="ResNet-18: where parameters are, and where the work is",
    xlabel="stage",
    ylabel="share of the whole (%)",
)
plt.show()

# %% [markdown]
# From `layer2` on, each stage halves the side of the maps and doubles the channels. So the
# work stays level while the parameters grow fourfold a stage: most of them are in `layer4`.
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
# It needs *more*: many thin layers, each of which leaves an activation that the backward pass
# will ask for. Small on disk is not small in training.
#
# ## A hierarchy of features
#
# Stages differ in what they answer to. Early units see a few pixels (their **receptive
# field** is small), late ones nearly all of the picture; so early maps show edges and
# colours, late ones parts and layouts
# ([Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901)). Look for yourself, in a net
# that was trained on this course's drawings:

# %%
from course_utils.datasets import load_dataset
from course_utils.widgets import FeatureMapViewer

net = load_backbone("test_resnet", weights="bundled")
flowers = load_dataset("flowers", transform=net.weights_info.transform)
FeatureMapViewer(net, flowers.test.images[1])

# %% [markdown]
# The receptive field can be measured: take one position in the middle of a map, and ask which
# pixels its gradient reaches.


# %%
def receptive_field(model, layer, side=160):
    """Width in pixels of what the middle of a layer's map sees."""
    kept = {}
    hook = model.get_submodule(layer).register_forward_hook(
        lambda m, i, out: kept.update(maps=out)
    )
    image = torch.rand(1, 3, side, side, requires_grad=True)
    model.eval()(image)
    hook.remove()
    maps = kept["maps"]
    middle = maps.shape[-1] // 2
    maps[0, :, middle, middle].sum().backward()
    seen = image.grad[0].abs().sum((0, 1)).nonzero()
    return int(seen.max() - seen.min() + 1)


stages = ["conv1", "layer1", "layer2", "layer3", "layer4"]
pd.Series(
    {stage: receptive_field(net, stage) for stage in stages},
    name="pixels seen, of 160",
).to_frame().T

# %% [markdown]
# ## The head, in any family
#
# To adapt a net you replace its classifier. Every family hides it somewhere else:

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
# SqueezeNet's is a convolution; GoogLeNet has two auxiliary classifiers besides, LeViT two
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
# A common slip: put the new layer *behind* the old head instead of in its place. It runs,
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
# Hooks are general. For torchvision models there is a second way: torchvision traces the
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
# shape, tracing fails; hooks do not mind:

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
# A training step holds four things: **weights**; **gradients**, one for each weight that
# learns; the **optimiser's** state (SGD with momentum one more value, Adam two); and the
# **activations** that the backward pass will need. The first three you can do in your head:

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
plt.show()

# %% [markdown]
# Frozen, the backbone's activations are thrown away as soon as the next layer has read them:
# there is no backward pass through it. That is the main reason why feature extraction fits
# where fine-tuning does not.
#
# ### Measured
#
# On a processor we can watch every tensor come and go. Here is a training step of each kind
# against its prediction, and then the claim: four nets, at five batch sizes, with two
# optimisers.

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

claim = load_claim("C15")
print(claim.sentence())
claim.table

# %% [markdown]
# The ± of the first two columns is no noise: it is the spread over batch sizes. The last column
# is what counts.
#
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
# 1. A net is a row of stages from stem to head. In ResNet-18 the work is level, the
#    parameters are at the end.
# 2. `inspect_model` gives the layer table of any architecture, on meta tensors; its MACs agree
#    with those that torchvision publishes.
# 3. `find_heads`, `replace_head`, `check_head`: name, surgery, proof. Never stack a head on
#    logits.
# 4. Hooks see every layer, if you remove them; `create_feature_extractor` is neat where
#    tracing works.
# 5. Memory is weights + gradients + optimiser + activations; the last decide, and freezing
#    lets them go.
#
# **Try next:** put the name of the net that you use at work into the explorer, and freeze it
# stage by stage until it fits your machine.
#
# **Exercise:** [03 · Inside a model](../exercises/03_inside_a_model.ipynb).
# **Next lesson:** [04 · Feature extraction](04_feature_extraction.ipynb).
