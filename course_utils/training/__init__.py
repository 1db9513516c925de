"""Train and evaluate: a loop that knows nothing of the model, with a history.

A step is what may differ: it is handed the model and a batch, and returns the loss and
the logits. A batch is (images, labels, …), where each part is a tensor, or tuples and
dictionaries of them, and parts after the labels are for the step alone; or a dictionary
that names both. With several tasks, logits and labels are dictionaries by task; a label
below 0 is not known, and is left out of the accuracy. A step may return a third thing,
`Parts`: means that the history is to hold as well, such as the terms of the loss.
"""

from .batches import (
    Batch,
    check_loader,
    dtype_of,
    explained_pass,
    images_and_labels,
    labels_of,
    make_loader,
    to_device,
    to_net,
)
from .callbacks import BestWeights, EarlyStopping, EpochState
from .learning import check_learns, forgotten_refused, modules_of, parameters_of
from .loop import evaluate, fit, train_one_epoch
from .outputs import (
    Logits,
    Parts,
    Step,
    check_labels,
    check_none_missing,
    class_labels,
    class_logits,
    classification_step,
    logits_of,
    run_step,
    soft_label_step,
)

__all__ = [
    "Batch",
    "BestWeights",
    "EarlyStopping",
    "EpochState",
    "Logits",
    "Parts",
    "Step",
    "check_labels",
    "check_learns",
    "check_loader",
    "check_none_missing",
    "class_labels",
    "class_logits",
    "classification_step",
    "dtype_of",
    "evaluate",
    "explained_pass",
    "fit",
    "forgotten_refused",
    "images_and_labels",
    "labels_of",
    "logits_of",
    "make_loader",
    "modules_of",
    "parameters_of",
    "run_step",
    "soft_label_step",
    "to_device",
    "to_net",
    "train_one_epoch",
]
