"""Which weights: bundled, released, a file or none; what they expect of an image."""

from course_utils.weights.bundled import (
    BUNDLED,
    build_bundled,
    bundled_card,
    bundled_names,
)
from course_utils.weights.info import WeightsInfo
from course_utils.weights.loading import (
    default_backbone,
    default_weights_info,
    find_weights,
    load_backbone,
)
from course_utils.weights.released import (
    cached_imagenet,
    imagenet_is_cached,
    released_info,
    released_is_cached,
    timm_config,
    timm_path,
    torchvision_path,
    torchvision_weights,
)

__all__ = [
    "BUNDLED",
    "WeightsInfo",
    "build_bundled",
    "bundled_card",
    "bundled_names",
    "cached_imagenet",
    "default_backbone",
    "default_weights_info",
    "find_weights",
    "imagenet_is_cached",
    "load_backbone",
    "released_info",
    "released_is_cached",
    "timm_config",
    "timm_path",
    "torchvision_path",
    "torchvision_weights",
]
