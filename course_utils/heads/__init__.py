"""Find and replace the classifier of any torchvision or timm classification model."""

from .finding import AUXILIARY, Head, feature_dim, find_heads
from .surgery import check_head, check_num_classes, replace_head

__all__ = [
    "AUXILIARY",
    "Head",
    "check_head",
    "check_num_classes",
    "feature_dim",
    "find_heads",
    "replace_head",
]
