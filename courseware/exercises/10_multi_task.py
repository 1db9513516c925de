# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 10 · Multi-task heads
#
# Seven tasks, 18 points.
# Belongs to [lesson 10](../notebooks/10_multi_task.ipynb). The nets here are tiny or named;
# `course_utils.multitask` does the same for any net, so write these without it.
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("10.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import copy

import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from course_utils.datasets import load_dataset
from courseware.grading import check, hint
from course_utils.datasets import with_attributes
from course_utils.training import make_loader
from course_utils.weights import load_backbone

# %% [markdown]
# ## 10.1 One backbone, several heads
#
# *Difficulty 2 of 5 · 10 minutes · trains: modules inside of modules*
#
# Write a module with one backbone and a linear head, with a bias, for each task. `backbone`
# turns pictures into features (B, `num_features`); `tasks` says how many classes each task
# has, such as `{"species": 5, "colour": 6}`; there may be one task, or many.
#
# `forward` returns a dict: each task's name with its logits (B, classes); B may be 1. It runs
# the backbone *once*, however many tasks there are. The backbone is the very one that was given,
# not a copy, and `parameters()` of the module gives its parameters and those of all heads.
# A training step on any of the losses reaches the backbone.


# %% nbgrader={"grade": false, "grade_id": "shared_net", "locked": false, "schema_version": 3, "solution": true, "task": false}
class SharedNet(nn.Module):
    """One backbone with a linear head for each task."""

    def __init__(self, backbone, num_features, tasks):
        super().__init__()
        ### BEGIN SOLUTION
        self.backbone = backbone
        self.heads = nn.ModuleDict()
        for task, classes in tasks.items():
            self.heads[task] = nn.Linear(num_features, classes)
        ### END SOLUTION

    def forward(self, images):
        """Return the logits of each task, {task: (B, classes)}."""
        ### BEGIN SOLUTION
        features = self.backbone(images)
        return {t: head(features) for t, head in self.heads.items()}
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_10_1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("10.1", SharedNet)

# %% [markdown]
# ## 10.2 Find the bug: nothing is shared
#
# *Difficulty 3 of 5 · 10 minutes · trains: one object or two, what an optimiser holds*
#
# A colleague wants a net for each task, all on one shared backbone. The code runs, and every
# loss falls:
#
# ```python
# def share(make_backbone, num_features, tasks, lr):
#     nets, parameters = {}, []
#     for task, classes in tasks.items():
#         backbone = make_backbone()
#         head = nn.Linear(num_features, classes)
#         nets[task] = nn.Sequential(backbone, head)
#         parameters += nets[task].parameters()
#     optimizer = torch.optim.SGD(parameters, lr=lr)
#     return nets, optimizer
# ```
#
# Yet the tasks teach each other nothing. Write it so that all nets hold one and the same
# backbone, which `make_backbone()` builds (it is slow: call it once), and each a linear head
# of its own. Return the nets, as a dict (or `nn.ModuleDict`) by task, and one plain SGD with
# the rate `lr` and no other option, which holds every parameter of all nets exactly once.
# `nets[task]`, called with pictures, gives the logits of a task.


# %% nbgrader={"grade": false, "grade_id": "share", "locked": false, "schema_version": 3, "solution": true, "task": false}
def share(make_backbone, num_features, tasks, lr):
    """Return nets on one shared backbone, and one optimiser."""
    ### BEGIN SOLUTION
    backbone, nets = make_backbone(), nn.ModuleDict()
    for task, classes in tasks.items():
        head = nn.Linear(num_features, classes)
        nets[task] = nn.Sequential(backbone, head)
    # A ModuleDict gives a parameter once, in however many nets it is.
    optimizer = torch.optim.SGD(nets.parameters(), lr=lr)
    return nets, optimizer
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_10_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("10.2", share)

# %% [markdown]
# ## 10.3 Losses where labels are missing
#
# *Difficulty 3 of 5 · 12 minutes · trains: masks, means, empty batches*
#
# `logits` is a dict, each task's logits (B, classes); `labels` has the same tasks, in any
# order, each with labels (B,). A label of -1 is missing: the picture says nothing about *this* task, and still
# counts for the others.
#
# Return a dict with each task's loss, a tensor of shape (): the mean cross-entropy over the
# pictures that have a label for the task. For a task without any label in the batch it is
# exactly 0, with a graph or without. Gradients must flow from all other losses to the logits;
# the logits of a picture whose label is missing get none (or zeros), and nothing is ever NaN
# or infinite, even where logits lie hundreds apart.


# %% nbgrader={"grade": false, "grade_id": "masked_losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_losses(logits, labels):
    """Return {task: mean loss over the pictures with a label}."""
    ### BEGIN SOLUTION
    losses = {}
    for task, truth in labels.items():
        known = truth != -1
        rows, truth = logits[task][known], truth[known]
        total = F.cross_entropy(rows, truth, reduction="sum")
        losses[task] = total / known.sum().clamp(min=1)
    return losses
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_10_3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("10.3", masked_losses)

# %% [markdown]
# ## 10.4 Weights that are learnt
#
# *Difficulty 3 of 5 · 12 minutes · trains: parameters of a loss, uncertainty weights*
#
# Kendall, Gal and Cipolla (2018) let each task learn its own weight. With
# $s_t = \log \sigma_t^2$, how uncertain task $t$ is,
#
# $$\text{total} = \sum_t \left( e^{-s_t} L_t + \frac{s_t}{2} \right).$$
#
# Write it as a module. Its attribute `s` is one `nn.Parameter` of shape (T,), a value for
# each task in the order of the list `tasks`, all 0 at first. `forward` takes a dict with the
# losses, tensors of shape (), in any order, and returns the total, a tensor of shape ().
# Gradients reach `s` and the losses. A task that `losses` leaves out, for the batch had no
# label for it, adds nothing: its $s_t/2$ is left out too, or $s_t$ would fall without end. At
# least one task is there.


# %% nbgrader={"grade": false, "grade_id": "uncertainty_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
class UncertaintyLoss(nn.Module):
    """Weigh losses by how uncertain each task is."""

    def __init__(self, tasks):
        super().__init__()
        ### BEGIN SOLUTION
        self.tasks = tasks
        self.s = nn.Parameter(torch.zeros(len(tasks)))
        ### END SOLUTION

    def forward(self, losses):
        """Return the weighted sum of the losses, with s/2 each."""
        ### BEGIN SOLUTION
        total = 0
        for task, loss in losses.items():
            s = self.s[self.tasks.index(task)]
            total = total + torch.exp(-s) * loss + s / 2
        return total
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_10_4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("10.4", UncertaintyLoss)

# %% [markdown]
# ## 10.5 Do two tasks pull together?
#
# *Difficulty 4 of 5 · 15 minutes · trains: gradients by hand, leaving no trace*
#
# `model` has a `model.backbone` and `model.heads`, and returns a dict of logits for two
# tasks of any name. `images` is a batch, `labels` a dict with the labels of both tasks; none is missing.
# For each task take the gradient of its mean cross-entropy with respect to the backbone's
# parameters that learn (some may be frozen). Return the cosine of the two gradients as a
# `float` from -1 to 1: each gradient is *one* long vector, over all of these parameters.
#
# Compute it with the whole model in eval mode. Afterwards the model is as it came: its mode
# (all layers come in train mode, or all in eval mode), weights, BatchNorm's statistics, and
# each parameter's `.grad`, which may hold something already or be `None`.


# %% nbgrader={"grade": false, "grade_id": "gradient_cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradient_cosine(model, images, labels):
    """Return the cosine of two tasks' gradients on the backbone."""
    ### BEGIN SOLUTION
    training = model.training
    logits = model.eval()(images)
    model.train(training)
    parameters = model.backbone.parameters()
    shared = [p for p in parameters if p.requires_grad]
    rows = []
    for task, truth in labels.items():
        loss = F.cross_entropy(logits[task], truth)
        found = torch.autograd.grad(loss, shared, retain_graph=True)
        rows.append(torch.cat([g.flatten() for g in found]))
    a, b = rows
    return (a @ b / (a.norm() * b.norm())).item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_10_5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("10.5", gradient_cosine)

# %% [markdown]
# ## 10.6 One model with two heads, or two models?
#
# *Difficulty 2 of 5 · 4 minutes · trains: predict, then count*
#
# ResNet-18 has 11,689,512 parameters with the head that it comes with, a Linear layer with a
# bias from 512 features to 1,000 classes. You take that head off, for two tasks: species (5
# classes) and colour (6 classes). Each new head is a Linear layer with a bias. How many
# parameters have
#
# - `"one"`: one backbone with both heads,
# - `"two"`: two models, each with a backbone and one head, counted together?
#
# Answer with a dict such as `{"one": 1000, "two": 2000}` before you run the cell below it,
# which counts.

# %% nbgrader={"grade": false, "grade_id": "how_many_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
how_many_parameters = {"one": 11_182_155, "two": 22_358_667}
### END SOLUTION

# %%
body = models.resnet18()
body.fc = nn.Identity()
species, colour = nn.Linear(512, 5), nn.Linear(512, 6)
one = nn.ModuleList([body, species, colour])
two = nn.ModuleList([*one, copy.deepcopy(body)])
counted = {}
for name, nets in (("one", one), ("two", two)):
    counted[name] = sum(p.numel() for p in nets.parameters())
    if how_many_parameters is not ...:
        print(f"{name}: {counted[name]:,} parameters")

# %% nbgrader={"grade": true, "grade_id": "check_10_6", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("10.6", how_many_parameters, counted=counted)

# %% [markdown]
# ## 10.7 What a cosine of -0.4 means
#
# *Difficulty 3 of 5 · 6 minutes · trains: predict, then measure*
#
# `a` and `b` are the gradients of two tasks on the shared weights. Plain SGD takes one small
# step on the sum of the two losses, against `a + b`. Compare what it does to the loss of
# the first task (gradient `a`) with a step of the same rate on that loss alone.
#
# - **A**: the cosine is -0.4, and `b` is as long as `a`.
# - **B**: the cosine is -0.4, and `b` is three times as long as `a`.
# - **C**: the cosine is 0, and `b` is three times as long as `a`.
#
# For each of these one of:
#
# - **a** The loss falls as much as alone.
# - **b** The loss falls, but less than alone.
# - **c** The loss stays where it is.
# - **d** The loss rises.
#
# And **D**: which of these speaks most for two separate models?
#
# - **e** In one batch of the first epoch the cosine is -0.4.
# - **f** On validation pictures, over several seeds, the shared model is behind a model of
#   its own in both tasks, whatever the loss weights; and there is room and time for two.
# - **g** One of the tasks has labels for a tenth of the pictures only.
# - **h** One task's loss is ten times as large as the other's.
#
# Answer with a dict of letters, such as `{"A": "a", "B": "a", "C": "a", "D": "e"}`. A letter
# may be used more than once, or not at all. The cell below your answer measures A to C.

# %% nbgrader={"grade": false, "grade_id": "what_the_cosine_means", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
what_the_cosine_means = {"A": "b", "B": "d", "C": "a", "D": "f"}
### END SOLUTION


# %%
def share_of_fall(cosine, length):
    """Return how far the first loss falls; alone it would be 1."""
    a = torch.tensor([1.0, 0.0])
    b = length * torch.tensor([cosine, (1 - cosine**2) ** 0.5])
    falls = []
    for other in (b, 0 * b):  # on the sum of the losses, and alone
        w = torch.zeros(2, requires_grad=True)
        (a @ w + other @ w).backward()
        falls.append(-(a @ (w - 0.01 * w.grad)).item())
    return falls[0] / falls[1]


measured = {}
for name, case in {"A": (-0.4, 1), "B": (-0.4, 3), "C": (0, 3)}.items():
    measured[name] = share_of_fall(*case)
    if what_the_cosine_means is not ...:
        print(f"{name}: falls by {measured[name]:.0%} of alone")

# %% nbgrader={"grade": true, "grade_id": "check_10_7", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("10.7", what_the_cosine_means, measured=measured)

# %% [markdown]
# ## To try, without a grade
#
# Your modules at work: species and colour of 100 flowers, from one backbone. Half of the
# colours are hidden. Do the two tasks pull together, before training and after? (On
# validation pictures, for the training pictures would tell you little, as the lesson shows.)

# %%
body = load_backbone("test_resnet", weights="bundled", num_classes=0)
prepare = body.weights_info.transform
flowers = load_dataset("flowers", transform=prepare, per_class=20)
names = ["species", "colour"]
train = with_attributes(flowers.train, names, hide={"colour": 0.5})
val = with_attributes(flowers.val, names, classes=train.classes)


# %%
def accuracies(net):
    """Return each task's accuracy on the validation pictures."""
    images, labels = next(iter(make_loader(val, batch_size=len(val))))
    with torch.inference_mode():
        logits = net.eval()(images)
    right = {t: logits[t].argmax(1) == labels[t] for t in names}
    return {t: f"{hits.double().mean():.0%}" for t, hits in right.items()}


def learn(net, loss, epochs):
    """Train a net and its loss weights with AdamW."""
    both = [*net.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(both, lr=1e-3)
    loader = make_loader(train, batch_size=20, shuffle=True)
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            parts = masked_losses(net.train()(images), labels)
            loss(parts).backward()
            optimizer.step()


# %%
torch.manual_seed(0)
batch = next(iter(make_loader(val, batch_size=50)))
try:
    net = SharedNet(body, 96, train.tasks)
    loss = UncertaintyLoss(names)
    for epochs in (0, 6):
        learn(net, loss, epochs)
        cosine = gradient_cosine(net, *batch)
        print(f"{epochs} epochs: {accuracies(net)}, cosine {cosine:+.2f}")
    print("weights:", [f"{w:.2f}" for w in (-loss.s).exp()])
except NotImplementedError:
    print("Write 10.1, 10.3, 10.4 and 10.5 first, then run this again.")

# %% [markdown]
# Back to [lesson 10](../notebooks/10_multi_task.ipynb).
