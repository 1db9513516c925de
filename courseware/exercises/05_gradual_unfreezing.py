# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 05 · Gradual unfreezing
#
# Seven tasks, 15 points.
# Belongs to [lesson 05](../notebooks/05_gradual_unfreezing.ipynb).
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("05.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from course_utils.datasets import load_dataset
from courseware.grading import check, hint
from course_utils.layer_groups import UnfreezeSchedule, freeze, unfreeze
from course_utils.training import fit, make_loader, train_one_epoch
from course_utils.weights import load_backbone

# %% [markdown]
# ## 05.1 Which stages learn in this epoch?
#
# *Difficulty 2 of 5 · 8 minutes · trains: schedules, resuming*
#
# `schedule` says which stages wake in which epoch, such as
# `{1: ["fc"], 4: ["layer4"], 7: ["layer3", "layer2"]}`. Epochs count from 1; a stage that
# has woken learns to the end. The entries need not be sorted. A stage is named as in
# `model.named_modules()`: `layer4`, or `blocks.2`.
#
# Set `requires_grad` of *all* of the model's parameters as it must be in `epoch`: what has
# not woken is frozen, parameters that belong to no stage too. A run can be resumed in any
# epoch, so the model may come with anything trainable or frozen. Before the first entry
# nothing learns. Leave all else as it is (modes, weights). Nothing need be returned.


# %% nbgrader={"grade": false, "grade_id": "set_learning", "locked": false, "schema_version": 3, "solution": true, "task": false}
def set_learning(model, schedule, epoch):
    """Set requires_grad as the schedule wants it in an epoch."""
    ### BEGIN SOLUTION
    model.requires_grad_(False)
    for start, names in schedule.items():
        if start <= epoch:
            for name in names:
                model.get_submodule(name).requires_grad_(True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_05_1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("05.1", set_learning)

# %% [markdown]
# ## 05.2 What is frozen holds its BatchNorm still
#
# *Difficulty 2 of 5 · 8 minutes · trains: frozen means statistics too*
#
# An epoch has just called `model.train()`. `frozen` names the stages that do not learn in
# it (by `requires_grad`, or because the optimiser does not have them), as in
# `named_modules()`: `layer4`, or `blocks.2`. Put every BatchNorm layer of these stages (1d,
# 2d or 3d or a subclass, at any depth; a stage may itself be one) into eval mode. All else
# stays in train mode: BatchNorm of the other stages, and dropout and whatever else, in frozen
# stages too. Leave `requires_grad`, the layers, their statistics and their settings as they
# are. Nothing need be returned.


# %% nbgrader={"grade": false, "grade_id": "hold_batchnorm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hold_batchnorm(model, frozen):
    """Put BatchNorm of the frozen stages into eval mode."""
    ### BEGIN SOLUTION
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
    for name in frozen:
        for layer in model.get_submodule(name).modules():
            if isinstance(layer, kinds):
                layer.eval()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_05_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("05.2", hold_batchnorm)

# %% [markdown]
# ## 05.3 Wake a stage in a running optimiser
#
# *Difficulty 3 of 5 · 12 minutes · trains: parameter groups, momentum*
#
# `optimizer`, any of PyTorch's, has been training the head alone for some epochs. Now a
# stage wakes: `parameters` is what `model.layer4.parameters()` gives, which can be gone
# through only once. Let all of them learn (`requires_grad`), and add those that the
# optimiser does not have yet as *one* new group with the rate `lr` and, for the rest, the
# options that the optimiser was made with (a group may have others).
#
# Some or all of the parameters may be in the optimiser already, and any of them may be
# frozen or not. Those that are in keep their group and their rate; where none is missing, no
# group is added. What the optimiser holds stays as it is: its groups, their rates, its
# momentum, its defaults. Nothing need be returned.


# %% nbgrader={"grade": false, "grade_id": "wake", "locked": false, "schema_version": 3, "solution": true, "task": false}
def wake(optimizer, parameters, lr):
    """Let parameters learn; add the missing ones as one group."""
    ### BEGIN SOLUTION
    groups = optimizer.param_groups
    known = {id(p) for group in groups for p in group["params"]}
    missing = []
    for parameter in parameters:
        parameter.requires_grad = True
        if id(parameter) not in known:
            missing.append(parameter)
    if missing:
        optimizer.add_param_group({"params": missing, "lr": lr})
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_05_3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("05.3", wake)

# %% [markdown]
# ## 05.4 Gradual unfreezing, with curves
#
# *Difficulty 3 of 5 · 20 minutes · trains: a whole run, and a picture of it*
#
# Train `model` in place for `epochs` epochs on the loader `train`, one pass in each, while
# `schedule` (a dict as in 05.1) wakes its stages. Measure on the loader `val` after each
# epoch. `fit` and `UnfreezeSchedule` do most of it. Use one `torch.optim.SGD` for the whole
# run, with the rate `lr` for everything, momentum 0.9 and no other option. A stage moves
# from its epoch on and not before; what is frozen does not move at all, BatchNorm's
# statistics included.
#
# Return two things: the history, a DataFrame with a row for each epoch and at least the
# columns `epoch`, `train_accuracy` and `val_accuracy` (as `fit` gives it), and a matplotlib
# `Axes` that shows
#
# - both accuracies as lines over the epochs (1, 2, …), with a legend that says "train" and
#   "val",
# - a vertical line at each epoch in which a stage wakes, but for epoch 1, where the run
#   begins, and for entries that the run does not reach,
# - a title and a label on each axis.


# %% nbgrader={"grade": false, "grade_id": "train_gradually", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_gradually(model, train, val, schedule, epochs, lr):
    """Train while stages wake; return the history and an Axes."""
    ### BEGIN SOLUTION
    everything = model.parameters()
    optimizer = torch.optim.SGD(everything, lr=lr, momentum=0.9)
    history = fit(
        model,
        train,
        val,
        optimizer=optimizer,
        epochs=epochs,
        callbacks=[UnfreezeSchedule(schedule)],
    )
    _, ax = plt.subplots()
    for name, style in (("train", "o-"), ("val", "s--")):
        accuracy = history[f"{name}_accuracy"]
        ax.plot(history["epoch"], accuracy, style, label=name)
    for epoch in schedule:
        if 1 < epoch <= epochs:
            ax.axvline(epoch, linestyle=":", color="grey")
    ax.set_title("Gradual unfreezing")
    ax.set_xlabel("epoch (dotted: a stage wakes)")
    ax.set_ylabel("accuracy (0 to 1)")
    ax.legend()
    return history, ax
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_05_4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("05.4", train_gradually)

# %% [markdown]
# Your function at work: `test_resnet` with bundled weights, 100 flowers to learn from.

# %%
torch.manual_seed(0)
net = load_backbone("test_resnet", weights="bundled", num_classes=5)
prepare = net.weights_info.transform
flowers = load_dataset("flowers", transform=prepare, per_class=20)
train = make_loader(flowers.train, batch_size=20, shuffle=True)
val = make_loader(flowers.val, batch_size=100)
try:
    plan = {1: ["fc"], 3: ["layer4"], 5: ["layer3"]}
    history, ax = train_gradually(net, train, val, plan, 6, 0.02)
    ax.set_title("Flowers: stages wake in epochs 3 and 5")
    print(history[["epoch", "train_accuracy", "val_accuracy"]])
except NotImplementedError:
    print("Write 05.4 first, then run this cell again.")

# %% [markdown]
# ## 05.5 First the probe, then fine-tuning: LP-FT
#
# *Difficulty 3 of 5 · 12 minutes · trains: two runs on one model*
#
# Kumar and others (2022) train the head first, on a backbone that stands still, and then
# everything from there, at a low rate. Do so with `model`, in place. Its head is `model.fc`.
#
# 1. The probe: `probe_epochs` epochs at `probe_lr` in which the head learns and not a bit
#    of anything else moves, BatchNorm's statistics included.
# 2. Fine-tuning: `tune_epochs` epochs at `tune_lr`. All parameters learn, BatchNorm is in
#    train mode, and the head goes on from where the probe left it.
#
# Each part has a `torch.optim.SGD` of its own with momentum 0.9 and no other option, the
# loss is cross-entropy, and an epoch is one pass over `loader`. Either part may have 0
# epochs. The model may come in any mode, with anything frozen. Nothing need be returned.


# %% nbgrader={"grade": false, "grade_id": "lp_ft", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lp_ft(model, loader, probe_epochs, tune_epochs, probe_lr, tune_lr):
    """Train the head alone, then everything from there."""
    ### BEGIN SOLUTION
    freeze(model)
    head = model.fc.parameters()
    optimizer = torch.optim.SGD(head, lr=probe_lr, momentum=0.9)
    for _ in range(probe_epochs):
        train_one_epoch(model, loader, optimizer)
    unfreeze(model)
    everything = model.parameters()
    optimizer = torch.optim.SGD(everything, lr=tune_lr, momentum=0.9)
    for _ in range(tune_epochs):
        train_one_epoch(model, loader, optimizer)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_05_5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("05.5", lp_ft)

# %% [markdown]
# ## 05.6 Validation accuracy falls after epoch 5
#
# *Difficulty 2 of 5 · 5 minutes · trains: reading curves*
#
# Three runs with pretrained weights and a new head. (The figures are made up, to show one
# thing each.) A linear probe on the same pictures reaches 0.78.
#
# **A**: all stages learn from the start, at a low rate.
#
# | epoch | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
# |---|---|---|---|---|---|---|---|---|
# | training | 0.71 | 0.80 | 0.86 | 0.91 | 0.95 | 0.98 | 1.00 | 1.00 |
# | validation | 0.70 | 0.77 | 0.81 | 0.83 | 0.84 | 0.82 | 0.80 | 0.78 |
#
# **B**: the head alone for five epochs; from epoch 6 on all stages, at the head's rate.
#
# | epoch | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
# |---|---|---|---|---|---|---|---|---|
# | training | 0.70 | 0.75 | 0.78 | 0.79 | 0.80 | 0.34 | 0.31 | 0.37 |
# | validation | 0.69 | 0.73 | 0.76 | 0.77 | 0.78 | 0.33 | 0.30 | 0.36 |
#
# **C**: all stages learn from epoch 1. The same rate did no harm in another run, in which
# the head had learned alone for three epochs first.
#
# | epoch | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
# |---|---|---|---|---|---|---|---|---|
# | training | 0.29 | 0.41 | 0.49 | 0.55 | 0.58 | 0.57 | 0.59 | 0.58 |
# | validation | 0.28 | 0.40 | 0.48 | 0.54 | 0.57 | 0.55 | 0.56 | 0.55 |
#
# Which cause, with its remedy, fits each run best? Answer with a dict of letters, such as
# `{"A": "e", "B": "e", "C": "e"}`. A letter may be used more than once, or not at all.
#
# - **a** It overfits. Keep the weights of the best epoch, augment, or let fewer stages learn.
# - **b** The rate of the stages that wake is too high. Give them a lower one, or warm it up.
# - **c** The backbone was unfrozen too early: a random head's gradients damaged it. Train
#   the head first.
# - **d** The optimiser does not have the stages that wake. Give it their parameters.
# - **e** It underfits. Train longer, or take a larger net.

# %% nbgrader={"grade": false, "grade_id": "why_it_falls", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
why_it_falls = {"A": "a", "B": "b", "C": "c"}
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_05_6", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("05.6", why_it_falls)

# %% [markdown]
# ## 05.7 Which frozen weights move?
#
# *Difficulty 4 of 5 · 6 minutes · trains: predict, then measure*
#
# A layer learns for three steps. Then it is frozen by `requires_grad_(False)`, but stays in
# the optimiser, and the rest of the net learns on for three steps. Each step calls
# `zero_grad`, `backward` and `step`, in this order. In which of these cases do the frozen
# weights move in the second three steps? Answer with their letters, as one string, before
# you run the cell below it, which measures. (In **e** the layer is frozen from the very
# first step on.)
#
# - **a** SGD, momentum 0.9, weight decay 0.1; `zero_grad()`
# - **b** SGD, momentum 0.9; `zero_grad(set_to_none=False)`
# - **c** SGD, weight decay 0.1; `zero_grad(set_to_none=False)`
# - **d** SGD, neither of them; `zero_grad(set_to_none=False)`
# - **e** as **a**, but frozen from the start; `zero_grad(set_to_none=False)`
# - **f** Adam, no weight decay; `zero_grad(set_to_none=False)`

# %% nbgrader={"grade": false, "grade_id": "which_move", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
which_move = "bcf"
### END SOLUTION

# %%
SGD, Adam = torch.optim.SGD, torch.optim.Adam
both = {"momentum": 0.9, "weight_decay": 0.1}
cases = {  # optimiser, its options, to None, frozen after so many steps
    "a": (SGD, both, True, 3),
    "b": (SGD, {"momentum": 0.9}, False, 3),
    "c": (SGD, {"weight_decay": 0.1}, False, 3),
    "d": (SGD, {}, False, 3),
    "e": (SGD, both, False, 0),
    "f": (Adam, {}, False, 3),
}


# %%
def drift(make, options, to_none, freeze_after):
    """Return how far the frozen layer's weights move."""
    torch.manual_seed(0)
    layer, rest = nn.Linear(4, 4), nn.Linear(4, 2)
    net, x = nn.Sequential(layer, nn.Tanh(), rest), torch.randn(8, 4)
    optimizer = make(net.parameters(), lr=0.1, **options)
    for step in range(6):
        if step == freeze_after:
            layer.requires_grad_(False)
        if step == 3:
            before = layer.weight.detach().clone()
        optimizer.zero_grad(set_to_none=to_none)
        net(x).square().mean().backward()
        optimizer.step()
    return (layer.weight - before).abs().max().item()


# %%
moved = ""
for letter, case in cases.items():
    distance = drift(*case)
    moved += letter if distance > 0 else ""
    if which_move is not ...:
        print(f"{letter}  moved by {distance:.4f}")

# %% nbgrader={"grade": true, "grade_id": "check_05_7", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("05.7", which_move, moved=moved)

# %% [markdown]
# ## To try, without a grade
#
# LP-FT on the same flowers: the head first, then all of it at a rate ten times lower.

# %%
torch.manual_seed(0)
net = load_backbone("test_resnet", weights="bundled", num_classes=5)
try:
    lp_ft(net, train, 4, 2, 0.05, 0.005)
    images, labels = next(iter(val))
    with torch.inference_mode():
        right = net.eval()(images).argmax(1) == labels
    share = right.double().mean()
    print(f"validation, {len(labels)} pictures: {share:.0%}")
except NotImplementedError:
    print("Write 05.5 first, then run this cell again.")

# %% [markdown]
# Back to [lesson 05](../notebooks/05_gradual_unfreezing.ipynb).
