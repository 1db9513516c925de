"""Which weights: bundled, installed, fetched, a file or none; what an image must be."""

from course_utils.weights.bundled import (
    BUNDLED,
    build_bundled,
    bundled_card,
    bundled_names,
)
from course_utils.weights.info import WeightsInfo
from course_utils.weights.installed import (
    PACKAGES,
    build_installed,
    installed_names,
    installed_path,
)
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
    "PACKAGES",
    "WeightsInfo",
    "build_bundled",
    "build_installed",
    "bundled_card",
    "bundled_names",
    "cached_imagenet",
    "default_backbone",
    "default_weights_info",
    "find_weights",
    "imagenet_is_cached",
    "installed_names",
    "installed_path",
    "load_backbone",
    "released_info",
    "released_is_cached",
    "timm_config",
    "timm_path",
    "torchvision_path",
    "torchvision_weights",
]
