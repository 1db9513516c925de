"""Which weights: bundled, released, a file or none; what they expect of an image."""

from course_utils.weights.bundled import (
    BUNDLED,
    build_bundled,
    bundled_card,
    bundled_names,
)
from course_utils.weights.info import IMAGENET_MEAN, IMAGENET_STD, WeightsInfo
from course_utils.weights.loading import (
    KINDS,
    default_backbone,
    default_weights_info,
    find_weights,
    load_backbone,
)
from course_utils.weights.released import (
    OTHER_CONTENTS,
    cached_imagenet,
    imagenet_is_cached,
    released_info,
    released_is_cached,
    timm_config,
    timm_info,
    timm_kind,
    timm_path,
    torchvision_info,
    torchvision_path,
    torchvision_weights,
)

__all__ = [
    "BUNDLED",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "KINDS",
    "OTHER_CONTENTS",
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
    "timm_info",
    "timm_kind",
    "timm_path",
    "torchvision_info",
    "torchvision_path",
    "torchvision_weights",
]
