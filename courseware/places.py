"""Where the course's own files lie: in a checkout, or within the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
NOTEBOOKS = ("notebooks", "exercises")  # what a learner works in


def is_checkout() -> bool:
    """Tell whether the course runs from its repository, with sources to build from."""
    return (_PACKAGE.parent / "pyproject.toml").is_file()


def project_root() -> Path:
    """Return the folder of the checkout.

    Raises `FileNotFoundError` where the course was installed without one.
    """
    if not is_checkout():
        raise FileNotFoundError(
            "this needs a checkout of the course, and here is only the installed "
            "package: take the course's repository, and run `pip install -e .` in it"
        )
    return _PACKAGE.parent


def notebooks_root() -> Path:
    """Return the folder that holds `notebooks/` and `exercises/`.

    It lies within the package where that was installed from a wheel, else it is the
    checkout.
    """
    packaged = _PACKAGE / "files"
    return packaged if packaged.is_dir() else project_root()
