"""Teach a small net from a large one: the loss, the teacher, its answers and features."""

from .features import FeatureDistillation
from .loss import (
    DistillationParts,
    check_logits,
    distillation_loss,
    distillation_parts,
    entropy_bits,
    odds_against,
    soft_gradient,
    soft_targets,
)
from .teacher import (
    CachedDistillationStep,
    DistillationStep,
    TaughtDataset,
    Teacher,
    cached_logits,
)

__all__ = [
    "CachedDistillationStep",
    "DistillationParts",
    "DistillationStep",
    "FeatureDistillation",
    "TaughtDataset",
    "Teacher",
    "cached_logits",
    "check_logits",
    "distillation_loss",
    "distillation_parts",
    "entropy_bits",
    "odds_against",
    "soft_gradient",
    "soft_targets",
]
