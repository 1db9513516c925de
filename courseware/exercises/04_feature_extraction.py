# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 04 · Feature extraction
#
# Six tasks, 11 points.
# The nets here are `test_resnet`: stages `layer1` to `layer4`, and the head `fc`.
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("04.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import torch
from torch import nn

from course_utils.datasets import load_dataset
from courseware.grading import check, hint
from course_utils.probe import linear_probe
from course_utils.weights import load_backbone

# %% [markdown]
# ## 04.1 Freeze the backbone, give it a new head
#
# *Difficulty 1 of 5 · 6 minutes · trains: `requires_grad`*
#
# Freeze all of `model`, then replace its head `fc` by a new `nn.Linear` for `num_classes`
# classes, which is to learn. Change the model in place, leave the other weights as they
# are, and return it.


# %% nbgrader={"grade": false, "grade_id": "freeze_backbone", "locked": false, "schema_version": 3, "solution": true, "task": false}
def freeze_backbone(model, num_classes):
    """Freeze a model in place and give it a new, trainable head fc."""
    ### BEGIN SOLUTION
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    return model
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_04_1", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("04.1", freeze_backbone)

# %% [markdown]
# ## 04.2 Features, and leave no trace
#
# *Difficulty 3 of 5 · 12 minutes · trains: Identity or hooks, modes*
#
# Return the pooled features that enter the head `fc`, as a tensor (N, D), for pictures
# (N, 3, 64, 64) that are already prepared. Compute them in eval mode and without gradients:
# no graph hangs on them. Afterwards the model must be as it came: the same head object, the
# same mode (all of its layers come in train mode, or all in eval mode), the same BatchNorm
# statistics, no hook left.


# %% nbgrader={"grade": false, "grade_id": "features", "locked": false, "schema_version": 3, "solution": true, "task": false}
def features(model, images):
    """Return pooled features (N, D); leave the model as it came."""
    ### BEGIN SOLUTION
    head, training = model.fc, model.training
    model.eval()
    model.fc = nn.Identity()
    with torch.inference_mode():
        found = model(images)
    model.fc = head
    model.train(training)
    return found
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_04_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("04.2", features)

# %% [markdown]
# ## 04.3 Find the bug: backbone and classifier
#
# *Difficulty 2 of 5 · 8 minutes · trains: shapes, heads*
#
# A popular tutorial builds a classifier behind a backbone like this:
#
# ```python
# def build(backbone, hidden, num_classes):
#     classifier = nn.Sequential(
#         nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
#     return nn.Sequential(backbone, classifier)
# ```
#
# The backbone still ends in its own head `fc`. Write it so that it works for any
# `backbone` with a head `fc`: the classifier takes the backbone's *features*, through one
# Linear layer to `hidden`, a ReLU, and one Linear layer to `num_classes`, both with a bias.
# Return an `nn.Module` that maps pictures to logits.


# %% nbgrader={"grade": false, "grade_id": "build", "locked": false, "schema_version": 3, "solution": true, "task": false}
def build(backbone, hidden, num_classes):
    """Put a two-layer classifier behind the features of a backbone."""
    ### BEGIN SOLUTION
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    classifier = nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )
    return nn.Sequential(backbone, classifier)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_04_3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("04.3", build)

# %% [markdown]
# ## 04.4 The nearest pictures
#
# *Difficulty 2 of 5 · 8 minutes · trains: features as a measure of likeness*
#
# `query` (D,) is the feature vector of one picture, `features` (N, D) those of N others.
# Return the positions of the `k` rows with the largest cosine similarity to the query, best
# first, as a list of `int`. Write it with tensor operations, without a library's search.


# %% nbgrader={"grade": false, "grade_id": "nearest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nearest(query, features, k):
    """Return the positions of the k rows most like the query."""
    ### BEGIN SOLUTION
    rows = features / features.norm(dim=1, keepdim=True)
    likeness = rows @ (query / query.norm())
    return likeness.topk(k).indices.tolist()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_04_4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("04.4", nearest)

# %% [markdown]
# ## 04.5 Train mode, but BatchNorm stays
#
# *Difficulty 2 of 5 · 6 minutes · trains: what moves in a frozen backbone*
#
# Put `model` into train mode, but keep every BatchNorm layer in it (at any depth, 1d and 2d)
# in eval mode, so that a forward pass moves no statistics. Other layers, such as dropout, train as
# usual. Leave `requires_grad` as it is. Nothing need be returned.


# %% nbgrader={"grade": false, "grade_id": "train_with_frozen_batchnorm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_with_frozen_batchnorm(model):
    """Set train mode everywhere but in BatchNorm layers."""
    ### BEGIN SOLUTION
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
    model.train()
    for module in model.modules():
        if isinstance(module, kinds):
            module.eval()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_04_5", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("04.5", train_with_frozen_batchnorm)

# %% [markdown]
# ## 04.6 What does caching rule out?
#
# *Difficulty 1 of 5 · 2 minutes · trains: what a cached feature is*
#
# You cache the features of a frozen backbone and train a head on them for 20 epochs. Which
# of these is no longer possible? Answer with one letter, as a string.
#
# - **a** dropout in the head
# - **b** random crops of the pictures in each epoch
# - **c** another order of the pictures in each epoch
# - **d** a learning rate that falls over the epochs

# %% nbgrader={"grade": false, "grade_id": "what_caching_rules_out", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
what_caching_rules_out = "b"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_04_6", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("04.6", what_caching_rules_out)

# %% [markdown]
# ## To try, without a grade
#
# Your functions at work: the features of 100 flowers, and what a linear probe makes of them.

# %%
model = load_backbone("test_resnet", weights="bundled")
info = model.weights_info  # the pictures, as these weights expect them
flowers = load_dataset("flowers", transform=info.transform, per_class=20)
try:
    pictures = torch.stack([image for image, _ in flowers.train])
    table = features(model, pictures)
    probe = linear_probe(table, flowers.train.labels)
    share = probe.score(table, flowers.train.labels)
    print(f"right on its own 100 pictures: {share:.0%}")
    print("most like the first:", nearest(table[0], table, 4))
except NotImplementedError:
    print("Write features and nearest first, then run this cell again.")

# %% [markdown]
# Back to [lesson 04](../notebooks/04_feature_extraction.ipynb), or on to
# [lesson 05](../notebooks/05_gradual_unfreezing.ipynb).
