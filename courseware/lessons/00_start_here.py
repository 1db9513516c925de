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
# > A **botanical garden** wants a sign that names the flower in front of a visitor's phone. A
# > **blood laboratory** wants to see the rare cells first. A **steel mill** wants to miss no
# > crack. None of them has a million labelled pictures, and all three have come to you.
#
# You will help them with a network that somebody else has trained. Here is one. Run the cell
# with <kbd>Shift</kbd>+<kbd>Enter</kbd>.

# %%
from course_utils.datasets import sample_photos
from course_utils.predictions import top_k
from course_utils.weights import load_backbone

model = load_backbone("tf_efficientnet_lite0", weights="imagenet")
photos = sample_photos()
top_k(model, photos["coffee"])

# %% [markdown]
# It has never seen this cup. It has seen 1.28 million other photographs, of 1,000 kinds of
# things, and what it learnt there fits into 17 MB that came with the course.
#
# Eight photographs more. **Predict:** which of them will it get wrong, and will it *know* that
# it is wrong?

# %%
import matplotlib.pyplot as plt

from course_utils.plots import show_images

names = (
    "cat motorcycle camera hopper rocket astronaut moon vessels".split()
)
found = {name: top_k(model, photos[name], k=1).iloc[0] for name in names}
show_images(
    [photos[name].resize((224, 224)) for name in names],
    titles=[
        f"{first['class']}\n{first['probability']:.0%}"
        for first in found.values()
    ],
    columns=4,
    title="What it says, and how sure it is",
)
plt.show()

# %% [markdown]
# The cat, the motorcycle and the tripod are right. Grace Hopper, who wrote one of the first
# compilers, wears a uniform, which is near. The last two are nonsense, and it is surer of them
# than of the cat: the surface of the moon, and the vessels of an eye. Neither is among its
# thousand names, so it takes the one that looks most like it. **Sure is not right**, and
# nothing in its answer tells you.
#
# | | |
# |---|---|
# | it names within its own list, whatever you show it | so you give it *your* list (lesson 04) |
# | its percentages are no promise | so you measure them (lesson 08) |
# | it sees edges, fur, petals, and how they go together | so twenty pictures of your own can be enough |
#
# After this lesson you
#
# 1. have seen it name photographs, your own among them;
# 2. have given it five new names with a hundred pictures;
# 3. have solved your first graded task, and know how checks, hints and progress work;
# 4. have the map of the course and a one-page cheat sheet.
#
# **15 minutes.** Needs: Python, and PyTorch's basics (tensors, modules, a training loop).
#
# ## Now one of yours
#
# Choose a photograph (JPEG, PNG or WebP). It stays on this machine: nothing is sent anywhere.

# %%
import io

from IPython.display import display
from ipywidgets import FileUpload, Output, VBox
from PIL import Image, ImageOps

button = FileUpload(accept="image/*", description="Your photo")
shown = Output()


def name_it(change):
    shown.clear_output()
    with shown:
        file = change.new[-1]
        photo = ImageOps.exif_transpose(
            Image.open(io.BytesIO(file.content))
        )
        display(photo.resize((224, 224)), top_k(model, photo))


button.observe(name_it, "value")
VBox([button, shown])

# %% [markdown]
# ## Five names that it never learnt
#
# Back to the garden. It needs five species, and the network knows a daisy at best. The course
# may not ship the garden's photographs, so it brings drawings of the same five species. What
# is drawn is said to be drawn; the network's weights are real.

# %%
from course_utils.datasets import load_dataset

transform = model.weights_info.transform_for(
    96
)  # prepared as its weights want it
flowers = load_dataset("flowers", image_size=96, transform=transform)
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
# A hundred labelled pictures, twenty of each. The network stays as it is: we read what it
# sees in each picture, 1,280 numbers, and fit one table on them. **Predict:** guessing names
# one flower in five. How many of 600 new ones will be right?

# %%
import time

from course_utils.features import extract_features
from course_utils.probe import linear_probe

start = time.perf_counter()
few = extract_features(model, flowers.train.sample_per_class(20))
probe = linear_probe(few.features, few.labels)
test = extract_features(model, flowers.test)
share = probe.score(test.features, test.labels)
seconds = time.perf_counter() - start
print(f"right on {share:.0%} of {len(test.labels)} new flowers,", end=" ")
print(f"in {seconds:.0f} seconds")

# %% [markdown]
# Four lines, and you will know what each of them hides after lesson 04. Here are the ones of
# which it is least sure, each with the name that it gives and the right one:

# %%
chances = probe.predict_proba(test.features)
doubtful = chances.max(axis=1).argsort()[:5]
show_images(
    flowers.test.images[doubtful],
    titles=[
        f"{flowers.classes[chances[i].argmax()]} {chances[i].max():.0%}\n"
        f"({flowers.classes[test.labels[i]]})"
        for i in doubtful
    ],
    columns=5,
    title="Named by what you have just made (the truth below)",
)
plt.show()

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
from courseware.doctor import machine_report

machine_report()

# %% [markdown]
# `course doctor` says the same and adds what to do where something is
# missing.
#
# ### Other weights: one step, when you like
#
# Everything runs offline. With a connection, this button (or `course fetch`) downloads the
# ImageNet weights of a few other nets, once. From then on `weights="auto"` finds them.

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
# model = load_backbone("tf_efficientnet_lite0")   # any torchvision or timm name
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
# ## So what do I do on Monday?
#
# > - Before you train anything, show the network ten of your own pictures, and read what it
# >   says and how sure it is.
# > - Then give it your names: freeze it, twenty pictures a class, a linear probe. It takes
# >   seconds, and every later idea has to beat it.
# > - Do not believe a percentage that you have not measured.
#
# **Exercise:** [00 · warm-up](../exercises/00_start_here.ipynb), two short tasks.
# **Next lesson:** [01 · Loading pretrained models](01_loading_models.ipynb). The core path is
# 01, 03, 04, 05, 06, 07, 08.
