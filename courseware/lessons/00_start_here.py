# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Start here
#
# **15 minutes.** Needs: Python, and PyTorch's basics (tensors, modules, a training loop).
#
# After this lesson you
#
# 1. have seen a pretrained model name a photograph;
# 2. have solved your first graded task, and know how checks, hints and progress work;
# 3. know what is installed on this machine: device, weights, data;
# 4. have the map of the course and a one-page cheat sheet.
#
# Run a cell with <kbd>Shift</kbd>+<kbd>Enter</kbd>.

# %%
import matplotlib.pyplot as plt

from course_utils.datasets import load_dataset, sample_photos
from course_utils.predictions import recorded_top_k, top_k
from course_utils.weights import imagenet_is_cached, load_backbone
from courseware.doctor import machine_report

# %% [markdown]
# ## A photograph, named
#
# This is Grace Hopper, who wrote one of the first compilers. A small convolutional network,
# trained on 1.28 million photographs of 1,000 kinds of things, will look at her portrait.
# There is no "Grace Hopper" among its 1,000 classes, nor even "person".
#
# **Predict:** what will it say?

# %%
photo = sample_photos()["hopper"]
fig, ax = plt.subplots(figsize=(2.8, 3.6))
ax.imshow(photo)
ax.set_axis_off()
ax.set_title("A portrait of Grace Hopper")
plt.show()

# %%
live = imagenet_is_cached("squeezenet1_0")
if live:
    answer = top_k(
        load_backbone("squeezenet1_0", weights="imagenet"), photo
    )
    print("SqueezeNet 1.0, ImageNet weights, computed on this machine:")
else:
    answer = recorded_top_k("hopper")
    print("SqueezeNet 1.0, ImageNet weights, recorded earlier (they are")
    print("not on this machine). The file was:", answer.attrs["source"])
answer

# %% [markdown]
# It names what she wears. Nobody wrote rules for ties or caps: a file of numbers, learnt
# once, does this for any picture. The course is about taking such numbers and making
# them do *your* job: your classes, your pictures, a hundred labels instead of a million.
#
# ## The same trick, with five flowers
#
# No download is needed for the rest. The course brings its own pictures and its own small
# pretrained nets. These are **not** ImageNet weights; a line always tells which are in use.
# The net comes first, because it says how its pictures must be prepared.

# %%
from course_utils.plots import show_images

model = load_backbone("test_resnet", weights="bundled")
flowers = load_dataset("flowers", transform=model.weights_info.transform)
labels = flowers.train.labels.tolist()
first = [labels.index(k) for k in range(len(flowers.classes))]
show_images(
    flowers.train.images[first],
    titles=flowers.classes,
    columns=5,
    title="One drawn flower of each species",
)
plt.show()

# %% [markdown]
# Freeze the net, take its features, train a linear classifier on 20 pictures of each kind.
# Four lines, and you will know what each of them hides after lesson 04:

# %%
from course_utils.features import extract_features
from course_utils.probe import linear_probe

few = extract_features(model, flowers.train.sample_per_class(20))
probe = linear_probe(few.features, few.labels)
test = extract_features(model, flowers.test)
share = probe.score(test.features, test.labels)
print(f"right on {share:.0%} of {len(test.labels)} new pictures;", end=" ")
print(f"guessing gets {1 / len(flowers.classes):.0%}")

# %% [markdown]
# ## Your first graded task
#
# Networks take pictures in batches. **Task 00.0:** 32 colour pictures of 64 × 64 pixels
# enter a PyTorch network as one tensor. What is its shape? Replace the three dots, and
# run the cell.

# %%
from courseware.grading import check

shape = ...  # for example (1, 2, 3)
check("00.0", shape)

# %% [markdown]
# That card is how every exercise answers: passed or not, which property failed, and a hint
# that fits. Further tries unfold stronger hints; a wrong one costs a tenth of the points,
# in your own progress only. Try a wrong answer on purpose, say `(32, 64, 64, 3)`.
#
# - **Lessons** (`notebooks/`) are for reading and running. Change anything; nothing breaks.
# - **Exercises** (`exercises/`) have gaps for you to fill. The cell below a gap checks it:
#   after a change, run the cell with the gap first.
# - **Solutions** (`solutions/`) hold one good answer, after you have tried.
# - **Progress** is kept on this machine only. Nothing is sent anywhere.

# %%
from courseware.grading import progress

progress()

# %% [markdown]
# The same table in a terminal: `course progress`.
#
# ## What is on this machine

# %%
machine_report()

# %% [markdown]
# `course doctor` says the same and adds what to do where something is
# missing.
#
# ### ImageNet weights: one step, when you like
#
# Everything runs offline with the bundled weights. With a connection, this button (or
# `course fetch`) downloads the ImageNet weights that the course can use,
# once. From then on `weights="auto"` prefers them.

# %%
from course_utils.widgets import FetchButton
from courseware.fetch import FETCH_LIST

FetchButton(FETCH_LIST)

# %% [markdown]
# With four environment variables, any training lesson runs on what is yours: your pictures,
# your model.
#
# | variable | values | for example |
# |---|---|---|
# | `COURSE_WEIGHTS` | `auto`, `bundled`, `imagenet`, `pretrained` | `COURSE_WEIGHTS=imagenet` |
# | `COURSE_BACKBONE` | any torchvision or timm name | `COURSE_BACKBONE=resnet18` |
# | `COURSE_DATA` | a data set, or a folder of pictures | `COURSE_DATA=folder:my_photos` |
# | `COURSE_HOME` | where caches and progress go | `COURSE_HOME=/data/course` |
#
# ## The map
#
# The **core** path takes you from a model's name to your own fine-tuned model. The extras
# can be read in any order once their needs are met.

# %% tags=["nbval-check-output"]
from courseware.course_map import course_map

course_map()

# %% [markdown]
# ## Cheat sheet
#
# ```python
# import torch
#
# from course_utils.datasets import load_dataset
# from course_utils.features import extract_features
# from course_utils.heads import replace_head
# from course_utils.layer_groups import freeze, trainable_parameters
# from course_utils.probe import linear_probe
# from course_utils.training import evaluate, fit, make_loader
# from course_utils.weights import load_backbone
#
# model = load_backbone("test_resnet")             # any torchvision or timm name
# info  = model.weights_info                       # what its weights expect of a picture
# data  = load_dataset("folder:my_photos",         # or "flowers", "cells", "defects"
#                      image_size=info.resize_size, transform=info.transform)
#
# # 1. a linear probe: seconds, and the baseline for all that follows
# train = extract_features(model, data.train)
# val   = extract_features(model, data.val)
# print(linear_probe(train.features, train.labels).score(val.features, val.labels))
#
# # 2. a frozen backbone with a new head
# replace_head(model, num_classes=len(data.classes))
# freeze(model)                                    # all but the head; BatchNorm in eval
# optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-3)
# history = fit(model, make_loader(data.train, shuffle=True), make_loader(data.val),
#               optimizer=optimizer, epochs=10)
#
# # 3. once, at the end: pictures that no decision has seen
# print(evaluate(model, make_loader(data.test)))
# ```
#
# | symptom | look here |
# |---|---|
# | good in training, nonsense in use | `model.eval()`; the weights' own preprocessing (01) |
# | shapes do not meet at the head | take the old head off first (04) |
# | a "frozen" net changes | BatchNorm in train mode (04) |
# | loss explodes in the first steps | learning rate (06) |
# | no download wanted | `COURSE_WEIGHTS=bundled` |
#
# ## Quick check

# %%
from courseware.quizzes import Quiz

Quiz("00")

# %% [markdown]
# ## Summary
#
# 1. A pretrained model names what it sees, within its own classes.
# 2. `check("00.0", answer)` grades at once; hints grow with your tries.
# 3. `machine_report()` and `doctor` say what is here.
# 4. The core path is 01, 03, 04, 05, 06, 07, 08.
#
# **Exercise:** [00 · warm-up](../exercises/00_start_here.ipynb), two short tasks.
# **Next lesson:** [01 · Loading pretrained models](01_loading_models.ipynb).
