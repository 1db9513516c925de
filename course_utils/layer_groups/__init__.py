"""Ordered stages, freezing that holds BatchNorm still, and schedules of unfreezing."""

from .freezing import freeze, hold_batchnorm, trainable_parameters, unfreeze
from .schedule import UnfreezeSchedule
from .stages import LayerGroup, check_stage_names, layer_groups, names_of

__all__ = [
    "LayerGroup",
    "UnfreezeSchedule",
    "check_stage_names",
    "freeze",
    "hold_batchnorm",
    "layer_groups",
    "names_of",
    "trainable_parameters",
    "unfreeze",
]
