"""Ordered stages, freezing that holds BatchNorm still, and schedules of unfreezing."""

from .freezing import freeze, trainable_parameters, unfreeze
from .schedule import UnfreezeSchedule
from .stages import LayerGroup, layer_groups

__all__ = [
    "LayerGroup",
    "UnfreezeSchedule",
    "freeze",
    "layer_groups",
    "trainable_parameters",
    "unfreeze",
]
