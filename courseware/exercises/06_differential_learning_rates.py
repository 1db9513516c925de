# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 06 · Differential learning rates
#
# Six tasks, 14 points.
# Belongs to [lesson 06](../notebooks/06_differential_learning_rates.ipynb). Write the tasks
# by hand, in plain PyTorch: the tools of the course come after.
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("06.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import math

import torch
from torch import nn

from course_utils.datasets import load_dataset
from courseware.grading import check, hint
from course_utils.lr_finder import LRCurve
from course_utils.weights import load_backbone

# %% [markdown]
# ## 06.1 A rate for each depth
#
# *Difficulty 2 of 5 · 10 minutes · trains: parameter groups*
#
# `stages` is a dict: from the name of a group to the layers in it, by their names in
# `named_modules()`, which may have dots. The stem comes first, the head last. For
# `test_resnet` it could be
#
# ```python
# stages = {
#     "stem": ["conv1", "bn1", "layer1"],
#     "layer2": ["layer2"],
#     "layer3": ["layer3"],
#     "layer4": ["layer4"],
#     "head": ["fc"],
# }
# ```
#
# Return a list of parameter groups for a torch optimiser: a dict with `"params"`, `"lr"` and
# `"name"` for each group of `stages`, in the same order. The head gets the rate `lr`; each
# group before it gets `ratio` times the rate of the group behind it. Every parameter stands
# in exactly one group, frozen ones too (they may wake later). Leave the model as it is.


# %% nbgrader={"grade": false, "grade_id": "stage_groups", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stage_groups(model, stages, lr, ratio):
    """Return an optimiser's groups: lr for the head, less before it."""
    ### BEGIN SOLUTION
    groups = []
    for depth, name in enumerate(reversed(stages)):
        layers = [model.get_submodule(layer) for layer in stages[name]]
        params = [p for layer in layers for p in layer.parameters()]
        rate = lr * ratio**depth
        groups.append({"params": params, "lr": rate, "name": name})
    return groups[::-1]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_06_1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("06.1", stage_groups)

# %% [markdown]
# ## 06.2 Find the bug: the head that is listed twice
#
# *Difficulty 2 of 5 · 8 minutes · trains: what an optimiser accepts*
#
# A popular tutorial gives the head a rate of its own like this, and the optimiser refuses:
#
# ```python
# def backbone_and_head(model, lr, head_lr):
#     groups = []
#     for name, parameter in model.named_parameters():
#         if parameter.requires_grad:
#             groups.append({"params": [parameter], "lr": lr})
#     groups.append({"params": model.fc.parameters(), "lr": head_lr})
#     return groups
# ```
#
# Repair it, and make no more than **two** groups of it. Each parameter that requires a
# gradient stands in exactly one group: those of the head `model.fc` with the rate `head_lr`,
# all others with `lr`. Frozen parameters, of the head too, stay out. (The head may be a
# single layer or several; other layers may have names that look like its own; and some
# parameters may belong to the net itself, outside of its layers.)


# %% nbgrader={"grade": false, "grade_id": "backbone_and_head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def backbone_and_head(model, lr, head_lr):
    """Return two groups: what learns in the backbone, and in fc."""
    ### BEGIN SOLUTION
    body, head = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            mine = head if name.startswith("fc.") else body
            mine.append(parameter)
    return [{"params": body, "lr": lr}, {"params": head, "lr": head_lr}]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_06_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("06.2", backbone_and_head)

# %% [markdown]
# ## 06.3 No weight decay on norms and biases
#
# *Difficulty 2 of 5 · 8 minutes · trains: weight decay*
#
# Weight decay pulls towards zero. That is meant for the weights of convolutions and linear
# layers, not for a norm's scale (which belongs near one) or for a bias. A rule that works
# in any net, whatever its layers are called, looks at shapes: a parameter of **two or more
# dimensions** gets `weight_decay`, one with fewer (a vector, or a single number) gets 0.
#
# Return exactly two groups, each a dict with `"params"` and `"weight_decay"`. Every parameter
# of the model stands in exactly one of them, frozen ones too. Leave the model as it is.


# %% nbgrader={"grade": false, "grade_id": "decay_groups", "locked": false, "schema_version": 3, "solution": true, "task": false}
def decay_groups(model, weight_decay):
    """Return two groups: weight decay for what has two dimensions."""
    ### BEGIN SOLUTION
    weights = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_06_3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("06.3", decay_groups)

# %% [markdown]
# ## 06.4 The range test by hand
#
# *Difficulty 4 of 5 · 18 minutes · trains: the loop, and how to undo it*
#
# Train `model` for `num_iter` steps, each at a higher learning rate than the one before, and
# write down what becomes of the loss.
#
# - The rates grow by the **same factor** from step to step, from `start_lr` (first step) to
#   `end_lr` (last step), both included.
# - A step is: cross-entropy of the next batch in train mode, gradients, one update by plain
#   `torch.optim.SGD` (no momentum) at this step's rate. `batches` is a list of pairs
#   (images, labels); after its last one, begin again with the first.
# - Record each rate with the loss of its batch **before** the update.
# - A loss that is not finite (NaN, or infinite) ends the test: record neither it nor its rate.
#
# Return two lists of `float`: the rates and the losses. And nothing must be left of it:
# afterwards the model has the weights, the buffers (BatchNorm's statistics) and the mode that
# it came with, to the bit. (It comes in train or in eval mode, all layers alike, and no
# parameter of it is frozen.)


# %% nbgrader={"grade": false, "grade_id": "range_test", "locked": false, "schema_version": 3, "solution": true, "task": false}
def range_test(model, batches, start_lr=1e-7, end_lr=1.0, num_iter=40):
    """Return (rates, losses) of a run at rising rates; undo it."""
    ### BEGIN SOLUTION
    kept = {k: v.clone() for k, v in model.state_dict().items()}
    training = model.training
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=start_lr)
    (group,) = optimizer.param_groups
    lrs, losses = [], []
    for step in range(num_iter):
        images, labels = batches[step % len(batches)]
        loss = nn.functional.cross_entropy(model(images), labels)
        if not torch.isfinite(loss):
            break
        lrs.append(group["lr"])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        group["lr"] *= (end_lr / start_lr) ** (1 / (num_iter - 1))
    model.load_state_dict(kept)
    model.train(training)
    return lrs, losses
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_06_4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("06.4", range_test)

# %% [markdown]
# ## 06.5 Warm up, then cosine
#
# *Difficulty 3 of 5 · 10 minutes · trains: schedules*
#
# Return the learning rate of step `step` out of `total` (they count from 0 to `total - 1`).
#
# - Steps 0 to `warmup - 1` climb in equal strides, so that step `warmup` stands at `peak`.
#   Step 0 is one stride high already: at a rate of 0 it would do nothing. With
#   `warmup = 4` and `peak = 1`: 0.2, 0.4, 0.6, 0.8, and step 4 is at 1.
# - From step `warmup` on, half a cosine falls from `peak` to `final`, which the last step,
#   `total - 1`, reaches exactly.
#
# `warmup` may be 0: then step 0 stands at `peak`. The last step is always behind step
# `warmup`.


# %% nbgrader={"grade": false, "grade_id": "lr_at", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lr_at(step, total, warmup, peak, final=0.0):
    """Return the rate of a step: linear warm-up, then half a cosine."""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = (step - warmup) / (total - 1 - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * done)) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_06_5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("06.5", lr_at)

# %% [markdown]
# ## 06.6 What one step at 0.1 does
#
# *Difficulty 2 of 5 · 4 minutes · trains: predict, then measure*
#
# A rate of 0.1 is nothing unusual where SGD trains a net from scratch. Here you fine-tune all
# of a pretrained `test_resnet` with **Adam**, under a new head. How large are the weights of
# its convolutions?

# %%
net = load_backbone("test_resnet", weights="bundled")
convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
sizes = torch.cat([m.weight.detach().abs().flatten() for m in convs])
print(f"half of them are smaller than {sizes.median():.2f}")

# %% [markdown]
# What does Adam's **first step** do to them at a rate of 0.1? Answer with one letter, as a
# string, before you run the cells below, which measure.
#
# - **a** little: each weight changes by a tenth of its size
# - **b** little: hardly any gradient gets past the new head, so only the head moves
# - **c** little that shows: what moves most are BatchNorm's statistics
# - **d** a lot: nearly every weight moves by about 0.1, about its own size, and what it
#   had learned is overwritten
# - **e** a lot, and that is good: with larger strides the net is better after 20 steps

# %% nbgrader={"grade": false, "grade_id": "one_step_at_a_tenth", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
one_step_at_a_tenth = "d"
### END SOLUTION

# %%
prepare = net.weights_info.transform
flowers = load_dataset("flowers", transform=prepare, per_class=20)
pictures = torch.stack([image for image, _ in flowers.train])
labels = torch.as_tensor(flowers.train.labels)
unseen = torch.stack([image for image, _ in flowers.val])
answers = torch.as_tensor(flowers.val.labels)


# %%
def adam_steps(net, lr, steps):
    """Fine-tune all of a net on random batches of 25 pictures."""
    optimizer = torch.optim.Adam(net.train().parameters(), lr=lr)
    for _ in range(steps):
        rows = torch.randperm(len(labels))[:25]
        logits = net(pictures[rows])
        loss = nn.functional.cross_entropy(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def adapt(lr):
    """Return how far step 1 moves a weight; accuracy after 20."""
    torch.manual_seed(0)
    net = load_backbone("test_resnet", weights="bundled", num_classes=5)
    convs = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d)]
    before = torch.cat([w.detach().flatten() for w in convs])
    adam_steps(net, lr, 1)
    move = torch.cat([w.detach().flatten() for w in convs]) - before
    adam_steps(net, lr, 19)
    with torch.inference_mode():
        right = net.eval()(unseen).argmax(1) == answers
    return move.abs().median().item(), right.double().mean().item()


# %%
measured = {}
if one_step_at_a_tenth is not ...:
    for rate in (0.1, 0.001, 0.00001):
        move, accuracy = adapt(rate)
        measured[rate] = {"move": move, "accuracy": accuracy}
        print(f"lr {rate:<7g} moves a weight by {move:.5f}", end=", ")
        print(f"right after 20 steps: {accuracy:.0%}")
    print("Adam divides each gradient by its own size, so that in its")
    print("first step every weight moves by about the rate.")

# %% nbgrader={"grade": true, "grade_id": "check_06_6", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("06.6", one_step_at_a_tenth, measured=measured)

# %% [markdown]
# Which rates are usual for pretrained weights? With Adam 1e-5 to 1e-3, the upper end for the
# head; with SGD, which multiplies the rate by the gradient, more. That is a rule of thumb: a
# range test says it for *your* net, data and optimiser. And a rate can be too small as well.
#
# ## To try, without a grade
#
# Your range test on the pretrained net, the rates that the course's tool would read off its
# curve, and your schedule with one of them.

# %%
torch.manual_seed(0)
net = load_backbone("test_resnet", weights="bundled", num_classes=5)
order = torch.randperm(len(labels)).split(50)
batches = [(pictures[rows], labels[rows]) for rows in order]
try:
    lrs, losses = range_test(net, batches, start_lr=1e-5)
    curve = LRCurve(lrs, losses, [1.0])
    for how in ("steepest", "valley", "minimum/10"):
        print(f"{how:10} {curve.suggest(how):.1e}")
    schedule = [lr_at(s, 12, 3, curve.suggest()) for s in range(12)]
    print("twelve steps:", ", ".join(f"{lr:.0e}" for lr in schedule))
except NotImplementedError:
    print("Write 06.4 and 06.5 first, then run this cell again.")

# %% [markdown]
# Back to [lesson 06](../notebooks/06_differential_learning_rates.ipynb).
