# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 01 · Loading pretrained models
#
# Five tasks, 10 points.
# All of it runs offline, on the bundled weights.
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("01.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import torch
from torch import nn

from course_utils.datasets import sample_photos
from courseware.grading import check, hint
from course_utils.weights import load_backbone

# %% [markdown]
# ## 01.1 Prepare a picture by hand
#
# *Difficulty 2 of 5 · 8 minutes · trains: what a transform does*
#
# `image` is a picture as a uint8 tensor of shape (H, W, 3), with values from 0 to 255.
# `mean` and `std` hold one number for each channel, for values from 0 to 1. Return the
# picture as the weights expect it: float32, shape (3, H, W), normalised. Leave `image`
# as it is.


# %% nbgrader={"grade": false, "grade_id": "prepare", "locked": false, "schema_version": 3, "solution": true, "task": false}
def prepare(image, mean, std):
    """Turn uint8 (H, W, 3) into normalised float32 (3, H, W)."""
    ### BEGIN SOLUTION
    pixels = image.permute(2, 0, 1).float() / 255
    mean = torch.tensor(mean).view(3, 1, 1)
    std = torch.tensor(std).view(3, 1, 1)
    return (pixels - mean) / std
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_01_1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("01.1", prepare)

# %% [markdown]
# ## 01.2 Top k, with names
#
# *Difficulty 2 of 5 · 8 minutes · trains: softmax, topk*
#
# `logits` is a tensor of shape (C,), `classes` a list of C names. Return a list of the `k`
# most probable classes, best first, as pairs (name, probability): a `str` and a `float`.
# Probabilities are those of a softmax over all C classes. Two classes may bear the same
# name (ImageNet has two cranes), or be equally probable.


# %% nbgrader={"grade": false, "grade_id": "top_k", "locked": false, "schema_version": 3, "solution": true, "task": false}
def top_k(logits, classes, k):
    """Return the k most probable classes as pairs (name, probability)."""
    ### BEGIN SOLUTION
    values, indices = logits.softmax(dim=0).topk(k)
    names = [classes[i] for i in indices.tolist()]
    return list(zip(names, values.tolist(), strict=True))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_01_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("01.2", top_k)

# %% [markdown]
# ## 01.3 Colour filters for grey pictures
#
# *Difficulty 2 of 5 · 6 minutes · trains: editing weights*
#
# `weight` holds the filters of a first convolution, of shape (C, 3, h, w). Return filters of
# shape (C, 1, h, w) that give for any grey picture exactly what the old ones give for the
# same picture in colour (three equal channels).


# %% nbgrader={"grade": false, "grade_id": "grey_filters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def grey_filters(weight):
    """Turn filters (C, 3, h, w) into filters (C, 1, h, w)."""
    ### BEGIN SOLUTION
    return weight.sum(dim=1, keepdim=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_01_3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("01.3", grey_filters)

# %% [markdown]
# ## 01.4 Load what fits, and say what did not
#
# *Difficulty 3 of 5 · 12 minutes · trains: state dicts, honest loading*
#
# `state` is a state dict from somewhere: some names may begin with `"module."`, the head may
# have another number of classes, some entries may be missing or unknown. Load into `model`
# every entry whose name (without that prefix) and shape match, as a copy: a later change
# of `state` must not reach the model. Leave the rest of the model as it is. Return the
# sorted list of the model's names that were **not** loaded.


# %% nbgrader={"grade": false, "grade_id": "load_matching", "locked": false, "schema_version": 3, "solution": true, "task": false}
def load_matching(model, state):
    """Load what fits; return the sorted names not loaded."""
    ### BEGIN SOLUTION
    own = model.state_dict()
    plain = {k.removeprefix("module."): v for k, v in state.items()}
    fits = {
        name: tensor
        for name, tensor in plain.items()
        if name in own and tensor.shape == own[name].shape
    }
    model.load_state_dict(fits, strict=False)
    return sorted(set(own) - set(fits))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_01_4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("01.4", load_matching)

# %% [markdown]
# ## 01.5 What does `eval()` change?
#
# *Difficulty 1 of 5 · 2 minutes · trains: modes and gradients*
#
# Answer with one letter, as a string. `model.eval()` …
#
# - **a** stops gradients from being computed
# - **b** freezes the weights, so that an optimiser cannot change them
# - **c** switches layers such as BatchNorm and dropout to their inference behaviour
# - **d** applies the preprocessing of the weights

# %% nbgrader={"grade": false, "grade_id": "what_eval_changes", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
what_eval_changes = "c"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_01_5", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("01.5", what_eval_changes)

# %% [markdown]
# ## To try, without a grade
#
# Your functions, on a real photograph and the bundled net:

# %%
photo = sample_photos()["hopper"].resize((64, 64))
pixels = torch.frombuffer(bytearray(photo.tobytes()), dtype=torch.uint8)
model = load_backbone("test_resnet", weights="bundled")
info = model.weights_info
try:
    ready = prepare(pixels.view(64, 64, 3), info.mean, info.std)
    with torch.inference_mode():
        print(top_k(model(ready[None])[0], info.classes, 3))
except NotImplementedError:
    print("Write prepare and top_k first, then run this cell again.")

# %% [markdown]
# Back to [lesson 01](../notebooks/01_loading_models.ipynb), or on to
# [lesson 03](../notebooks/03_inside_a_model.ipynb).
