# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 03 · Inside a model
#
# Five tasks, 12 points.
# Belongs to [lesson 03](../notebooks/03_inside_a_model.ipynb). No weights are needed: what
# counts here are shapes, names and bytes.
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("03.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import torch
from torch import nn
from torchvision import models

from courseware.grading import check, hint
from course_utils.inspection import inspect_model

# %% [markdown]
# ## 03.1 Count the work of a convolution
#
# *Difficulty 2 of 5 · 8 minutes · trains: what a layer costs*
#
# `layer` is any `nn.Conv2d`: its kernel may be oblong, and it may have groups, a stride, a
# dilation or a bias. `output_shape` is (C, H, W), what it gives for one picture. Return how
# many multiply-accumulates (MACs) it does for that picture, as an `int`. Compute it from the
# layer's attributes; do not run the layer. A multiplication with the addition behind it is
# *one* MAC; adding the bias is none.


# %% nbgrader={"grade": false, "grade_id": "conv_macs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_macs(layer, output_shape):
    """Return the multiply-accumulates of a Conv2d for one picture."""
    ### BEGIN SOLUTION
    rows, columns = layer.kernel_size
    each = rows * columns * (layer.in_channels // layer.groups)
    channels, height, width = output_shape
    return each * channels * height * width
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_03_1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("03.1", conv_macs)

# %% [markdown]
# ## 03.2 A new head for a net that you have never seen
#
# *Difficulty 4 of 5 · 15 minutes · trains: finding the head, surgery*
#
# `model` is a classifier of an unknown family, `images` a batch (1, 3, H, W) that it accepts.
# Its head is the `nn.Linear` or `nn.Conv2d` that **runs last** in eval mode. Where it stands,
# what it is called and when it was registered you cannot know; some layers never run, others
# more than once: the last call counts.
#
# Put a new layer in its place that gives `num_classes` logits for a picture: a Linear for a
# Linear, a Conv2d of the same kernel size for a Conv2d; with or without bias, and with nothing
# beside it. Change the model in place and return it. All else must be as it came: the other
# layers and weights, `requires_grad`, BatchNorm's statistics, the mode, and hooks that are
# there already; none of yours stays behind. (The model comes in train or in eval mode, all
# layers alike.)


# %% nbgrader={"grade": false, "grade_id": "new_head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def new_head(model, images, num_classes):
    """Replace the layer that gives the logits, in place."""
    ### BEGIN SOLUTION
    ran, handles = [], []
    for name, layer in model.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):

            def note(layer, inputs, output, name=name):
                ran.append(name)

            handles.append(layer.register_forward_hook(note))
    training = model.training
    model.eval()(images)
    model.train(training)
    for handle in handles:
        handle.remove()

    old = model.get_submodule(ran[-1])
    if isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size)
    else:
        new = nn.Linear(old.in_features, num_classes)
    model.set_submodule(ran[-1], new)
    return model
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_03_2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("03.2", new_head)

# %% [markdown]
# ## 03.3 The shape that leaves each layer
#
# *Difficulty 3 of 5 · 12 minutes · trains: forward hooks*
#
# Run `model` on `images` (N, 3, H, W), in eval mode and without gradients, and return a dict:
# from the name of each leaf layer that ran (as in `named_modules()`; a leaf has no children)
# to the shape of its output, as a tuple (a `torch.Size` is one), batch included. The dict is
# in the order in which the layers ran; one that runs twice stands once, where it ran first
# and with the shape of its first run. Every layer here gives one tensor. Give the model back
# as it came: in its mode (all layers alike), without your hooks, but with those that it had.


# %% nbgrader={"grade": false, "grade_id": "layer_shapes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_shapes(model, images):
    """Return {name: output shape} of the leaves, as they ran."""
    ### BEGIN SOLUTION
    shapes, handles = {}, []
    for name, layer in model.named_modules():
        if not list(layer.children()):

            def note(layer, inputs, output, name=name):
                shapes.setdefault(name, output.shape)

            handles.append(layer.register_forward_hook(note))
    training = model.training
    model.eval()
    with torch.inference_mode():
        model(images)
    model.train(training)
    for handle in handles:
        handle.remove()
    return shapes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_03_3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("03.3", layer_shapes)

# %% [markdown]
# ## 03.4 Will it fit?
#
# *Difficulty 2 of 5 · 8 minutes · trains: what a training step holds*
#
# Predict the bytes that a training step holds. A net has `num_params` parameters in all, of
# which `trainable_params` learn; the rest are frozen. For each *picture* of the batch
# `activation_bytes` bytes are kept. `optimizer` is `"sgd"` (with momentum: one value more for
# each parameter that learns) or `"adam"` (two). Every value is float32: 4 bytes. Return the
# sum of weights, gradients, the optimiser's state and activations, as an `int`.


# %% nbgrader={"grade": false, "grade_id": "training_bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def training_bytes(
    num_params, trainable_params, activation_bytes, batch_size, optimizer
):
    """Return the bytes that a step of training holds."""
    ### BEGIN SOLUTION
    states = {"sgd": 1, "adam": 2}[optimizer]
    values = num_params + (1 + states) * trainable_params
    return 4 * values + activation_bytes * batch_size
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_03_4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("03.4", training_bytes)

# %% [markdown]
# ## 03.5 Why does full fine-tuning need more memory?
#
# *Difficulty 2 of 5 · 3 minutes · trains: predict, then count*
#
# You adapt a ResNet-18 with Adam, on batches of 32 pictures of 224 pixels: once only its head
# learns (feature extraction), once all of it (full fine-tuning). The second needs far more
# memory. What is **most** of the difference? Answer with one letter, as a string, before you
# run the cell below it, which counts.
#
# - **a** the weights: one that learns takes more room than one that is frozen
# - **b** the gradients: there is one for each weight that learns
# - **c** Adam's state: two values for each weight that learns
# - **d** the activations: the backward pass needs what the layers gave, so it is kept
# - **e** the batch: when all layers learn, more pictures are held at once

# %% nbgrader={"grade": false, "grade_id": "why_full_needs_more", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
why_full_needs_more = "d"
### END SOLUTION

# %%
report = inspect_model("resnet18", input_size=(3, 224, 224))
full = report.memory(32, mode="full", optimizer="adam")
frozen = report.memory(32, mode="frozen", optimizer="adam")
grown = {}
for part in ("weights", "gradients", "optimizer", "activations"):
    more = getattr(full, part) - getattr(frozen, part)
    grown[part] = more / 1e6
    if why_full_needs_more is not ...:
        print(f"{part:12} {grown[part]:+6.0f} MB")

# %% nbgrader={"grade": true, "grade_id": "check_03_5", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("03.5", why_full_needs_more, grown=grown)

# %% [markdown]
# ## To try, without a grade
#
# Your functions together are an inspector of models. SqueezeNet, which has no `fc`:

# %%
net = models.squeezenet1_1()
images = torch.rand(1, 3, 224, 224)
try:
    shapes = layer_shapes(net, images)
    macs = {
        name: conv_macs(net.get_submodule(name), shape[1:])
        for name, shape in shapes.items()
        if isinstance(net.get_submodule(name), nn.Conv2d)
    }
    print(f"yours: {sum(macs.values()):,} MACs")
    print(f"ours:  {inspect_model(net).macs:,} MACs")
    print("most:", max(macs, key=macs.get))
    print(new_head(net, images, 5).classifier)
except NotImplementedError:
    print("Write 03.1 to 03.3 first, then run this cell again.")

# %% [markdown]
# Back to [lesson 03](../notebooks/03_inside_a_model.ipynb), or on to
# [lesson 04](../notebooks/04_feature_extraction.ipynb).
