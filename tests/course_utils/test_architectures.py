import warnings

import pytest

from course_utils.architectures import build, parse_name, torchvision_names
from course_utils.errors import UnknownModel


def test_torchvision_has_80_classification_models():
    assert len(torchvision_names()) == 80


def test_a_name_that_both_libraries_have_is_torchvisions():
    assert parse_name("resnet18")[0] == "torchvision"
    assert parse_name("timm/resnet18")[0] == "timm"


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(UnknownModel, match="resnet18"):
        build("resnet_18")


def test_building_is_quiet_and_takes_options():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build("googlenet", num_classes=3).fc.out_features == 3
