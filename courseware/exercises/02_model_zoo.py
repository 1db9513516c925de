# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 02 · The model zoo
#
# Five tasks, 10 points.
# All of it runs offline: nothing here needs a download.
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("02.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import time

import pandas as pd
import torch
from torchvision import models as tv

from course_utils.datasets import sample_photos
from courseware.grading import check, hint
from course_utils.zoo import zoo_table

# %% [markdown]
# ## 02.1 Compare models
#
# *Difficulty 3 of 5 · 12 minutes · trains: a fair measurement*
#
# `models` is a dict from names to models, `image` one prepared picture (3, H, W). For each
# model run `warmup` forward passes, then `passes` passes of which each is timed alone. Run
# all in eval mode, without gradients, on the picture as a batch of one. `clock()` gives the
# time in seconds, as `time.perf_counter` does.
#
# Return a list of dicts, one a model, in the given order:
#
# - `"name"`: the model's name
# - `"parameters"`: how many numbers its parameters hold, as an `int`
# - `"median_ms"`: the median of the timed passes in milliseconds, as a `float` (of an even
#   number, the mean of the two in the middle)
# - `"top5"`: the positions of the five largest logits, largest first, as a list of `int`
#
# Give each model back in the mode in which it came.


# %% nbgrader={"grade": false, "grade_id": "compare", "locked": false, "schema_version": 3, "solution": true, "task": false}
def compare(models, image, passes, warmup, clock):
    """Return parameters, median milliseconds and top 5 of each model."""
    ### BEGIN SOLUTION
    rows = []
    for name, model in models.items():
        training, times = model.training, []
        model.eval()
        with torch.inference_mode():
            for _ in range(warmup + passes):
                start = clock()
                logits = model(image[None]).squeeze(0)  # (1, C) -> (C,)
                times.append(clock() - start)
        model.train(training)
        seconds = torch.tensor(times[warmup:]).quantile(0.5).item()
        rows.append(
            {
                "name": name,
                "parameters": sum(p.numel() for p in model.parameters()),
                "median_ms": 1000 * seconds,
                "top5": logits.topk(5).indices.tolist(),
            }
        )
    return rows
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_02_1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("02.1", compare)

# %% [markdown]
# Your function on three real nets, 100 timed passes each. They have random weights here and
# see 64 pixels, so the top 5 mean nothing yet. With `SIZE = 224` and
# `WEIGHTS = "DEFAULT"` (ImageNet weights, downloaded once) you get the real figures.

# %%
SIZE, WEIGHTS = 64, None
NAMES = ("resnet18", "resnet50", "efficientnet_b0")

preset = tv.ResNet18_Weights.DEFAULT.transforms
photo = sample_photos()["hopper"]
picture = preset(crop_size=SIZE, resize_size=SIZE)(photo)
torch.manual_seed(0)
nets = {name: tv.get_model(name, weights=WEIGHTS) for name in NAMES}
try:
    found = compare(nets, picture, 100, 10, time.perf_counter)
    print(pd.DataFrame(found).round(1).to_string(index=False))
    print("threads:", torch.get_num_threads())
except NotImplementedError:
    print("Write compare first, then run this cell again.")

# %% [markdown]
# ## 02.2 Many times, three numbers
#
# *Difficulty 1 of 5 · 5 minutes · trains: median and percentiles*
#
# `times_ms` is a list of `float`, the milliseconds of forward passes in the order in which
# they ran. Drop the first `warmup` of them. Return a tuple of three `float`: the median, the
# 10th and the 90th percentile of the rest, in this order. Where a percentile falls between
# two times, interpolate linearly, as NumPy and PyTorch do. Leave the list as it is.


# %% nbgrader={"grade": false, "grade_id": "median_latency", "locked": false, "schema_version": 3, "solution": true, "task": false}
def median_latency(times_ms, warmup):
    """Return median, 10th and 90th percentile, without the warm-up."""
    ### BEGIN SOLUTION
    kept = torch.tensor(times_ms[warmup:])
    return tuple(kept.quantile(q).item() for q in (0.5, 0.1, 0.9))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_02_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("02.2", median_latency)

# %% [markdown]
# ## 02.3 The Pareto front
#
# *Difficulty 3 of 5 · 12 minutes · trains: weighing two figures without a formula*
#
# `models` is a list of dicts with `"name"`, `"top1"` (per cent, more is better) and
# `"params"` (millions, fewer is better). One model *beats* another if it is at least as good
# in both figures and better in at least one. Return the names of the models that no other
# beats, the one with the fewest parameters first.
#
# Two models with equal figures do not beat each other, and stand in any order. Models of which a figure is missing
# (`None` or NaN) stay out. The list may be in any order; leave it as it is.


# %% nbgrader={"grade": false, "grade_id": "pareto_front", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pareto_front(models):
    """Return the names of the models that no other beats."""

    ### BEGIN SOLUTION
    def known(value):
        return value is not None and value == value  # NaN is not itself

    def beats(a, b):
        as_good = a["top1"] >= b["top1"] and a["params"] <= b["params"]
        better = a["top1"] > b["top1"] or a["params"] < b["params"]
        return as_good and better

    rows = [m for m in models if known(m["top1"]) and known(m["params"])]
    front = [m for m in rows if not any(beats(other, m) for other in rows)]
    return [m["name"] for m in sorted(front, key=lambda m: m["params"])]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_02_3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("02.3", pareto_front)

# %% [markdown]
# ## 02.4 The best within a budget
#
# *Difficulty 2 of 5 · 8 minutes · trains: choosing under limits*
#
# The dicts now have `"gflops"` as well. Return the name of the model with the largest
# `"top1"` among those with at most `max_params` and at most `max_gflops`. Where the accuracy
# is equal to the last digit, the model with fewer parameters wins. A model of which a figure
# is missing (`None`) is no candidate. Return `None` where no model fits. Leave the list as it
# is.


# %% nbgrader={"grade": false, "grade_id": "best_under", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_under(models, max_params, max_gflops):
    """Return the name of the best model within both budgets, or None."""
    ### BEGIN SOLUTION
    figures = ("top1", "params", "gflops")
    known = [m for m in models if all(m[f] is not None for f in figures)]
    small = [m for m in known if m["params"] <= max_params]
    fitting = [m for m in small if m["gflops"] <= max_gflops]
    if not fitting:
        return None
    best = max(fitting, key=lambda m: (m["top1"], -m["params"]))
    return best["name"]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_02_4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("02.4", best_under)

# %% [markdown]
# ## 02.5 What does the table tell?
#
# *Difficulty 2 of 5 · 3 minutes · trains: one cause at a time*
#
# Four rows of torchvision's own metadata: parameters, operations for one picture, top-1 on
# ImageNet. V1 and V2 of a net were trained by two recipes (V2: longer, with more
# augmentation and regularisation).

# %%
for name in ("resnet50", "resnet101"):
    for weights in tv.get_model_weights(name):
        top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        millions = weights.meta["num_params"] / 1e6
        gflops = weights.meta["_ops"]
        print(weights, f"{millions:.1f} M {gflops:.1f} GFLOPs {top1:.1f}%")

# %% [markdown]
# Which conclusion do these rows allow? Answer with one letter, as a string.
#
# - **a** Of two nets, the one with more parameters is the more accurate one.
# - **b** On your own pictures, V2 will beat V1 by as many points.
# - **c** `resnet101` V2 against `resnet50` V1 shows what 51 more layers are worth.
# - **d** From V1 to V2 the recipe brought the gain, not the architecture.
# - **e** V2 of a net needs more time for a picture than V1.

# %% nbgrader={"grade": false, "grade_id": "what_the_table_tells", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
what_the_table_tells = "d"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_02_5", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("02.5", what_the_table_tells)

# %% [markdown]
# ## To try, without a grade
#
# Your functions on the whole zoo: which nets are on the front, and which is the best with at
# most 10 million parameters and 1 GFLOP?

# %%
table = zoo_table()
table["name"] = table["architecture"] + " " + table["weights"]
zoo = table[["name", "top1", "params", "gflops"]].to_dict("records")
try:
    print(*pareto_front(zoo), sep="\n")
    print("within the budget:", best_under(zoo, 10, 1))
except NotImplementedError:
    print("Write both functions first, then run this cell again.")

# %% [markdown]
# Back to [lesson 02](../notebooks/02_model_zoo.ipynb).
