"""C15: training memory follows the prediction of lesson 03."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.architectures import build
from course_utils.arguments import Count, checked
from course_utils.inspection import inspect_model
from course_utils.layer_groups import freeze, trainable_parameters
from course_utils.memory import StorageMeter, state_bytes
from courseware.claims.protocol import Bar, Protocol, Rows

NETS = ("resnet18", "resnet50", "efficientnet_b0", "vit_b_32")
BATCH_SIZES = (2, 4, 6, 8, 12)  # of the seeds 0 to 4
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p),
}


def measure_c15(seed: int) -> Rows:
    """Peak of a training step on the processor, 224 px, against the prediction.

    Each seed takes another batch size; the seeds 0, 2 and 4 train with Adam, the others
    with SGD and momentum. What is measured is the storage of all tensors, in the second
    step, when the optimiser holds its state. `error` is prediction / measurement - 1.
    """
    rows: Rows = {}
    batch_size = BATCH_SIZES[seed]
    optimizer = "sgd" if seed % 2 else "adam"
    for net in NETS:
        report = inspect_model(net, input_size=(3, 224, 224))
        for mode in ("frozen", "full"):
            torch.manual_seed(seed)
            model = build(net)
            if mode == "frozen":
                freeze(model)
            measured = training_bytes(model, batch_size, optimizer)
            predicted = report.memory(batch_size, mode=mode, optimizer=optimizer).peak
            rows[f"{net}/{mode}/measured MB"] = measured / 1e6
            rows[f"{net}/{mode}/predicted MB"] = predicted / 1e6
            rows[f"{net}/{mode}/error (%)"] = 100 * (predicted / measured - 1)
    return rows


@checked
def training_bytes(
    model: nn.Module, batch_size: Count, optimizer: Literal[tuple(OPTIMIZERS)]
) -> int:
    """Bytes of all tensors at the fullest moment of a model's second training step."""
    model.train()
    images = torch.randn(batch_size, 3, 224, 224)
    labels = torch.zeros(batch_size, dtype=torch.long)
    update = OPTIMIZERS[optimizer](trainable_parameters(model))
    for _ in range(2):
        update.zero_grad()
        with StorageMeter() as meter:
            F.cross_entropy(model(images.clone()), labels).backward()
        update.step()
    tensors = [v for entry in update.state.values() for v in entry.values()]
    state = sum(v.nbytes for v in tensors if torch.is_tensor(v))
    return state_bytes(model) + state + meter.peak


PROTOCOLS = (
    Protocol(
        "C15",
        "Training memory follows the prediction made on meta tensors (tensor storage on "
        "the processor, batch sizes 2 to 12, Adam and SGD).",
        "every prediction within 15 %",
        measure_c15,
        ("net", "mode"),
        (Bar("*/error*", low=-15, high=15),),
        weights="",
    ),
)
