# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 00 · Warm-up
#
# Two short tasks, 2 points.
#
# Write your answer and run its cell. The cell below it is the check: run that one next, and
# read its card. After a change run your own cell *first*, for a check sees only what has run.
# Each wrong try unfolds a stronger hint and costs a little, in your own progress only;
# `hint("00.1")` shows the next hint at once.
#
# A check ends loops and sleeps, and puts back what your function has set. It cannot end
# one long computation inside C code (such as `sum(range(10**12))`), a loop that has switched
# the alarm off, or a request for more memory than there is: restart the kernel then.

# %%
import torch

from courseware.grading import check, hint

# %% [markdown]
# ## 00.1 Count the parameters
#
# *Difficulty 1 of 5 · 3 minutes · trains: looking into a module*
#
# Write `count_parameters(model)`: how many numbers do the parameters of a module hold, in
# all? Frozen ones count too. Return an `int`.


# %% nbgrader={"grade": false, "grade_id": "count_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_parameters(model):
    """Return the number of values in all parameters of a module."""
    ### BEGIN SOLUTION
    return sum(p.numel() for p in model.parameters())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_00_1", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("00.1", count_parameters)

# %% [markdown]
# ## 00.2 Accuracy of a batch
#
# *Difficulty 1 of 5 · 5 minutes · trains: logits, argmax*
#
# Write `accuracy(logits, labels)`. `logits` has the shape (N, C), one row a picture;
# `labels` (N,) holds the right classes. Return the share of pictures whose largest logit
# stands at the right class, as a `float` from 0 to 1, not
# rounded.


# %% nbgrader={"grade": false, "grade_id": "accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def accuracy(logits, labels):
    """Return the share of right predictions, from 0 to 1."""
    ### BEGIN SOLUTION
    predicted = logits.argmax(dim=1)
    return (predicted == labels).float().mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_00_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("00.2", accuracy)

# %% [markdown]
# Back to [lesson 00](../notebooks/00_start_here.ipynb), or on to
# [lesson 01](../notebooks/01_loading_models.ipynb).
