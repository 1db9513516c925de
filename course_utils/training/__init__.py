"""Train and evaluate: a loop that knows nothing of the model, with a history.

A step is what may differ: it is handed the model and a batch, and returns the loss and
the logits. A batch is (images, labels, …), where each part is a tensor, or tuples and
dictionaries of them, and parts after the labels are for the step alone; or a dictionary
that names both. With several tasks, logits and labels are dictionaries by task; a label
below 0 is not known, and is left out of the accuracy. A step may return a third thing,
`Parts`: means that the history is to hold as well, such as the terms of the loss.
"""

from .batches import Batch, images_and_labels, to_device
from .callbacks import BestWeights, EarlyStopping, EpochState
from .engine import Engine
from .epoch import EpochResult, evaluate, train_one_epoch
from .learning import check_learns
from .loaders import make_loader
from .loop import fit
from .outputs import (
    Step,
    check_labels,
    check_none_missing,
    classification_step,
    logits_of,
    soft_label_step,
)
from .profiling import Profile, profile

__all__ = [
    "Batch", "BestWeights", "EarlyStopping", "Engine", "EpochResult", "EpochState",
    "Profile", "Step",
    "check_labels", "check_learns", "check_none_missing", "classification_step",
    "evaluate", "fit", "images_and_labels", "logits_of", "make_loader",
    "profile",
    "soft_label_step", "to_device", "train_one_epoch",
]  # fmt: skip
